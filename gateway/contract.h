/*
 * contract.h - the paths that clients see. Tools that speak to the gateway include nothing else of gateway/.
 */
#ifndef GATEWAY_CONTRACT_H
#define GATEWAY_CONTRACT_H

#define GATEWAY_PATH_SIGNUP         "/user/signup"
#define GATEWAY_PATH_LOGIN          "/user/login"
#define GATEWAY_PATH_REFRESH        "/user/refresh"
#define GATEWAY_PATH_LOGOUT         "/user/logout"
#define GATEWAY_PATH_ME             "/user/me"
#define GATEWAY_PATH_PASSWORD       "/user/password"
#define GATEWAY_PATH_SESSIONS       "/user/sessions"
#define GATEWAY_PATH_SESSION        "/user/sessions/{sid}"
#define GATEWAY_PATH_MESSAGE        "/user/message"
#define GATEWAY_PATH_ADMIN_USERS    "/admin/users"
#define GATEWAY_PATH_ADMIN_USER     "/admin/users/{id}"
#define GATEWAY_PATH_ADMIN_SESSIONS "/admin/users/{id}/sessions"
#define GATEWAY_PATH_VERIFY         "/auth/verify"

#endif
