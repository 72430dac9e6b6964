/*
 * ask.h - one HTTP request from a tool, waiting for its answer: the services' own relay (relay.h) on a loop
 * of its own. For command-line tools; a service never blocks.
 */
#ifndef CORE_ASK_H
#define CORE_ASK_H

#include <stddef.h>
#include <stdint.h>

#include "core/relay.h"

struct asker; /* a loop and its connections; one thread */

struct asker *asker_open(void);
void asker_close(struct asker *asker);

struct ask {
    const char *base;   /* "http://127.0.0.1:8181", or "unix:path" */
    const char *method; /* "GET", "POST", ... */
    const char *path;
    const char *headers[8]; /* "name: value", NULL-terminated */
    const char *body;       /* NULL: none; else sent as application/json */
    uint64_t timeout_ms;
};

/* body is NUL-terminated and belongs to the asker until its next question. */
struct asked {
    enum relay_outcome outcome; /* RELAY_ANSWERED: the rest is set */
    unsigned status;
    const char *body;
    size_t body_length;
};

void asker_ask(struct asker *asker, const struct ask *ask, struct asked *asked);

#endif
