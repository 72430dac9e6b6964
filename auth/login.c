/*
 * login.c - POST /login: one job off the loop (find, verify, issue), one hop out and one back.
 *
 *   login_handle ──▶ (worker) login_run ──▶ login_done ──▶ reply
 *                                               └ refused: waits for the refusal floor ──▶ login_refuse
 *   the client leaves: a job not yet begun is cancelled, a refusal that waits is dropped
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/state.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/reply.h"
#include "core/schema.h"

enum login_outcome { LOGIN_RIGHT, LOGIN_REFUSED, LOGIN_FAILED, LOGIN_CLIENT_LEFT };

struct login_form {
    struct text username;
    struct text password;
};

struct login {
    struct exchange x;
    struct reading *reading;
    struct login_form form;
    struct job job;
    struct timer timer; /* a refusal waits for its time */
    int socket;         /* to see whether the client is still there; -1 where H2O tells */
    enum login_outcome outcome;
    uint64_t refuse_at_us;
    uint64_t user_id;
    char access_token[TOKEN_MAX_BYTES + 1];
    char refresh_token[TOKEN_MAX_BYTES + 1];
};

const size_t login_size = sizeof(struct login);

static const struct field login_fields[] = {
    {.name = "username", .kind = FIELD_TEXT, .at = offsetof(struct login_form, username), .required = true},
    {.name = "password",
     .kind = FIELD_TEXT,
     .at = offsetof(struct login_form, password),
     .required = true,
     .min = 1,
     .max = PASSWORD_MAX_BYTES,
     .unit = UNIT_BYTES},
};
static const struct form login_form = {login_fields, 2, sizeof(struct login_form)};

static void login_run(struct job *job, void *hasher);
static void login_done(struct job *job);

static void login_free(struct exchange *x)
{
    struct login *login = (struct login *)x;

    reading_close(login->reading);
    if (login->socket >= 0)
        close(login->socket);
    password_wipe(login->access_token, sizeof login->access_token);
    password_wipe(login->refresh_token, sizeof login->refresh_token);
}

static void login_on_gone(struct exchange *x)
{
    struct login *login = (struct login *)x;

    job_cancel(&login->job);
    if (loop_timer_is_running(&login->timer)) {
        loop_timer_stop(&login->timer);
        exchange_release(x);
    }
}

void login_handle(struct exchange *x)
{
    struct login *login = (struct login *)x;
    struct buffer faults;

    x->done = login_free;
    x->on_gone = login_on_gone;
    login->socket = exchange_watch_socket(x);
    buffer_open(&faults);
    login->reading = schema_read(&login_form, x->req->entity.base, x->req->entity.len, &login->form, &faults);
    login->job.run = login_run;
    login->job.done = login_done;
    exchange_hold(x);
    if (faults.length > 0)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else if (!workers_submit(auth_of(x)->workers, x->loop, &login->job))
        reply_fault(x, FAULT_BUSY);
    else
        exchange_hold(x);
    exchange_release(x);
    buffer_close(&faults);
}

/* --- on a worker
 * --------------------------------------------------------------------------------------------- */

static bool issue(const struct auth *auth, struct token_claims *claims, enum token_use use, uint64_t life_s,
                  char out[TOKEN_MAX_BYTES + 1])
{
    claims->use = use;
    claims->expires_at_s = claims->issued_at_s + (int64_t)life_s;
    return token_id_make(claims->token_id) && token_issue(&auth->keys, claims, out) == TOKEN_VALID;
}

static bool issue_pair(struct login *login, const struct user *user)
{
    const struct auth *auth = auth_of(&login->x);
    struct token_claims claims = {.user_id = user->id, .issued_at_s = clock_wall_us() / 1000000};

    memcpy(claims.subject, user->username, sizeof user->username);
    return token_id_make(claims.session_id) &&
           issue(auth, &claims, TOKEN_ACCESS, auth->config->access_token_expire_minutes * 60,
                 login->access_token) &&
           issue(auth, &claims, TOKEN_REFRESH, auth->config->refresh_token_expire_days * 86400,
                 login->refresh_token);
}

static void renewal_done(struct store_write *write)
{
    password_wipe(write, sizeof *write);
    free(write);
}

/* The password is known now, and only now: its weaker hash is made anew. Nobody waits for the write. */
static void renew_hash(struct login *login, struct password_hasher *hasher, const struct user *user)
{
    struct auth *auth = auth_of(&login->x);
    struct store_write *write = memory_zeroed(sizeof *write);

    write->kind = STORE_RENEW_HASH;
    write->user.id = user->id;
    write->done = renewal_done;
    memcpy(write->expected_hash, user->password_hash, sizeof write->expected_hash);
    const bool made = password_hash(hasher, &auth->policy, login->form.password.at,
                                    login->form.password.length, write->user.password_hash);
    if (made)
        password_label(write->user.password_hash, write->user.password_method);
    if (!made || !user_store_write(auth->store, write))
        renewal_done(write);
}

static bool renewal_is_due(const struct login *login, const struct user *user)
{
    const struct password_policy *policy = &auth_of(&login->x)->policy;

    return password_hash_is_weaker(user->password_hash, policy) &&
           login->form.password.length <= password_policy_max_bytes(policy);
}

/* A name that does not exist costs a hash all the same, and so does one whose hash cannot be run. */
static enum password_outcome verify(struct login *login, struct password_hasher *hasher,
                                    const struct user *user)
{
    struct auth *auth = auth_of(&login->x);
    const bool real = user != NULL && password_hash_is_supported(user->password_hash);
    const char *hash = real ? user->password_hash : auth->policy.dummy_hash;
    char label[PASSWORD_METHOD_MAX_BYTES + 1];
    const uint64_t started_us = clock_monotonic_us();

    const enum password_outcome outcome =
        password_verify(hasher, login->form.password.at, login->form.password.length, hash);
    password_label(hash, label);
    refusal_floor_note(&auth->floor, label, clock_monotonic_us() - started_us);
    login->refuse_at_us = started_us + refusal_floor_us(&auth->floor);
    return real || outcome == PASSWORD_FAILED ? outcome : PASSWORD_MISMATCH;
}

static enum login_outcome judge(struct login *login, struct password_hasher *hasher, struct user *user)
{
    const enum store_outcome found = user_store_find_by_username(
        auth_of(&login->x)->store, login->form.username.at, login->form.username.length, user);

    if (found != STORE_OK && found != STORE_NOT_FOUND)
        return LOGIN_FAILED;
    const enum password_outcome outcome = verify(login, hasher, found == STORE_OK ? user : NULL);
    if (outcome == PASSWORD_FAILED)
        return LOGIN_FAILED;
    if (outcome != PASSWORD_MATCH || !user->is_active)
        return LOGIN_REFUSED;
    if (!issue_pair(login, user))
        return LOGIN_FAILED;
    login->user_id = user->id;
    if (renewal_is_due(login, user))
        renew_hash(login, hasher, user);
    return LOGIN_RIGHT;
}

static void login_run(struct job *job, void *hasher)
{
    struct login *login = H2O_STRUCT_FROM_MEMBER(struct login, job, job);
    struct user user = {0};

    if (exchange_socket_is_closed(login->socket)) {
        login->outcome = LOGIN_CLIENT_LEFT; /* gave up while this waited: a hash would be for nobody */
        return;
    }
    login->outcome = judge(login, hasher, &user);
    password_wipe(&user, sizeof user);
}

/* --- on the loop again
 * --------------------------------------------------------------------------------------- */

static void login_answer(struct login *login)
{
    struct exchange *x = &login->x;
    struct buffer body;

    x->user_id = login->user_id;
    buffer_open(&body);
    buffer_add_text(&body, "{\"detail\":\"Login successful\",\"date_time\":\"");
    buffer_add(&body, clock_local(&x->loop->clock), CLOCK_LOCAL_LENGTH);
    buffer_add_text(&body, "\",\"token\":{\"token_type\":\"bearer\",\"access_token\":\"");
    buffer_add_text(&body, login->access_token);
    buffer_add_text(&body, "\",\"refresh_token\":\"");
    buffer_add_text(&body, login->refresh_token);
    buffer_add_text(&body, "\",\"expires_in\":");
    buffer_add_number(&body, auth_of(x)->config->access_token_expire_minutes * 60);
    buffer_add_text(&body, "}}");
    reply_json(x, 200, body.at, body.length);
    buffer_close(&body);
}

static void login_refuse(struct timer *timer)
{
    struct login *login = H2O_STRUCT_FROM_MEMBER(struct login, timer, timer);

    reply_fault(&login->x, FAULT_LOGIN_REFUSED);
    exchange_release(&login->x);
}

static void login_refuse_in_time(struct login *login)
{
    const uint64_t now_us = clock_monotonic_us();

    if (login->x.req == NULL)
        return;
    exchange_hold(&login->x);
    loop_timer_start(login->x.loop, &login->timer,
                     login->refuse_at_us > now_us ? login->refuse_at_us - now_us : 0, login_refuse);
}

static void login_done(struct job *job)
{
    struct login *login = H2O_STRUCT_FROM_MEMBER(struct login, job, job);
    struct exchange *x = &login->x;

    if (job->outcome == JOB_TOO_OLD)
        reply_fault(x, FAULT_BUSY);
    else if (job->outcome == JOB_CANCELLED)
        assert(x->req == NULL);
    else if (login->outcome == LOGIN_RIGHT)
        login_answer(login);
    else if (login->outcome == LOGIN_REFUSED)
        login_refuse_in_time(login);
    else if (login->outcome == LOGIN_CLIENT_LEFT)
        reply_fault(x, FAULT_CLIENT_LEFT);
    else
        reply_fault(x, FAULT_INTERNAL);
    exchange_release(x);
}
