/*
 * judge.h - is this access token one of a user who may come in, now? The one judgement that every path uses.
 */
#ifndef AUTH_JUDGE_H
#define AUTH_JUDGE_H

#include <stddef.h>

#include "auth/token.h"
#include "storage/user_store.h"

struct auth;

enum verdict {
    VERDICT_VALID, /* *user is the record as it is now */
    VERDICT_EXPIRED,
    VERDICT_INVALID, /* forged, malformed, or of a user who is deactivated, deleted, or not the one of that id
                      */
    VERDICT_FAILED,  /* could not be judged: the store failed, or no memory */
};

/* Nothing is remembered between calls: the store is asked each time. A loop thread may call it. */
enum verdict judge_access_token(struct auth *auth, const char *token, size_t length, struct user *user);

#endif
