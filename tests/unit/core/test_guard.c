// links: core/guard.c core/guard_self_test.c core/connection.c core/address_slot.c
// links: core/loop.c core/clock.c core/memory.c
// links: core/interpose.c
// libs: h2o-evloop ssl crypto pthread
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/guard.h"
#include "core/guard_limits.h"
#include "core/log.h"

static unsigned lines;

void log_event_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    (void)level, (void)event, (void)fields, (void)count;
    lines++;
}

static int ignore_broken_pipes(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as every service does before it tests itself */
    return 0;
}

static void the_guard_is_in_place_and_says_so(void **state)
{
    char error[300] = "";

    (void)state;
    assert_true(guard_self_test(error, sizeof error));
    assert_string_equal(error, "");
}

static void the_self_test_leaves_limits_and_drain_as_they_were_and_logs_nothing(void **state)
{
    const struct config config = {.header_bytes_max = 4096,
                                  .header_count_max = 50,
                                  .http2_resets_per_second = 7,
                                  .http2_frames_per_second = 70};
    char error[300] = "";

    (void)state;
    guard_configure(&config);
    assert_true(guard_self_test(error, sizeof error));
    assert_int_equal(guard_limits.header_bytes_max, 4096);
    assert_int_equal(guard_limits.header_count_max, 50);
    assert_int_equal(guard_limits.resets_per_second, 7);
    assert_int_equal(guard_limits.frames_per_second, 70);
    assert_false(atomic_load(&guard_is_draining));
    assert_int_equal(lines, 0);
}

static void a_drain_is_remembered(void **state)
{
    (void)state;
    guard_drain();
    assert_true(atomic_load(&guard_is_draining));
    atomic_store(&guard_is_draining, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guard_is_in_place_and_says_so),
        cmocka_unit_test(the_self_test_leaves_limits_and_drain_as_they_were_and_logs_nothing),
        cmocka_unit_test(a_drain_is_remembered),
    };
    return cmocka_run_group_tests(tests, ignore_broken_pipes, NULL);
}
