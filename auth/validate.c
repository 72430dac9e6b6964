/*
 * validate.c - is this token good? POST /validate-token (one, in the header `token`), POST /validate-tokens
 * (up to 64 in a body, for gathered calls), GET /verify (in Authorization, answered in headers, for reverse
 * proxies). One judgement, on the loop (microseconds); three ways to say it.
 */
#include <stdio.h>
#include <string.h>

#include "auth/contract.h"
#include "auth/judge.h"
#include "auth/state.h"
#include "core/authorization.h"
#include "core/reply.h"
#include "core/schema.h"

static void add_user(struct buffer *body, const struct user *user)
{
    buffer_add_text(body, "\"user\":");
    buffer_add_json(body, user->username, strlen(user->username));
}

static const char *true_or_false(bool value)
{
    return value ? "true" : "false";
}

/* The fault of a verdict that is not VERDICT_VALID. */
static enum fault fault_of(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_EXPIRED:
        return FAULT_TOKEN_EXPIRED;
    case VERDICT_INVALID:
        return FAULT_TOKEN_NOT_VALID;
    case VERDICT_VALID:
    case VERDICT_FAILED:
        break;
    }
    return FAULT_INTERNAL;
}

/* --- one --- */

static void answer_valid(struct exchange *x, const struct user *user)
{
    struct buffer body;

    x->user_id = user->id;
    buffer_open(&body);
    buffer_add_text(&body, "{\"is_valid\":true,\"date_time\":\"");
    buffer_add(&body, clock_local(&x->loop->clock), CLOCK_LOCAL_LENGTH);
    buffer_add_text(&body, "\",");
    add_user(&body, user);
    buffer_add_text(&body, ",\"is_admin\":");
    buffer_add_text(&body, true_or_false(user->is_admin));
    buffer_add_text(&body, ",\"user_id\":");
    buffer_add_number(&body, user->id);
    buffer_add_char(&body, '}');
    reply_json(x, 200, body.at, body.length);
    buffer_close(&body);
}

static void answer_verdict(struct exchange *x, enum verdict verdict, const struct user *user)
{
    if (verdict == VERDICT_VALID)
        answer_valid(x, user);
    else if (verdict == VERDICT_FAILED)
        reply_fault(x, FAULT_INTERNAL);
    else
        reply_token_refused(x, fault_of(verdict));
}

void validate_handle(struct exchange *x)
{
    size_t count;
    const h2o_iovec_t token = exchange_header(x, "token", &count);
    struct user user;

    if (token.len == 0 && count <= 1)
        reply_fault(x, FAULT_TOKEN_MISSING);
    else if (count > 1)
        reply_token_refused(x, FAULT_TOKEN_NOT_VALID);
    else
        answer_verdict(x, judge_access_token(x->loop, token.base, token.len, &user), &user);
    password_wipe(&user, sizeof user);
}

/* --- many --- */

struct token_entry {
    struct text token;
};

static const struct field token_fields[] = {
    {.name = "", .kind = FIELD_TEXT, .at = offsetof(struct token_entry, token), .required = true},
};
static const struct form token_form = {token_fields, 1, sizeof(struct token_entry)};
static const struct list_form token_list = {"tokens", &token_form, AUTH_TOKENS_PER_CALL_MAX};

/* An entry that is no text is no token: 401, and nobody else's business. */
static void add_verdict(struct buffer *body, struct loop *loop, const struct token_entry *entry, bool sound)
{
    struct user user;
    const enum verdict verdict =
        sound ? judge_access_token(loop, entry->token.at, entry->token.length, &user) : VERDICT_INVALID;

    if (verdict != VERDICT_VALID) {
        const struct fault_row *row = fault_row(fault_of(verdict));
        buffer_add_format(body, "{\"status\":%u,\"detail\":\"%s\"}", row->status, row->sentence);
        return;
    }
    buffer_add_text(body, "{\"status\":200,");
    add_user(body, &user);
    buffer_add_text(body, ",\"user_id\":");
    buffer_add_number(body, user.id);
    buffer_add_text(body, ",\"is_admin\":");
    buffer_add_text(body, true_or_false(user.is_admin));
    buffer_add_char(body, '}');
    password_wipe(user.password_hash, sizeof user.password_hash);
}

static void answer_many(struct exchange *x, const struct token_entry *entries, const bool *sound,
                        size_t count)
{
    struct buffer body;

    buffer_open(&body);
    buffer_add_text(&body, "{\"results\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_char(&body, ',');
        add_verdict(&body, x->loop, &entries[i], sound[i]);
    }
    buffer_add_text(&body, "]}");
    reply_json(x, 200, body.at, body.length);
    buffer_close(&body);
}

void validate_many_handle(struct exchange *x)
{
    struct token_entry entries[AUTH_TOKENS_PER_CALL_MAX];
    bool sound[AUTH_TOKENS_PER_CALL_MAX];
    struct buffer faults;
    size_t count;

    buffer_open(&faults);
    struct reading *reading = schema_read_list(&token_list, x->req->entity.base, x->req->entity.len, entries,
                                               sound, &count, &faults);
    if (reading == NULL)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else
        answer_many(x, entries, sound, count);
    reading_close(reading);
    buffer_close(&faults);
}

/* --- in headers --- */

/* Percent-encoded but for unreserved characters (RFC 3986, section 2.3): a header holds no other bytes
 * safely. */
static void add_percent_encoded(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        const bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                                c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved)
            buffer_add_char(out, (char)c);
        else
            buffer_add_format(out, "%%%02X", c);
    }
}

static void answer_verified(struct exchange *x, const struct user *user)
{
    char id[24];
    struct buffer name;

    x->user_id = user->id;
    snprintf(id, sizeof id, "%llu", (unsigned long long)user->id);
    buffer_open(&name);
    add_percent_encoded(&name, user->username);
    const struct reply_header headers[] = {
        {"x-auth-user", name.at},
        {"x-auth-user-id", id},
        {"x-auth-role", user->is_admin ? "admin" : "user"},
    };
    reply_headers(x, 200, headers, sizeof headers / sizeof headers[0]);
    buffer_close(&name);
}

static void answer_unverified(struct exchange *x, bool token_was_given)
{
    const struct reply_header header = {"www-authenticate",
                                        token_was_given ? "Bearer error=\"invalid_token\"" : "Bearer"};
    reply_headers(x, 401, &header, 1);
}

void verify_handle(struct exchange *x)
{
    h2o_iovec_t token = {NULL, 0};
    struct user user;
    const enum authorization given = authorization_read(x, &token);

    if (given != AUTHORIZATION_TOKEN) {
        answer_unverified(x, given == AUTHORIZATION_UNUSABLE);
        return;
    }
    const enum verdict verdict = judge_access_token(x->loop, token.base, token.len, &user);
    if (verdict == VERDICT_VALID)
        answer_verified(x, &user);
    else if (verdict == VERDICT_FAILED)
        reply_fault(x, FAULT_INTERNAL);
    else
        answer_unverified(x, true);
    password_wipe(&user, sizeof user);
}
