/*
 * requests.h - requests made beforehand, so that a load program spends its time on sending them.
 *
 * A file of them is a sequence of records: a line `LENGTH EXPECTED`, then LENGTH bytes to send. EXPECTED, the
 * rest of the line, is what the body of a right answer holds.
 */
#ifndef BENCH_REQUESTS_H
#define BENCH_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

struct request {
    const char *bytes;
    size_t length;
    const char *expected;
    size_t expected_length;
};

struct requests {
    struct request *at;
    size_t count;
    uint64_t random; /* state of the generator */
};

/* Reads a file; exits with a sentence when it cannot be read, is malformed or holds nothing. */
void requests_read(struct requests *requests, const char *path, uint64_t seed);

/* One of them, at random. */
const struct request *requests_draw(struct requests *requests);

/* Nanoseconds of the monotonic clock. */
uint64_t clock_ns(void);

/* Connects to 127.0.0.1, without Nagle's delay, then non-blocking; exits with a sentence when it cannot. */
int connect_to(unsigned port);

#endif
