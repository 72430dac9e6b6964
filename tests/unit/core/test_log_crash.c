// links: core/log.c core/log_line.c core/log_output.c core/log_record.c core/log_stderr.c
// links: core/clock.c core/buffer.c
// libs: cjson pthread
/* Not under ThreadSanitizer: it puts off the handler of SIGABRT, and abort() does not wait for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#include "core/log.h"
#include "tests/support/log_child.h"
#include "tests/support/log_lines.h"

static void fail_an_assertion(void)
{
    open_taking_over();
    print("assertion failure: something of a library\n");
    abort();
}

static void fail_an_assertion_in_a_flood(void)
{
    open_taking_over();
    for (int i = 0; i < 100; i++)
        print("flood\n");
    print("assertion failure: something of a library\n");
    abort();
}

static void the_last_words_of_a_crash_are_not_lost(void **state)
{
    (void)state;
    static void (*const crashes[])(void) = {fail_an_assertion, fail_an_assertion_in_a_flood};
    for (size_t i = 0; i < 2; i++) {
        int status = in_child(crashes[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
        char *text = read_text(log_path);
        assert_non_null(strstr(text, "assertion failure: something of a library"));
        free(text);
        unlink(log_path);
    }
}

static void crash_is_left_to_the_system(void)
{
    open_taking_over();
    raise(SIGBUS);
}

static void the_signal_of_a_crash_still_ends_the_process(void **state)
{
    (void)state;
    int status = in_child(crash_is_left_to_the_system);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGBUS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_log_folder, remove_log_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_last_words_of_a_crash_are_not_lost),
        TEST(the_signal_of_a_crash_still_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
