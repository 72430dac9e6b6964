#include "auth/token_pair.h"

#include <assert.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

_Static_assert(TOKEN_ID_BYTES == SESSION_ID_LENGTH, "tokens are named in the session's record");

bool token_pair_name(struct session *session, const struct config *config, int64_t now_us)
{
    session->issued_at_s = now_us / SECOND_US;
    session->idle_ends_at_us = now_us + (int64_t)config->session_idle_minutes * 60 * SECOND_US;
    return token_id_make(session->access_id) && token_id_make(session->refresh_id);
}

static bool issue(const struct auth *auth, struct token_claims *claims, const char *id, uint64_t life_s,
                  const struct session *session, char out[TOKEN_MAX_BYTES + 1])
{
    const int64_t session_ends_s = session->ends_at_us / SECOND_US;

    strcpy(claims->token_id, id);
    claims->expires_at_s = claims->issued_at_s + (int64_t)life_s;
    if (claims->expires_at_s > session_ends_s)
        claims->expires_at_s = session_ends_s;
    return token_issue(&auth->keys, claims, out) == TOKEN_VALID;
}

bool token_pair_make(struct token_pair *pair, const struct auth *auth, const struct user *user,
                     const struct session *session)
{
    struct token_claims claims = {.user_id = user->id, .issued_at_s = session->issued_at_s};

    assert(session->user_id == user->id);
    strcpy(claims.subject, user->username);
    strcpy(claims.session_id, session->id);
    claims.use = TOKEN_ACCESS;
    if (!issue(auth, &claims, session->access_id, auth->config->access_token_expire_minutes * 60, session,
               pair->access_token))
        return false;
    pair->access_expires_at_s = claims.expires_at_s;
    claims.use = TOKEN_REFRESH;
    return issue(auth, &claims, session->refresh_id, auth->config->refresh_token_expire_days * 86400, session,
                 pair->refresh_token);
}

void token_pair_wipe(struct token_pair *pair)
{
    password_wipe(pair, sizeof *pair);
}

void token_pair_add(struct buffer *body, const struct token_pair *pair, int64_t now_s)
{
    const int64_t left_s = pair->access_expires_at_s - now_s;

    assert(pair->access_token[0] != '\0' && pair->refresh_token[0] != '\0');
    buffer_add_text(body, "{\"token_type\":\"bearer\",\"access_token\":\"");
    buffer_add_text(body, pair->access_token);
    buffer_add_text(body, "\",\"refresh_token\":\"");
    buffer_add_text(body, pair->refresh_token);
    buffer_add_text(body, "\",\"expires_in\":");
    buffer_add_number(body, left_s > 0 ? (uint64_t)left_s : 0);
    buffer_add_char(body, '}');
}
