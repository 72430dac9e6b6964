/*
 * state.h - what the gateway's loops share: how the other services were when last asked.
 */
#ifndef GATEWAY_STATE_H
#define GATEWAY_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/exchange.h"
#include "core/service.h"

struct probe;

struct gateway {
    atomic_bool auth_is_ready;
    atomic_bool message_is_ready;
    struct probe *probe; /* of loop 0 */
};

static inline struct gateway *gateway_of(const struct service *service)
{
    return service->state;
}

/* account.c: POST /user/signup, POST /user/login. */
extern const size_t account_size;
void account_signup_handle(struct exchange *x);
void account_login_handle(struct exchange *x);

/* message.c: GET /user/message. */
extern const size_t message_size;
void message_handle(struct exchange *x);

/* probe.c: asks auth and message once a second whether they are ready. On loop 0. */
struct probe *probe_open(struct loop *loop);
void probe_close(struct probe *probe);

#endif
