/*
 * message.c - GET /user/message: auth first, message only after auth said yes. Both questions are gathered
 * (gather.h): what many clients ask in the same moment goes out in one call, and each is judged by auth on
 * its own, every time.
 *
 *   message_handle ──▶ (tokens) ──▶ message_on_claims ──▶ (messages) ──▶ message_on_text
 *        └ the client leaves: its question is taken out of the queue, or its answer dropped
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/contract.h"
#include "core/authorization.h"
#include "core/gather.h"
#include "core/memory.h"
#include "core/reply.h"
#include "core/schema.h"
#include "core/service.h"
#include "gateway/forward.h"
#include "gateway/state.h"
#include "message/contract.h"

struct message {
    struct exchange x;
    struct question token; /* to auth; then free */
    struct question role;  /* to message */
};

const size_t message_size = sizeof(struct message);

/* Auth's entry for a token. */
struct claims_form {
    uint64_t status;
    uint64_t user_id; /* 0: absent, the token was refused */
    enum field_bool is_admin;
};

static const struct field claims_fields[] = {
    {.name = "status", .kind = FIELD_ID, .at = offsetof(struct claims_form, status), .required = true},
    {.name = "user_id", .kind = FIELD_ID, .at = offsetof(struct claims_form, user_id)},
    {.name = "is_admin", .kind = FIELD_STRICT_BOOL, .at = offsetof(struct claims_form, is_admin)},
};
static const struct form claims_entry = {claims_fields, 3, sizeof(struct claims_form)};

/* Message's entry for a role. */
struct text_form {
    uint64_t status;
    struct text message;
};

static const struct field text_fields[] = {
    {.name = "status", .kind = FIELD_ID, .at = offsetof(struct text_form, status), .required = true},
    {.name = "message", .kind = FIELD_TEXT, .at = offsetof(struct text_form, message)},
};
static const struct form text_entry = {text_fields, 2, sizeof(struct text_form)};

void message_gathers_open(struct loop *loop)
{
    const struct config *config = loop->service->config;
    struct gather_options options = {
        .base = config->auth_service_url.base,
        .path = AUTH_PATH_VALIDATE_TOKENS,
        .list_name = "tokens",
        .quotes = true,
        .entry = &claims_entry,
        .questions_max = config->gather_questions_max,
        .bytes_max = config->gather_bytes_max,
        .queue_max = config->gather_queue_max,
        .calls_max = config->gather_calls_max,
        .timeout_ms = config->relay_timeout_ms,
        .target = GATHER_TOKENS,
    };

    gateway_loop_of(loop)->tokens = gather_open(loop, &options);
    options.base = config->message_service_url.base;
    options.path = MESSAGE_PATH_GET_MESSAGES;
    options.list_name = "requests";
    options.target = GATHER_MESSAGES;
    options.quotes = false;
    options.merges = true; /* there are two roles */
    options.entry = &text_entry;
    gateway_loop_of(loop)->messages = gather_open(loop, &options);
}

void message_gathers_close(struct loop *loop)
{
    gather_close(gateway_loop_of(loop)->tokens);
    gather_close(gateway_loop_of(loop)->messages);
}

static void message_on_claims(struct question *question);
static void message_on_text(struct question *question);

/* At most one of the two questions is under way. */
static void message_on_gone(struct exchange *x)
{
    struct message *message = (struct message *)x;

    question_cancel(&message->token);
    question_cancel(&message->role);
    exchange_release(x);
}

static void message_ask(struct message *message, struct gather *gather, struct question *question)
{
    struct exchange *x = &message->x;

    if (!gather_ask(gather, question)) {
        reply_fault(x, FAULT_BUSY);
        return;
    }
    x->on_gone = message_on_gone;
    exchange_hold(x); /* the question's */
}

/* The token lies in the request, which outlives the question. */
static void message_ask_auth(struct message *message, h2o_iovec_t token)
{
    message->token.text = token.base;
    message->token.length = token.len;
    message->token.on_answer = message_on_claims;
    message_ask(message, gateway_loop_of(message->x.loop)->tokens, &message->token);
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

/* For the log: which calls carried this request's questions. */
static void message_note_call(struct message *message, const struct question *question)
{
    char *at = message->x.calls + strlen(message->x.calls);

    if (at != message->x.calls)
        *at++ = ',';
    strcpy(at, question->call_id); /* there is room for two and a comma */
}

static void message_ask_message(struct message *message, bool is_admin)
{
    static const char admin[] = "{\"is_valid\":true,\"is_admin\":true}";
    static const char user[] = "{\"is_valid\":true,\"is_admin\":false}";

    message->role.text = is_admin ? admin : user;
    message->role.length = is_admin ? sizeof admin - 1 : sizeof user - 1;
    message->role.on_answer = message_on_text;
    message_ask(message, gateway_loop_of(message->x.loop)->messages, &message->role);
}

static void message_on_verdict(struct message *message, const struct claims_form *claims)
{
    struct exchange *x = &message->x;

    if (claims->status == 401) {
        reply_token_refused(x, FAULT_TOKEN_REFUSED);
    } else if (claims->status == 200 && claims->user_id != 0 && claims->is_admin != FIELD_BOOL_ABSENT) {
        x->user_id = claims->user_id;
        message_ask_message(message, claims->is_admin == FIELD_BOOL_TRUE);
    } else {
        forward_reply_unanswered(x, &peer_auth, &message->token);
    }
}

static void message_on_claims(struct question *question)
{
    struct message *message = H2O_STRUCT_FROM_MEMBER(struct message, token, question);
    struct exchange *x = &message->x;

    assert(x->req != NULL); /* or the question would have been cancelled */
    x->on_gone = NULL;
    message_note_call(message, question);
    if (question->entry != NULL)
        message_on_verdict(message, question->entry);
    else
        forward_reply_unanswered(x, &peer_auth, question);
    exchange_release(x);
}

static void message_on_text(struct question *question)
{
    struct message *message = H2O_STRUCT_FROM_MEMBER(struct message, role, question);
    struct exchange *x = &message->x;
    const struct text_form *text = question->entry;
    struct buffer detail;

    assert(x->req != NULL);
    x->on_gone = NULL;
    message_note_call(message, question);
    if (text != NULL && text->status == 200 && text->message.at != NULL) {
        buffer_open(&detail);
        buffer_add_json(&detail, text->message.at, text->message.length);
        reply_detail(x, 200, detail.at, detail.length);
        buffer_close(&detail);
    } else {
        forward_reply_unanswered(x, &peer_message, question);
    }
    exchange_release(x);
}
