/*
 * yielder.h - a thread that computes for long lets others go first. Linux looks whether somebody who waits
 * should run when that somebody wakes, and then only with the next tick of the clock, up to 4 ms (at 250 Hz)
 * later; a loop that wakes a moment after it ran may be refused the first look, and so wait behind a hash for
 * the whole tick, whatever their nice values are. A thread that yields (sched_yield(2)) every
 * millisecond makes the kernel look again.
 *
 * A timer of the thread's own sends it a signal, whose handler yields: what it computes need not know. The
 * timer is set anew when the thread is back, so that between two yields it always computes, however long it
 * was away. Used by one thread, from open to close. Where no timer is to be had, nothing yields, and all
 * else works. Whoever yields may hold no lock that others wait for.
 */
#ifndef CORE_YIELDER_H
#define CORE_YIELDER_H

#include <signal.h>
#include <stdbool.h>
#include <time.h>

struct yielder {
    timer_t timer;
    bool has_timer;
    volatile sig_atomic_t is_started;
};

void yielder_open(struct yielder *yielder);
void yielder_close(struct yielder *yielder);

/* Around the long part. System calls in between are restarted (signal(7), SA_RESTART). */
void yielder_start(struct yielder *yielder);
void yielder_stop(struct yielder *yielder);

#endif
