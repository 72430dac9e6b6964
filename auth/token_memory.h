/*
 * token_memory.h - tokens whose signature was verified. That a signature fits its exact bytes never changes
 * while the keys stay, so it need not be computed twice (HMAC, base64 and JSON are most of what a request
 * costs auth). Nothing else is remembered: expiry, user and session are judged anew each time.
 *
 * Bounded: a token has four places, found by the bytes of its signature, and a newer one takes that of the
 * oldest of them. (With one place each, an eighth of 1,000 tokens in 8,192 places would share one, and be
 * verified over and over.) One per loop, so that nothing is locked. Compared whole and in constant time, so
 * that time tells nothing about tokens in memory (but whether one's signature ends alike: a hash of that is
 * looked at first, and who knows it has the token).
 */
#ifndef AUTH_TOKEN_MEMORY_H
#define AUTH_TOKEN_MEMORY_H

#include <stddef.h>

#include "auth/token.h"

struct token_memory;

/* For about `places` tokens (rounded up to a power of two, 4 at least); 0: remembers nothing. Close wipes;
 * NULL is allowed. */
struct token_memory *token_memory_open(size_t places);
void token_memory_close(struct token_memory *memory);

/* The claims of a token of exactly these bytes, or NULL. Valid until the next token_memory_keep. */
const struct token_claims *token_memory_find(const struct token_memory *memory, const char *token,
                                             size_t length);

/* Remembers a token that token_verify found TOKEN_VALID as an access token. Copies. */
void token_memory_keep(struct token_memory *memory, const char *token, size_t length,
                       const struct token_claims *claims);

#endif
