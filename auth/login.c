/*
 * login.c - POST /login: one job off the loop (find, verify, issue), then a session in the store, and only
 * then the answer: a token is never out before its session is on disk.
 *
 *   login_handle ──▶ (worker) login_run ──▶ login_done ──▶ (store) login_committed ──▶ reply
 *                                               └ refused: waits for the refusal floor ──▶ login_refuse
 *   the client leaves: a job not yet begun is cancelled, a refusal that waits is dropped
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/audit.h"
#include "auth/client.h"
#include "auth/gate.h"
#include "auth/state.h"
#include "auth/store_call.h"
#include "auth/token_pair.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/reply.h"
#include "core/schema.h"

#define DAY_US INT64_C(86400000000)

enum login_outcome { LOGIN_RIGHT, LOGIN_REFUSED, LOGIN_FAILED, LOGIN_CLIENT_LEFT };

struct login_form {
    struct text username;
    struct text password;
};

struct login {
    struct exchange x;
    struct reading *reading;
    struct login_form form;
    struct client client;
    struct throttle_permit permit;
    struct job job;
    struct timer timer; /* a refusal waits for its time */
    int socket;         /* to see whether the client is still there; -1 where H2O tells */
    enum login_outcome outcome;
    uint64_t refuse_at_us;
    uint64_t known_id; /* of a user of that name, also where the password is wrong; 0: there is none */
    char known_name[USER_NAME_MAX_BYTES + 1];
    struct token_pair pair;
    struct store_call call;
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
    token_pair_wipe(&login->pair);
    store_call_close(&login->call);
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

static void login_start(struct login *login)
{
    struct exchange *x = &login->x;

    if (!gate_login(x, &login->client, login->form.username.at, login->form.username.length, &login->permit))
        return;
    login->job.run = login_run;
    login->job.done = login_done;
    exchange_hold(x);
    if (workers_submit(auth_of(x)->workers, x->loop, &login->job))
        return;
    gate_leave(x, &login->permit, THROTTLE_NOT_TRIED);
    reply_fault(x, FAULT_BUSY);
    exchange_release(x);
}

void login_handle(struct exchange *x)
{
    struct login *login = (struct login *)x;
    struct buffer faults;

    x->done = login_free;
    x->on_gone = login_on_gone;
    login->socket = exchange_watch_socket(x);
    client_read(&login->client, x);
    buffer_open(&faults);
    login->reading = schema_read(&login_form, x->req->entity.base, x->req->entity.len, &login->form, &faults);
    if (faults.length > 0)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else
        login_start(login);
    buffer_close(&faults);
}

/* --- on a worker --- */

/* The session that the store is to open, and its tokens, which nobody sees before it has. */
static bool prepare_session(struct login *login, const struct user *user)
{
    const struct auth *auth = auth_of(&login->x);
    struct store_write *write = &login->call.write;
    struct session *session = &write->session;
    const int64_t now_us = clock_wall_us();

    write->kind = STORE_OPEN_SESSION;
    write->user.updated_at_us = user->updated_at_us;
    write->sessions_max = auth->config->sessions_per_user_max;
    strcpy(write->network, client_network(&login->client));
    session->user_id = user->id;
    session->created_at_us = session->refreshed_at_us = now_us;
    session->ends_at_us = now_us + (int64_t)auth->config->session_expire_days * DAY_US;
    strcpy(session->client_address, login->client.address);
    strcpy(session->user_agent, login->client.user_agent);
    return token_id_make(session->id) && token_pair_name(session, auth->config, now_us) &&
           token_pair_make(&login->pair, auth, user, session);
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
    if (found == STORE_OK) {
        login->known_id = user->id;
        strcpy(login->known_name, user->username);
    }
    const enum password_outcome outcome = verify(login, hasher, found == STORE_OK ? user : NULL);
    if (outcome == PASSWORD_FAILED)
        return LOGIN_FAILED;
    if (outcome != PASSWORD_MATCH || !user->is_active)
        return LOGIN_REFUSED;
    if (!prepare_session(login, user))
        return LOGIN_FAILED;
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

/* --- on the loop again --- */

static void login_audit(struct login *login, enum audit_event event)
{
    const bool opened = event == AUDIT_LOGIN;

    audit_log(event, &(struct audit){.x = &login->x,
                                     .client = &login->client,
                                     .actor_id = opened ? login->known_id : 0,
                                     .subject_id = login->known_id,
                                     .subject = login->known_name,
                                     .session_id = opened ? login->call.write.session.id : NULL});
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

    login_audit(login, AUDIT_LOGIN_FAILED);
    if (login->x.req == NULL)
        return;
    exchange_hold(&login->x);
    loop_timer_start(login->x.loop, &login->timer,
                     login->refuse_at_us > now_us ? login->refuse_at_us - now_us : 0, login_refuse);
}

static void login_answer(struct login *login)
{
    struct exchange *x = &login->x;
    struct buffer body;

    x->user_id = login->known_id;
    buffer_open(&body);
    buffer_add_text(&body, "{\"detail\":\"Login successful\",\"date_time\":\"");
    buffer_add(&body, clock_local(&x->loop->clock), CLOCK_LOCAL_LENGTH);
    buffer_add_text(&body, "\",\"token\":");
    token_pair_add(&body, &login->pair, login->call.write.session.issued_at_s);
    buffer_add_char(&body, '}');
    reply_json(x, 200, body.at, body.length);
    buffer_close(&body);
}

static void login_committed(struct store_call *call)
{
    struct login *login = H2O_STRUCT_FROM_MEMBER(struct login, call, call);

    if (call->write.outcome == STORE_OK) {
        login_audit(login, AUDIT_LOGIN);
        login_answer(login);
    } else if (call->write.outcome == STORE_NOT_FOUND) {
        login_refuse_in_time(login); /* deactivated or deleted meanwhile */
    } else if (call->write.outcome == STORE_CONFLICT) {
        reply_fault(call->x,
                    FAULT_BUSY); /* changed meanwhile, maybe in this very password: to be judged anew */
    } else {
        store_call_fail(call);
    }
}

/* A session that nobody knows of would only push out the user's others. */
static bool login_is_heard(const struct login *login)
{
    return login->x.req != NULL && !exchange_socket_is_closed(login->socket);
}

/* Whether the client is still there changes nothing about what its attempt was. */
static enum throttle_result login_result(const struct login *login)
{
    if (login->job.outcome != JOB_RAN || login->outcome == LOGIN_FAILED ||
        login->outcome == LOGIN_CLIENT_LEFT)
        return THROTTLE_NOT_TRIED;
    return login->outcome == LOGIN_RIGHT ? THROTTLE_SUCCEEDED : THROTTLE_FAILED;
}

static void login_done(struct job *job)
{
    struct login *login = H2O_STRUCT_FROM_MEMBER(struct login, job, job);
    struct exchange *x = &login->x;

    gate_leave(x, &login->permit, login_result(login));
    if (job->outcome == JOB_TOO_OLD)
        reply_fault(x, FAULT_BUSY);
    else if (job->outcome == JOB_CANCELLED)
        assert(x->req == NULL);
    else if (login->outcome == LOGIN_RIGHT && !login_is_heard(login))
        reply_fault(x, FAULT_CLIENT_LEFT);
    else if (login->outcome == LOGIN_RIGHT)
        store_call_start(&login->call, x, login_committed);
    else if (login->outcome == LOGIN_REFUSED)
        login_refuse_in_time(login);
    else if (login->outcome == LOGIN_CLIENT_LEFT)
        reply_fault(x, FAULT_CLIENT_LEFT);
    else
        reply_fault(x, FAULT_INTERNAL);
    exchange_release(x);
}
