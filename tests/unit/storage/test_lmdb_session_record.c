// links: storage/lmdb_session_record.c storage/lmdb_record.c
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include "storage/lmdb_session_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID      "sssssssssssssssssssss1"
#define ACCESS  "aaaaaaaaaaaaaaaaaaaaa2"
#define REFRESH "rrrrrrrrrrrrrrrrrrrrr3"
#define SPENT   "ppppppppppppppppppppp4"

static struct session sample(void)
{
    struct session session = {.id = ID,
                              .user_id = 0x0102030405060708,
                              .created_at_us = 1,
                              .refreshed_at_us = 2,
                              .ends_at_us = 3,
                              .idle_ends_at_us = 4,
                              .issued_at_s = 5,
                              .spent_at_us = 6,
                              .client_address = "::1",
                              .user_agent = "ua",
                              .access_id = ACCESS,
                              .refresh_id = REFRESH,
                              .spent_refresh_id = SPENT};
    return session;
}

/* The bytes in a block of exactly their length, so that a sanitizer sees a read beyond it. */
static enum record_outcome decode_copy(const unsigned char *bytes, size_t length, struct session *out)
{
    unsigned char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    enum record_outcome outcome = session_record_decode(copy, length, ID, out);
    struct session glanced;
    enum record_outcome glance = session_record_glance(copy, length, &glanced);
    assert_true(outcome != RECORD_OK || (glance == RECORD_OK && glanced.user_id == out->user_id));
    free(copy);
    return outcome;
}

static void a_record_has_exactly_the_documented_bytes(void **state)
{
    (void)state;
    static const unsigned char numbers[] = {
        1,                      /* version */
        1, 2, 3, 4, 5, 6, 7, 8, /* user */
        0, 0, 0, 0, 0, 0, 0, 1, /* created */
        0, 0, 0, 0, 0, 0, 0, 2, /* refreshed */
        0, 0, 0, 0, 0, 0, 0, 3, /* ends */
        0, 0, 0, 0, 0, 0, 0, 4, /* idle ends */
        0, 0, 0, 0, 0, 0, 0, 5, /* issued */
        0, 0, 0, 0, 0, 0, 0, 6, /* spent */
    };
    static const unsigned char texts[] = {0, 3, ':', ':', '1', 0, 2, 'u', 'a'};
    struct session session = sample();
    unsigned char bytes[SESSION_RECORD_MAX_BYTES];
    assert_int_equal(session_record_encode(&session, bytes), 123 + sizeof(texts));
    assert_memory_equal(bytes, numbers, sizeof(numbers));
    assert_memory_equal(bytes + 57, ACCESS REFRESH SPENT, 66);
    assert_memory_equal(bytes + 123, texts, sizeof(texts));
}

static void assert_round_trip(const struct session *session)
{
    unsigned char bytes[SESSION_RECORD_MAX_BYTES];
    struct session found;
    memset(&found, 0, sizeof(found));
    assert_int_equal(decode_copy(bytes, session_record_encode(session, bytes), &found), RECORD_OK);
    assert_memory_equal(&found, session, sizeof(found));
}

static void what_is_encoded_is_decoded(void **state)
{
    (void)state;
    struct session session = sample();
    assert_round_trip(&session);
    memset(session.spent_refresh_id, 0, sizeof(session.spent_refresh_id));
    session.user_id = UINT64_MAX;
    session.ends_at_us = INT64_MAX;
    session.spent_at_us = INT64_MIN;
    assert_round_trip(&session);
    memset(session.client_address, 0, sizeof(session.client_address));
    memset(session.user_agent, 0xff, SESSION_USER_AGENT_MAX_BYTES);
    assert_round_trip(&session);
    memset(session.client_address, 'x', SESSION_ADDRESS_MAX_BYTES);
    assert_round_trip(&session);
}

static void a_refresh_does_not_change_the_length(void **state)
{
    (void)state;
    unsigned char bytes[SESSION_RECORD_MAX_BYTES];
    struct session session = sample();
    size_t length = session_record_encode(&session, bytes);
    session.spent_refresh_id[0] = '\0';
    assert_int_equal(session_record_encode(&session, bytes), length);
}

static void every_cut_and_every_surplus_is_damage(void **state)
{
    (void)state;
    unsigned char bytes[SESSION_RECORD_MAX_BYTES + 1] = {0};
    struct session session = sample();
    struct session out = {.user_id = 42};
    size_t length = session_record_encode(&session, bytes);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(decode_copy(bytes, cut, &out), RECORD_DAMAGED);
    assert_int_equal(decode_copy(bytes, length + 1, &out), RECORD_DAMAGED);
    assert_int_equal(out.user_id, 42);
}

static void what_no_session_has_is_damage(void **state)
{
    (void)state;
    static const size_t zeroed[] = {57, 60, 78, 79, 100, 101, 122, 125};
    unsigned char bytes[SESSION_RECORD_MAX_BYTES];
    struct session session = sample();
    struct session out;
    size_t length = session_record_encode(&session, bytes);
    for (size_t i = 0; i < sizeof(zeroed) / sizeof(zeroed[0]); i++) {
        unsigned char byte = bytes[zeroed[i]];
        bytes[zeroed[i]] = 0;
        assert_int_equal(decode_copy(bytes, length, &out), RECORD_DAMAGED);
        bytes[zeroed[i]] = byte;
    }
    for (size_t at = 9; at <= 33; at += at == 9 ? 16 : 8) { /* a time before 1970 */
        bytes[at] = 0x80;
        assert_int_equal(decode_copy(bytes, length, &out), RECORD_DAMAGED);
        bytes[at] = 0;
    }
    memset(bytes + 1, 0, 8); /* nobody's */
    assert_int_equal(decode_copy(bytes, length, &out), RECORD_DAMAGED);
}

static void a_later_version_is_newer_and_version_0_damage(void **state)
{
    (void)state;
    unsigned char bytes[SESSION_RECORD_MAX_BYTES];
    struct session session = sample();
    size_t length = session_record_encode(&session, bytes);
    bytes[0] = 2;
    assert_int_equal(decode_copy(bytes, length, &session), RECORD_NEWER);
    assert_int_equal(session_record_glance(bytes, length, &session), RECORD_NEWER);
    bytes[0] = 0;
    assert_int_equal(decode_copy(bytes, length, &session), RECORD_DAMAGED);
}

static void any_bytes_are_read_within_their_bounds(void **state)
{
    (void)state;
    unsigned char bytes[SESSION_RECORD_MAX_BYTES + 8];
    unsigned seed = 11;
    unsigned whole = 0;
    for (int round = 0; round < 20000; round++) {
        struct session session = sample();
        size_t length = session_record_encode(&session, bytes);
        for (int i = rand_r(&seed) % 4; i > 0; i--)
            bytes[(size_t)rand_r(&seed) % length] = (unsigned char)rand_r(&seed);
        if (rand_r(&seed) % 4 == 0)
            length = (size_t)rand_r(&seed) % (length + 1);
        whole += decode_copy(bytes, length, &session) == RECORD_OK;
    }
    assert_true(whole > 0 && whole < 20000);
}

int main(void)
{
    const struct CMUnitTest claims[] = {
        cmocka_unit_test(a_record_has_exactly_the_documented_bytes),
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(a_refresh_does_not_change_the_length),
        cmocka_unit_test(every_cut_and_every_surplus_is_damage),
        cmocka_unit_test(what_no_session_has_is_damage),
        cmocka_unit_test(a_later_version_is_newer_and_version_0_damage),
        cmocka_unit_test(any_bytes_are_read_within_their_bounds),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
