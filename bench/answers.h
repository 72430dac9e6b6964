/* answers.h - an HTTP/1.1 answer, read out of a buffer. */
#ifndef BENCH_ANSWERS_H
#define BENCH_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>

struct answer {
    unsigned status;
    bool has_retry_after;
    bool closes; /* the connection ends with it */
    const char *body;
    size_t body_length;
};

enum answer_outcome { ANSWER_WHOLE, ANSWER_PARTIAL, ANSWER_MALFORMED };

/* Reads the answer that `bytes` begins with; it must have a Content-Length. `answer` points into it. */
enum answer_outcome answer_read(const char *bytes, size_t length, struct answer *answer);

#endif
