#include "auth/gate.h"

#include <assert.h>
#include <string.h>

#include "auth/audit.h"
#include "auth/state.h"
#include "core/clock.h"
#include "core/reply.h"

/* What audit lines call what was held up. */
static const char *policy_word(enum throttle_policy policy)
{
    switch (policy) {
    case THROTTLE_LOGIN:
        return "login";
    case THROTTLE_LOGIN_NETWORK:
        return "login-network";
    case THROTTLE_LOGIN_NAME:
        return "login-name";
    case THROTTLE_SIGNUP:
        return "signup";
    case THROTTLE_POLICY_COUNT:
        break;
    }
    return "?";
}

static void refuse(struct exchange *x, const struct throttle_verdict *verdict)
{
    const struct fault_row *row = fault_row(FAULT_TOO_MANY_ATTEMPTS);
    struct throttle_headers headers;
    struct buffer detail;

    const bool are_there = throttle_headers(verdict, &headers);
    assert(are_there);
    buffer_open(&detail);
    buffer_add_json(&detail, row->sentence, strlen(row->sentence));
    reply_passed_on(x, &(struct passed_on){.status = row->status,
                                           .detail = detail.at,
                                           .detail_length = detail.length,
                                           .error_code = row->name,
                                           .retry_after = headers.retry_after,
                                           .rate_limit = headers.limit,
                                           .rate_limit_policy = headers.policy});
    buffer_close(&detail);
}

bool gate_login(struct exchange *x, const struct client *client, const char *name, size_t length,
                struct throttle_permit *permit)
{
    struct auth *auth = auth_of(x);
    struct throttle_attempt attempt = {.name = name, .name_length = length, .network = client->network};
    const char *network = client_network(client);
    struct user user = {.id = 0};

    if (!user_store_is_blocking(auth->store) &&
        user_store_find_by_username(auth->store, name, length, &user) == STORE_OK && *network != '\0')
        attempt.is_known = user_store_knows_network(auth->store, user.id, network) == STORE_OK;
    const struct throttle_verdict verdict = throttle_login(auth->throttle, &attempt, clock_wall_us(), permit);
    const bool may_pass = verdict.wait_s == 0;
    if (!may_pass) {
        audit_log(AUDIT_THROTTLED, &(struct audit){.x = x,
                                                   .client = client,
                                                   .subject_id = user.id,
                                                   .subject = user.username,
                                                   .change = policy_word(verdict.policy)});
        refuse(x, &verdict);
    }
    password_wipe(&user, sizeof user);
    return may_pass;
}

bool gate_signup(struct exchange *x, const struct client *client, struct throttle_permit *permit)
{
    const struct throttle_verdict verdict =
        throttle_signup(auth_of(x)->throttle, client->network, clock_wall_us(), permit);

    if (verdict.wait_s == 0)
        return true;
    audit_log(AUDIT_THROTTLED,
              &(struct audit){.x = x, .client = client, .change = policy_word(verdict.policy)});
    refuse(x, &verdict);
    return false;
}

void gate_leave(struct exchange *x, struct throttle_permit *permit, enum throttle_result result)
{
    throttle_settle(auth_of(x)->throttle, permit, result, clock_wall_us());
}
