/*
 * contract.h - what the auth service promises to those who call it: paths, headers and the shape of a token.
 * The forms of bodies are in the API contract of README.md. Callers include this header and nothing else of
 * auth/.
 */
#ifndef AUTH_CONTRACT_H
#define AUTH_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>

#define AUTH_PATH_SIGNUP          "/signup"
#define AUTH_PATH_LOGIN           "/login"
#define AUTH_PATH_REFRESH         "/refresh"
#define AUTH_PATH_LOGOUT          "/logout"
#define AUTH_PATH_ME              "/me"
#define AUTH_PATH_PASSWORD        "/password"
#define AUTH_PATH_SESSIONS        "/sessions"
#define AUTH_PATH_SESSION         "/sessions/{sid}"
#define AUTH_PATH_ADMIN_USERS     "/admin/users"
#define AUTH_PATH_ADMIN_USER      "/admin/users/{id}"
#define AUTH_PATH_ADMIN_SESSIONS  "/admin/users/{id}/sessions"
#define AUTH_PATH_VALIDATE_TOKEN  "/validate-token"
#define AUTH_PATH_VALIDATE_TOKENS "/validate-tokens"
#define AUTH_PATH_VERIFY          "/verify"

/* A call of validate-tokens carries at most so many. */
#define AUTH_TOKENS_PER_CALL_MAX 64

/* A longer token is refused without being looked at. */
#define AUTH_TOKEN_MAX_BYTES 4096

/*
 * True for what can be a JWS in compact form (RFC 7515, section 3.1): at most AUTH_TOKEN_MAX_BYTES bytes,
 * exactly three non-empty parts of base64url characters (RFC 4648, section 5) with a dot between.
 */
static inline bool auth_token_has_shape(const char *token, size_t length)
{
    /* A table, because this looks at some 300 bytes of every request. */
    static const bool is_base64url[256] = {
        ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['-'] = true, ['_'] = true};
    size_t parts = 1;
    size_t part_begins = 0;

    if (length > AUTH_TOKEN_MAX_BYTES)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (is_base64url[(unsigned char)token[i]])
            continue;
        if (token[i] != '.' || i == part_begins || ++parts > 3)
            return false;
        part_begins = i + 1;
    }
    return parts == 3 && part_begins < length;
}

#endif
