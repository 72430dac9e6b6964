/*
 * state.h - what auth's loops and workers share. Made before the first loop runs, read-only from then on but
 * for what the store, the workers, the floor and the throttle guard themselves.
 */
#ifndef AUTH_STATE_H
#define AUTH_STATE_H

#include "auth/password.h"
#include "auth/refusal_floor.h"
#include "auth/throttle.h"
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
    struct throttle *throttle;
};

/* What each loop has for itself. */
struct auth_loop {
    struct token_memory *memory;
    struct floor_watch *floor_watch;       /* on loop 0 alone */
    struct throttle_watch *throttle_watch; /* on loop 0 alone, where throttling is on */
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

/* refresh.c: POST /refresh. */
extern const size_t refresh_size;
void refresh_handle(struct exchange *x);

/* logout.c: POST /logout. */
extern const size_t logout_size;
void logout_handle(struct exchange *x);

/* me.c: GET /me. */
void me_handle(struct exchange *x);

/* sessions.c: GET /sessions, DELETE /sessions/{sid}. */
void sessions_list_handle(struct exchange *x);
extern const size_t session_end_size;
void session_end_handle(struct exchange *x);

/* change_password.c: PUT /password. */
extern const size_t change_password_size;
void change_password_set_up(const struct password_policy *policy); /* once, before the loops */
void change_password_handle(struct exchange *x);

/* admin_list.c: GET /admin/users. */
void admin_list_handle(struct exchange *x);

/* admin_user.c: GET, PATCH and DELETE /admin/users/{id}, DELETE /admin/users/{id}/sessions. */
extern const size_t admin_user_size;
void admin_show_handle(struct exchange *x);
void admin_change_handle(struct exchange *x);
void admin_delete_handle(struct exchange *x);
void admin_end_sessions_handle(struct exchange *x);

/* validate.c: POST /validate-token, POST /validate-tokens, GET /verify. */
void validate_handle(struct exchange *x);
void validate_many_handle(struct exchange *x);
void verify_handle(struct exchange *x);

#endif
