/*
 * validate.c - POST /validate-token: the token in the header `token`, judged on the loop (microseconds).
 */
#include <string.h>

#include "auth/judge.h"
#include "auth/state.h"
#include "core/reply.h"

static void answer_valid(struct exchange *x, const struct user *user)
{
    struct buffer body;

    x->user_id = user->id;
    buffer_open(&body);
    buffer_add_text(&body, "{\"is_valid\":true,\"date_time\":\"");
    buffer_add(&body, clock_local(&x->loop->clock), CLOCK_LOCAL_LENGTH);
    buffer_add_text(&body, "\",\"user\":");
    buffer_add_json(&body, user->username, strlen(user->username));
    buffer_add_text(&body,
                    user->is_admin ? ",\"is_admin\":true,\"user_id\":" : ",\"is_admin\":false,\"user_id\":");
    buffer_add_number(&body, user->id);
    buffer_add_char(&body, '}');
    reply_json(x, 200, body.at, body.length);
    buffer_close(&body);
}

static void answer_verdict(struct exchange *x, enum verdict verdict, const struct user *user)
{
    switch (verdict) {
    case VERDICT_VALID:
        answer_valid(x, user);
        return;
    case VERDICT_EXPIRED:
        reply_token_refused(x, FAULT_TOKEN_EXPIRED);
        return;
    case VERDICT_INVALID:
        reply_token_refused(x, FAULT_TOKEN_NOT_VALID);
        return;
    case VERDICT_FAILED:
        reply_fault(x, FAULT_INTERNAL);
        return;
    }
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
        answer_verdict(x, judge_access_token(auth_of(x), token.base, token.len, &user), &user);
    password_wipe(&user, sizeof user);
}
