/*
 * state.h - what the gateway's loops share: how the other services were when last asked, and whom to
 * believe who a client is.
 */
#ifndef GATEWAY_STATE_H
#define GATEWAY_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/exchange.h"
#include "core/service.h"

struct probe;
struct gather;
struct client_address_rule;

struct gateway {
    atomic_bool auth_is_ready;
    atomic_bool message_is_ready;
    struct client_address_rule *client_rule; /* read-only */
};

/* What each loop has for itself. */
struct gateway_loop {
    struct gather *tokens;   /* questions to auth: is this token good? */
    struct gather *messages; /* questions to message: the text for this role? */
    struct probe *probe;     /* on loop 0 alone */
};

static inline struct gateway_loop *gateway_loop_of(const struct loop *loop)
{
    return loop->state;
}

static inline struct gateway *gateway_of(const struct service *service)
{
    return service->state;
}

/* account.c: what auth does with accounts and sessions, one handler for each manner of asking it. */
extern const size_t account_size;
void account_signup_handle(struct exchange *x);
void account_login_handle(struct exchange *x);
void account_refresh_handle(struct exchange *x);
void account_logout_handle(struct exchange *x);
void account_token_handle(struct exchange *x); /* for whoever has a token; auth says who may */
void account_list_handle(struct exchange *x);  /* the same, with the query */

/* verify.c: GET /auth/verify. */
extern const size_t verify_size;
void verify_relay_handle(struct exchange *x);

/* message.c: GET /user/message. */
extern const size_t message_size;
void message_handle(struct exchange *x);
void message_gathers_open(struct loop *loop); /* makes tokens and messages of the loop's state */
void message_gathers_close(struct loop *loop);

/* probe.c: asks auth and message once a second whether they are ready. On loop 0. */
struct probe *probe_open(struct loop *loop);
void probe_close(struct probe *probe);

#endif
