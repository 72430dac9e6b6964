#include "core/workers.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/memory.h"

#define REST_AFTER_MS 200

struct workers {
    struct workers_options options;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct job *first;
    struct job **end;
    size_t queued;
    bool closing;
    pthread_t threads[];
};

/* Waits for a job with the lock held; the worker rests if that takes long. */
static void wait_for_job(struct workers *workers, void *state)
{
    struct timespec until;
    bool rests = workers->options.rest == NULL;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += REST_AFTER_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (workers->first == NULL && !workers->closing) {
        if (rests) {
            pthread_cond_wait(&workers->wanted, &workers->lock);
        } else if (pthread_cond_timedwait(&workers->wanted, &workers->lock, &until) == ETIMEDOUT) {
            rests = true;
            pthread_mutex_unlock(&workers->lock);
            workers->options.rest(state);
            pthread_mutex_lock(&workers->lock);
        }
    }
}

/* The next job, or NULL when the pool closes. */
static struct job *take(struct workers *workers, void *state)
{
    struct job *job;

    pthread_mutex_lock(&workers->lock);
    wait_for_job(workers, state);
    job = workers->first;
    if (job != NULL) {
        workers->first = job->next;
        if (workers->first == NULL)
            workers->end = &workers->first;
        workers->queued--;
    }
    pthread_mutex_unlock(&workers->lock);
    return job;
}

_Static_assert((int)METRIC_VALUES_JOB == (int)JOB_CANCELLED + 1, "metrics.def knows every outcome");

/* On the loop: so the figures are its own, and no worker writes any. */
static void finish(struct task *task)
{
    struct job *job = H2O_STRUCT_FROM_MEMBER(struct job, task, task);
    struct metrics *metrics = &job->loop->metrics;

    metrics_count(metrics, METRIC_WORKERS_JOBS, job->outcome);
    metrics_observe(metrics, HISTOGRAM_WORKERS_WAIT, 0, job->wait_us);
    if (job->outcome == JOB_RAN)
        metrics_observe(metrics, HISTOGRAM_WORKERS_RUN, 0, job->run_us);
    job->done(job);
}

static void work(struct workers *workers, struct job *job, void *state)
{
    const uint64_t started_us = clock_monotonic_us();

    job->wait_us = started_us - job->queued_us;
    if (atomic_load(&job->cancelled)) {
        job->outcome = JOB_CANCELLED;
    } else if (job->wait_us > workers->options.age_max_ms * 1000) {
        job->outcome = JOB_TOO_OLD;
    } else {
        job->outcome = JOB_RAN;
        job->run(job, state);
        job->run_us = clock_monotonic_us() - started_us;
    }
    job->task.run = finish;
    loop_post(job->loop, &job->task);
}

/*
 * Niced, so that loops and the other services run first in a storm; not SCHED_IDLE, because a worker that
 * starves while it holds a queue's lock would stop the loop that waits for it.
 */
static void lower_priority(int nice_value)
{
    const id_t thread = (id_t)syscall(SYS_gettid);
    (void)setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + nice_value);
}

static void *worker(void *argument)
{
    struct workers *workers = argument;
    const struct workers_options *options = &workers->options;
    void *state = options->open_state == NULL ? NULL : options->open_state(options->context);
    struct job *job;

    lower_priority(options->nice);
    while ((job = take(workers, state)) != NULL)
        work(workers, job, state);
    if (options->close_state != NULL)
        options->close_state(state);
    return NULL;
}

static void open_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct workers *workers_open(const struct workers_options *options)
{
    struct workers *workers = memory_zeroed(sizeof *workers + options->count * sizeof workers->threads[0]);

    assert(options->count > 0 && options->queue_max > 0);
    workers->options = *options;
    workers->end = &workers->first;
    pthread_mutex_init(&workers->lock, NULL);
    open_condition(&workers->wanted);
    for (size_t i = 0; i < options->count; i++)
        if (pthread_create(&workers->threads[i], NULL, worker, workers) != 0) {
            fputs("token-relay: cannot start a worker thread\n", stderr);
            abort();
        }
    return workers;
}

void workers_close(struct workers *workers)
{
    if (workers == NULL)
        return;

    pthread_mutex_lock(&workers->lock);
    assert(workers->first == NULL);
    workers->closing = true;
    pthread_cond_broadcast(&workers->wanted);
    pthread_mutex_unlock(&workers->lock);
    for (size_t i = 0; i < workers->options.count; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_cond_destroy(&workers->wanted);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}

bool workers_submit(struct workers *workers, struct loop *loop, struct job *job)
{
    bool taken = false;

    assert(job->run != NULL && job->done != NULL);
    job->loop = loop;
    job->next = NULL;
    job->queued_us = clock_monotonic_us();
    pthread_mutex_lock(&workers->lock);
    if (workers->queued < workers->options.queue_max) {
        *workers->end = job;
        workers->end = &job->next;
        workers->queued++;
        taken = true;
    }
    pthread_mutex_unlock(&workers->lock);
    if (taken)
        pthread_cond_signal(&workers->wanted);
    else
        metrics_count(&loop->metrics, METRIC_WORKERS_REFUSED, 0);
    return taken;
}

size_t workers_queued(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    const size_t queued = workers->queued;
    pthread_mutex_unlock(&workers->lock);
    return queued;
}

void job_cancel(struct job *job)
{
    atomic_store(&job->cancelled, true);
}
