/*
 * guard_limits.h - the limits that the guard applies; for guard.c and its self-test alone, which sets its own
 * for a moment, before any loop starts.
 */
#ifndef CORE_GUARD_LIMITS_H
#define CORE_GUARD_LIMITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct guard_limits {
    uint64_t header_bytes_max;
    uint64_t header_count_max;
    uint64_t resets_per_second;
    uint64_t frames_per_second;
};

extern struct guard_limits guard_limits;
extern atomic_bool guard_is_draining;

#endif
