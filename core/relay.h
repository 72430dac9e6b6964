/*
 * relay.h - calls to another service: libcurl's multi interface in the H2O loop. The only file pair that
 * knows curl.
 *
 * curl's sockets sit in an epoll descriptor that the loop watches as one socket; curl's timer is a loop
 * timer. One relay per loop; connections are kept alive (HTTP/1.1), easy handles reused, every call has a
 * deadline. on_reply is called exactly once, from the loop's turn, never from within call_start; not after
 * call_cancel.
 */
#ifndef CORE_RELAY_H
#define CORE_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct relay;

enum relay_outcome {
    RELAY_ANSWERED,    /* a whole HTTP answer; status and body are set */
    RELAY_UNREACHABLE, /* cannot connect, broke off, or what came is not HTTP */
    RELAY_TIMED_OUT,   /* connecting or answering took longer than allowed */
    RELAY_TOO_LARGE,   /* the answer is longer than allowed */
    RELAY_NO_ROOM,     /* calls_max calls are under way (gather.h; call_start just says false) */
};

struct relay_options {
    uint64_t timeout_ms;
    uint64_t connect_timeout_ms;
    uint64_t calls_max; /* under way at once; further ones are refused */
    uint64_t answer_max_bytes;
    uint64_t keepalive_timeout_ms; /* the other side's; connections are given up at half of it */
    const char *service_key;       /* sent as X-Service-Key; "" or NULL: not sent */
};

/* Headers of an answer that the gateway passes on; empty where absent, not printable or too long. */
#define RELAY_HEADER_MAX_BYTES 255
struct relay_answer {
    unsigned status;
    const char *body; /* NUL-terminated; valid until on_reply returns */
    size_t body_length;
    char retry_after[RELAY_HEADER_MAX_BYTES + 1];
    char www_authenticate[RELAY_HEADER_MAX_BYTES + 1];
    char error_code[RELAY_HEADER_MAX_BYTES + 1];
    char rate_limit[RELAY_HEADER_MAX_BYTES + 1];
    char rate_limit_policy[RELAY_HEADER_MAX_BYTES + 1];
};

/* A further header that one call wants of its answer, taken like those. */
#define RELAY_WANTED_MAX 4
struct relay_wanted {
    const char *name; /* "x-auth-user:", with the colon, any case; NULL: no more */
    char *value;      /* the caller's, `size` bytes */
    size_t size;
};

#define RELAY_UNIX_SCHEME "unix:"

struct transfer; /* a reused easy handle: private */

/* One call; embedded in the struct of the request that makes it, zero-initialised. Not copied while under
 * way. */
struct call {
    /* The question. Texts and body are copied by call_start. */
    const char *base;   /* "http://host:port", or "unix:path" */
    const char *method; /* "GET", "POST", ... */
    const char *path;   /* a constant, or made of validated parts; never a client's own text. For the log */
    const char *query;  /* "?..." in visible ASCII without '#', or NULL; not for the log */
    const char *body;   /* NULL: none; sent as application/json */
    size_t body_length;
    const char *headers[8]; /* "name: value", checked for line ends by the caller; ends with NULL */
    bool fresh;          /* over a new connection: what creates or changes something must not be sent twice */
    uint64_t timeout_ms; /* 0: the relay's */
    struct relay_wanted wanted[RELAY_WANTED_MAX];
    void (*on_reply)(struct call *call);

    /* The reply. */
    enum relay_outcome outcome;
    struct relay_answer answer;
    struct transfer *transfer; /* not NULL while under way */
};

/* Exits when out of memory. Close on the loop's thread, with no call under way. */
struct relay *relay_open(struct loop *loop, const struct relay_options *options);
void relay_close(struct relay *relay);

/* Starts a call. False: calls_max are under way; nothing happened and on_reply will not be called. */
bool call_start(struct relay *relay, struct call *call);

/* Ends a call early; on_reply will not be called. Does nothing to a call that is not under way. */
void call_cancel(struct call *call);

#endif
