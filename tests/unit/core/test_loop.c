// links: core/loop.c core/clock.c core/memory.c
// libs: h2o-evloop ssl crypto pthread
// tsan
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/support/test_loop.h"

#define TIMERS_MAX     32
#define POSTERS        4
#define POSTS_EACH     2000
#define TURN_LONGER_US 900000 /* a turn that nothing ends takes a second */

static struct test_loop own;

/* What fired, in its order, and when. */
static struct {
    const struct timer *timer;
    uint64_t at_us;
} fired[TIMERS_MAX];
static unsigned fired_count;

static int open_loop(void **state)
{
    (void)state;
    test_loop_open(&own);
    fired_count = 0;
    return 0;
}

static int close_loop(void **state)
{
    (void)state;
    test_loop_close(&own);
    return 0;
}

static void note(struct timer *timer)
{
    assert_true(fired_count < TIMERS_MAX);
    fired[fired_count].timer = timer;
    fired[fired_count++].at_us = clock_monotonic_us();
}

static void turn_until_fired(unsigned count)
{
    while (fired_count < count)
        loop_turn(&own.loop);
}

static void timers_fire_in_the_order_of_their_times(void **state)
{
    struct timer timers[5] = {0};
    const uint64_t delays_us[5] = {30000, 1000, 20000, 0, 10000};
    const unsigned order[5] = {3, 1, 4, 2, 0};

    (void)state;
    for (int i = 0; i < 5; i++)
        loop_timer_start(&own.loop, &timers[i], delays_us[i], note);
    turn_until_fired(5);
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(fired[i].timer, &timers[order[i]]);
}

static void timers_with_the_same_delay_fire_in_the_order_of_their_start(void **state)
{
    struct timer timers[8] = {0};

    (void)state;
    for (int i = 0; i < 8; i++)
        loop_timer_start(&own.loop, &timers[i], 2000, note);
    turn_until_fired(8);
    for (int i = 0; i < 8; i++)
        assert_ptr_equal(fired[i].timer, &timers[i]);
}

static void no_timer_fires_early(void **state)
{
    const uint64_t delays_us[] = {0, 300, 700, 999, 1000, 1001, 1500, 2999, 7001, 12345};
    enum { COUNT = sizeof delays_us / sizeof delays_us[0] };
    struct timer timers[COUNT] = {0};

    (void)state;
    const uint64_t started_us = clock_monotonic_us();
    for (int i = 0; i < COUNT; i++)
        loop_timer_start(&own.loop, &timers[i], delays_us[i], note);
    turn_until_fired(COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_ptr_equal(fired[i].timer, &timers[i]);
        assert_true(fired[i].at_us >= timers[i].due_us);
        assert_true(fired[i].at_us - started_us >= delays_us[i]);
    }
}

static void a_timer_runs_from_its_start_until_it_fires_or_is_stopped(void **state)
{
    struct timer timer = {0};

    (void)state;
    assert_false(loop_timer_is_running(&timer));
    loop_timer_stop(&timer);
    loop_timer_start(&own.loop, &timer, 0, note);
    assert_true(loop_timer_is_running(&timer));
    turn_until_fired(1);
    assert_false(loop_timer_is_running(&timer));

    loop_timer_start(&own.loop, &timer, 60000000, note);
    loop_timer_stop(&timer);
    assert_false(loop_timer_is_running(&timer));
    loop_timer_stop(&timer);
    loop_timer_start(&own.loop, &timer, 0, note);
    turn_until_fired(2);
}

static struct timer other;

static void note_and_start_other(struct timer *timer)
{
    note(timer);
    loop_timer_start(&own.loop, &other, 0, note);
}

static void a_timer_started_while_others_fire_waits_for_the_next_turn(void **state)
{
    struct timer first = {0}, second = {0};

    (void)state;
    memset(&other, 0, sizeof other);
    loop_timer_start(&own.loop, &first, 0, note_and_start_other);
    loop_timer_start(&own.loop, &second, 0, note);
    loop_turn(&own.loop);
    assert_int_equal(fired_count, 2);
    assert_ptr_equal(fired[1].timer, &second);
    assert_true(loop_timer_is_running(&other));
    loop_turn(&own.loop);
    assert_int_equal(fired_count, 3);
    assert_ptr_equal(fired[2].timer, &other);
}

static void note_and_start_again(struct timer *timer)
{
    note(timer);
    if (fired_count < 10)
        loop_timer_start(&own.loop, timer, 0, note_and_start_again);
}

static void a_timer_that_starts_itself_again_takes_one_turn_each_time(void **state)
{
    struct timer timer = {0};

    (void)state;
    loop_timer_start(&own.loop, &timer, 0, note_and_start_again);
    for (unsigned turn = 1; turn <= 10; turn++) {
        loop_turn(&own.loop);
        assert_int_equal(fired_count, turn);
    }
    assert_false(loop_timer_is_running(&timer));
}

static void note_and_stop_other(struct timer *timer)
{
    note(timer);
    loop_timer_stop(&other);
}

static void a_timer_stopped_by_one_that_fires_before_it_never_fires(void **state)
{
    struct timer first = {0}, last = {0};

    (void)state;
    memset(&other, 0, sizeof other);
    loop_timer_start(&own.loop, &first, 0, note_and_stop_other);
    loop_timer_start(&own.loop, &other, 0, note);
    loop_timer_start(&own.loop, &last, 0, note);
    loop_turn(&own.loop); /* all three are due at once */
    assert_int_equal(fired_count, 2);
    assert_ptr_equal(fired[0].timer, &first);
    assert_ptr_equal(fired[1].timer, &last);
    assert_false(loop_timer_is_running(&other));
}

static void note_and_put_off_other(struct timer *timer)
{
    note(timer);
    loop_timer_stop(&other);
    loop_timer_start(&own.loop, &other, 3000, note);
}

static void a_timer_that_was_due_can_be_put_off(void **state)
{
    struct timer first = {0};

    (void)state;
    memset(&other, 0, sizeof other);
    loop_timer_start(&own.loop, &first, 0, note_and_put_off_other);
    loop_timer_start(&own.loop, &other, 0, note);
    loop_turn(&own.loop);
    assert_int_equal(fired_count, 1);
    turn_until_fired(2);
    assert_ptr_equal(fired[1].timer, &other);
    assert_true(fired[1].at_us - fired[0].at_us >= 3000);
}

static void free_itself(struct timer *timer)
{
    note(timer);
    free(timer);
}

static void a_timer_may_be_freed_when_it_fires(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct timer *timer = calloc(1, sizeof *timer);
        assert_non_null(timer);
        loop_timer_start(&own.loop, timer, 0, free_itself);
    }
    turn_until_fired(3);
}

static void start_other_at_once(struct task *task)
{
    (void)task;
    loop_timer_start(&own.loop, &other, 0, note);
}

static void a_timer_without_delay_fires_in_the_turn_that_started_it(void **state)
{
    struct task task = {.run = start_other_at_once};

    (void)state;
    memset(&other, 0, sizeof other);
    loop_post(&own.loop, &task);
    loop_turn(&own.loop);
    assert_int_equal(fired_count, 1);
    assert_ptr_equal(fired[0].timer, &other);
}

/* A task that a thread posts, and the traces of its arrival. */
struct posted {
    struct task task;
    unsigned poster;
    unsigned number;
    unsigned arrivals;
};

static struct posted posted[POSTERS][POSTS_EACH];
static unsigned arrived[POSTERS]; /* so many, and the last of this number */
static unsigned out_of_order;
static pthread_t loop_thread;

static void arrive(struct task *task)
{
    struct posted *post = H2O_STRUCT_FROM_MEMBER(struct posted, task, task);

    post->arrivals++;
    if (arrived[post->poster]++ != post->number || !pthread_equal(pthread_self(), loop_thread))
        out_of_order++;
}

static void *post_all(void *argument)
{
    struct posted *posts = argument;

    for (unsigned i = 0; i < POSTS_EACH; i++)
        loop_post(&own.loop, &posts[i].task);
    return NULL;
}

static unsigned arrivals(void)
{
    unsigned sum = 0;

    for (int i = 0; i < POSTERS; i++)
        sum += arrived[i];
    return sum;
}

static void what_other_threads_post_arrives_once_in_order_on_the_loops_thread(void **state)
{
    pthread_t posters[POSTERS];

    (void)state;
    loop_thread = pthread_self();
    for (unsigned i = 0; i < POSTERS; i++) {
        for (unsigned number = 0; number < POSTS_EACH; number++)
            posted[i][number] = (struct posted){.task = {.run = arrive}, .poster = i, .number = number};
        assert_int_equal(pthread_create(&posters[i], NULL, post_all, posted[i]), 0);
    }
    while (arrivals() < POSTERS * POSTS_EACH)
        loop_turn(&own.loop);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(posters[i], NULL);
    loop_wake(&own.loop);
    loop_turn(&own.loop);
    assert_int_equal(out_of_order, 0);
    for (int i = 0; i < POSTERS; i++)
        for (int number = 0; number < POSTS_EACH; number++)
            assert_int_equal(posted[i][number].arrivals, 1);
}

static unsigned freed;

static void free_task(struct task *task)
{
    free(task);
    freed++;
}

static void *post_one(void *argument)
{
    struct task *task = calloc(1, sizeof *task);

    if (task == NULL)
        abort();
    task->run = free_task;
    loop_post(argument, task);
    return NULL;
}

static void a_task_is_its_owners_again_when_it_runs(void **state)
{
    pthread_t thread;

    (void)state;
    freed = 0;
    assert_int_equal(pthread_create(&thread, NULL, post_one, &own.loop), 0);
    while (freed < 1)
        loop_turn(&own.loop);
    pthread_join(thread, NULL);
}

static unsigned rounds;

static void post_itself_again(struct task *task)
{
    if (++rounds < 5)
        loop_post(&own.loop, task);
}

static void a_task_may_be_posted_again_when_it_runs(void **state)
{
    struct task task = {.run = post_itself_again};

    (void)state;
    rounds = 0;
    loop_post(&own.loop, &task);
    while (rounds < 5)
        loop_turn(&own.loop);
}

static void *wake(void *loop)
{
    loop_wake(loop);
    return NULL;
}

static void note_round(struct task *task)
{
    (void)task;
    rounds++;
}

static void *post(void *task)
{
    loop_post(&own.loop, task);
    return NULL;
}

/* The poster may not be done with the loop yet when its task has run: a loop that ends must wait for it. */
static void a_loop_may_be_closed_as_soon_as_what_was_posted_has_run(void **state)
{
    struct task task = {.run = note_round};
    pthread_t thread;

    (void)state;
    for (int i = 0; i < 300; i++) {
        test_loop_open(&own);
        rounds = 0;
        loop_wake(&own.loop); /* so that the task may be found before its poster wakes the loop */
        assert_int_equal(pthread_create(&thread, NULL, post, &task), 0);
        while (rounds < 1) {
            loop_wake(&own.loop);
            loop_turn(&own.loop);
        }
        test_loop_close(&own);
        pthread_join(thread, NULL);
    }
}

static void a_wake_ends_the_wait_of_a_turn(void **state)
{
    pthread_t thread;

    (void)state;
    const uint64_t started_us = clock_monotonic_us();
    assert_int_equal(pthread_create(&thread, NULL, wake, &own.loop), 0);
    loop_turn(&own.loop);
    assert_true(clock_monotonic_us() - started_us < TURN_LONGER_US);
    pthread_join(thread, NULL);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(timers_fire_in_the_order_of_their_times),
        LOOP_TEST(timers_with_the_same_delay_fire_in_the_order_of_their_start),
        LOOP_TEST(no_timer_fires_early),
        LOOP_TEST(a_timer_runs_from_its_start_until_it_fires_or_is_stopped),
        LOOP_TEST(a_timer_started_while_others_fire_waits_for_the_next_turn),
        LOOP_TEST(a_timer_that_starts_itself_again_takes_one_turn_each_time),
        LOOP_TEST(a_timer_stopped_by_one_that_fires_before_it_never_fires),
        LOOP_TEST(a_timer_that_was_due_can_be_put_off),
        LOOP_TEST(a_timer_may_be_freed_when_it_fires),
        LOOP_TEST(a_timer_without_delay_fires_in_the_turn_that_started_it),
        LOOP_TEST(what_other_threads_post_arrives_once_in_order_on_the_loops_thread),
        LOOP_TEST(a_task_is_its_owners_again_when_it_runs),
        LOOP_TEST(a_task_may_be_posted_again_when_it_runs),
        LOOP_TEST(a_wake_ends_the_wait_of_a_turn),
        cmocka_unit_test(a_loop_may_be_closed_as_soon_as_what_was_posted_has_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
