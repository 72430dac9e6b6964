/*
 * workers.h - blocking jobs off the loop: a pool of threads behind a queue that is bounded in length and age.
 * One hop out (workers_submit, on the loop), one hop back (job->done, on the same loop).
 */
#ifndef CORE_WORKERS_H
#define CORE_WORKERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/loop.h"

struct workers;

enum job_outcome {
    JOB_RAN,
    JOB_TOO_OLD,   /* waited longer than age_max_ms: run was not called */
    JOB_CANCELLED, /* job_cancel came before a worker took it: run was not called */
};

/* One job; embedded in what it works on, zero-initialised. */
struct job {
    struct task task; /* the way back */
    struct job *next;
    struct loop *loop;
    uint64_t queued_us;
    uint64_t wait_us; /* from the queue to the worker */
    uint64_t run_us;
    atomic_bool cancelled;
    enum job_outcome outcome;
    void (*run)(struct job *job, void *worker_state); /* on a worker */
    void (*done)(struct job *job);                    /* on the loop, exactly once */
};

struct workers_options {
    size_t count; /* threads */
    size_t queue_max;
    uint64_t age_max_ms;
    int nice;                           /* added to each worker's nice value */
    void *(*open_state)(void *context); /* on each worker's thread, as it starts; may be NULL */
    void (*close_state)(void *state);
    void (*rest)(void *state); /* on a worker without a job for a moment, once; may be NULL */
    void *context;
};

struct workers *workers_open(const struct workers_options *options);
/* Waits for the jobs that run; queued ones must be gone (their loops have ended). NULL is allowed. */
void workers_close(struct workers *workers);

/* False: the queue is full; nothing was taken and done will not be called. */
bool workers_submit(struct workers *workers, struct loop *loop, struct job *job);

/* Jobs that wait. Any thread. */
size_t workers_queued(struct workers *workers);

/* Any thread: a job not yet begun will not run; done is called all the same. */
void job_cancel(struct job *job);

#endif
