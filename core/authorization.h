/*
 * authorization.h - the bearer token of a request (RFC 6750, section 2.1; RFC 9110, section 11.6.2), and,
 * because existing clients send it so, the bare token without a scheme.
 */
#ifndef CORE_AUTHORIZATION_H
#define CORE_AUTHORIZATION_H

#include <h2o.h>

#include "core/exchange.h"

#define AUTHORIZATION_MAX_BYTES 4096 /* of the token */

enum authorization {
    AUTHORIZATION_ABSENT,   /* no header, an empty one, or "Bearer" alone */
    AUTHORIZATION_OTHER,    /* another scheme: no token was given */
    AUTHORIZATION_UNUSABLE, /* sent twice, or too long */
    AUTHORIZATION_TOKEN, /* *token is set: neither empty nor with white space inside; points into the request
                          */
};

enum authorization authorization_read(const struct exchange *x, h2o_iovec_t *token);

#endif
