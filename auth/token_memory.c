#include "auth/token_memory.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

/* Shorter ones than this have no signature of ours (HS256: 43 characters). */
#define TOKEN_MIN_BYTES 43

#define PLACES_OF_A_TOKEN 4

struct remembered {
    struct token_claims claims;
    size_t length;
    char token[];
};

/* The places that some tokens share, newest first. */
struct place_set {
    uint32_t tags[PLACES_OF_A_TOKEN]; /* so that most looks need no token */
    struct remembered *tokens[PLACES_OF_A_TOKEN];
};

struct token_memory {
    size_t mask; /* sets - 1 */
    struct place_set *sets;
};

struct token_memory *token_memory_open(size_t places)
{
    struct token_memory *memory = memory_zeroed(sizeof *memory);
    size_t rounded = 1;

    if (places == 0)
        return memory;
    while (rounded * PLACES_OF_A_TOKEN < places)
        rounded *= 2;
    memory->mask = rounded - 1;
    memory->sets = memory_zeroed(rounded * sizeof(struct place_set));
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
    for (size_t i = 0; memory->sets != NULL && i <= memory->mask; i++)
        for (size_t k = 0; k < PLACES_OF_A_TOKEN; k++)
            forget(memory->sets[i].tokens[k]);
    free(memory->sets);
    free(memory);
}

/* The signature is as good as random, and nobody without the key chooses the one of a token that gets in. */
static struct place_set *set_of(const struct token_memory *memory, const char *token, size_t length,
                                uint32_t *tag)
{
    uint64_t bytes;

    if (memory->sets == NULL || length < TOKEN_MIN_BYTES)
        return NULL;
    memcpy(&bytes, token + length - sizeof bytes - 1, sizeof bytes);
    bytes *= UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / golden ratio: spreads base64url's six bits a byte */
    *tag = (uint32_t)bytes;
    return &memory->sets[(size_t)(bytes >> 32) & memory->mask];
}

/* In constant time, as CRYPTO_memcmp, but not byte by byte: this is most of what a known token costs. */
static bool is_same(const char *one, const char *other, size_t length)
{
    uint64_t differs = 0;

    assert(length >= sizeof differs);
    for (size_t i = 0; i < length; i += sizeof differs) {
        const size_t at = i <= length - sizeof differs ? i : length - sizeof differs; /* the end: once more */
        uint64_t a;
        uint64_t b;
        memcpy(&a, one + at, sizeof a);
        memcpy(&b, other + at, sizeof b);
        differs |= a ^ b;
    }
    return differs == 0;
}

const struct token_claims *token_memory_find(const struct token_memory *memory, const char *token,
                                             size_t length)
{
    uint32_t tag = 0;
    const struct place_set *set = set_of(memory, token, length, &tag);

    for (size_t i = 0; set != NULL && i < PLACES_OF_A_TOKEN && set->tokens[i] != NULL; i++)
        if (set->tags[i] == tag && set->tokens[i]->length == length &&
            is_same(set->tokens[i]->token, token, length))
            return &set->tokens[i]->claims;
    return NULL;
}

void token_memory_keep(struct token_memory *memory, const char *token, size_t length,
                       const struct token_claims *claims)
{
    const size_t last = PLACES_OF_A_TOKEN - 1;
    uint32_t tag = 0;
    struct place_set *set = set_of(memory, token, length, &tag);

    if (set == NULL)
        return;
    assert(claims->use == TOKEN_ACCESS);
    forget(set->tokens[last]);
    for (size_t i = last; i > 0; i--) {
        set->tokens[i] = set->tokens[i - 1];
        set->tags[i] = set->tags[i - 1];
    }
    set->tokens[0] = memory_zeroed(sizeof *set->tokens[0] + length);
    set->tokens[0]->claims = *claims;
    set->tokens[0]->length = length;
    memcpy(set->tokens[0]->token, token, length);
    set->tags[0] = tag;
}
