#include "auth/judge.h"

#include <string.h>

#include "auth/state.h"
#include "core/clock.h"

static enum verdict judge_user(const struct token_claims *claims, enum store_outcome found,
                               const struct user *user)
{
    if (found == STORE_NOT_FOUND)
        return VERDICT_INVALID;
    if (found != STORE_OK)
        return VERDICT_FAILED;
    /* The id decides; the name must be its own, so that a name taken over later opens nothing. */
    return user->is_active && strcmp(user->username, claims->subject) == 0 ? VERDICT_VALID : VERDICT_INVALID;
}

/* What token_verify would say; the signature of an access token is computed once. */
static enum token_outcome verify_access(struct loop *loop, const char *token, size_t length, int64_t now_s,
                                        struct token_claims *claims)
{
    struct auth *auth = loop->service->state;
    struct token_memory *memory = auth_loop_of(loop)->memory;
    const struct token_claims *known = token_memory_find(memory, token, length);

    if (known != NULL) {
        *claims = *known;
        return now_s >= known->expires_at_s ? TOKEN_EXPIRED : TOKEN_VALID;
    }
    const enum token_outcome outcome = token_verify(&auth->keys, token, length, TOKEN_ACCESS, now_s, claims);
    if (outcome == TOKEN_VALID)
        token_memory_keep(memory, token, length, claims);
    return outcome;
}

enum verdict judge_token(struct loop *loop, enum token_use use, const char *token, size_t length,
                         struct user *user, struct token_claims *claims)
{
    struct auth *auth = loop->service->state;
    const int64_t now_s = clock_wall_us() / 1000000;
    const enum token_outcome outcome = use == TOKEN_ACCESS
                                           ? verify_access(loop, token, length, now_s, claims)
                                           : token_verify(&auth->keys, token, length, use, now_s, claims);

    switch (outcome) {
    case TOKEN_VALID:
        return judge_user(
            claims, user_store_find_by_session(auth->store, claims->session_id, claims->user_id, user), user);
    case TOKEN_EXPIRED:
        return VERDICT_EXPIRED;
    case TOKEN_INVALID:
        return VERDICT_INVALID;
    case TOKEN_FAILED:
        return VERDICT_FAILED;
    }
    return VERDICT_FAILED;
}

enum verdict judge_access_token(struct loop *loop, const char *token, size_t length, struct user *user)
{
    struct token_claims claims;

    return judge_token(loop, TOKEN_ACCESS, token, length, user, &claims);
}
