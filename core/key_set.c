#include "core/key_set.h"

#include <assert.h>
#include <endian.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static pthread_once_t secret_once = PTHREAD_ONCE_INIT;
static uint64_t secret[2];

static void die(const char *sentence)
{
    fputs(sentence, stderr);
    abort();
}

static void draw_secret(void)
{
    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
        die("token-relay: the system gives no random bytes\n");
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void hash_round(uint64_t v[static 4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void hash_word(struct key_hash *hash, uint64_t word)
{
    hash->v[3] ^= word;
    hash_round(hash->v);
    hash->v[0] ^= word;
}

void key_hash_open(struct key_hash *hash, uint64_t object)
{
    (void)pthread_once(&secret_once, draw_secret);
    hash->v[0] = secret[0] ^ 0x736f6d6570736575U;
    hash->v[1] = secret[1] ^ 0x646f72616e646f6dU;
    hash->v[2] = secret[0] ^ 0x6c7967656e657261U;
    hash->v[3] = secret[1] ^ 0x7465646279746573U;
    hash->word = 0;
    hash->length = sizeof(object);
    hash_word(hash, object);
}

static void add_byte(struct key_hash *hash, unsigned char byte)
{
    hash->word |= (uint64_t)byte << (8 * (hash->length % 8));
    if (++hash->length % 8 == 0) {
        hash_word(hash, hash->word);
        hash->word = 0;
    }
}

void key_hash_bytes(struct key_hash *hash, const char *bytes, size_t length)
{
    size_t i = 0;

    for (; hash->length % 8 == 0 && length - i >= 8; i += 8, hash->length += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        hash_word(hash, le64toh(word));
    }
    for (; i < length; i++)
        add_byte(hash, (unsigned char)bytes[i]);
}

void key_hash_code_point(struct key_hash *hash, uint32_t code_point)
{
    assert(code_point <= 0x10ffff);
    if (code_point < 0x80) {
        add_byte(hash, (unsigned char)code_point);
        return;
    }
    unsigned tails = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    add_byte(hash, (unsigned char)(lead[tails] | code_point >> (6 * tails)));
    while (tails-- > 0)
        add_byte(hash, (unsigned char)(0x80 | (code_point >> (6 * tails) & 0x3f)));
}

uint64_t key_hash_close(struct key_hash *hash)
{
    hash_word(hash, hash->word | (uint64_t)hash->length << 56);
    hash->v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        hash_round(hash->v);
    uint64_t sum = hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
    return sum == 0 ? 1 : sum;
}

/* The slot that holds `key`, or the free one where it belongs. */
static uint64_t *keys_find(const struct key_set *keys, uint64_t key)
{
    assert(key != 0 && keys->count < keys->size);
    size_t slot = key & (keys->size - 1);
    while (keys->slots[slot] != 0 && keys->slots[slot] != key)
        slot = (slot + 1) & (keys->size - 1);
    return &keys->slots[slot];
}

void key_set_open(struct key_set *keys)
{
    keys->slots = keys->first;
    keys->size = KEY_SET_INLINE;
    keys->count = 0;
    memset(keys->first, 0, sizeof(keys->first));
}

void key_set_close(struct key_set *keys)
{
    if (keys->slots != keys->first)
        free(keys->slots);
}

static void keys_grow(struct key_set *keys)
{
    struct key_set bigger = {.size = keys->size * 4, .count = keys->count};
    bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
    if (bigger.slots == NULL)
        die("token-relay: out of memory\n");
    for (size_t i = 0; i < keys->size; i++)
        if (keys->slots[i] != 0)
            *keys_find(&bigger, keys->slots[i]) = keys->slots[i];
    key_set_close(keys);
    keys->slots = bigger.slots;
    keys->size = bigger.size;
}

bool key_set_add(struct key_set *keys, uint64_t key)
{
    if (keys->count * 2 >= keys->size)
        keys_grow(keys);
    uint64_t *slot = keys_find(keys, key);
    if (*slot == key)
        return false;
    *slot = key;
    keys->count++;
    assert(keys->count * 2 <= keys->size);
    return true;
}
