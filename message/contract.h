/*
 * contract.h - what the message service promises to those who call it. Callers include nothing else of
 * message/.
 */
#ifndef MESSAGE_CONTRACT_H
#define MESSAGE_CONTRACT_H

#define MESSAGE_PATH_GET_MESSAGE "/get-message"

#endif
