// links: core/descriptors.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/descriptors.h"

struct result {
    bool fits;
    struct descriptor_share share;
    uint64_t soft;
    char error[256];
};

/* In a child, because a hard limit that was lowered stays low. */
static struct result share_with(uint64_t soft, uint64_t hard, unsigned loops, uint64_t connections,
                                uint64_t calls)
{
    struct result result = {.share = {connections, calls}};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {soft, hard};
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            _exit(1);
        result.fits = descriptors_share(loops, &result.share, result.error, sizeof result.error);
        if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
            _exit(1);
        result.soft = limit.rlim_cur;
        _exit(write(ends[1], &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
    }
    int status;
    assert_int_equal(read(ends[0], &result, sizeof result), sizeof result);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ends[0]);
    close(ends[1]);
    return result;
}

static void the_soft_limit_is_raised_to_what_is_wanted(void **state)
{
    (void)state;
    const struct result result = share_with(64, 4096, 2, 1000, 100);
    assert_true(result.fits);
    assert_int_equal(result.share.connections, 1000);
    assert_int_equal(result.share.calls, 100);
    assert_true(result.soft >= 1000 + 2 * 100 && result.soft < 4096);
}

static void it_is_never_lowered(void **state)
{
    (void)state;
    assert_int_equal(share_with(2048, 4096, 1, 10, 10).soft, 2048);
}

static void every_loops_calls_are_counted(void **state)
{
    (void)state;
    const struct result result = share_with(64, 20000, 8, 100, 50);
    assert_true(result.fits);
    assert_true(result.soft >= 100 + 8 * 50);
}

static void where_too_few_are_allowed_connections_and_calls_share_them(void **state)
{
    (void)state;
    const struct result result = share_with(1024, 1024, 2, 10000, 1024);
    assert_true(result.fits);
    assert_true(result.share.connections >= 400);
    assert_true(result.share.calls >= 200);
    assert_true(result.share.connections + 2 * result.share.calls <= 1024);
}

static void a_service_that_calls_nobody_reserves_nothing_for_it(void **state)
{
    (void)state;
    const struct result result = share_with(1024, 1024, 2, 10000, 0);
    assert_true(result.fits);
    assert_int_equal(result.share.calls, 0);
    assert_true(result.share.connections > 900);
}

static void hardly_any_are_refused_with_a_sentence(void **state)
{
    (void)state;
    const struct result result = share_with(64, 64, 2, 10000, 1024);
    assert_false(result.fits);
    assert_non_null(strstr(result.error, "ulimit -n"));
    assert_non_null(strstr(result.error, "64 file descriptors"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_soft_limit_is_raised_to_what_is_wanted),
        cmocka_unit_test(it_is_never_lowered),
        cmocka_unit_test(every_loops_calls_are_counted),
        cmocka_unit_test(where_too_few_are_allowed_connections_and_calls_share_them),
        cmocka_unit_test(a_service_that_calls_nobody_reserves_nothing_for_it),
        cmocka_unit_test(hardly_any_are_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
