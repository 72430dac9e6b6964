// links: core/clock.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/clock.h"

static void assert_rfc3339(int64_t wall_us, const char *expected)
{
    char out[CLOCK_RFC3339_LENGTH + 1];
    clock_rfc3339(wall_us, out);
    assert_string_equal(out, expected);
}

static void rfc3339_has_microseconds_and_utc(void **state)
{
    (void)state;
    assert_rfc3339(0, "1970-01-01T00:00:00.000000Z");
    assert_rfc3339(INT64_C(1732199494123456), "2024-11-21T14:31:34.123456Z");
    assert_rfc3339(INT64_C(1709164799999999), "2024-02-28T23:59:59.999999Z");
    assert_rfc3339(INT64_C(1709164800000000), "2024-02-29T00:00:00.000000Z");
}

static void rfc3339_counts_back_before_1970(void **state)
{
    (void)state;
    assert_rfc3339(-1, "1969-12-31T23:59:59.999999Z");
}

static void rfc3339_never_has_a_five_digit_year(void **state)
{
    (void)state;
    assert_rfc3339(INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z");
    assert_rfc3339(INT64_C(253402300800000000), "1970-01-01T00:00:00.000000Z");
    assert_rfc3339(INT64_MAX, "1970-01-01T00:00:00.000000Z");
    assert_rfc3339(INT64_MIN, "1970-01-01T00:00:00.000000Z");
}

/* What strftime says of the same second; read again if the second turned in between. */
static void local_time_is_that_of_the_time_zone(void **state)
{
    (void)state;
    struct clock clock = {0};
    char expected[64];
    const char *got = NULL;
    time_t before;
    time_t after;
    do {
        before = time(NULL);
        got = clock_local(&clock);
        after = time(NULL);
    } while (before != after);
    struct tm parts;
    localtime_r(&before, &parts);
    strftime(expected, sizeof(expected), "%Y-%m-%d %H:%M:%S", &parts);
    assert_string_equal(got, expected);
    assert_int_equal(strlen(got), CLOCK_LOCAL_LENGTH);
}

static void local_time_is_formatted_anew_only_when_the_second_turns(void **state)
{
    (void)state;
    struct clock clock = {0};
    clock_local(&clock);
    int64_t second = clock.second;
    memcpy(clock.local, "kept", 5);
    const char *got = clock_local(&clock);
    if (clock.second == second)
        assert_string_equal(got, "kept");
    clock.second = second - 10;
    assert_string_not_equal(clock_local(&clock), "kept");
}

static void monotonic_time_never_goes_back(void **state)
{
    (void)state;
    uint64_t last = clock_monotonic_us();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_monotonic_us();
        assert_true(now >= last);
        last = now;
    }
}

static void wall_time_is_that_of_the_system(void **state)
{
    (void)state;
    int64_t before = time(NULL);
    int64_t now_us = clock_wall_us();
    assert_true(now_us / 1000000 >= before);
    assert_true(now_us / 1000000 <= time(NULL) + 1);
}

int main(void)
{
    setenv("TZ", "IST-5:30", 1); /* half an hour off, so that UTC would be noticed */
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3339_has_microseconds_and_utc),
        cmocka_unit_test(rfc3339_counts_back_before_1970),
        cmocka_unit_test(rfc3339_never_has_a_five_digit_year),
        cmocka_unit_test(local_time_is_that_of_the_time_zone),
        cmocka_unit_test(local_time_is_formatted_anew_only_when_the_second_turns),
        cmocka_unit_test(monotonic_time_never_goes_back),
        cmocka_unit_test(wall_time_is_that_of_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
