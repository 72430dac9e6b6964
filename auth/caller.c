#include "auth/caller.h"

#include <assert.h>
#include <string.h>

#include "auth/audit.h"
#include "auth/password.h"
#include "core/authorization.h"
#include "core/reply.h"

void caller_refuse(struct exchange *x, enum verdict verdict)
{
    assert(verdict != VERDICT_VALID);
    if (verdict == VERDICT_FAILED)
        reply_fault(x, FAULT_INTERNAL);
    else
        reply_token_refused(x, FAULT_TOKEN_REFUSED);
}

static void refuse_header(struct exchange *x, enum authorization given)
{
    if (given == AUTHORIZATION_ABSENT)
        reply_fault(x, FAULT_AUTHORIZATION_MISSING);
    else if (given == AUTHORIZATION_OTHER)
        reply_fault(x, FAULT_TOKEN_REFUSED);
    else
        reply_token_refused(x, FAULT_TOKEN_REFUSED);
}

bool caller_read(struct caller *caller, struct exchange *x)
{
    struct token_claims claims;
    h2o_iovec_t token;
    const enum authorization given = authorization_read(x, &token);

    if (given != AUTHORIZATION_TOKEN) {
        refuse_header(x, given);
        return false;
    }
    const enum verdict verdict =
        judge_token(x->loop, TOKEN_ACCESS, token.base, token.len, &caller->user, &claims);
    password_wipe(caller->user.password_hash, sizeof caller->user.password_hash);
    if (verdict != VERDICT_VALID) {
        caller_refuse(x, verdict);
        return false;
    }
    strcpy(caller->session_id, claims.session_id);
    caller->is_asked_as_admin = false;
    x->user_id = caller->user.id;
    return true;
}

void caller_audit_refusal(const struct caller *caller, const struct exchange *x, const struct client *client)
{
    audit_log(AUDIT_ADMIN_REFUSED,
              &(struct audit){
                  .x = x, .client = client, .actor_id = caller->user.id, .session_id = caller->session_id});
}

void caller_sign(const struct caller *caller, struct store_write *write)
{
    write->actor.user_id = caller->user.id;
    write->actor.must_be_admin = caller->is_asked_as_admin;
    strcpy(write->actor.session_id, caller->session_id);
}

bool caller_read_admin(struct caller *caller, struct exchange *x, const struct client *client)
{
    if (!caller_read(caller, x))
        return false;
    caller->is_asked_as_admin = true;
    if (caller->user.is_admin)
        return true;
    caller_audit_refusal(caller, x, client);
    reply_fault(x, FAULT_ADMIN_RIGHTS_REQUIRED);
    return false;
}
