/*
 * judge.h - is this token one of a session that lives, of a user who may come in, now? The one judgement that
 * every path uses.
 */
#ifndef AUTH_JUDGE_H
#define AUTH_JUDGE_H

#include <stddef.h>

#include "auth/token.h"
#include "storage/user_store.h"

struct loop;

enum verdict {
    VERDICT_VALID, /* *user is the record as it is now */
    VERDICT_EXPIRED,
    VERDICT_INVALID, /* forged, malformed, of a session that has ended, or of a user who is deactivated,
                        deleted, or not the one of that id */
    VERDICT_FAILED,  /* could not be judged: the store failed, or no memory */
};

/*
 * Nothing is remembered between calls but that the signature of an access token fits its bytes
 * (token_memory.h): time and store are asked each time. *claims and *user are set where it is VERDICT_VALID.
 * Whether a refresh token was spent is not judged here: that decides the store, in the transaction that
 * spends it. On the loop's thread; the loop's service is auth.
 */
enum verdict judge_token(struct loop *loop, enum token_use use, const char *token, size_t length,
                         struct user *user, struct token_claims *claims);

/* The same, for an access token whose claims do not matter. */
enum verdict judge_access_token(struct loop *loop, const char *token, size_t length, struct user *user);

#endif
