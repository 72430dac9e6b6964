#include "core/siphash.h"

static uint64_t read_le64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static uint64_t rotated(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static void rounds(uint64_t v[4], int count)
{
    while (count-- > 0) {
        v[0] += v[1], v[2] += v[3];
        v[1] = rotated(v[1], 13) ^ v[0], v[3] = rotated(v[3], 16) ^ v[2];
        v[0] = rotated(v[0], 32);
        v[2] += v[1], v[0] += v[3];
        v[1] = rotated(v[1], 17) ^ v[2], v[3] = rotated(v[3], 21) ^ v[0];
        v[2] = rotated(v[2], 32);
    }
}

static void mix(struct siphash *hash, uint64_t word)
{
    hash->v[3] ^= word;
    rounds(hash->v, 2);
    hash->v[0] ^= word;
}

void siphash_open(struct siphash *hash, const uint8_t key[SIPHASH_KEY_BYTES])
{
    const uint64_t k0 = read_le64(key);
    const uint64_t k1 = read_le64(key + 8);

    *hash = (struct siphash){
        .v = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
              k1 ^ 0x7465646279746573},
    };
}

void siphash_add(struct siphash *hash, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < length; i++) {
        hash->word |= (uint64_t)at[i] << 8 * (hash->length % 8);
        if (++hash->length % 8 != 0)
            continue;
        mix(hash, hash->word);
        hash->word = 0;
    }
}

uint64_t siphash_close(struct siphash *hash)
{
    mix(hash, hash->word | (uint64_t)hash->length << 56);
    hash->v[2] ^= 0xff;
    rounds(hash->v, 4);
    return hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
}
