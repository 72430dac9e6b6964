/*
 * account.c - accounts and sessions: one relay to auth, which judges everything; the body goes on unchanged.
 * What differs from route to route is its method and path (auth's path is the public one without /user) and
 * its manner: what is asked of the token, and what else auth is told.
 *
 *   account_start ──▶ (auth) ──▶ account_on_reply ──▶ account_pass_on
 *        └ the client leaves: a login is given up (auth then need not hash); all else runs to its end unheard
 *
 * What creates or changes something goes over a fresh connection: curl would send a request a second time if
 * a kept connection died before the answer.
 */
#include <assert.h>
#include <string.h>

#include "auth/contract.h"
#include "core/authorization.h"
#include "core/query.h"
#include "core/reply.h"
#include "core/schema.h"
#include "core/service.h"
#include "gateway/forward.h"
#include "gateway/state.h"

#define PATH_MAX_BYTES  127
#define QUERY_MAX_BYTES 4096 /* as encoded; auth takes a name of 64 code points and little else */

enum token_use {
    TOKEN_UNUSED,
    TOKEN_OPTIONAL,       /* one that is unusable counts as none */
    TOKEN_NEEDED,         /* missing: 400; unusable: 401; but what is wrong with a body comes first */
    TOKEN_OR_BODY_NEEDED, /* the same; a body may stand for one that is missing */
};

struct manner {
    enum token_use token;
    bool tells_agent; /* auth keeps the User-Agent with the session, or with what it logs */
    bool sends_query;
    bool may_be_given_up; /* when the client leaves: nothing is decided yet */
    const char *member;   /* of auth's answer: becomes the detail */
    char begins_with;     /* its JSON text must; NUL: whatever it is */
};

struct account {
    struct exchange x;
    struct call call;
    const struct manner *manner;
    char path[PATH_MAX_BYTES + 1];
};

const size_t account_size = sizeof(struct account);

static const struct manner signup = {
    .token = TOKEN_OPTIONAL, .tells_agent = true, .member = "detail", .begins_with = '"'};
static const struct manner login = {
    .tells_agent = true, .may_be_given_up = true, .member = "token", .begins_with = '{'};
static const struct manner refresh = {.tells_agent = true, .member = "detail", .begins_with = '{'};
static const struct manner logout = {.token = TOKEN_OR_BODY_NEEDED, .member = "detail", .begins_with = '"'};
static const struct manner with_token = {.token = TOKEN_NEEDED, .member = "detail"};
static const struct manner list = {
    .token = TOKEN_NEEDED, .sends_query = true, .member = "detail", .begins_with = '{'};

/* The public path without /user. */
static void account_set_path(struct account *account)
{
    static const char prefix[] = "/user/";
    const h2o_req_t *req = account->x.req;
    const size_t length = req->query_at == SIZE_MAX ? req->path.len : req->query_at;
    const bool is_own = length >= sizeof prefix - 1 && memcmp(req->path.base, prefix, sizeof prefix - 1) == 0;
    const size_t skipped = is_own ? sizeof prefix - 2 : 0;

    assert(length - skipped <= PATH_MAX_BYTES); /* it matched a route */
    memcpy(account->path, req->path.base + skipped, length - skipped);
    account->path[length - skipped] = '\0';
}

static bool body_is_sent(const struct exchange *x)
{
    return (x->route->flags & ROUTE_TAKES_JSON) && x->req->entity.len > 0;
}

static void account_refuse_token(struct exchange *x, enum authorization given)
{
    if (given == AUTHORIZATION_ABSENT)
        reply_fault(x, FAULT_AUTHORIZATION_MISSING);
    else if (given == AUTHORIZATION_OTHER)
        reply_fault(x, FAULT_TOKEN_REFUSED);
    else
        reply_token_refused(x, FAULT_TOKEN_REFUSED);
}

/* A fault of the body is answered before one of the token, and auth alone knows: it is told in short. */
static void add_unusable(struct buffer *line, enum authorization given)
{
    if (given == AUTHORIZATION_OTHER)
        buffer_add_text(line, "Authorization: Other -");
    else if (given == AUTHORIZATION_UNUSABLE)
        buffer_add_text(line, "Authorization: Bearer -");
}

/* The line "Authorization: ...", or nothing where none is needed. False: the fault was answered. */
static bool account_read_token(struct account *account, struct buffer *line)
{
    struct exchange *x = &account->x;
    const enum token_use use = account->manner->token;
    h2o_iovec_t token = {NULL, 0};

    if (use == TOKEN_UNUSED)
        return true;
    enum authorization given = authorization_read(x, &token);
    if (given == AUTHORIZATION_TOKEN && !auth_token_has_shape(token.base, token.len))
        given = AUTHORIZATION_UNUSABLE;
    if (given == AUTHORIZATION_TOKEN) {
        buffer_add_text(line, "Authorization: Bearer ");
        buffer_add(line, token.base, token.len);
        return true;
    }
    if (use == TOKEN_OPTIONAL ||
        (use == TOKEN_OR_BODY_NEEDED && given == AUTHORIZATION_ABSENT && body_is_sent(x)))
        return true;
    if (use == TOKEN_NEEDED && (x->route->flags & ROUTE_TAKES_JSON)) {
        add_unusable(line, given);
        return true;
    }
    account_refuse_token(x, given);
    return false;
}

/* False: the fault was answered. */
static bool account_read_query(struct account *account, struct buffer *query)
{
    static const char too_long[] = "[{\"loc\":[\"query\"],\"msg\":\"Query should have at most 4096 bytes\","
                                   "\"type\":\"string_too_long\"}]";

    if (!account->manner->sends_query)
        return true;
    forward_query(query, query_of(account->x.req));
    if (query->length <= QUERY_MAX_BYTES)
        return true;
    reply_fault_detail(&account->x, FAULT_UNPROCESSABLE, too_long, sizeof too_long - 1);
    return false;
}

static void account_on_reply(struct call *call);

static void account_call(struct account *account, const char *authorization, const char *query)
{
    struct exchange *x = &account->x;
    const bool has_body = body_is_sent(x);
    struct forward forward;
    char agent[sizeof "User-Agent: " + FORWARD_AGENT_MAX_BYTES] = "";
    size_t lines = 2;

    account_set_path(account);
    forward_fill(&forward, x);
    if (account->manner->tells_agent)
        forward_agent(agent, x);
    account->call = (struct call){
        .base = x->loop->service->config->auth_service_url.base,
        .method = x->route->method,
        .path = account->path,
        .query = *query == '\0' ? NULL : query,
        .body = has_body ? x->req->entity.base : NULL,
        .body_length = has_body ? x->req->entity.len : 0,
        .headers = {forward.request_id, forward.client_address},
        .fresh = strcmp(x->route->method, "GET") != 0,
        .on_reply = account_on_reply,
    };
    if (*authorization != '\0')
        account->call.headers[lines++] = authorization;
    if (*agent != '\0')
        account->call.headers[lines++] = agent;
    if (*forward.forwarded != '\0')
        account->call.headers[lines++] = forward.forwarded;
    if (!call_start(x->loop->relay, &account->call)) {
        reply_fault(x, FAULT_BUSY);
        return;
    }
    account->call.query = NULL; /* copied */
    exchange_hold(x);
}

static void account_on_gone(struct exchange *x)
{
    struct account *account = (struct account *)x;

    if (account->call.transfer == NULL)
        return;
    call_cancel(&account->call);
    exchange_release(x);
}

static void account_start(struct exchange *x, const struct manner *manner)
{
    struct account *account = (struct account *)x;
    struct buffer authorization;
    struct buffer query;

    account->manner = manner;
    if (manner->may_be_given_up)
        x->on_gone = account_on_gone;
    buffer_open(&authorization);
    buffer_open(&query);
    if (account_read_token(account, &authorization) && account_read_query(account, &query))
        account_call(account, authorization.at, query.at);
    buffer_close(&authorization);
    buffer_close(&query);
}

/* Auth looks at Authorization when an administrator is to be made. */
void account_signup_handle(struct exchange *x)
{
    account_start(x, &signup);
}

void account_login_handle(struct exchange *x)
{
    account_start(x, &login);
}

void account_refresh_handle(struct exchange *x)
{
    account_start(x, &refresh);
}

void account_logout_handle(struct exchange *x)
{
    account_start(x, &logout);
}

void account_token_handle(struct exchange *x)
{
    account_start(x, &with_token);
}

void account_list_handle(struct exchange *x)
{
    account_start(x, &list);
}

struct success_form {
    struct text detail;
};

static bool begins_as_wanted(const struct manner *manner, struct text detail)
{
    return manner->begins_with == '\0' || *detail.at == manner->begins_with;
}

static void account_pass_on(struct account *account)
{
    struct exchange *x = &account->x;
    const struct relay_answer *answer = &account->call.answer;
    const struct field field = {.name = account->manner->member,
                                .kind = FIELD_RAW,
                                .at = offsetof(struct success_form, detail),
                                .required = true};
    const struct form success = {&field, 1, sizeof(struct success_form)};
    struct success_form form;
    struct buffer faults;

    buffer_open(&faults);
    struct reading *reading = schema_read(&success, answer->body, answer->body_length, &form, &faults);
    if (faults.length > 0 || answer->status > 201 || !begins_as_wanted(account->manner, form.detail))
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
