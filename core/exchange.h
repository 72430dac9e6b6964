/*
 * exchange.h - one request, from its arrival to its answer; the leash between H2O's request and what works on
 * it.
 *
 *   arrived ──▶ handle ──▶ ... waits (worker, store, relay), each with a hold ... ──▶ reply ──▶ done
 *                  └──────────── the client leaves at any of these: on_gone ────────────────▶ done
 *
 * A route's own struct embeds the exchange first and lives in one file, functions in order of time.
 * H2O frees an HTTP/2 request the moment its client resets it; `req` is NULL from then on, and also once
 * answered. Every wait takes a hold and releases it when it ends; when the client's own hold and all others
 * are gone, `done` is called once and the struct is freed. All on the loop's thread.
 */
#ifndef CORE_EXCHANGE_H
#define CORE_EXCHANGE_H

#include <h2o.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/loop.h"

#define REQUEST_ID_MAX_BYTES 64

struct exchange;
struct connection;
struct entrance; /* router.h */
struct service;

/*
 * A row of a service's route table. GET answers HEAD too. A path may have one segment that varies:
 * "/admin/users/{id}" stands for 1 to ROUTE_SEGMENT_MAX_BYTES bytes of A-Z a-z 0-9 _ - in that place.
 */
#define ROUTE_SEGMENT_MAX_BYTES 64
struct route {
    const char *method;
    const char *path;
    const size_t *size;                 /* of the struct that embeds the exchange; NULL: the exchange alone */
    void (*handle)(struct exchange *x); /* the client is there; may answer at once or later */
    unsigned flags;
};
/* Flags. */
#define ROUTE_TAKES_JSON   1u /* a body must be application/json */
#define ROUTE_NEEDS_NO_KEY 2u /* answered without X-Service-Key */
#define ROUTE_LARGE_BODY   4u /* gathered calls: up to 256 KiB */
#define ROUTE_IS_ROUTINE   8u /* asked by probes all the time: logged at debug unless it fails */

struct exchange {
    h2o_req_t *req; /* NULL: the client left, or has its answer */
    struct loop *loop;
    const struct entrance *entrance;
    const struct route *route; /* NULL: no route has this path */
    h2o_iovec_t segment; /* what stands for the route's {name}, while req is there; {NULL, 0}: no such */
    struct connection *connection;
    struct exchange_cell *cell;
    uint64_t arrived_us; /* monotonic */
    uint64_t user_id;    /* for the log; 0: not known */
    unsigned holds;
    void (*on_gone)(
        struct exchange *x); /* the client left unanswered: cancel what can be cancelled; may be NULL */
    void (*done)(struct exchange *x);  /* last of all: wipe and close what the struct owns; may be NULL */
    char id[REQUEST_ID_MAX_BYTES + 1]; /* X-Request-Id */
    char calls[2 * (REQUEST_ID_MAX_BYTES + 1)]; /* ids of the gathered calls that carried it, for the log */
};

/* H2O's entry; the handler is a struct entrance (service.c). */
int exchange_on_request(h2o_handler_t *handler, h2o_req_t *req);

void exchange_hold(struct exchange *x);
void exchange_release(struct exchange *x); /* may free x */

/* Used by reply.c alone: takes the request out of the exchange, so that it cannot be answered twice. */
h2o_req_t *exchange_take_request(struct exchange *x);
/* Used by reply.c alone: the request was answered; releases the client's hold. May free x. */
void exchange_answered(struct exchange *x);

/*
 * A request header by its lower-case name. *count gets how often it was sent; the value is the first one's,
 * trimmed of spaces and tabs. {NULL, 0} where absent, or where the client has left.
 */
h2o_iovec_t exchange_header(const struct exchange *x, const char *name, size_t *count);

/*
 * All values of a header that may come in several lines, as sent, in their order. Returns how many there are,
 * which may be more than `max`; only that many are written.
 */
size_t exchange_header_lines(const struct exchange *x, const char *name, h2o_iovec_t *out, size_t max);

/* Writes a new request id: 16 hexadecimal digits of the thread, a count. */
void exchange_make_id(char id[REQUEST_ID_MAX_BYTES + 1]);

/*
 * HTTP/1: H2O does not read while a request is worked on, so it does not learn that the client left. This
 * duplicates the connection's descriptor, for any thread to ask exchange_socket_is_closed; the caller closes
 * it. -1 on HTTP/2, where H2O does learn it (on_gone), and where there are no descriptors left.
 */
int exchange_watch_socket(const struct exchange *x);
bool exchange_socket_is_closed(int socket);

#define EXCHANGE_ADDRESS_MAX_BYTES 63
/* The peer's address as text ("127.0.0.1", "::1"; "unix" for a Unix socket, "unknown" where it left). */
void exchange_peer(const struct exchange *x, char out[EXCHANGE_ADDRESS_MAX_BYTES + 1]);

#endif
