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

#include "auth/judge.h"
#include "auth/names.h"
#include "auth/state.h"
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
    struct job job;
    bool hashed;
    struct store_write write;
    struct task committed;
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
                        .unit = UNIT_BYTES},
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
    password_wipe(&signup->write, sizeof signup->write);
}

static void signup_on_gone(struct exchange *x)
{
    job_cancel(&((struct signup *)x)->job);
}

/* --- may this be an administrator?
 * ---------------------------------------------------------------------------- */

/* The gateway says whose request it is ("unknown" behind a proxy); asked directly, the peer is the client. */
static bool client_is_on_loopback(const struct exchange *x)
{
    char address[EXCHANGE_ADDRESS_MAX_BYTES + 1];
    size_t count;
    size_t forwarded;
    const h2o_iovec_t told = exchange_header(x, "x-client-address", &count);

    exchange_header(x, "x-forwarded-for", &forwarded);
    if (forwarded == 0)
        exchange_header(x, "forwarded", &forwarded);
    if (forwarded > 0 || count > 1 || told.len >= sizeof address)
        return false;
    if (count == 0) {
        exchange_peer(x, address);
        if (strcmp(address, "unix") == 0)
            return true;
    } else {
        memcpy(address, told.base, told.len);
        address[told.len] = '\0';
    }
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static bool store_never_had_an_admin(struct auth *auth)
{
    struct store_status status;

    return user_store_status(auth->store, &status) == STORE_OK && !status.had_admin;
}

static bool asked_by_an_admin(struct exchange *x)
{
    h2o_iovec_t token;
    struct user user = {0};
    const bool is_admin = authorization_read(x, &token) == AUTHORIZATION_TOKEN &&
                          judge_access_token(x->loop, token.base, token.len, &user) == VERDICT_VALID &&
                          user.is_admin;

    password_wipe(&user, sizeof user);
    return is_admin;
}

/* ADMIN_SIGNUP. Where only the first one may, the store decides in the end. */
static bool may_be_admin(struct signup *signup)
{
    struct exchange *x = &signup->x;
    struct auth *auth = auth_of(x);

    switch ((enum admin_signup)auth->config->admin_signup) {
    case ADMIN_SIGNUP_OPEN:
        return true;
    case ADMIN_SIGNUP_CLOSED:
        return false;
    case ADMIN_SIGNUP_FIRST:
        signup->write.first_admin_only = client_is_on_loopback(x) && store_never_had_an_admin(auth);
        return signup->write.first_admin_only || asked_by_an_admin(x);
    }
    return false;
}

/* --- arrived
 * ---------------------------------------------------------------------------------------------------- */

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

static void signup_start(struct signup *signup)
{
    struct exchange *x = &signup->x;
    const enum fault taken = already_taken(signup);

    if (taken != FAULT_COUNT) {
        reply_taken(signup, taken);
        return;
    }
    signup->job.run = signup_hash;
    signup->job.done = signup_hashed;
    if (!workers_submit(auth_of(x)->workers, x->loop, &signup->job)) {
        reply_fault(x, FAULT_BUSY);
        return;
    }
    exchange_hold(x);
}

void signup_handle(struct exchange *x)
{
    struct signup *signup = (struct signup *)x;
    struct buffer faults;

    x->done = signup_free;
    x->on_gone = signup_on_gone;
    buffer_open(&faults);
    signup->reading =
        schema_read(&signup_form, x->req->entity.base, x->req->entity.len, &signup->form, &faults);
    if (faults.length > 0)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else if (signup->form.is_admin && !may_be_admin(signup))
        reply_fault(x, FAULT_ADMIN_REQUIRED);
    else
        signup_start(signup);
    buffer_close(&faults);
}

/* --- on a worker
 * -------------------------------------------------------------------------------------------------- */

static void signup_hash(struct job *job, void *hasher)
{
    struct signup *signup = H2O_STRUCT_FROM_MEMBER(struct signup, job, job);
    struct user *user = &signup->write.user;

    signup->hashed = password_hash(hasher, &auth_of(&signup->x)->policy, signup->form.password.at,
                                   signup->form.password.length, user->password_hash);
    if (signup->hashed)
        password_label(user->password_hash, user->password_method);
}

/* --- on the loop again
 * -------------------------------------------------------------------------------------------- */

static void reply_created(struct signup *signup)
{
    struct exchange *x = &signup->x;
    const struct user *user = &signup->write.user;
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

static void signup_committed(struct task *task)
{
    struct signup *signup = H2O_STRUCT_FROM_MEMBER(struct signup, committed, task);
    struct exchange *x = &signup->x;

    switch (signup->write.outcome) {
    case STORE_OK:
        reply_created(signup);
        break;
    case STORE_USERNAME_TAKEN:
        reply_taken(signup, FAULT_USERNAME_TAKEN);
        break;
    case STORE_EMAIL_TAKEN:
        reply_taken(signup, FAULT_EMAIL_TAKEN);
        break;
    case STORE_NOT_FIRST_ADMIN:
        reply_fault(x, FAULT_ADMIN_REQUIRED);
        break;
    case STORE_FULL:
        reply_fault(x, FAULT_STORE_FULL);
        break;
    case STORE_NOT_FOUND:
    case STORE_LAST_ADMIN:
    case STORE_CONFLICT:
    case STORE_FAILED:
        reply_fault(x, FAULT_INTERNAL);
        break;
    }
    exchange_release(x);
}

/* On the writer's thread. */
static void signup_on_commit(struct store_write *write)
{
    struct signup *signup = H2O_STRUCT_FROM_MEMBER(struct signup, write, write);

    signup->committed.run = signup_committed;
    loop_post(signup->x.loop, &signup->committed);
}

static void signup_write(struct signup *signup)
{
    struct user *user = &signup->write.user;
    const struct signup_form *form = &signup->form;

    assert(form->username.length <= USER_NAME_MAX_BYTES && form->email.length <= USER_EMAIL_MAX_BYTES);
    memcpy(user->username, form->username.at, form->username.length);
    memcpy(user->email, form->email.at, form->email.length);
    user->is_admin = form->is_admin;
    user->is_active = true;
    signup->write.kind = STORE_CREATE_USER;
    signup->write.done = signup_on_commit;
    exchange_hold(&signup->x);
    if (!user_store_write(auth_of(&signup->x)->store, &signup->write)) {
        reply_fault(&signup->x, FAULT_BUSY);
        exchange_release(&signup->x);
    }
}

static void signup_hashed(struct job *job)
{
    struct signup *signup = H2O_STRUCT_FROM_MEMBER(struct signup, job, job);
    struct exchange *x = &signup->x;

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
