#include "auth/token_memory.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

/* Shorter ones than this have no signature of ours (HS256: 43 characters). */
#define TOKEN_MIN_BYTES 43

struct remembered {
    struct token_claims claims;
    size_t length;
    char token[];
};

struct token_memory {
    size_t mask; /* places - 1 */
    struct remembered **places;
};

struct token_memory *token_memory_open(size_t places)
{
    struct token_memory *memory = memory_zeroed(sizeof *memory);
    size_t rounded = 1;

    if (places == 0)
        return memory;
    while (rounded < places)
        rounded *= 2;
    memory->mask = rounded - 1;
    memory->places = memory_zeroed(rounded * sizeof(struct remembered *));
    return memory;
}

static void forget(struct remembered *remembered)
{
    if (remembered == NULL)
        return;
    explicit_bzero(remembered, sizeof *remembered + remembered->length);
    free(remembered);
}

void token_memory_close(struct token_memory *memory)
{
    if (memory == NULL)
        return;
    for (size_t i = 0; memory->places != NULL && i <= memory->mask; i++)
        forget(memory->places[i]);
    free(memory->places);
    free(memory);
}

/* The signature is as good as random, and nobody without the key chooses the one of a token that gets in. */
static struct remembered **place_of(const struct token_memory *memory, const char *token, size_t length)
{
    uint64_t bytes;

    if (memory->places == NULL || length < TOKEN_MIN_BYTES)
        return NULL;
    memcpy(&bytes, token + length - sizeof bytes - 1, sizeof bytes);
    bytes *= UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / golden ratio: spreads base64url's six bits a byte */
    return &memory->places[(size_t)(bytes >> 32) & memory->mask];
}

const struct token_claims *token_memory_find(const struct token_memory *memory, const char *token,
                                             size_t length)
{
    struct remembered **place = place_of(memory, token, length);

    if (place == NULL || *place == NULL || (*place)->length != length ||
        CRYPTO_memcmp((*place)->token, token, length) != 0)
        return NULL;
    return &(*place)->claims;
}

void token_memory_keep(struct token_memory *memory, const char *token, size_t length,
                       const struct token_claims *claims)
{
    struct remembered **place = place_of(memory, token, length);

    if (place == NULL)
        return;
    assert(claims->use == TOKEN_ACCESS);
    forget(*place);
    *place = memory_zeroed(sizeof **place + length);
    (*place)->claims = *claims;
    (*place)->length = length;
    memcpy((*place)->token, token, length);
}
