/*
 * message.c - GET /user/message: two hops one after the other, auth first, message only after auth said yes.
 *
 *   message_handle ──▶ (auth) ──▶ message_on_claims ──▶ (message) ──▶ message_on_text
 *        └ the client leaves: the call under way runs to its end, its answer is dropped, no further one
 * starts
 */
#include <stdio.h>
#include <string.h>

#include "auth/contract.h"
#include "core/authorization.h"
#include "core/reply.h"
#include "core/schema.h"
#include "core/service.h"
#include "gateway/forward.h"
#include "gateway/state.h"
#include "message/contract.h"

struct message {
    struct exchange x;
    struct call call;
    struct forward forward;
};

const size_t message_size = sizeof(struct message);

struct claims_form {
    enum field_bool is_valid;
    enum field_bool is_admin;
    uint64_t user_id;
};

static const struct field claims_fields[] = {
    {.name = "is_valid", .kind = FIELD_STRICT_BOOL, .at = offsetof(struct claims_form, is_valid)},
    {.name = "is_admin", .kind = FIELD_STRICT_BOOL, .at = offsetof(struct claims_form, is_admin)},
    {.name = "user_id", .kind = FIELD_ID, .at = offsetof(struct claims_form, user_id), .required = true},
};
static const struct form claims = {claims_fields, 3, sizeof(struct claims_form)};

struct text_form {
    struct text message;
};

static const struct field text_fields[] = {
    {.name = "message", .kind = FIELD_TEXT, .at = offsetof(struct text_form, message), .required = true},
};
static const struct form text = {text_fields, 1, sizeof(struct text_form)};

static void message_on_claims(struct call *call);
static void message_on_text(struct call *call);

static void message_ask_auth(struct message *message, h2o_iovec_t token)
{
    struct exchange *x = &message->x;
    char line[sizeof "token: " + AUTH_TOKEN_MAX_BYTES];

    snprintf(line, sizeof line, "token: %.*s", (int)token.len, token.base);
    forward_fill(&message->forward, x);
    message->call = (struct call){
        .base = x->loop->service->config->auth_service_url.base,
        .method = "POST",
        .path = AUTH_PATH_VALIDATE_TOKEN,
        .headers = {line, message->forward.request_id, message->forward.client_address},
        .on_reply = message_on_claims,
    };
    if (!call_start(x->loop->relay, &message->call)) {
        reply_fault(x, FAULT_BUSY);
        return;
    }
    exchange_hold(x);
}

void message_handle(struct exchange *x)
{
    h2o_iovec_t token = {NULL, 0};

    switch (authorization_read(x, &token)) {
    case AUTHORIZATION_ABSENT:
        reply_fault(x, FAULT_AUTHORIZATION_MISSING);
        return;
    case AUTHORIZATION_OTHER:
        reply_fault(x, FAULT_TOKEN_REFUSED);
        return;
    case AUTHORIZATION_UNUSABLE:
        reply_token_refused(x, FAULT_TOKEN_REFUSED);
        return;
    case AUTHORIZATION_TOKEN:
        break;
    }
    if (auth_token_has_shape(token.base, token.len))
        message_ask_auth((struct message *)x, token);
    else
        reply_token_refused(x, FAULT_TOKEN_REFUSED);
}

static void message_ask_message(struct message *message, bool is_admin)
{
    struct exchange *x = &message->x;
    const char *body =
        is_admin ? "{\"is_valid\":true,\"is_admin\":true}" : "{\"is_valid\":true,\"is_admin\":false}";

    message->call = (struct call){
        .base = x->loop->service->config->message_service_url.base,
        .method = "POST",
        .path = MESSAGE_PATH_GET_MESSAGE,
        .body = body,
        .body_length = strlen(body),
        .headers = {message->forward.request_id},
        .on_reply = message_on_text,
    };
    if (!call_start(x->loop->relay, &message->call)) {
        reply_fault(x, FAULT_BUSY);
        return;
    }
    exchange_hold(x);
}

static void message_on_verdict(struct message *message)
{
    const struct relay_answer *answer = &message->call.answer;
    struct claims_form form;
    struct buffer faults;

    buffer_open(&faults);
    reading_close(schema_read(&claims, answer->body, answer->body_length, &form, &faults));
    if (faults.length > 0 || form.is_valid != FIELD_BOOL_TRUE || form.is_admin == FIELD_BOOL_ABSENT) {
        forward_reply_failed(&message->x, &peer_auth, &message->call);
    } else {
        message->x.user_id = form.user_id;
        message_ask_message(message, form.is_admin == FIELD_BOOL_TRUE);
    }
    buffer_close(&faults);
}

static bool is_refusal_of_the_token(const struct relay_answer *answer)
{
    return answer->status == 401 &&
           strcmp(answer->error_code, fault_row(FAULT_SERVICE_KEY_REFUSED)->name) != 0;
}

static void message_on_claims(struct call *call)
{
    struct message *message = H2O_STRUCT_FROM_MEMBER(struct message, call, call);
    struct exchange *x = &message->x;

    if (x->req == NULL)
        ; /* the client left: message need not be asked */
    else if (call->outcome != RELAY_ANSWERED)
        forward_reply_failed(x, &peer_auth, call);
    else if (call->answer.status == 200)
        message_on_verdict(message);
    else if (is_refusal_of_the_token(&call->answer))
        reply_token_refused(x, FAULT_TOKEN_REFUSED);
    else if (call->answer.status == 429 || call->answer.status == 503)
        forward_reply_refused(x, call);
    else
        forward_reply_failed(x, &peer_auth, call);
    exchange_release(x);
}

static void message_on_text(struct call *call)
{
    struct message *message = H2O_STRUCT_FROM_MEMBER(struct message, call, call);
    struct exchange *x = &message->x;
    struct text_form form;
    struct buffer faults;
    struct buffer detail;

    buffer_open(&faults);
    buffer_open(&detail);
    const bool answered = call->outcome == RELAY_ANSWERED && call->answer.status == 200;
    struct reading *reading =
        answered ? schema_read(&text, call->answer.body, call->answer.body_length, &form, &faults) : NULL;
    if (!answered || faults.length > 0) {
        forward_reply_failed(x, &peer_message, call);
    } else {
        buffer_add_json(&detail, form.message.at, form.message.length);
        reply_detail(x, 200, detail.at, detail.length);
    }
    reading_close(reading);
    buffer_close(&detail);
    buffer_close(&faults);
    exchange_release(x);
}
