/*
 * contract.h - what the auth service promises to those who call it: paths, headers and the shape of a token.
 * The forms of bodies are in the API contract of README.md. Callers include this header and nothing else of
 * auth/.
 */
#ifndef AUTH_CONTRACT_H
#define AUTH_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

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
    /* No branch and no end but the last: the compiler makes it sixteen bytes at a time, of some 300. */
    unsigned wrong = 0;
    unsigned dots = 0;

    if (length > AUTH_TOKEN_MAX_BYTES)
        return false;
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)token[i];
        const unsigned char letter = (unsigned char)((c | 0x20) - 'a');
        const unsigned char digit = (unsigned char)(c - '0');
        wrong |= !((letter < 26) | (digit < 10) | (c == '-') | (c == '_') | (c == '.'));
        dots += c == '.';
    }
    if (wrong != 0 || dots != 2)
        return false;
    const char *first = memchr(token, '.', length);
    const char *second = memchr(first + 1, '.', length - (size_t)(first + 1 - token));
    return first > token && second > first + 1 && second + 1 < token + length;
}

#endif
