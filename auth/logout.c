/*
 * logout.c - POST /logout: ends the session of the access token in Authorization or, where there is none, of
 * a {"refresh_token": ...} in the body: any that has not expired, spent ones too, as long as the session
 * lives.
 *
 *   logout_handle ──▶ (store) logout_committed ──▶ reply
 */
#include <string.h>

#include "auth/answer.h"
#include "auth/audit.h"
#include "auth/caller.h"
#include "auth/client.h"
#include "auth/state.h"
#include "auth/store_call.h"
#include "core/authorization.h"
#include "core/reply.h"
#include "core/schema.h"

struct logout_form {
    struct text refresh_token;
};

struct logout {
    struct exchange x;
    struct client client;
    struct store_call call;
    struct user user;
};

const size_t logout_size = sizeof(struct logout);

static const struct field logout_fields[] = {
    {.name = "refresh_token", .kind = FIELD_TEXT, .at = offsetof(struct logout_form, refresh_token)},
};
static const struct form logout_form = {logout_fields, 1, sizeof(struct logout_form)};

static void logout_free(struct exchange *x)
{
    struct logout *logout = (struct logout *)x;

    password_wipe(&logout->user, sizeof logout->user);
    store_call_close(&logout->call);
}

static void logout_committed(struct store_call *call)
{
    struct logout *logout = H2O_STRUCT_FROM_MEMBER(struct logout, call, call);

    if (call->write.outcome == STORE_OK) {
        audit_log(AUDIT_LOGOUT, &(struct audit){.x = call->x,
                                                .client = &logout->client,
                                                .actor_id = logout->user.id,
                                                .subject_id = logout->user.id,
                                                .subject = logout->user.username,
                                                .session_id = call->write.session.id});
        answer_sentence(call->x, "Logged out");
    } else if (call->write.outcome == STORE_NOT_FOUND) {
        caller_refuse(call->x, VERDICT_INVALID); /* ended since it was judged */
    } else {
        store_call_fail(call);
    }
}

static void logout_start(struct logout *logout, const char *session_id)
{
    struct store_write *write = &logout->call.write;

    logout->x.user_id = logout->user.id;
    write->kind = STORE_END_SESSION;
    write->session.user_id = logout->user.id;
    strcpy(write->session.id, session_id);
    store_call_start(&logout->call, &logout->x, logout_committed);
}

static void logout_by_access_token(struct logout *logout)
{
    struct caller caller;

    if (caller_read(&caller, &logout->x)) {
        logout->user = caller.user;
        logout_start(logout, caller.session_id);
    }
}

static void logout_by_refresh_token(struct logout *logout, const struct text *token)
{
    struct exchange *x = &logout->x;
    struct token_claims claims;
    const enum verdict verdict =
        judge_token(x->loop, TOKEN_REFRESH, token->at, token->length, &logout->user, &claims);

    if (verdict == VERDICT_VALID)
        logout_start(logout, claims.session_id);
    else
        caller_refuse(x, verdict);
}

static void logout_by_body(struct logout *logout)
{
    struct exchange *x = &logout->x;
    struct logout_form form = {0};
    struct buffer faults;

    buffer_open(&faults);
    struct reading *reading =
        schema_read(&logout_form, x->req->entity.base, x->req->entity.len, &form, &faults);
    if (faults.length > 0)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else if (form.refresh_token.at == NULL)
        reply_fault(x, FAULT_AUTHORIZATION_MISSING);
    else
        logout_by_refresh_token(logout, &form.refresh_token);
    reading_close(reading);
    buffer_close(&faults);
}

void logout_handle(struct exchange *x)
{
    struct logout *logout = (struct logout *)x;
    h2o_iovec_t token;

    x->done = logout_free;
    client_read(&logout->client, x);
    if (x->req->entity.len == 0 || authorization_read(x, &token) != AUTHORIZATION_ABSENT)
        logout_by_access_token(logout);
    else
        logout_by_body(logout);
}
