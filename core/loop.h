/*
 * loop.h - one thread's world: the H2O event loop and context, its timers, its inbox, its connections, its
 * relay, its figures.
 *
 * A loop is opened, run and closed on its own thread; nothing here may be called from another one, but
 * loop_post. A loop never blocks.
 */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include <h2o.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/clock.h"
#include "core/metrics.h"

struct service;
struct relay;
struct connection;

/* Work for a loop, handed over by another thread; embedded in what it is about. run is called on the loop. */
struct task {
    h2o_multithread_message_t message;
    void (*run)(struct task *task);
};

/* A one-shot timer; zero-initialised. Stopped or fired, it may be started again (also from fire). */
struct timer {
    struct timer *previous;
    struct timer *next;
    uint64_t due_us;
    void (*fire)(struct timer *timer);
};

/* A loop's own end of a socket that all loops listen on (listener.h). */
struct listener {
    struct loop *loop;
    h2o_accept_ctx_t accept;
    h2o_socket_t *socket; /* NULL: not listening */
    struct timer again;   /* after a pause for want of descriptors or room */
    bool is_inside;       /* for the operator's own tools: no limit by address */
};

struct loop {
    struct service *service; /* NULL for a tool's own loop (ask.h) */
    unsigned index;
    h2o_evloop_t *evloop;
    h2o_context_t context;
    h2o_multithread_receiver_t inbox;
    atomic_uint posting;     /* threads inside loop_post or loop_wake */
    h2o_timeout_entry_t due; /* fires timers from within the loop's turn */
    struct timer timers;     /* head of the list, soonest first */
    bool firing;             /* timers are being fired */
    struct clock clock;
    struct relay *relay; /* NULL where this service calls nobody */
    void *state;         /* the service's own for this loop, made by open_loop */

    struct listener listener;
    struct listener inside; /* for /metrics apart from the public address; on loop 0 alone */
    struct timer sweep;
    struct connection *connections; /* all that are open, newest first */
    uint64_t work_count;            /* requests and background jobs being worked on */
    struct metrics metrics;         /* written by this loop's thread alone */
    bool draining;
    bool stop;
};

/* Opens a loop around an initialised H2O configuration. Exits when out of memory. */
void loop_open(struct loop *loop, struct service *service, unsigned index, h2o_globalconf_t *conf);

/* One turn: waits until something happens or a timer is due, and handles it. */
void loop_turn(struct loop *loop);

/* Frees what the loop holds. No connection, exchange or call may be left. */
void loop_close(struct loop *loop);

/* Any thread: has task->run called on the loop soon. The task stays the loop's until then. Never fails. */
void loop_post(struct loop *loop, struct task *task);

/* Any thread: makes the loop take a turn. */
void loop_wake(struct loop *loop);

/* Starts a timer that is not running; fires once, no earlier than after delay_us microseconds. */
void loop_timer_start(struct loop *loop, struct timer *timer, uint64_t delay_us,
                      void (*fire)(struct timer *timer));
/* Does nothing to a timer that is not running. */
void loop_timer_stop(struct timer *timer);
bool loop_timer_is_running(const struct timer *timer);

#endif
