/*
 * account.c - signup and login: one relay to auth, which judges everything; the body goes on unchanged.
 *
 *   account_start ──▶ (auth) ──▶ account_on_reply ──▶ account_pass_on
 *        └ the client leaves: a login is given up (auth then need not hash), a signup runs to its end unheard
 *
 * Both create something (a user, a session), so they go over a fresh connection: curl would send a request a
 * second time if a kept connection died before the answer.
 */
#include "auth/contract.h"
#include "core/authorization.h"
#include "core/reply.h"
#include "core/schema.h"
#include "core/service.h"
#include "gateway/forward.h"
#include "gateway/state.h"

/* Which member of auth's answer becomes the detail, and how its JSON text must begin. */
struct success {
    struct form form;
    char begins_with;
};

struct account {
    struct exchange x;
    struct call call;
    const struct success *success;
};

const size_t account_size = sizeof(struct account);

struct success_form {
    struct text detail;
};

static const struct field signup_fields[] = {
    {.name = "detail", .kind = FIELD_RAW, .at = offsetof(struct success_form, detail), .required = true},
};
static const struct field login_fields[] = {
    {.name = "token", .kind = FIELD_RAW, .at = offsetof(struct success_form, detail), .required = true},
};
static const struct success signup_success = {{signup_fields, 1, sizeof(struct success_form)}, '"'};
static const struct success login_success = {{login_fields, 1, sizeof(struct success_form)}, '{'};

static void account_on_reply(struct call *call);

static void account_start(struct account *account, const char *path, const char *authorization)
{
    struct exchange *x = &account->x;
    struct forward forward;

    forward_fill(&forward, x);
    account->call = (struct call){
        .base = x->loop->service->config->auth_service_url.base,
        .method = "POST",
        .path = path,
        .body = x->req->entity.len > 0 ? x->req->entity.base : NULL,
        .body_length = x->req->entity.len,
        .headers = {forward.request_id, forward.client_address, authorization},
        .fresh = true,
        .on_reply = account_on_reply,
    };
    if (!call_start(x->loop->relay, &account->call)) {
        reply_fault(x, FAULT_BUSY);
        return;
    }
    exchange_hold(x);
}

/* Auth looks at Authorization when an administrator is to be made; what is unusable counts there as none. */
void account_signup_handle(struct exchange *x)
{
    struct account *account = (struct account *)x;
    struct buffer line;
    h2o_iovec_t token = {NULL, 0};

    account->success = &signup_success;
    buffer_open(&line);
    if (authorization_read(x, &token) == AUTHORIZATION_TOKEN && auth_token_has_shape(token.base, token.len)) {
        buffer_add_text(&line, "Authorization: Bearer ");
        buffer_add(&line, token.base, token.len);
    }
    account_start(account, AUTH_PATH_SIGNUP, line.length > 0 ? line.at : NULL);
    buffer_close(&line);
}

static void login_on_gone(struct exchange *x)
{
    struct account *account = (struct account *)x;

    if (account->call.transfer == NULL)
        return;
    call_cancel(&account->call);
    exchange_release(x);
}

void account_login_handle(struct exchange *x)
{
    struct account *account = (struct account *)x;

    account->success = &login_success;
    x->on_gone = login_on_gone;
    account_start(account, AUTH_PATH_LOGIN, NULL);
}

static void account_pass_on(struct account *account)
{
    struct exchange *x = &account->x;
    const struct relay_answer *answer = &account->call.answer;
    struct success_form form;
    struct buffer faults;

    buffer_open(&faults);
    struct reading *reading =
        schema_read(&account->success->form, answer->body, answer->body_length, &form, &faults);
    if (faults.length > 0 || answer->status > 201 || *form.detail.at != account->success->begins_with)
        forward_reply_failed(x, &peer_auth, &account->call);
    else
        reply_detail(x, answer->status, form.detail.at, form.detail.length);
    reading_close(reading);
    buffer_close(&faults);
}

static void account_on_reply(struct call *call)
{
    struct account *account = H2O_STRUCT_FROM_MEMBER(struct account, call, call);
    struct exchange *x = &account->x;

    if (call->outcome != RELAY_ANSWERED)
        forward_reply_failed(x, &peer_auth, call);
    else if (call->answer.status >= 200 && call->answer.status < 300)
        account_pass_on(account);
    else
        forward_reply_refused(x, call);
    exchange_release(x);
}
