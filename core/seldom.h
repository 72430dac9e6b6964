/*
 * seldom.h - what may be said at most once a second, however often it happens; the rest is counted.
 */
#ifndef CORE_SELDOM_H
#define CORE_SELDOM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised, usually static. */
struct seldom {
    atomic_uint_fast64_t said_ms;
    atomic_uint_fast64_t unsaid;
};

/* True if it may be said now; *unsaid then tells how many went unsaid since the last time. Any thread. */
static inline bool seldom_may_say(struct seldom *seldom, uint64_t now_ms, uint64_t *unsaid)
{
    uint_fast64_t said_ms = atomic_load(&seldom->said_ms);

    if ((said_ms != 0 && now_ms - said_ms < 1000) ||
        !atomic_compare_exchange_strong(&seldom->said_ms, &said_ms, now_ms)) {
        atomic_fetch_add(&seldom->unsaid, 1);
        return false;
    }
    *unsaid = atomic_exchange(&seldom->unsaid, 0);
    return true;
}

#endif
