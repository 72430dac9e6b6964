/*
 * siphash.h - SipHash-2-4 (Aumasson and Bernstein, 2012): a 64-bit hash that nobody can steer who does not
 * know its key. For tables whose keys come from clients, and where the key must outlive the process;
 * key_set.h is for one text.
 */
#ifndef CORE_SIPHASH_H
#define CORE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_BYTES 16

struct siphash {
    uint64_t v[4];
    uint64_t word; /* bytes not yet mixed in */
    size_t length;
};

void siphash_open(struct siphash *hash, const uint8_t key[SIPHASH_KEY_BYTES]);
void siphash_add(struct siphash *hash, const void *bytes, size_t length);
uint64_t siphash_close(struct siphash *hash);

#endif
