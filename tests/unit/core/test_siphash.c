// links: core/siphash.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/siphash.h"

static uint64_t hash_of(const uint8_t key[SIPHASH_KEY_BYTES], const uint8_t *bytes, size_t length,
                        size_t part)
{
    struct siphash hash;

    siphash_open(&hash, key);
    siphash_add(&hash, bytes, part);
    siphash_add(&hash, bytes + part, length - part);
    return siphash_close(&hash);
}

/* The vectors of the paper's reference implementation: key 00..0f, message 00, 01, 02 ... */
static void vectors_of_the_reference_come_out(void **state)
{
    static const struct {
        size_t length;
        uint64_t hash;
    } rows[] = {
        {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
        {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5},
    };
    uint8_t bytes[16];

    (void)state;
    for (uint8_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t part = 0; part <= rows[i].length; part++)
            assert_true(hash_of(bytes, bytes, rows[i].length, part) == rows[i].hash);
}

static void another_key_gives_another_hash(void **state)
{
    const uint8_t one[SIPHASH_KEY_BYTES] = {1};
    const uint8_t other[SIPHASH_KEY_BYTES] = {[15] = 1};

    (void)state;
    assert_true(hash_of(one, one, 16, 0) != hash_of(other, one, 16, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_reference_come_out),
        cmocka_unit_test(another_key_gives_another_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
