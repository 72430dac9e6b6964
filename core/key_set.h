/*
 * key_set.h - which keys were seen already? Of all objects of a text at once, as 64-bit hashes of (object,
 * key): two different keys share one by chance once in 2^64, and not by design, because the hash is keyed
 * (SipHash-1-3, Aumasson and Bernstein) with a secret of this process. Out of memory exits.
 */
#ifndef CORE_KEY_SET_H
#define CORE_KEY_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_SET_INLINE 32

/* Open addressing, never more than half full; few keys need no allocation. */
struct key_set {
    uint64_t *slots; /* 0: free */
    size_t size;     /* a power of two */
    size_t count;
    uint64_t first[KEY_SET_INLINE];
};

void key_set_open(struct key_set *keys);
void key_set_close(struct key_set *keys);

/* False: it is there already. `key` comes from key_hash_close. */
bool key_set_add(struct key_set *keys, uint64_t key);

struct key_hash {
    uint64_t v[4];
    uint64_t word; /* bytes not yet mixed in */
    size_t length;
};

/* A key arrives in pieces, of the object with this number. */
void key_hash_open(struct key_hash *hash, uint64_t object);
void key_hash_bytes(struct key_hash *hash, const char *bytes, size_t length);
void key_hash_code_point(struct key_hash *hash, uint32_t code_point); /* as UTF-8 */
uint64_t key_hash_close(struct key_hash *hash);                       /* never 0 */

#endif
