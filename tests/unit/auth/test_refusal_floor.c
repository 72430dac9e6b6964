// links: auth/refusal_floor.c
// libs: pthread
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "auth/refusal_floor.h"

#define YESCRYPT "$y$j9T"
#define BCRYPT   "$2b$12"
#define SHA512   "$6$rounds=5000"

/* The store: methods and how many users have them. */
static struct {
    const char *label;
    uint64_t users;
} held[REFUSAL_FLOOR_METHODS_MAX];
static enum store_outcome store_outcome;

enum store_outcome user_store_methods(struct user_store *store,
                                      void (*each)(void *context, const char *method, uint64_t users),
                                      void *context)
{
    (void)store;
    for (size_t i = 0; store_outcome == STORE_OK && i < REFUSAL_FLOOR_METHODS_MAX; i++)
        if (held[i].label != NULL)
            each(context, held[i].label, held[i].users);
    return store_outcome;
}

/* The machine: how long each method takes, and how often it was asked. */
static struct {
    const char *label;
    uint64_t time_us;
    unsigned asked;
} measured[3];

uint64_t password_measure_us(struct password_hasher *hasher, const char *label)
{
    (void)hasher;
    for (size_t i = 0; i < sizeof measured / sizeof measured[0]; i++)
        if (strcmp(measured[i].label, label) == 0) {
            measured[i].asked++;
            return measured[i].time_us;
        }
    return 0; /* cannot be run */
}

static struct refusal_floor refusals;

static int open_floor(void **state)
{
    (void)state;
    memset(held, 0, sizeof held);
    store_outcome = STORE_OK;
    measured[0].label = YESCRYPT, measured[0].time_us = 20000, measured[0].asked = 0;
    measured[1].label = BCRYPT, measured[1].time_us = 200000, measured[1].asked = 0;
    measured[2].label = SHA512, measured[2].time_us = 2000, measured[2].asked = 0;
    refusal_floor_open(&refusals);
    return 0;
}

static int close_floor(void **state)
{
    (void)state;
    refusal_floor_close(&refusals);
    return 0;
}

static void hold(size_t place, const char *label, uint64_t users)
{
    held[place].label = label;
    held[place].users = users;
}

static void refresh(const char *own)
{
    refusal_floor_refresh(&refusals, NULL, NULL, own);
}

/* Not below what a method takes, and not so far above that refusals would be slow for nothing. */
static void assert_floor_is_that_of(uint64_t time_us)
{
    assert_in_range(refusal_floor_us(&refusals), time_us, time_us * 2);
}

static void there_is_no_floor_before_anything_is_known(void **state)
{
    (void)state;
    assert_int_equal(refusal_floor_us(&refusals), 0);
}

static void the_slowest_method_present_decides(void **state)
{
    (void)state;
    hold(0, YESCRYPT, 1000);
    hold(1, BCRYPT, 1);
    hold(2, SHA512, 5);
    refresh(YESCRYPT);
    assert_floor_is_that_of(200000);
}

static void the_method_of_new_hashes_counts_in_an_empty_store(void **state)
{
    (void)state;
    refresh(YESCRYPT);
    assert_floor_is_that_of(20000);
}

static void the_method_of_new_hashes_counts_though_nobody_has_it(void **state)
{
    (void)state;
    hold(0, SHA512, 5);
    refresh(BCRYPT);
    assert_floor_is_that_of(200000);
}

static void a_method_that_left_the_store_does_not_count(void **state)
{
    (void)state;
    hold(0, YESCRYPT, 10);
    hold(1, BCRYPT, 1);
    refresh(YESCRYPT);
    assert_floor_is_that_of(200000);
    hold(1, NULL, 0);
    refresh(YESCRYPT);
    assert_floor_is_that_of(20000);
    hold(1, BCRYPT, 1);
    refresh(YESCRYPT);
    assert_floor_is_that_of(200000);
}

static void a_method_without_users_does_not_count_however_slow_it_was(void **state)
{
    (void)state;
    refresh(YESCRYPT);
    refusal_floor_note(&refusals, BCRYPT, 900000);
    assert_floor_is_that_of(20000);
}

static void a_method_nobody_logged_in_with_is_measured_once(void **state)
{
    (void)state;
    hold(0, BCRYPT, 3);
    refresh(YESCRYPT);
    assert_int_equal(measured[0].asked, 1);
    assert_int_equal(measured[1].asked, 1);
    refresh(YESCRYPT);
    assert_int_equal(measured[0].asked, 1);
    assert_int_equal(measured[1].asked, 1);
}

static void a_method_whose_time_is_known_from_logins_is_not_measured(void **state)
{
    (void)state;
    hold(0, BCRYPT, 3);
    refusal_floor_note(&refusals, BCRYPT, 300000);
    refresh(YESCRYPT);
    assert_int_equal(measured[1].asked, 0);
    assert_floor_is_that_of(300000);
}

static void a_label_that_cannot_be_run_changes_nothing(void **state)
{
    (void)state;
    hold(0, YESCRYPT, 10);
    hold(1, "?", 10);
    refresh(YESCRYPT);
    assert_floor_is_that_of(20000);
}

static void the_floor_follows_the_load_up_and_down_again(void **state)
{
    (void)state;
    refresh(YESCRYPT);
    const uint64_t before_us = refusal_floor_us(&refusals);
    for (int i = 0; i < 60; i++)
        refusal_floor_note(&refusals, YESCRYPT, 80000);
    assert_floor_is_that_of(79000);
    for (int i = 0; i < 80; i++)
        refusal_floor_note(&refusals, YESCRYPT, 20000);
    assert_in_range(refusal_floor_us(&refusals), before_us * 95 / 100, before_us * 105 / 100);
}

static void one_odd_verification_moves_the_floor_little(void **state)
{
    (void)state;
    refresh(YESCRYPT);
    const uint64_t before_us = refusal_floor_us(&refusals);
    refusal_floor_note(&refusals, YESCRYPT, 40000);
    assert_in_range(refusal_floor_us(&refusals), before_us + 1, before_us * 120 / 100);
    refusal_floor_note(&refusals, YESCRYPT, 1);
    assert_true(refusal_floor_us(&refusals) > before_us * 80 / 100);
}

static void a_store_that_fails_leaves_the_floor_as_it_was(void **state)
{
    (void)state;
    hold(0, BCRYPT, 1);
    refresh(YESCRYPT);
    const uint64_t before_us = refusal_floor_us(&refusals);
    store_outcome = STORE_FAILED;
    refresh(YESCRYPT);
    assert_int_equal(refusal_floor_us(&refusals), before_us);
}

static void more_methods_than_there_is_room_for_are_survived(void **state)
{
    static char labels[REFUSAL_FLOOR_METHODS_MAX][PASSWORD_METHOD_MAX_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < REFUSAL_FLOOR_METHODS_MAX; i++) {
        snprintf(labels[i], sizeof labels[i], "$6$rounds=%zu$a-long-label", 5000 + i);
        hold(i, labels[i], 1);
        refusal_floor_note(&refusals, labels[i], 1000 + i);
    }
    refusal_floor_note(&refusals, BCRYPT, 200000);
    refresh(labels[0]);
    assert_floor_is_that_of(1000 + REFUSAL_FLOOR_METHODS_MAX - 1);
}

#define FLOOR_TEST(name) cmocka_unit_test_setup_teardown(name, open_floor, close_floor)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOOR_TEST(there_is_no_floor_before_anything_is_known),
        FLOOR_TEST(the_slowest_method_present_decides),
        FLOOR_TEST(the_method_of_new_hashes_counts_in_an_empty_store),
        FLOOR_TEST(the_method_of_new_hashes_counts_though_nobody_has_it),
        FLOOR_TEST(a_method_that_left_the_store_does_not_count),
        FLOOR_TEST(a_method_without_users_does_not_count_however_slow_it_was),
        FLOOR_TEST(a_method_nobody_logged_in_with_is_measured_once),
        FLOOR_TEST(a_method_whose_time_is_known_from_logins_is_not_measured),
        FLOOR_TEST(a_label_that_cannot_be_run_changes_nothing),
        FLOOR_TEST(the_floor_follows_the_load_up_and_down_again),
        FLOOR_TEST(one_odd_verification_moves_the_floor_little),
        FLOOR_TEST(a_store_that_fails_leaves_the_floor_as_it_was),
        FLOOR_TEST(more_methods_than_there_is_room_for_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
