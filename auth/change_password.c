/*
 * change_password.c - PUT /password: the current password is verified and the new one hashed in one job; the
 * store then sets it only while the hash is still the one that was verified, and ends the user's other
 * sessions in the same transaction.
 *
 *   change_password_handle ──▶ (worker) change_run ──▶ change_done ──▶ (store) change_committed ──▶ reply
 *                                   ▲                                               │
 *                                   └── the hash has changed meanwhile: once more ──┘
 *   the client leaves: a job not yet begun is cancelled; what was handed to the store is done unheard
 */
#include <assert.h>
#include <string.h>

#include "auth/answer.h"
#include "auth/audit.h"
#include "auth/caller.h"
#include "auth/client.h"
#include "auth/common_passwords.h"
#include "auth/gate.h"
#include "auth/state.h"
#include "auth/store_call.h"
#include "core/reply.h"
#include "core/schema.h"

/* A login may renew the hash, another change set it: then this one is judged by the new hash, so often. */
#define ROUNDS_MAX 3

enum change_outcome { CHANGE_READY, CHANGE_REFUSED, CHANGE_SESSION_GONE, CHANGE_FAILED };

struct change_form {
    struct text current_password;
    struct text new_password;
};

struct change {
    struct exchange x;
    struct reading *reading;
    struct change_form form;
    struct client client;
    struct caller caller;
    struct throttle_permit permit;
    struct job job;
    enum change_outcome outcome;
    unsigned rounds;
    struct store_call call;
};

const size_t change_password_size = sizeof(struct change);

enum { FIELD_CURRENT, FIELD_NEW, FIELD_COUNT };

/* Not const: how long a new password may be depends on the method. */
static struct field change_fields[FIELD_COUNT] = {
    [FIELD_CURRENT] = {.name = "current_password",
                       .kind = FIELD_TEXT,
                       .at = offsetof(struct change_form, current_password),
                       .required = true,
                       .min = 1,
                       .max = PASSWORD_MAX_BYTES,
                       .unit = UNIT_BYTES},
    [FIELD_NEW] = {.name = "new_password",
                   .kind = FIELD_TEXT,
                   .at = offsetof(struct change_form, new_password),
                   .required = true,
                   .min = PASSWORD_MIN_BYTES,
                   .max = PASSWORD_MAX_BYTES,
                   .unit = UNIT_BYTES,
                   .rule = common_password_rule},
};
static const struct form change_form = {change_fields, FIELD_COUNT, sizeof(struct change_form)};

void change_password_set_up(const struct password_policy *policy)
{
    change_fields[FIELD_NEW].max = password_policy_max_bytes(policy);
}

static void change_run(struct job *job, void *hasher);
static void change_done(struct job *job);

static void change_free(struct exchange *x)
{
    struct change *change = (struct change *)x;

    reading_close(change->reading);
    store_call_close(&change->call);
}

static void change_on_gone(struct exchange *x)
{
    job_cancel(&((struct change *)x)->job);
}

/* False: the workers' queue is full. */
static bool change_submit(struct change *change)
{
    struct exchange *x = &change->x;

    memset(&change->job, 0, sizeof change->job);
    change->job.run = change_run;
    change->job.done = change_done;
    exchange_hold(x);
    if (workers_submit(auth_of(x)->workers, x->loop, &change->job))
        return true;
    gate_leave(x, &change->permit, THROTTLE_NOT_TRIED);
    reply_fault(x, FAULT_BUSY);
    exchange_release(x);
    return false;
}

static void change_start(struct change *change)
{
    struct exchange *x = &change->x;
    const struct user *user = &change->caller.user;
    const struct text *password = &change->form.new_password;

    if (!caller_read(&change->caller, x))
        return;
    const char *weakness = password_weakness(password->at, password->length, user->username,
                                             strlen(user->username), user->email, strlen(user->email));
    if (weakness != NULL)
        answer_field_fault(x, "new_password", weakness);
    else if (gate_login(x, &change->client, user->username, strlen(user->username), &change->permit))
        change_submit(change);
}

void change_password_handle(struct exchange *x)
{
    struct change *change = (struct change *)x;
    struct buffer faults;

    x->done = change_free;
    x->on_gone = change_on_gone;
    client_read(&change->client, x);
    buffer_open(&faults);
    change->reading =
        schema_read(&change_form, x->req->entity.base, x->req->entity.len, &change->form, &faults);
    if (faults.length > 0)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else
        change_start(change);
    buffer_close(&faults);
}

/* --- on a worker --- */

/* By the record as it is now: after a conflict it is another one. */
static enum change_outcome change_judge(struct change *change, struct password_hasher *hasher,
                                        const struct user *user)
{
    const struct change_form *form = &change->form;
    struct store_write *write = &change->call.write;
    const enum password_outcome verified = password_verify(
        hasher, form->current_password.at, form->current_password.length, user->password_hash);

    if (verified == PASSWORD_FAILED)
        return CHANGE_FAILED;
    if (verified != PASSWORD_MATCH)
        return CHANGE_REFUSED;
    memcpy(write->expected_hash, user->password_hash, sizeof write->expected_hash);
    if (!password_hash(hasher, &auth_of(&change->x)->policy, form->new_password.at, form->new_password.length,
                       write->user.password_hash))
        return CHANGE_FAILED;
    password_label(write->user.password_hash, write->user.password_method);
    return CHANGE_READY;
}

static void change_run(struct job *job, void *hasher)
{
    struct change *change = H2O_STRUCT_FROM_MEMBER(struct change, job, job);
    struct user user = {0};
    const enum store_outcome found = user_store_find_by_session(
        auth_of(&change->x)->store, change->caller.session_id, change->caller.user.id, &user);

    if (found == STORE_OK)
        change->outcome = change_judge(change, hasher, &user);
    else
        change->outcome = found == STORE_NOT_FOUND ? CHANGE_SESSION_GONE : CHANGE_FAILED;
    password_wipe(&user, sizeof user);
}

/* --- on the loop again --- */

static void change_audit(const struct change *change, enum audit_event event)
{
    const struct user *user = &change->caller.user;

    audit_log(event, &(struct audit){.x = &change->x,
                                     .client = &change->client,
                                     .actor_id = user->id,
                                     .subject_id = user->id,
                                     .subject = user->username,
                                     .session_id = change->caller.session_id,
                                     .counts_sessions = event == AUDIT_PASSWORD_CHANGED,
                                     .ended_sessions = change->call.write.ended_count});
}

static void change_committed(struct store_call *call)
{
    struct change *change = H2O_STRUCT_FROM_MEMBER(struct change, call, call);
    const enum store_outcome outcome = call->write.outcome;

    if (outcome == STORE_OK) {
        change_audit(change, AUDIT_PASSWORD_CHANGED);
        answer_sentence(call->x, "Password changed");
    } else if (outcome == STORE_CONFLICT && ++change->rounds < ROUNDS_MAX && call->x->req != NULL) {
        change_submit(change);
    } else if (outcome == STORE_CONFLICT) {
        reply_fault(call->x, FAULT_BUSY);
    } else if (outcome == STORE_NOT_FOUND) {
        caller_refuse(call->x, VERDICT_INVALID);
    } else {
        store_call_fail(call);
    }
}

static void change_write(struct change *change)
{
    struct store_write *write = &change->call.write;

    write->kind = STORE_CHANGE_USER;
    write->changes = STORE_SET_PASSWORD;
    write->user.id = change->caller.user.id;
    strcpy(write->keep_session, change->caller.session_id);
    caller_sign(&change->caller, write);
    store_call_start(&change->call, &change->x, change_committed);
}

static enum throttle_result change_result(const struct change *change)
{
    if (change->job.outcome != JOB_RAN || change->outcome == CHANGE_FAILED ||
        change->outcome == CHANGE_SESSION_GONE)
        return THROTTLE_NOT_TRIED;
    return change->outcome == CHANGE_READY ? THROTTLE_SUCCEEDED : THROTTLE_FAILED;
}

static void change_done(struct job *job)
{
    struct change *change = H2O_STRUCT_FROM_MEMBER(struct change, job, job);
    struct exchange *x = &change->x;

    gate_leave(x, &change->permit, change_result(change));
    if (job->outcome == JOB_TOO_OLD) {
        reply_fault(x, FAULT_BUSY);
    } else if (job->outcome == JOB_CANCELLED) {
        assert(x->req == NULL);
    } else if (change->outcome == CHANGE_READY) {
        change_write(change);
    } else if (change->outcome == CHANGE_REFUSED) {
        change_audit(change, AUDIT_PASSWORD_REFUSED);
        reply_fault(x, FAULT_CURRENT_PASSWORD_WRONG);
    } else if (change->outcome == CHANGE_SESSION_GONE) {
        caller_refuse(x, VERDICT_INVALID);
    } else {
        reply_fault(x, FAULT_INTERNAL);
    }
    exchange_release(x);
}
