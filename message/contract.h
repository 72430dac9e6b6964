/*
 * contract.h - what the message service promises to those who call it. Callers include nothing else of
 * message/.
 */
#ifndef MESSAGE_CONTRACT_H
#define MESSAGE_CONTRACT_H

#define MESSAGE_PATH_GET_MESSAGE  "/get-message"
#define MESSAGE_PATH_GET_MESSAGES "/get-messages"

/* A call of get-messages carries at most so many requests. */
#define MESSAGE_REQUESTS_PER_CALL_MAX 64

#endif
