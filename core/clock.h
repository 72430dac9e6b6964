/*
 * clock.h - times. Wall-clock text is formatted once a second and thread, monotonic time measures durations.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_LOCAL_LENGTH 19 /* YYYY-MM-DD HH:MM:SS */

struct clock {
    int64_t second;                     /* of `local`, since the epoch */
    char local[CLOCK_LOCAL_LENGTH + 1]; /* local time, the contract's date_time */
};

/* Local time of now, NUL-terminated; valid until the next call with this clock. Zero-initialise the clock. */
const char *clock_local(struct clock *clock);

/* CLOCK_MONOTONIC in microseconds: for durations and deadlines. */
uint64_t clock_monotonic_us(void);

/* CLOCK_REALTIME in microseconds since the epoch, UTC. */
int64_t clock_wall_us(void);

/* RFC 3339, UTC, with microseconds: "2024-11-21T14:31:34.123456Z". */
#define CLOCK_RFC3339_LENGTH 27
void clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_LENGTH + 1]);

#endif
