/*
 * reply.h - the only code that sends. Every function here answers a request at most once: where the client
 * has left it does nothing but what the exchange needs. It logs and counts, and it may free x: always the
 * last statement.
 *
 * The public service wears the envelope {"status_code", "detail", "date_time"}; internal ones answer as they
 * are told, and their errors are {"detail": ...}.
 */
#ifndef CORE_REPLY_H
#define CORE_REPLY_H

#include <stddef.h>

#include "core/buffer.h"
#include "core/exchange.h"
#include "core/fault.h"

/* A whole answer, for what stands outside the envelope and for internal services: `json` is sent as it is. */
void reply_json(struct exchange *x, unsigned status, const char *json, size_t length);

/* A whole answer of another type; static. */
void reply_text(struct exchange *x, const char *content_type, const char *text, size_t length);

/* An answer that is all in its headers (GET /verify): no body, Content-Length 0. At most 4 headers, values
 * copied. */
struct reply_header {
    const char *name; /* lower case, static */
    const char *value;
};
void reply_headers(struct exchange *x, unsigned status, const struct reply_header *headers, size_t count);

/* A success in the envelope of the public service; `detail` is JSON. */
void reply_detail(struct exchange *x, unsigned status, const char *detail, size_t length);

/* A fault with its own sentence. BUSY and STORE_FULL carry Retry-After, the 401s WWW-Authenticate. */
void reply_fault(struct exchange *x, enum fault fault);

/* The same without a body, for what is all in its headers. */
void reply_fault_bare(struct exchange *x, enum fault fault);

/* A fault whose detail is made for the occasion; `detail` is JSON. */
void reply_fault_detail(struct exchange *x, enum fault fault, const char *detail, size_t length);

/* TOKEN_REFUSED (and what is like it) where a token was given: WWW-Authenticate says invalid_token (RFC
 * 6750, 3.1). */
void reply_token_refused(struct exchange *x, enum fault fault);

/* What another service refused, passed on: its status, detail (JSON), and headers ("" where it sent none). */
struct passed_on {
    unsigned status;
    const char *detail;
    size_t detail_length;
    const char *error_code;
    const char *retry_after;
    const char *www_authenticate;
    const char *rate_limit;
    const char *rate_limit_policy;
};
void reply_passed_on(struct exchange *x, const struct passed_on *answer);

/* 405, with the methods that the path has ("GET, HEAD"). */
void reply_method_not_allowed(struct exchange *x, const char *allow);

/* 307 to a path of this service (relative Location, RFC 9110, section 10.2.2). */
void reply_redirect(struct exchange *x, const char *location, size_t length);

/*
 * The body of an error: in the envelope, or {"detail": ...}. For what libh2o answers itself (error_filter.h).
 * `detail` is JSON, or NULL for the fault's sentence.
 */
void reply_error_body(struct buffer *out, struct loop *loop, enum fault fault, const char *detail,
                      size_t length);

#endif
