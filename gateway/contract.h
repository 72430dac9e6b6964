/*
 * contract.h - the paths that clients see. Tools that speak to the gateway include nothing else of gateway/.
 */
#ifndef GATEWAY_CONTRACT_H
#define GATEWAY_CONTRACT_H

#define GATEWAY_PATH_SIGNUP  "/user/signup"
#define GATEWAY_PATH_LOGIN   "/user/login"
#define GATEWAY_PATH_MESSAGE "/user/message"

#endif
