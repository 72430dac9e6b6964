// links: storage/lmdb_record.c
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include "storage/lmdb_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct user sample(void)
{
    struct user user = {.id = 7,
                        .is_admin = true,
                        .is_active = true,
                        .created_at_us = 0x0102030405060708,
                        .updated_at_us = -1,
                        .deactivated_at_us = 0};
    snprintf(user.username, sizeof(user.username), "ada");
    snprintf(user.email, sizeof(user.email), "a@b");
    snprintf(user.password_hash, sizeof(user.password_hash), "$y$");
    snprintf(user.password_method, sizeof(user.password_method), "yescrypt");
    return user;
}

/* The bytes in a block of exactly their length, so that a sanitizer sees a read beyond it. */
static enum record_outcome decode_copy(const unsigned char *bytes, size_t length, struct user *out)
{
    unsigned char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    enum record_outcome outcome = record_decode(copy, length, 7, out);
    free(copy);
    return outcome;
}

static void a_record_has_exactly_the_documented_bytes(void **state)
{
    (void)state;
    static const unsigned char expected[] = {
        1,    3,                                                  /* version, flags */
        1,    2,    3,    4,    5,    6,    7,    8,              /* created */
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,           /* updated */
        0,    0,    0,    0,    0,    0,    0,    0,              /* deactivated */
        0,    3,    'a',  'd',  'a',  0,    3,    'a',  '@', 'b', /* username, email */
        0,    3,    '$',  'y',  '$',                              /* hash */
        0,    8,    'y',  'e',  's',  'c',  'r',  'y',  'p', 't', /* method */
    };
    struct user user = sample();
    unsigned char bytes[RECORD_MAX_BYTES];
    assert_int_equal(record_encode(&user, bytes), sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
}

static void what_is_encoded_is_decoded(void **state)
{
    (void)state;
    struct user user = sample();
    unsigned char bytes[RECORD_MAX_BYTES];
    size_t length = record_encode(&user, bytes);
    struct user out;
    assert_int_equal(decode_copy(bytes, length, &out), RECORD_OK);
    assert_int_equal(out.id, 7);
    assert_true(out.is_admin && out.is_active);
    assert_int_equal(out.created_at_us, user.created_at_us);
    assert_int_equal(out.updated_at_us, -1);
    assert_string_equal(out.username, "ada");
    assert_string_equal(out.email, "a@b");
    assert_string_equal(out.password_hash, "$y$");
    assert_string_equal(out.password_method, "yescrypt");
}

static void the_longest_record_fits_its_maximum(void **state)
{
    (void)state;
    struct user user = sample();
    memset(user.username, 'u', USER_NAME_MAX_BYTES);
    memset(user.email, 'e', USER_EMAIL_MAX_BYTES);
    memset(user.password_hash, 'h', USER_HASH_MAX_BYTES);
    memset(user.password_method, 'm', USER_METHOD_MAX_BYTES);
    unsigned char bytes[RECORD_MAX_BYTES];
    assert_int_equal(record_encode(&user, bytes), RECORD_MAX_BYTES);
    struct user out;
    assert_int_equal(decode_copy(bytes, RECORD_MAX_BYTES, &out), RECORD_OK);
    assert_int_equal(strlen(out.email), USER_EMAIL_MAX_BYTES);
}

static void every_cut_and_every_surplus_is_damage(void **state)
{
    (void)state;
    struct user user = sample();
    unsigned char bytes[RECORD_MAX_BYTES + 1] = {0};
    size_t length = record_encode(&user, bytes);
    struct user out;
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(decode_copy(bytes, cut, &out), RECORD_DAMAGED);
    assert_int_equal(decode_copy(bytes, length + 1, &out), RECORD_DAMAGED);
}

static void a_newer_version_is_told_apart_from_damage(void **state)
{
    (void)state;
    struct user user = sample();
    unsigned char bytes[RECORD_MAX_BYTES];
    size_t length = record_encode(&user, bytes);
    struct user out;
    bytes[0] = RECORD_VERSION + 1;
    assert_int_equal(decode_copy(bytes, length, &out), RECORD_NEWER);
    assert_int_equal(decode_copy(bytes, 1, &out), RECORD_NEWER);
    bytes[0] = 0;
    assert_int_equal(decode_copy(bytes, length, &out), RECORD_DAMAGED);
}

static void lies_within_a_record_are_damage_and_leave_out_untouched(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        unsigned char byte;
    } lies[] = {
        {1, 4},                         /* an unknown flag */
        {RECORD_FIXED_BYTES, 0xff},     /* a username of 65,283 bytes */
        {RECORD_FIXED_BYTES, 1},        /* of 259: over its limit */
        {RECORD_FIXED_BYTES + 1, 200},  /* longer than what is left */
        {RECORD_FIXED_BYTES + 1, 2},    /* shorter: what follows shifts */
        {RECORD_FIXED_BYTES + 2, '\0'}, /* a NUL in a text */
    };
    struct user user = sample();
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        unsigned char bytes[RECORD_MAX_BYTES];
        size_t length = record_encode(&user, bytes);
        bytes[lies[i].offset] = lies[i].byte;
        struct user out;
        struct user before;
        memset(&out, 0x5a, sizeof(out));
        memcpy(&before, &out, sizeof(before));
        assert_int_equal(decode_copy(bytes, length, &out), RECORD_DAMAGED);
        assert_memory_equal(&out, &before, sizeof(out));
    }
}

static void an_empty_name_is_damage(void **state)
{
    (void)state;
    unsigned char bytes[RECORD_FIXED_BYTES + 8] = {RECORD_VERSION};
    struct user out;
    assert_int_equal(decode_copy(bytes, sizeof(bytes), &out), RECORD_DAMAGED);
}

static void random_bytes_never_read_outside(void **state)
{
    (void)state;
    struct user user = sample();
    struct user out;
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        unsigned char bytes[RECORD_MAX_BYTES];
        size_t length = record_encode(&user, bytes);
        for (int i = 0; i < 3; i++)
            bytes[(size_t)rand_r(&seed) % length] = (unsigned char)rand_r(&seed);
        (void)decode_copy(bytes, (size_t)rand_r(&seed) % (length + 1), &out);
        enum record_outcome outcome = decode_copy(bytes, length, &out);
        if (outcome == RECORD_OK)
            assert_true(strlen(out.username) <= USER_NAME_MAX_BYTES);
    }
}

static void numbers_are_big_endian_and_keep_their_order(void **state)
{
    (void)state;
    unsigned char low[8];
    unsigned char high[8];
    number_encode(255, low);
    number_encode(256, high);
    assert_true(memcmp(low, high, 8) < 0);
    assert_int_equal(high[6], 1);
    number_encode(UINT64_MAX, high);
    assert_true(number_decode(high) == UINT64_MAX);
    assert_int_equal(number_decode(low), 255);
}

int main(void)
{
    const struct CMUnitTest claims[] = {
        cmocka_unit_test(a_record_has_exactly_the_documented_bytes),
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(the_longest_record_fits_its_maximum),
        cmocka_unit_test(every_cut_and_every_surplus_is_damage),
        cmocka_unit_test(a_newer_version_is_told_apart_from_damage),
        cmocka_unit_test(lies_within_a_record_are_damage_and_leave_out_untouched),
        cmocka_unit_test(an_empty_name_is_damage),
        cmocka_unit_test(random_bytes_never_read_outside),
        cmocka_unit_test(numbers_are_big_endian_and_keep_their_order),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
