// links: auth/throttle.c auth/throttle_table.c auth/throttle_blob.c core/siphash.c core/memory.c
// links: core/config.c core/config_parse.c core/config_table.c core/dotenv.c core/dotenv_text.c
// libs: pthread
// tsan
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/throttle_state.h"
#include "core/config.h"

#define SECOND  INT64_C(1000000)
#define START   (INT64_C(1800000000) * SECOND)
#define ENTRIES 1000
#define HOME    "192.0.2.7/32"
#define AWAY    "198.51.100.1/32"

/* login: 3 free, one forgotten in 100 s; network: 20, 10 s; name: 8, 50 s; signup: 4, 100 s; waits to 60 s.
 */
static const struct throttle_options usual = {
    .is_on = true,
    .entries_max = ENTRIES,
    .limits = {{3, 100, 60}, {20, 10, 60}, {8, 50, 60}, {4, 100, 60}},
};

static struct throttle *throttle;
static int64_t now;

static int set_up(void **state)
{
    (void)state;
    throttle = throttle_open(&usual);
    now = START;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    throttle_close(throttle);
    throttle = NULL;
    return 0;
}

static struct throttle_verdict ask(const char *name, const char *network, bool is_known,
                                   struct throttle_permit *permit)
{
    const struct throttle_attempt attempt = {name, strlen(name), network, is_known};

    return throttle_login(throttle, &attempt, now, permit);
}

static uint32_t wait_of(const char *name, const char *network)
{
    struct throttle_permit permit;
    const struct throttle_verdict verdict = ask(name, network, false, &permit);

    throttle_settle(throttle, &permit, THROTTLE_NOT_TRIED, now);
    return verdict.wait_s;
}

static void try(const char *name, const char *network, bool is_known, enum throttle_result result)
{
    struct throttle_permit permit;

    assert_int_equal(ask(name, network, is_known, &permit).wait_s, 0);
    throttle_settle(throttle, &permit, result, now);
    assert_int_equal(permit.policies, 0);
}

/* Fails `times`, waiting as long as it must each time. */
static void fail_patiently(const char *name, const char *network, int times)
{
    while (times-- > 0) {
        now += wait_of(name, network) * SECOND;
        try(name, network, false, THROTTLE_FAILED);
    }
}

static const char *network_number(unsigned number)
{
    static char network[32];

    snprintf(network, sizeof network, "10.%u.%u.%u/32", number >> 16 & 255, number >> 8 & 255, number & 255);
    return network;
}

static uint32_t count_of(enum throttle_policy policy)
{
    return throttle->tables[policy].count;
}

/* --- the curve --- */

static void waits_begin_after_the_free_failures_and_double_up_to_the_longest(void **state)
{
    static const uint32_t waits[] = {0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60};

    (void)state;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        try("ada", HOME, false, THROTTLE_FAILED);
        assert_int_equal(wait_of("ada", HOME), waits[i]);
        now += waits[i] * SECOND;
        assert_int_equal(wait_of("ada", HOME), 0);
    }
}

static void a_wait_ends_to_the_second_and_not_before(void **state)
{
    (void)state;
    fail_patiently("ada", HOME, 4);
    assert_int_equal(wait_of("ada", HOME), 2);
    now += 2 * SECOND - 1;
    assert_int_equal(wait_of("ada", HOME), 1);
    now += 1;
    assert_int_equal(wait_of("ada", HOME), 0);
}

static void failures_are_forgotten_one_by_one(void **state)
{
    (void)state;
    fail_patiently("ada", HOME, 3);
    now += 101 * SECOND; /* two are remembered */
    try("ada", HOME, false, THROTTLE_FAILED);
    assert_int_equal(wait_of("ada", HOME), 1);
    now += 301 * SECOND;
    try("ada", HOME, false, THROTTLE_FAILED);
    try("ada", HOME, false, THROTTLE_FAILED);
    assert_int_equal(wait_of("ada", HOME), 0);
}

/* Or whoever knocks at a closed door would keep it closed, for others too. */
static void who_asks_while_waiting_does_not_wait_longer(void **state)
{
    (void)state;
    fail_patiently("ada", HOME, 6);
    for (int i = 0; i < 100; i++)
        assert_int_equal(wait_of("ada", HOME), 8);
    now += 8 * SECOND;
    assert_int_equal(wait_of("ada", HOME), 0);
}

/* Over a day, whatever the rhythm: what the curve allows, not what was asked. */
static void a_patient_guesser_gets_few_guesses(void **state)
{
    int guesses = 0;

    (void)state;
    for (const int64_t end = now + 86400 * SECOND; now < end; now += SECOND) {
        struct throttle_permit permit;
        if (ask("ada", HOME, false, &permit).wait_s > 0)
            continue;
        throttle_settle(throttle, &permit, THROTTLE_FAILED, now);
        guesses++;
    }
    assert_in_range(guesses, 800, 1500); /* one in 60 to 100 s */
}

/* --- what counts --- */

static void case_makes_no_other_name(void **state)
{
    (void)state;
    try("Ada", HOME, false, THROTTLE_FAILED);
    try("aDA", HOME, false, THROTTLE_FAILED);
    try("ADA", HOME, false, THROTTLE_FAILED);
    assert_int_equal(wait_of("ada", HOME), 1);
    assert_int_equal(wait_of("ad\xc3\x81", HOME), 0);
    assert_int_equal(wait_of("ada ", HOME), 0);
}

static void any_bytes_are_a_name(void **state)
{
    char *name = memset(malloc(20000), 'x', 20000);
    const struct throttle_attempt attempts[] = {{name, 20000, HOME, false}, {name, 0, HOME, false}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct throttle_permit permit;
        for (int n = 0; n < 3; n++) {
            assert_int_equal(throttle_login(throttle, &attempts[i], now, &permit).wait_s, 0);
            throttle_settle(throttle, &permit, THROTTLE_FAILED, now);
        }
        assert_int_equal(throttle_login(throttle, &attempts[i], now, &permit).wait_s, 1);
    }
    free(name);
}

static void a_right_password_forgets_what_failed_with_its_name_in_its_network(void **state)
{
    struct throttle_permit permit;

    (void)state;
    fail_patiently("ada", HOME, 3);
    fail_patiently("bob", HOME, 2);
    fail_patiently("ada", AWAY, 1);
    now += SECOND;
    try("ada", HOME, false, THROTTLE_SUCCEEDED);
    assert_int_equal(ask("ada", HOME, false, &permit).remaining, 2);
    throttle_settle(throttle, &permit, THROTTLE_NOT_TRIED, now);
    assert_int_equal(ask("bob", HOME, false, &permit).remaining, 0);
    throttle_settle(throttle, &permit, THROTTLE_NOT_TRIED, now);
    assert_int_equal(ask("ada", AWAY, false, &permit).remaining, 1);
}

/* Or each login of the owner would give all others new guesses. */
static void a_right_password_does_not_clear_the_name_for_other_networks(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 7; i++)
        try("ada", network_number(i), false, THROTTLE_FAILED);
    try("ada", HOME, false, THROTTLE_SUCCEEDED);
    try("ada", network_number(8), false, THROTTLE_FAILED);
    assert_int_equal(wait_of("ada", AWAY), 1);
}

/* Or an account of one's own would do. */
static void a_right_password_does_not_clear_the_network_for_other_names(void **state)
{
    char name[16];

    (void)state;
    for (int i = 0; i < 19; i++) {
        snprintf(name, sizeof name, "user%d", i);
        try(name, HOME, false, THROTTLE_FAILED);
    }
    try("my own", HOME, false, THROTTLE_SUCCEEDED);
    try("another", HOME, false, THROTTLE_FAILED);
    assert_int_equal(wait_of("one more", HOME), 1);
}

static void what_was_not_tried_does_not_count(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        try("ada", HOME, false, THROTTLE_NOT_TRIED);
    assert_int_equal(wait_of("ada", HOME), 0);
    for (int i = 0; i < THROTTLE_POLICY_COUNT; i++)
        assert_int_equal(count_of((enum throttle_policy)i), 0);
}

static void logins_that_succeed_leave_nothing_behind(void **state)
{
    char name[16];

    (void)state;
    for (int i = 0; i < 3 * ENTRIES; i++) {
        snprintf(name, sizeof name, "user%d", i);
        try(name, HOME, i % 2 == 0, THROTTLE_SUCCEEDED);
    }
    for (int i = 0; i < THROTTLE_POLICY_COUNT; i++)
        assert_int_equal(count_of((enum throttle_policy)i), 0);
}

static void one_network_cannot_try_many_names(void **state)
{
    char name[16];

    (void)state;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "user%d", i);
        try(name, HOME, false, THROTTLE_FAILED);
    }
    assert_int_equal(wait_of("another", HOME), 1);
    assert_int_equal(wait_of("another", AWAY), 0);
}

static void one_name_cannot_be_tried_from_many_networks(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        try("ada", network_number(i), false, THROTTLE_FAILED);
    assert_int_equal(wait_of("ada", AWAY), 1);
    assert_int_equal(wait_of("bob", AWAY), 0);
}

/* --- the victim --- */

static void a_victim_in_a_known_network_is_never_locked_out_by_failures_elsewhere(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        struct throttle_permit permit;
        if (ask("ada", network_number(i), false, &permit).wait_s == 0)
            throttle_settle(throttle, &permit, THROTTLE_FAILED, now);
        now += SECOND / 2;
        if (i % 10 == 0)
            try("ada", HOME, true, THROTTLE_SUCCEEDED);
    }
    assert_true(wait_of("ada", AWAY) > 0);
    try("ada", HOME, true, THROTTLE_SUCCEEDED);
}

static void failures_in_known_networks_do_not_close_the_name_to_others(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        try("ada", HOME, true, THROTTLE_FAILED);
    assert_int_equal(count_of(THROTTLE_LOGIN_NAME), 0);
    assert_int_equal(wait_of("ada", AWAY), 0);
}

static void a_known_network_is_no_free_pass(void **state)
{
    struct throttle_permit permit;

    (void)state;
    for (int i = 0; i < 3; i++)
        try("ada", HOME, true, THROTTLE_FAILED);
    assert_int_equal(ask("ada", HOME, true, &permit).wait_s, 1);
}

/* --- attempts under way --- */

static void of_a_thousand_guesses_at_once_only_the_free_ones_begin(void **state)
{
    struct throttle_permit permits[1000];
    int begun = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        begun += ask("ada", HOME, false, &permits[i]).wait_s == 0;
    assert_int_equal(begun, 3);
    for (int i = 0; i < 1000; i++)
        throttle_settle(throttle, &permits[i], THROTTLE_FAILED, now);
    assert_int_equal(wait_of("ada", HOME), 1);
}

static void nor_do_more_begin_from_a_thousand_networks_at_once(void **state)
{
    struct throttle_permit permit;
    int begun = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        begun += ask("ada", network_number(i), false, &permit).wait_s == 0;
    assert_int_equal(begun, 8);
}

static void beyond_the_free_ones_guesses_go_one_at_a_time(void **state)
{
    struct throttle_permit first;
    struct throttle_permit second;

    (void)state;
    fail_patiently("ada", HOME, 3);
    now += SECOND;
    assert_int_equal(ask("ada", HOME, false, &first).wait_s, 0);
    assert_int_equal(ask("ada", HOME, false, &second).wait_s, 1);
    assert_int_equal(second.policies, 0);
    throttle_settle(throttle, &first, THROTTLE_NOT_TRIED, now);
    assert_int_equal(ask("ada", HOME, false, &second).wait_s, 0);
    throttle_settle(throttle, &second, THROTTLE_FAILED, now);
    assert_int_equal(wait_of("ada", HOME), 2);
}

static void an_attempt_that_is_held_up_by_one_count_is_counted_by_none(void **state)
{
    struct throttle_permit permit;

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        try("ada", network_number(i), false, THROTTLE_FAILED);
    const uint32_t before = count_of(THROTTLE_LOGIN) + count_of(THROTTLE_LOGIN_NETWORK);
    assert_int_equal(ask("ada", AWAY, false, &permit).wait_s, 1);
    assert_int_equal(count_of(THROTTLE_LOGIN) + count_of(THROTTLE_LOGIN_NETWORK), before);
}

static atomic_int begun_by_threads;

static void *guess(void *unused)
{
    (void)unused;
    for (int i = 0; i < 500; i++) {
        const struct throttle_attempt attempt = {"ada", 3, HOME, false};
        struct throttle_permit permit;
        if (throttle_login(throttle, &attempt, START, &permit).wait_s > 0)
            continue;
        atomic_fetch_add(&begun_by_threads, 1);
        throttle_settle(throttle, &permit, THROTTLE_FAILED, START);
        throttle_changes(throttle);
    }
    return NULL;
}

static void threads_get_no_more_than_one_would(void **state)
{
    static uint8_t blob[65536];
    pthread_t threads[4];

    (void)state;
    atomic_store(&begun_by_threads, 0);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, guess, NULL);
    for (int i = 0; i < 20; i++)
        throttle_save(throttle, blob, sizeof blob, START);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&begun_by_threads), 3);
}

/* --- bounds --- */

static void tables_never_grow_beyond_their_bound(void **state)
{
    char name[16];

    (void)state;
    for (unsigned i = 0; i < 10 * ENTRIES; i++) {
        snprintf(name, sizeof name, "user%u", i);
        try(name, network_number(i), false, THROTTLE_FAILED);
        if (count_of(THROTTLE_LOGIN) > ENTRIES)
            fail();
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(throttle->tables[i].count, ENTRIES);
        assert_int_equal(throttle->tables[i].touched, ENTRIES);
    }
}

static void a_flood_of_names_does_not_make_it_forget_who_failed_often(void **state)
{
    char name[16];

    (void)state;
    fail_patiently("bob", HOME, 5);
    now += 4 * SECOND;
    for (unsigned i = 0; i < 9; i++) {
        now += wait_of("ada", network_number(i)) * SECOND;
        try("ada", network_number(i), false, THROTTLE_FAILED);
    }
    for (unsigned i = 0; i < 10 * ENTRIES; i++) {
        snprintf(name, sizeof name, "user%u", i / 2);
        try(name, network_number(1000 + i), false, THROTTLE_FAILED);
    }
    assert_int_equal(wait_of("ada", AWAY), 2);
    try("bob", HOME, false, THROTTLE_FAILED);
    assert_int_equal(wait_of("bob", HOME), 8);
}

static void of_the_lightest_the_oldest_goes_first(void **state)
{
    char name[16];

    (void)state;
    for (unsigned i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof name, "user%u", i);
        try(name, network_number(i), false, THROTTLE_FAILED);
    }
    try("user0", network_number(0), false, THROTTLE_FAILED);
    try("one more", AWAY, false, THROTTLE_FAILED);
    struct throttle_permit permit;
    assert_int_equal(ask("user0", network_number(0), false, &permit).remaining, 0);
    throttle_settle(throttle, &permit, THROTTLE_NOT_TRIED, now);
    assert_int_equal(ask("user2", network_number(2), false, &permit).remaining, 1);
    throttle_settle(throttle, &permit, THROTTLE_NOT_TRIED, now);
    assert_int_equal(ask("user1", network_number(1), false, &permit).remaining, 2);
}

static void what_is_forgotten_makes_room_before_anything_else(void **state)
{
    char name[16];

    (void)state;
    fail_patiently("bob", HOME, 5); /* heavy, but long ago */
    now += 10000 * SECOND;
    for (unsigned i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof name, "user%u", i);
        try(name, network_number(i), false, THROTTLE_FAILED);
    }
    struct throttle_permit permit;
    assert_int_equal(ask("user0", network_number(0), false, &permit).remaining, 1);
}

static void attempts_under_way_are_not_given_up(void **state)
{
    static struct throttle_permit permits[ENTRIES + 1];

    (void)state;
    for (unsigned i = 0; i < ENTRIES; i++) {
        char name[16];
        snprintf(name, sizeof name, "user%u", i);
        assert_int_equal(ask(name, network_number(i), false, &permits[i]).wait_s, 0);
    }
    const struct throttle_verdict verdict = ask("one more", AWAY, false, &permits[ENTRIES]);
    assert_int_equal(verdict.wait_s, 1);
    assert_int_equal(permits[ENTRIES].policies, 0);
    for (unsigned i = 0; i < ENTRIES; i++)
        throttle_settle(throttle, &permits[i], THROTTLE_SUCCEEDED, now);
    assert_int_equal(wait_of("one more", AWAY), 0);
    assert_int_equal(count_of(THROTTLE_LOGIN), 0);
}

/* --- the clock, and restarts --- */

static void a_clock_set_back_makes_nobody_wait_longer_than_the_longest(void **state)
{
    (void)state;
    fail_patiently("ada", HOME, 4);
    now -= 86400 * 365 * SECOND;
    assert_int_equal(wait_of("ada", HOME), 60);
    now += 60 * SECOND;
    try("ada", HOME, false, THROTTLE_SUCCEEDED);
    assert_int_equal(wait_of("ada", HOME), 0);
}

static uint8_t blob[THROTTLE_BLOB_MAX_BYTES];

static void restart(const struct throttle_options *options, size_t length)
{
    throttle_close(throttle);
    throttle = throttle_open(options);
    assert_true(throttle_restore(throttle, blob, length, now));
}

static void a_restart_is_no_way_around(void **state)
{
    (void)state;
    fail_patiently("ada", HOME, 6);
    for (unsigned i = 0; i < 8; i++) {
        now += wait_of("bob", network_number(i)) * SECOND;
        try("bob", network_number(i), false, THROTTLE_FAILED);
    }
    restart(&usual, throttle_save(throttle, blob, sizeof blob, now));
    assert_int_equal(wait_of("ada", HOME), 8);
    assert_int_equal(wait_of("bob", AWAY), 1);
    now += 8 * SECOND;
    try("ada", HOME, false, THROTTLE_FAILED);
    assert_int_equal(wait_of("ada", HOME), 16);
}

static void time_goes_on_while_it_is_down(void **state)
{
    (void)state;
    fail_patiently("ada", HOME, 6);
    const size_t length = throttle_save(throttle, blob, sizeof blob, now);
    now += 6 * SECOND;
    restart(&usual, length);
    assert_int_equal(wait_of("ada", HOME), 2);
    now += 10000 * SECOND;
    restart(&usual, length);
    assert_int_equal(wait_of("ada", HOME), 0);
    assert_int_equal(count_of(THROTTLE_LOGIN), 0);
}

static void attempts_under_way_are_failures_after_a_restart(void **state)
{
    struct throttle_permit permits[2];

    (void)state;
    ask("ada", HOME, false, &permits[0]);
    ask("ada", HOME, false, &permits[1]);
    restart(&usual, throttle_save(throttle, blob, sizeof blob, now));
    try("ada", HOME, false, THROTTLE_FAILED);
    assert_int_equal(wait_of("ada", HOME), 1);
}

static void a_small_blob_and_a_small_table_keep_the_heaviest(void **state)
{
    struct throttle_options small = usual;
    char name[16];

    (void)state;
    small.entries_max = 10;
    fail_patiently("ada", HOME, 6);
    for (unsigned i = 0; i < ENTRIES - 1; i++) {
        snprintf(name, sizeof name, "user%u", i);
        try(name, network_number(i), false, THROTTLE_FAILED);
    }
    const size_t length = throttle_save(throttle, blob, 4096, now);
    assert_in_range(length, 3000, 4096);
    restart(&usual, length);
    assert_int_equal(wait_of("ada", HOME), 8);
    restart(&small, throttle_save(throttle, blob, sizeof blob, now));
    assert_int_equal(wait_of("ada", HOME), 8);
    assert_true(count_of(THROTTLE_LOGIN) <= 10);
}

static void default_tables_fit_into_the_blob(void **state)
{
    struct config config;
    char error[256];
    char name[16];

    (void)state;
    assert_true(config_load(&config, CONFIG_AUTH, error, sizeof error));
    const struct throttle_options options = throttle_options_of(&config);
    assert_true(options.is_on);
    throttle_close(throttle);
    throttle = throttle_open(&options);
    for (unsigned i = 0; i < options.entries_max; i++) {
        struct throttle_permit permit;
        snprintf(name, sizeof name, "user%u", i);
        try(name, network_number(i), false, THROTTLE_FAILED);
        throttle_signup(throttle, network_number(i), now, &permit);
        throttle_settle(throttle, &permit, THROTTLE_SUCCEEDED, now);
    }
    const size_t length = throttle_save(throttle, blob, sizeof blob, now);
    assert_int_equal(length, 56 + 16 * 4 * options.entries_max);
    config_free(&config);
}

static void a_damaged_blob_is_refused_and_leaves_empty_tables(void **state)
{
    (void)state;
    fail_patiently("ada", HOME, 4);
    const size_t length = throttle_save(throttle, blob, sizeof blob, now);
    tear_down(NULL);
    set_up(NULL);
    for (size_t i = 0; i < length; i++) {
        assert_false(throttle_restore(throttle, blob, i, now));
        blob[i] ^= 4;
        if (throttle_restore(throttle, blob, length, now))
            fail_msg("byte %zu", i);
        blob[i] ^= 4;
    }
    assert_false(throttle_restore(throttle, blob, length + 1, now));
    for (int i = 0; i < THROTTLE_POLICY_COUNT; i++)
        assert_int_equal(count_of((enum throttle_policy)i), 0);
    assert_int_equal(wait_of("ada", HOME), 0);
    assert_true(throttle_restore(throttle, blob, length, now));
    assert_int_equal(count_of(THROTTLE_LOGIN), 1);
}

static void a_blob_holds_no_name_and_no_network(void **state)
{
    (void)state;
    try("ada-lovelace", HOME, false, THROTTLE_FAILED);
    const size_t length = throttle_save(throttle, blob, sizeof blob, now);
    assert_null(memmem(blob, length, "lovelace", 8));
    assert_null(memmem(blob, length, "192.0.2", 7));
}

static void only_what_is_worth_keeping_is_a_change(void **state)
{
    const uint64_t before = throttle_changes(throttle);

    (void)state;
    try("ada", HOME, false, THROTTLE_NOT_TRIED);
    assert_int_equal(throttle_changes(throttle), before);
    try("ada", HOME, false, THROTTLE_FAILED);
    assert_true(throttle_changes(throttle) > before);
}

/* --- signups, headers, off --- */

static void signups_of_one_network_are_limited_made_or_not(void **state)
{
    struct throttle_permit permit;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(throttle_signup(throttle, HOME, now, &permit).wait_s, 0);
        throttle_settle(throttle, &permit, i % 2 == 0 ? THROTTLE_SUCCEEDED : THROTTLE_FAILED, now);
    }
    assert_int_equal(throttle_signup(throttle, HOME, now, &permit).wait_s, 1);
    assert_int_equal(throttle_signup(throttle, AWAY, now, &permit).wait_s, 0);
    assert_int_equal(wait_of("ada", HOME), 0);
}

static void headers_tell_the_policy_and_what_is_left(void **state)
{
    struct throttle_headers headers;
    struct throttle_permit permit;

    (void)state;
    struct throttle_verdict verdict = ask("ada", HOME, false, &permit);
    assert_true(throttle_headers(&verdict, &headers));
    assert_string_equal(headers.policy, "\"login\";q=3;w=300");
    assert_string_equal(headers.limit, "\"login\";r=2;t=100");
    assert_string_equal(headers.retry_after, "");
    throttle_settle(throttle, &permit, THROTTLE_FAILED, now);

    now += 30 * SECOND;
    verdict = ask("ada", HOME, false, &permit);
    throttle_headers(&verdict, &headers);
    assert_string_equal(headers.limit, "\"login\";r=1;t=71");
    throttle_settle(throttle, &permit, THROTTLE_FAILED, now);
    fail_patiently("ada", HOME, 3);

    verdict = ask("ada", HOME, false, &permit);
    throttle_headers(&verdict, &headers);
    assert_string_equal(headers.policy, "\"login\";q=3;w=300");
    assert_string_equal(headers.limit, "\"login\";r=0;t=4");
    assert_string_equal(headers.retry_after, "4");
}

static void headers_name_the_policy_that_holds_up(void **state)
{
    struct throttle_headers headers;
    struct throttle_permit permit;
    struct throttle_verdict verdict;
    char name[16];

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        try("ada", network_number(i), false, THROTTLE_FAILED);
    verdict = ask("ada", AWAY, false, &permit);
    throttle_headers(&verdict, &headers);
    assert_string_equal(headers.policy, "\"login-name\";q=8;w=400");
    assert_string_equal(headers.limit, "\"login-name\";r=0;t=1");
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "user%d", i);
        try(name, HOME, false, THROTTLE_FAILED);
    }
    verdict = ask("bob", HOME, false, &permit);
    throttle_headers(&verdict, &headers);
    assert_string_equal(headers.policy, "\"login-network\";q=20;w=200");
    verdict = throttle_signup(throttle, HOME, now, &permit);
    throttle_headers(&verdict, &headers);
    assert_string_equal(headers.policy, "\"signup\";q=4;w=400");
    assert_string_equal(headers.limit, "\"signup\";r=3;t=100");
}

static void the_largest_figures_fit(void **state)
{
    const struct throttle_verdict verdict = {
        UINT32_MAX, THROTTLE_LOGIN_NETWORK, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    struct throttle_headers headers;

    (void)state;
    throttle_headers(&verdict, &headers);
    assert_string_equal(headers.policy, "\"login-network\";q=4294967295;w=4294967295");
    assert_string_equal(headers.limit, "\"login-network\";r=4294967295;t=4294967295");
    assert_string_equal(headers.retry_after, "4294967295");
}

static void off_is_off(void **state)
{
    const struct throttle_options off = {.entries_max = 10,
                                         .limits = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}};
    struct throttle_headers headers;
    struct throttle_permit permit;

    (void)state;
    throttle_close(throttle);
    throttle = throttle_open(&off);
    for (int i = 0; i < 100; i++) {
        const struct throttle_verdict verdict = ask("ada", HOME, false, &permit);
        assert_int_equal(verdict.wait_s, 0);
        assert_false(throttle_headers(&verdict, &headers));
        throttle_settle(throttle, &permit, THROTTLE_FAILED, now);
        assert_int_equal(throttle_signup(throttle, HOME, now, &permit).wait_s, 0);
        throttle_settle(throttle, &permit, THROTTLE_SUCCEEDED, now);
    }
    assert_int_equal(throttle_changes(throttle), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(waits_begin_after_the_free_failures_and_double_up_to_the_longest),
        TEST(a_wait_ends_to_the_second_and_not_before),
        TEST(failures_are_forgotten_one_by_one),
        TEST(who_asks_while_waiting_does_not_wait_longer),
        TEST(a_patient_guesser_gets_few_guesses),
        TEST(case_makes_no_other_name),
        TEST(any_bytes_are_a_name),
        TEST(a_right_password_forgets_what_failed_with_its_name_in_its_network),
        TEST(a_right_password_does_not_clear_the_name_for_other_networks),
        TEST(a_right_password_does_not_clear_the_network_for_other_names),
        TEST(what_was_not_tried_does_not_count),
        TEST(logins_that_succeed_leave_nothing_behind),
        TEST(one_network_cannot_try_many_names),
        TEST(one_name_cannot_be_tried_from_many_networks),
        TEST(a_victim_in_a_known_network_is_never_locked_out_by_failures_elsewhere),
        TEST(failures_in_known_networks_do_not_close_the_name_to_others),
        TEST(a_known_network_is_no_free_pass),
        TEST(of_a_thousand_guesses_at_once_only_the_free_ones_begin),
        TEST(nor_do_more_begin_from_a_thousand_networks_at_once),
        TEST(beyond_the_free_ones_guesses_go_one_at_a_time),
        TEST(an_attempt_that_is_held_up_by_one_count_is_counted_by_none),
        TEST(threads_get_no_more_than_one_would),
        TEST(tables_never_grow_beyond_their_bound),
        TEST(a_flood_of_names_does_not_make_it_forget_who_failed_often),
        TEST(of_the_lightest_the_oldest_goes_first),
        TEST(what_is_forgotten_makes_room_before_anything_else),
        TEST(attempts_under_way_are_not_given_up),
        TEST(a_clock_set_back_makes_nobody_wait_longer_than_the_longest),
        TEST(a_restart_is_no_way_around),
        TEST(time_goes_on_while_it_is_down),
        TEST(attempts_under_way_are_failures_after_a_restart),
        TEST(a_small_blob_and_a_small_table_keep_the_heaviest),
        TEST(default_tables_fit_into_the_blob),
        TEST(a_damaged_blob_is_refused_and_leaves_empty_tables),
        TEST(a_blob_holds_no_name_and_no_network),
        TEST(only_what_is_worth_keeping_is_a_change),
        TEST(signups_of_one_network_are_limited_made_or_not),
        TEST(headers_tell_the_policy_and_what_is_left),
        TEST(headers_name_the_policy_that_holds_up),
        TEST(the_largest_figures_fit),
        TEST(off_is_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
