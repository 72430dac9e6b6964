/*
 * signup.c - POST /signup: judged on the loop, hashed by a worker, decided and made durable by the store's
 * writer.
 *
 *   signup_handle ──▶ (worker) signup_hash ──▶ signup_hashed ──▶ (store) ──▶ signup_committed ──▶ reply
 *   the client leaves: a hash not yet begun is cancelled; what was handed to the store is done unheard
 *
 * A taken name is refused before a hash is spent on it, and once more by the store, whose word counts.
 */
#include <assert.h>
#include <string.h>

#include "auth/answer.h"
#include "auth/audit.h"
#include "auth/client.h"
#include "auth/common_passwords.h"
#include "auth/gate.h"
#include "auth/judge.h"
#include "auth/names.h"
#include "auth/state.h"
#include "auth/store_call.h"
#include "core/authorization.h"
#include "core/log.h"
#include "core/reply.h"
#include "core/schema.h"

struct signup_form {
    struct text username;
    struct text password;
    struct text email;
    bool is_admin;
};

struct signup {
    struct exchange x;
    struct reading *reading;
    struct signup_form form;
    struct client client;
    uint64_t admin_id; /* the administrator who asked for it; 0: nobody had to */
    struct throttle_permit permit;
    struct job job;
    bool hashed;
    struct store_call call;
};

const size_t signup_size = sizeof(struct signup);

enum { FIELD_USERNAME, FIELD_PASSWORD, FIELD_EMAIL, FIELD_IS_ADMIN, FIELD_COUNT };

/* Not const: how long a password may be depends on the method (bcrypt takes 72 bytes). */
static struct field signup_fields[FIELD_COUNT] = {
    [FIELD_USERNAME] = {.name = "username",
                        .kind = FIELD_TEXT,
                        .at = offsetof(struct signup_form, username),
                        .required = true,
                        .min = 1,
                        .max = 64,
                        .unit = UNIT_CODE_POINTS,
                        .rule = username_rule},
    [FIELD_PASSWORD] = {.name = "password",
                        .kind = FIELD_TEXT,
                        .at = offsetof(struct signup_form, password),
                        .required = true,
                        .min = PASSWORD_MIN_BYTES,
                        .max = PASSWORD_MAX_BYTES,
                        .unit = UNIT_BYTES,
                        .rule = common_password_rule},
    [FIELD_EMAIL] = {.name = "email",
                     .kind = FIELD_TEXT,
                     .at = offsetof(struct signup_form, email),
                     .required = true,
                     .min = 3,
                     .max = USER_EMAIL_MAX_BYTES,
                     .unit = UNIT_BYTES,
                     .rule = email_rule},
    [FIELD_IS_ADMIN] = {.name = "is_admin",
                        .kind = FIELD_LENIENT_BOOL,
                        .at = offsetof(struct signup_form, is_admin)},
};
static const struct form signup_form = {signup_fields, FIELD_COUNT, sizeof(struct signup_form)};

void signup_set_up(const struct password_policy *policy)
{
    signup_fields[FIELD_PASSWORD].max = password_policy_max_bytes(policy);
}

static void signup_hash(struct job *job, void *hasher);
static void signup_hashed(struct job *job);

static void signup_free(struct exchange *x)
{
    struct signup *signup = (struct signup *)x;

    reading_close(signup->reading);
    store_call_close(&signup->call);
}

static void signup_on_gone(struct exchange *x)
{
    job_cancel(&((struct signup *)x)->job);
}

/* --- may they? --- */

/* "unknown" behind a proxy that is not trusted. */
static bool client_is_on_loopback(const struct signup *signup)
{
    const struct exchange *x = &signup->x;
    const char *address = signup->client.address;
    size_t forwarded;
    size_t told;

    exchange_header(x, "x-forwarded-for", &forwarded);
    if (forwarded == 0)
        exchange_header(x, "forwarded", &forwarded);
    if (forwarded > 0)
        return false;
    /* Asked directly over our own Unix socket; what reached the gateway over one may come from anywhere. */
    exchange_header(x, "x-client-address", &told);
    return (told == 0 && strcmp(address, "unix") == 0) || strncmp(address, "127.", 4) == 0 ||
           strcmp(address, "::1") == 0;
}

static bool store_never_had_an_admin(struct auth *auth)
{
    struct store_status status;

    return user_store_status(auth->store, &status) == STORE_OK && !status.had_admin;
}

static bool asked_by_an_admin(struct signup *signup)
{
    struct exchange *x = &signup->x;
    struct store_actor *actor = &signup->call.write.actor;
    struct token_claims claims;
    h2o_iovec_t token;
    struct user user = {0};
    const bool is_admin =
        authorization_read(x, &token) == AUTHORIZATION_TOKEN &&
        judge_token(x->loop, TOKEN_ACCESS, token.base, token.len, &user, &claims) == VERDICT_VALID &&
        user.is_admin;

    signup->admin_id = is_admin ? user.id : 0;
    if (is_admin) { /* a hash takes long: the store judges once more */
        *actor = (struct store_actor){.user_id = user.id, .must_be_admin = true};
        strcpy(actor->session_id, claims.session_id);
    }
    password_wipe(&user, sizeof user);
    return is_admin;
}

/* ADMIN_SIGNUP. Where only the first one may, the store decides in the end. */
static bool may_be_admin(struct signup *signup)
{
    struct auth *auth = auth_of(&signup->x);

    switch ((enum admin_signup)auth->config->admin_signup) {
    case ADMIN_SIGNUP_OPEN:
        return true;
    case ADMIN_SIGNUP_CLOSED:
        return false;
    case ADMIN_SIGNUP_FIRST:
        signup->call.write.first_admin_only = client_is_on_loopback(signup) && store_never_had_an_admin(auth);
        return signup->call.write.first_admin_only || asked_by_an_admin(signup);
    }
    return false;
}

/* SIGNUP, then ADMIN_SIGNUP. FAULT_COUNT: they may. */
static enum fault not_allowed(struct signup *signup)
{
    switch ((enum config_signup)auth_of(&signup->x)->config->signup) {
    case CONFIG_SIGNUP_OPEN:
        break;
    case CONFIG_SIGNUP_CLOSED:
        return FAULT_SIGNUP_CLOSED;
    case CONFIG_SIGNUP_ADMIN:
        if (!asked_by_an_admin(signup))
            return FAULT_SIGNUP_BY_ADMIN_ONLY;
    }
    return signup->form.is_admin && !may_be_admin(signup) ? FAULT_ADMIN_REQUIRED : FAULT_COUNT;
}

/* --- arrived --- */

static void reply_taken(struct signup *signup, enum fault fault)
{
    const bool is_name = fault == FAULT_USERNAME_TAKEN;
    const struct text *taken = is_name ? &signup->form.username : &signup->form.email;
    struct buffer sentence;
    struct buffer quoted;

    buffer_open(&sentence);
    buffer_open(&quoted);
    buffer_add_text(&sentence, is_name ? "Username: " : "Email ID: ");
    buffer_add(&sentence, taken->at, taken->length);
    buffer_add_text(&sentence, ", already registered");
    buffer_add_json(&quoted, sentence.at, sentence.length);
    reply_fault_detail(&signup->x, fault, quoted.at, quoted.length);
    buffer_close(&quoted);
    buffer_close(&sentence);
}

/* FAULT_COUNT: neither name nor address is taken, as far as a look tells. */
static enum fault already_taken(struct signup *signup)
{
    struct user_store *store = auth_of(&signup->x)->store;
    const struct signup_form *form = &signup->form;
    struct user user;
    enum fault fault = FAULT_COUNT;

    if (user_store_is_blocking(store))
        return FAULT_COUNT;
    if (user_store_find_by_username(store, form->username.at, form->username.length, &user) == STORE_OK)
        fault = FAULT_USERNAME_TAKEN;
    else if (user_store_find_by_email(store, form->email.at, form->email.length, &user) == STORE_OK)
        fault = FAULT_EMAIL_TAKEN;
    password_wipe(&user, sizeof user);
    return fault;
}

static void signup_submit(struct signup *signup)
{
    struct exchange *x = &signup->x;

    signup->job.run = signup_hash;
    signup->job.done = signup_hashed;
    exchange_hold(x);
    if (workers_submit(auth_of(x)->workers, x->loop, &signup->job))
        return;
    gate_leave(x, &signup->permit, THROTTLE_NOT_TRIED);
    reply_fault(x, FAULT_BUSY);
    exchange_release(x);
}

/* Refused for what it asks: counted, so that names cannot be asked for without end. */
static void signup_judge(struct signup *signup)
{
    struct exchange *x = &signup->x;
    const enum fault refused = not_allowed(signup);
    const enum fault taken = refused == FAULT_COUNT ? already_taken(signup) : FAULT_COUNT;

    if (refused == FAULT_COUNT && taken == FAULT_COUNT) {
        signup_submit(signup);
        return;
    }
    gate_leave(x, &signup->permit, THROTTLE_FAILED);
    if (refused != FAULT_COUNT)
        reply_fault(x, refused);
    else
        reply_taken(signup, taken);
}

/* The order is the contract's: fields, throttle, who may, what is taken. */
static void signup_start(struct signup *signup)
{
    struct exchange *x = &signup->x;
    const struct signup_form *form = &signup->form;
    const char *weakness = password_weakness(form->password.at, form->password.length, form->username.at,
                                             form->username.length, form->email.at, form->email.length);

    if (weakness != NULL)
        answer_field_fault(x, "password", weakness);
    else if (gate_signup(x, &signup->client, &signup->permit))
        signup_judge(signup);
}

void signup_handle(struct exchange *x)
{
    struct signup *signup = (struct signup *)x;
    struct buffer faults;

    x->done = signup_free;
    x->on_gone = signup_on_gone;
    client_read(&signup->client, x);
    buffer_open(&faults);
    signup->reading =
        schema_read(&signup_form, x->req->entity.base, x->req->entity.len, &signup->form, &faults);
    if (faults.length > 0)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else
        signup_start(signup);
    buffer_close(&faults);
}

/* --- on a worker --- */

static void signup_hash(struct job *job, void *hasher)
{
    struct signup *signup = H2O_STRUCT_FROM_MEMBER(struct signup, job, job);
    struct user *user = &signup->call.write.user;

    signup->hashed = password_hash(hasher, &auth_of(&signup->x)->policy, signup->form.password.at,
                                   signup->form.password.length, user->password_hash);
    if (signup->hashed)
        password_label(user->password_hash, user->password_method);
}

/* --- on the loop again --- */

static void reply_created(struct signup *signup)
{
    struct exchange *x = &signup->x;
    const struct user *user = &signup->call.write.user;
    struct buffer body;

    x->user_id = user->id;
    buffer_open(&body);
    buffer_add_text(&body, "{\"detail\":\"User created successfully, user ID ");
    buffer_add_number(&body, user->id);
    buffer_add_text(&body, "!\",\"user\":{\"email\":");
    buffer_add_json(&body, user->email, strlen(user->email));
    buffer_add_text(&body, ",\"username\":");
    buffer_add_json(&body, user->username, strlen(user->username));
    buffer_add_text(&body, "},\"date_time\":\"");
    buffer_add(&body, clock_local(&x->loop->clock), CLOCK_LOCAL_LENGTH);
    buffer_add_text(&body, "\"}");
    reply_json(x, 201, body.at, body.length);
    buffer_close(&body);
}

static void signup_audit(const struct signup *signup)
{
    const struct user *user = &signup->call.write.user;

    audit_log(AUDIT_SIGNUP, &(struct audit){.x = &signup->x,
                                            .client = &signup->client,
                                            .actor_id = signup->admin_id > 0 ? signup->admin_id : user->id,
                                            .subject_id = user->id,
                                            .subject = user->username,
                                            .change = user->is_admin ? "is_admin=true" : NULL});
}

static void signup_committed(struct store_call *call)
{
    struct signup *signup = H2O_STRUCT_FROM_MEMBER(struct signup, call, call);

    switch (call->write.outcome) {
    case STORE_OK:
        signup_audit(signup);
        reply_created(signup);
        break;
    case STORE_USERNAME_TAKEN:
        reply_taken(signup, FAULT_USERNAME_TAKEN);
        break;
    case STORE_EMAIL_TAKEN:
        reply_taken(signup, FAULT_EMAIL_TAKEN);
        break;
    case STORE_NOT_FIRST_ADMIN:
        reply_fault(call->x, FAULT_ADMIN_REQUIRED);
        break;
    case STORE_ACTOR_GONE:
    case STORE_ACTOR_NO_ADMIN:
        reply_fault(call->x, auth_of(call->x)->config->signup == CONFIG_SIGNUP_ADMIN
                                 ? FAULT_SIGNUP_BY_ADMIN_ONLY
                                 : FAULT_ADMIN_REQUIRED);
        break;
    case STORE_FULL:
    case STORE_NOT_FOUND:
    case STORE_LAST_ADMIN:
    case STORE_CONFLICT:
    case STORE_REPLAYED:
    case STORE_REUSED:
    case STORE_FAILED:
        store_call_fail(call);
        break;
    }
}

static void signup_write(struct signup *signup)
{
    struct user *user = &signup->call.write.user;
    const struct signup_form *form = &signup->form;

    assert(form->username.length <= USER_NAME_MAX_BYTES && form->email.length <= USER_EMAIL_MAX_BYTES);
    memcpy(user->username, form->username.at, form->username.length);
    memcpy(user->email, form->email.at, form->email.length);
    user->is_admin = form->is_admin;
    user->is_active = true;
    signup->call.write.kind = STORE_CREATE_USER;
    store_call_start(&signup->call, &signup->x, signup_committed);
}

static void signup_hashed(struct job *job)
{
    struct signup *signup = H2O_STRUCT_FROM_MEMBER(struct signup, job, job);
    struct exchange *x = &signup->x;

    gate_leave(x, &signup->permit,
               job->outcome == JOB_RAN && signup->hashed ? THROTTLE_SUCCEEDED : THROTTLE_NOT_TRIED);
    if (job->outcome == JOB_TOO_OLD)
        reply_fault(x, FAULT_BUSY);
    else if (job->outcome == JOB_CANCELLED)
        assert(x->req == NULL);
    else if (!signup->hashed)
        reply_fault(x, FAULT_INTERNAL);
    else
        signup_write(signup);
    exchange_release(x);
}
