// links: core/workers.c core/loop.c core/clock.c core/memory.c
// libs: h2o-evloop ssl crypto pthread
// tsan
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/workers.h"
#include "tests/support/test_loop.h"

/* libh2o keeps freed buffers for reuse, per thread, and forgets them when the thread of a loop ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_recycle\n";
}

#define LOOPS     3
#define JOBS_EACH 500

/* A job and the traces it leaves. */
struct traced {
    struct job job;
    unsigned runs;
    unsigned dones;
    unsigned place; /* in which order it ran */
    pthread_t done_on;
    void *state; /* what the worker handed in */
    int nice;
};

static struct test_loop own;
static sem_t begun;
static sem_t may_end;
static unsigned places; /* handed out by a single worker */

static int open_loop(void **state)
{
    (void)state;
    test_loop_open(&own);
    sem_init(&begun, 0, 0);
    sem_init(&may_end, 0, 0);
    places = 0;
    return 0;
}

static int close_loop(void **state)
{
    (void)state;
    test_loop_close(&own);
    sem_destroy(&begun);
    sem_destroy(&may_end);
    return 0;
}

static void run(struct job *job, void *worker_state)
{
    struct traced *traced = H2O_STRUCT_FROM_MEMBER(struct traced, job, job);

    traced->runs++;
    traced->place = places++;
    traced->state = worker_state;
    traced->nice = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
}

/* Keeps its worker until it is told. */
static void run_long(struct job *job, void *worker_state)
{
    run(job, worker_state);
    sem_post(&begun);
    while (sem_wait(&may_end) != 0)
        ;
}

static void done(struct job *job)
{
    struct traced *traced = H2O_STRUCT_FROM_MEMBER(struct traced, job, job);

    traced->dones++;
    traced->done_on = pthread_self();
}

static struct traced job_of(void (*what)(struct job *job, void *worker_state))
{
    return (struct traced){.job = {.run = what, .done = done}};
}

static struct workers *one_worker(size_t queue_max, uint64_t age_max_ms)
{
    return workers_open(
        &(struct workers_options){.count = 1, .queue_max = queue_max, .age_max_ms = age_max_ms});
}

static void submit(struct workers *workers, struct traced *traced)
{
    assert_true(workers_submit(workers, &own.loop, &traced->job));
}

/* Returns when the worker works on it: the queue is empty then. */
static void submit_long(struct workers *workers, struct traced *traced)
{
    *traced = job_of(run_long);
    submit(workers, traced);
    while (sem_wait(&begun) != 0)
        ;
}

static void turn_until_done(const struct traced *traced)
{
    while (traced->dones == 0)
        loop_turn(&own.loop);
}

static void a_job_runs_once_and_is_done_once_on_its_loop(void **state)
{
    struct traced job = job_of(run);

    (void)state;
    struct workers *workers = one_worker(1, 60000);
    submit(workers, &job);
    turn_until_done(&job);
    workers_close(workers);
    loop_wake(&own.loop);
    loop_turn(&own.loop);
    assert_int_equal(job.job.outcome, JOB_RAN);
    assert_int_equal(job.runs, 1);
    assert_int_equal(job.dones, 1);
    assert_true(pthread_equal(job.done_on, pthread_self()));
}

static void jobs_run_in_the_order_in_which_they_came(void **state)
{
    struct traced long_one, jobs[5];

    (void)state;
    struct workers *workers = one_worker(5, 60000);
    submit_long(workers, &long_one);
    for (int i = 0; i < 5; i++) {
        jobs[i] = job_of(run);
        submit(workers, &jobs[i]);
    }
    sem_post(&may_end);
    turn_until_done(&jobs[4]);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(jobs[i].place, i + 1);
    workers_close(workers);
}

static void a_full_queue_takes_nothing(void **state)
{
    struct traced long_one, first = job_of(run), second = job_of(run), third = job_of(run);

    (void)state;
    struct workers *workers = one_worker(2, 60000);
    submit_long(workers, &long_one);
    submit(workers, &first);
    submit(workers, &second);
    assert_false(workers_submit(workers, &own.loop, &third.job));
    sem_post(&may_end);
    turn_until_done(&second);
    assert_int_equal(first.dones, 1);
    assert_int_equal(third.runs, 0);
    assert_int_equal(third.dones, 0);

    submit(workers, &third); /* there is room again */
    turn_until_done(&third);
    assert_int_equal(third.runs, 1);
    workers_close(workers);
}

static void let_time_pass_until(uint64_t until_us)
{
    while (clock_monotonic_us() <= until_us)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void a_job_that_waited_too_long_is_not_run_but_done(void **state)
{
    struct traced long_one, old = job_of(run), young = job_of(run);

    (void)state;
    struct workers *workers = one_worker(5, 20);
    submit_long(workers, &long_one);
    submit(workers, &old);
    let_time_pass_until(old.job.queued_us + 20 * 1000);
    sem_post(&may_end);
    turn_until_done(&old);
    assert_int_equal(old.job.outcome, JOB_TOO_OLD);
    assert_int_equal(old.runs, 0);
    assert_int_equal(old.dones, 1);
    assert_int_equal(long_one.job.outcome, JOB_RAN); /* the age of a job that runs does not matter */
    workers_close(workers);

    workers = one_worker(5, 60000);
    submit_long(workers, &long_one);
    submit(workers, &young);
    let_time_pass_until(young.job.queued_us + 20 * 1000);
    sem_post(&may_end);
    turn_until_done(&young);
    assert_int_equal(young.job.outcome, JOB_RAN);
    workers_close(workers);
}

static void a_cancelled_job_is_not_run_but_done(void **state)
{
    struct traced long_one, first = job_of(run), second = job_of(run);

    (void)state;
    struct workers *workers = one_worker(5, 60000);
    submit_long(workers, &long_one);
    submit(workers, &first);
    submit(workers, &second);
    job_cancel(&first.job);
    job_cancel(&first.job);
    sem_post(&may_end);
    turn_until_done(&second);
    assert_int_equal(first.job.outcome, JOB_CANCELLED);
    assert_int_equal(first.runs, 0);
    assert_int_equal(first.dones, 1);
    assert_int_equal(second.job.outcome, JOB_RAN);
    workers_close(workers);
}

static void a_job_that_runs_is_past_cancelling(void **state)
{
    struct traced long_one;

    (void)state;
    struct workers *workers = one_worker(5, 60000);
    submit_long(workers, &long_one);
    job_cancel(&long_one.job);
    sem_post(&may_end);
    turn_until_done(&long_one);
    assert_int_equal(long_one.job.outcome, JOB_RAN);
    assert_int_equal(long_one.runs, 1);
    workers_close(workers);
}

static unsigned freed;

static void free_job(struct job *job)
{
    free(H2O_STRUCT_FROM_MEMBER(struct traced, job, job));
    freed++;
}

static void a_job_may_be_freed_when_it_is_done(void **state)
{
    (void)state;
    struct workers *workers = one_worker(50, 60000);
    freed = 0;
    for (int i = 0; i < 50; i++) {
        struct traced *job = calloc(1, sizeof *job);
        assert_non_null(job);
        job->job = (struct job){.run = run, .done = free_job};
        submit(workers, job);
    }
    while (freed < 50)
        loop_turn(&own.loop);
    workers_close(workers);
}

/* Has the niceness of a thread of its own, so that the test's stays as it is. */
static void *run_niced(void *argument)
{
    struct traced *job = argument;
    const id_t thread = (id_t)syscall(SYS_gettid);
    struct test_loop niced;

    setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + 2);
    test_loop_open(&niced);
    struct workers *workers =
        workers_open(&(struct workers_options){.count = 1, .queue_max = 1, .age_max_ms = 60000, .nice = 5});
    if (!workers_submit(workers, &niced.loop, &job->job))
        abort();
    while (job->dones == 0)
        loop_turn(&niced.loop);
    workers_close(workers);
    test_loop_close(&niced);
    return NULL;
}

static void a_worker_is_nicer_than_the_thread_that_opened_it(void **state)
{
    const int nice_before = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
    struct traced job = job_of(run);
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, run_niced, &job), 0);
    pthread_join(thread, NULL);
    assert_int_equal(job.nice, nice_before + 7 < 19 ? nice_before + 7 : 19);
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid)), nice_before);
}

static atomic_uint states_opened;
static atomic_uint states_closed;

struct worker_state {
    pthread_t owner;
    void *context;
};

static void *open_state(void *context)
{
    struct worker_state *state = malloc(sizeof *state);

    if (state == NULL)
        abort();
    *state = (struct worker_state){.owner = pthread_self(), .context = context};
    atomic_fetch_add(&states_opened, 1);
    return state;
}

static void close_state(void *at)
{
    struct worker_state *state = at;

    if (pthread_equal(state->owner, pthread_self()))
        atomic_fetch_add(&states_closed, 1);
    free(state);
}

static atomic_uint strange; /* what must not happen; asserts of cmocka belong to the main thread */

static void check_state(struct job *job, void *at)
{
    const struct worker_state *state = at;

    (void)job;
    if (!pthread_equal(state->owner, pthread_self()) || state->context != &states_opened)
        atomic_fetch_add(&strange, 1);
}

static void each_worker_has_a_state_of_its_own(void **state)
{
    struct traced jobs[40];

    (void)state;
    struct workers *workers = workers_open(&(struct workers_options){.count = 4,
                                                                     .queue_max = 40,
                                                                     .age_max_ms = 60000,
                                                                     .open_state = open_state,
                                                                     .close_state = close_state,
                                                                     .context = &states_opened});
    for (int i = 0; i < 40; i++) {
        jobs[i] = job_of(check_state);
        submit(workers, &jobs[i]);
    }
    for (int i = 0; i < 40; i++)
        turn_until_done(&jobs[i]);
    workers_close(workers);
    assert_int_equal(atomic_load(&strange), 0);
    assert_int_equal(atomic_load(&states_opened), 4);
    assert_int_equal(atomic_load(&states_closed), 4);
}

static void workers_that_had_nothing_to_do_end(void **state)
{
    (void)state;
    workers_close(NULL);
    workers_close(workers_open(&(struct workers_options){.count = 8, .queue_max = 1, .age_max_ms = 1}));
}

/* One of several loops: its thread, and the jobs it has. */
struct loop_thread {
    pthread_t thread;
    struct workers *workers;
    struct traced jobs[JOBS_EACH];
    unsigned done_count;
};

static struct loop_thread threads[LOOPS];
static _Thread_local struct loop_thread *this_thread;

static void run_counted(struct job *job, void *worker_state)
{
    (void)worker_state;
    H2O_STRUCT_FROM_MEMBER(struct traced, job, job)->runs++;
}

static void done_counted(struct job *job)
{
    struct traced *traced = H2O_STRUCT_FROM_MEMBER(struct traced, job, job);

    if (this_thread == NULL || traced < this_thread->jobs || traced >= this_thread->jobs + JOBS_EACH ||
        traced->runs != 1 || traced->dones++ != 0) {
        atomic_fetch_add(&strange, 1);
        return;
    }
    this_thread->done_count++;
}

static void *submit_many(void *argument)
{
    struct loop_thread *thread = argument;
    struct test_loop loop;

    this_thread = thread;
    test_loop_open(&loop);
    for (int i = 0; i < JOBS_EACH; i++) {
        thread->jobs[i].job = (struct job){.run = run_counted, .done = done_counted};
        /* The queue is shorter than what all have: a full one is tried again when some came back. */
        while (!workers_submit(thread->workers, &loop.loop, &thread->jobs[i].job)) {
            loop_wake(&loop.loop);
            loop_turn(&loop.loop);
        }
    }
    while (thread->done_count < JOBS_EACH)
        loop_turn(&loop.loop);
    test_loop_close(&loop);
    return NULL;
}

static void many_jobs_of_several_loops_each_come_back_once_to_their_own(void **state)
{
    (void)state;
    struct workers *workers =
        workers_open(&(struct workers_options){.count = 4, .queue_max = 64, .age_max_ms = 60000});
    for (int i = 0; i < LOOPS; i++) {
        threads[i].workers = workers;
        assert_int_equal(pthread_create(&threads[i].thread, NULL, submit_many, &threads[i]), 0);
    }
    for (int i = 0; i < LOOPS; i++)
        pthread_join(threads[i].thread, NULL);
    workers_close(workers);
    assert_int_equal(atomic_load(&strange), 0);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(threads[i].done_count, JOBS_EACH);
}

#define WORKERS_TEST(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

static sem_t rested;

static void rest(void *state)
{
    assert_ptr_equal(state, NULL); /* there is no open_state */
    sem_post(&rested);
}

static void a_worker_without_a_job_rests_once_and_again_after_the_next_job(void **state)
{
    struct traced jobs[2];
    int count;

    (void)state;
    sem_init(&rested, 0, 0);
    struct workers *workers = workers_open(
        &(struct workers_options){.count = 1, .queue_max = 1, .age_max_ms = 60000, .rest = rest});
    for (int i = 0; i < 2; i++) {
        sem_wait(&rested);
        jobs[i] = job_of(run);
        submit(workers, &jobs[i]);
        turn_until_done(&jobs[i]);
    }
    workers_close(workers);
    sem_getvalue(&rested, &count);
    assert_in_range(count, 0, 1); /* it may rest once more before it ends */
    sem_destroy(&rested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKERS_TEST(a_job_runs_once_and_is_done_once_on_its_loop),
        WORKERS_TEST(jobs_run_in_the_order_in_which_they_came),
        WORKERS_TEST(a_full_queue_takes_nothing),
        WORKERS_TEST(a_job_that_waited_too_long_is_not_run_but_done),
        WORKERS_TEST(a_cancelled_job_is_not_run_but_done),
        WORKERS_TEST(a_job_that_runs_is_past_cancelling),
        WORKERS_TEST(a_job_may_be_freed_when_it_is_done),
        WORKERS_TEST(a_worker_is_nicer_than_the_thread_that_opened_it),
        WORKERS_TEST(each_worker_has_a_state_of_its_own),
        cmocka_unit_test(workers_that_had_nothing_to_do_end),
        WORKERS_TEST(a_worker_without_a_job_rests_once_and_again_after_the_next_job),
        cmocka_unit_test(many_jobs_of_several_loops_each_come_back_once_to_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
