/*
 * token_pair.h - the two tokens of a session, made from its record: the same record gives the same bytes, so
 * that a pair can be told again without having been kept.
 */
#ifndef AUTH_TOKEN_PAIR_H
#define AUTH_TOKEN_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/state.h"
#include "core/buffer.h"

struct token_pair {
    char access_token[TOKEN_MAX_BYTES + 1];
    char refresh_token[TOKEN_MAX_BYTES + 1];
    int64_t access_expires_at_s;
};

/* Gives a session the ids of a new pair, issued now. False when the kernel has no random bytes. */
bool token_pair_name(struct session *session, const struct config *config, int64_t now_us);

/* Signs the pair that the session's record names. No token outlives its session. False: it failed. */
bool token_pair_make(struct token_pair *pair, const struct auth *auth, const struct user *user,
                     const struct session *session);
void token_pair_wipe(struct token_pair *pair);

/* {"token_type", "access_token", "refresh_token", "expires_in"}; the latter counts from now_s. */
void token_pair_add(struct buffer *body, const struct token_pair *pair, int64_t now_s);

#endif
