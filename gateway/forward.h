/*
 * forward.h - what a call to another service has in common: the headers it carries on, and what its answer
 * means.
 */
#ifndef GATEWAY_FORWARD_H
#define GATEWAY_FORWARD_H

#include <stdbool.h>

#include "core/buffer.h"
#include "core/exchange.h"
#include "core/fault.h"
#include "core/gather.h"
#include "core/relay.h"

#define FORWARD_AGENT_MAX_BYTES 255

/* "X-Request-Id: ..." and "X-Client-Address: ...": lines for call.headers; keep it as long as the call
 * starts. `forwarded` is "Forwarded: for=unknown" where the request came with such a header, else "". */
struct forward {
    char request_id[sizeof "X-Request-Id: " + REQUEST_ID_MAX_BYTES];
    char client_address[sizeof "X-Client-Address: " + EXCHANGE_ADDRESS_MAX_BYTES];
    const char *forwarded; /* static */
};

void forward_fill(struct forward *forward, const struct exchange *x);

/* "User-Agent: ...", the client's; "" where it sent none, several, one that is too long or not printable
 * ASCII. */
void forward_agent(char line[sizeof "User-Agent: " + FORWARD_AGENT_MAX_BYTES], const struct exchange *x);

/* "?..." for call.query: what of the query is not visible ASCII, and '#', is percent-encoded, which means the
 * same; nothing where there is no query. */
void forward_query(struct buffer *out, h2o_iovec_t query);

/* A service that can be called, and the faults that stand for it. */
struct peer {
    enum fault unavailable;
    enum fault timeout;
};
extern const struct peer peer_auth;
extern const struct peer peer_message;

/* Answers for a call that brought no answer, or one that must not be passed on. Last statement. */
void forward_reply_failed(struct exchange *x, const struct peer *peer, const struct call *call);

/* The fault that stands for such a call; logs it. */
enum fault forward_fault(const struct exchange *x, const struct peer *peer, const struct call *call);

/* The same for a gathered question: without an answer, or with one that is not as wanted. Last statement. */
void forward_reply_unanswered(struct exchange *x, const struct peer *peer, const struct question *question);

/*
 * Passes on what auth refused: 400, 401, 403, 404, 409, 422, 429, 503 with detail and headers; anything else,
 * a body that is not {"detail": ...}, or a refusal of our service key, is 502. Last statement.
 */
void forward_reply_refused(struct exchange *x, const struct call *call);

#endif
