/*
 * upstream.h - an HTTP server of a test's own, on a thread, that answers by a script: bytes as they are,
 * right or wrong. It keeps what it was asked, and over which connection.
 */
#ifndef SUPPORT_UPSTREAM_H
#define SUPPORT_UPSTREAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define UPSTREAM_CONNECTIONS_MAX 16
#define UPSTREAM_REQUESTS_MAX    64
#define UPSTREAM_REQUEST_BYTES   8192
#define UPSTREAM_ANSWER_BYTES    65536 /* of what is made */

enum upstream_then {
    UPSTREAM_KEEP,  /* the connection stays open */
    UPSTREAM_CLOSE, /* FIN */
    UPSTREAM_RESET, /* RST */
};

/* What is sent to a request for a path. */
struct upstream_line {
    const char *path;
    const char *answer;
    size_t length; /* 0: up to the NUL */
    enum upstream_then then;
    /* Instead of answer, where set: writes one to this request into out, returns its length. On the server's
     * thread, which waits for it. */
    size_t (*make)(const char *request, char *out, size_t size);
};

struct upstream_request {
    unsigned connection; /* counted from 1, in the order in which they were accepted */
    size_t length;       /* as sent; only the first UPSTREAM_REQUEST_BYTES - 1 are in text */
    char text[UPSTREAM_REQUEST_BYTES];
};

struct upstream_peer {
    int fd;
    unsigned number;
    struct upstream_request request; /* what came of it so far */
    size_t wanted;                   /* its whole length, once the head is here; 0: not known */
};

struct upstream {
    const struct upstream_line *script;
    size_t line_count;
    char base[64]; /* "http://127.0.0.1:port" */
    int listener;
    int stop_fds[2];
    pthread_t thread;
    struct upstream_peer peers[UPSTREAM_CONNECTIONS_MAX];
    size_t peer_count;
    atomic_uint request_count; /* whole requests read */
    atomic_uint connection_count;
    struct upstream_request requests[UPSTREAM_REQUESTS_MAX]; /* any thread: those below request_count */
};

/* Exits when it cannot listen. The script is kept, not copied. */
void upstream_open(struct upstream *upstream, const struct upstream_line *script, size_t line_count);

/* Ends the thread and every connection; what was recorded stays. */
void upstream_close(struct upstream *upstream);

#endif
