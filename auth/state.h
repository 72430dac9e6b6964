/*
 * state.h - what auth's loops and workers share. Made before the first loop runs, read-only from then on but
 * for what the store, the workers and the floor guard themselves.
 */
#ifndef AUTH_STATE_H
#define AUTH_STATE_H

#include "auth/password.h"
#include "auth/refusal_floor.h"
#include "auth/token.h"
#include "auth/token_memory.h"
#include "core/exchange.h"
#include "core/service.h"
#include "core/workers.h"
#include "storage/user_store.h"

struct auth {
    const struct config *config;
    struct user_store *store;
    struct workers *workers; /* their state is a struct password_hasher */
    struct token_keys keys;
    struct password_policy policy;
    struct refusal_floor floor;
};

/* What each loop has for itself. */
struct auth_loop {
    struct token_memory *memory;
    struct floor_watch *floor_watch; /* on loop 0 alone */
};

static inline struct auth_loop *auth_loop_of(const struct loop *loop)
{
    return loop->state;
}

static inline struct auth *auth_of(const struct exchange *x)
{
    return x->loop->service->state;
}

/* signup.c: POST /signup. */
extern const size_t signup_size;
void signup_set_up(const struct password_policy *policy); /* once, before the loops */
void signup_handle(struct exchange *x);

/* login.c: POST /login. */
extern const size_t login_size;
void login_handle(struct exchange *x);

/* validate.c: POST /validate-token, POST /validate-tokens, GET /verify. */
void validate_handle(struct exchange *x);
void validate_many_handle(struct exchange *x);
void verify_handle(struct exchange *x);

#endif
