/*
 * verify.c - GET /auth/verify, for reverse proxies (forward authentication): auth's GET /verify passed on.
 * All is in status and headers; no answer has a body.
 *
 *   verify_relay_handle ──▶ (auth) ──▶ verify_on_reply
 *        └ the client leaves: the call runs to its end unheard, its connection is kept
 */
#include "auth/contract.h"
#include "core/authorization.h"
#include "core/reply.h"
#include "core/service.h"
#include "gateway/forward.h"
#include "gateway/state.h"

/* A name of 64 code points of up to 4 bytes, each percent-encoded. */
#define USER_MAX_BYTES (64 * 4 * 3)
#define WORD_MAX_BYTES 31

struct verify {
    struct exchange x;
    struct call call;
    char user[USER_MAX_BYTES + 1];
    char user_id[WORD_MAX_BYTES + 1];
    char role[WORD_MAX_BYTES + 1];
};

const size_t verify_size = sizeof(struct verify);

static void verify_refuse(struct exchange *x, const char *challenge)
{
    const struct reply_header header = {"www-authenticate", challenge};

    reply_headers(x, 401, &header, 1);
}

static void verify_on_reply(struct call *call);

static void verify_start(struct verify *verify, h2o_iovec_t token)
{
    struct exchange *x = &verify->x;
    struct forward forward;
    struct buffer authorization;

    forward_fill(&forward, x);
    buffer_open(&authorization);
    buffer_add_text(&authorization, "Authorization: Bearer ");
    buffer_add(&authorization, token.base, token.len);
    verify->call = (struct call){
        .base = x->loop->service->config->auth_service_url.base,
        .method = "GET",
        .path = AUTH_PATH_VERIFY,
        .headers = {forward.request_id, forward.client_address, authorization.at},
        .wanted = {{"x-auth-user:", verify->user, sizeof verify->user},
                   {"x-auth-user-id:", verify->user_id, sizeof verify->user_id},
                   {"x-auth-role:", verify->role, sizeof verify->role}},
        .on_reply = verify_on_reply,
    };
    const bool started = call_start(x->loop->relay, &verify->call);
    buffer_close(&authorization);
    if (started)
        exchange_hold(x);
    else
        reply_fault_bare(x, FAULT_BUSY);
}

void verify_relay_handle(struct exchange *x)
{
    h2o_iovec_t token = {NULL, 0};
    const enum authorization given = authorization_read(x, &token);

    if (given == AUTHORIZATION_TOKEN && auth_token_has_shape(token.base, token.len))
        verify_start((struct verify *)x, token);
    else
        verify_refuse(x, given == AUTHORIZATION_ABSENT || given == AUTHORIZATION_OTHER
                             ? "Bearer"
                             : "Bearer error=\"invalid_token\"");
}

/* Auth refused the token, not our key, which is ours to mend. */
static bool is_refusal(const struct relay_answer *answer)
{
    return answer->status == 401 && answer->www_authenticate[0] != '\0' && answer->error_code[0] == '\0';
}

static void verify_on_reply(struct call *call)
{
    struct verify *verify = H2O_STRUCT_FROM_MEMBER(struct verify, call, call);
    struct exchange *x = &verify->x;
    const struct relay_answer *answer = &call->answer;
    const bool answered = call->outcome == RELAY_ANSWERED;
    const struct reply_header headers[] = {
        {"x-auth-user", verify->user},
        {"x-auth-user-id", verify->user_id},
        {"x-auth-role", verify->role},
    };

    if (answered && answer->status == 200 && *verify->user != '\0' && *verify->user_id != '\0' &&
        *verify->role != '\0')
        reply_headers(x, 200, headers, sizeof headers / sizeof headers[0]);
    else if (answered && is_refusal(answer))
        verify_refuse(x, answer->www_authenticate);
    else if (answered && answer->status == 503)
        reply_fault_bare(x, FAULT_BUSY);
    else
        reply_fault_bare(x, forward_fault(x, &peer_auth, call));
    exchange_release(x);
}
