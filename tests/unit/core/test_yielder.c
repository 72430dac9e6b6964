// links: core/yielder.c core/clock.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/yielder.h"

static volatile sig_atomic_t interruptions;

/* In place of libc's, whose yielding nobody could see. */
int sched_yield(void)
{
    interruptions = interruptions + 1;
    return 0;
}

static void compute_until_interrupted(int wanted)
{
    const uint64_t started_us = clock_monotonic_us();

    while (interruptions < wanted && clock_monotonic_us() - started_us < 10000000)
        ;
    assert_true(interruptions >= wanted);
}

static void computing_is_interrupted_again_and_again_until_stop(void **state)
{
    struct yielder yielder;

    (void)state;
    yielder_open(&yielder);
    assert_true(yielder.has_timer);
    interruptions = 0;
    for (int round = 0; round < 2; round++) {
        interruptions = 0;
        yielder_start(&yielder);
        compute_until_interrupted(5);
        yielder_stop(&yielder);
        interruptions = 0;
        const uint64_t stopped_us = clock_monotonic_us();
        while (clock_monotonic_us() - stopped_us < 20000)
            ;
        assert_int_equal(interruptions, 0);
    }
    yielder_close(&yielder);
}

static void *write_later(void *argument)
{
    const int *end = argument;

    while (interruptions < 5)
        ;
    assert_int_equal(write(*end, "x", 1), 1);
    return NULL;
}

static void a_system_call_in_between_is_not_cut_short(void **state)
{
    struct yielder yielder;
    pthread_t writer;
    int ends[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    yielder_open(&yielder);
    interruptions = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_later, &ends[1]), 0);
    yielder_start(&yielder);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    yielder_stop(&yielder);
    pthread_join(writer, NULL);
    yielder_close(&yielder);
    close(ends[0]);
    close(ends[1]);
}

static void *idle_along(void *argument)
{
    sem_wait(argument);
    return NULL;
}

static void no_other_thread_is_interrupted(void **state)
{
    struct yielder yielder;
    pthread_t other;
    sem_t may_end;

    (void)state;
    sem_init(&may_end, 0, 0);
    yielder_open(&yielder);
    interruptions = 0;
    assert_int_equal(pthread_create(&other, NULL, idle_along, &may_end), 0);
    yielder_start(&yielder);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    compute_until_interrupted(3);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* a signal of the process would go to the other one now */
    const int before = interruptions;
    const uint64_t blocked_us = clock_monotonic_us();
    while (clock_monotonic_us() - blocked_us < 20000)
        ;
    assert_int_equal(interruptions, before);
    yielder_stop(&yielder);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    sem_post(&may_end);
    pthread_join(other, NULL);
    yielder_close(&yielder);
    sem_destroy(&may_end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computing_is_interrupted_again_and_again_until_stop),
        cmocka_unit_test(a_system_call_in_between_is_not_cut_short),
        cmocka_unit_test(no_other_thread_is_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
