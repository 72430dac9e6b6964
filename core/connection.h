/*
 * connection.h - one accepted socket, from accept to close: counted, capped, and swept when it stalls.
 * The struct hangs on the socket (h2o_socket_t.on_close.data) and survives the switch from HTTP/1.1 to
 * HTTP/2.
 */
#ifndef CORE_CONNECTION_H
#define CORE_CONNECTION_H

#include <h2o.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct listener;
struct address_slot; /* core/address_slot.h */

/* What may happen at most so often in a second: a window of one second, counted. */
struct budget {
    uint64_t window_ms;
    uint64_t count;
};

/* Why a connection is cut, or turned away; the values of metrics.def's label CUT, in their order. */
enum cut_reason {
    CUT_REQUEST_SLOW,
    CUT_ANSWER_SLOW,
    CUT_NO_REQUEST,
    CUT_IDLE, /* not logged */
    CUT_PRESSURE,
    CUT_ADDRESS_LIMIT,
    CUT_INPUT_ENDLESS,
    CUT_HTTP2_HEADER_BYTES,
    CUT_HTTP2_HEADER_COUNT,
    CUT_HTTP2_RESETS,
    CUT_HTTP2_FRAMES,
    CUT_REASON_COUNT
};

struct connection {
    struct connection *previous;
    struct connection *next;
    struct loop *loop;
    h2o_socket_t *socket;
    struct address_slot *address;
    uint64_t accepted_ms;    /* monotonic */
    uint64_t quiet_since_ms; /* monotonic: when the last request ended, or the connection was accepted */
    uint64_t requests_started;
    unsigned requests_open; /* exchanges that are not answered yet */
    struct budget resets;
    struct budget frames;
    h2o_socket_cb on_read; /* H2O's own, called by connection_read */
    uint32_t polled;       /* parking.c's: the events that epoll has for the socket */
    int epoll;             /* where it has them */
    bool parked;           /* H2O believes that it has none */
    bool cut;              /* shut down by us; the loop closes it in its own time */
    bool busy;             /* the sweeper's: a request is arriving, or an answer leaving */
};

/*
 * Takes over a socket that a listener has just accepted: the struct hangs on it and is freed when H2O closes
 * it. NULL: its address has too many connections, and the socket was closed.
 */
struct connection *connection_open(const struct listener *listener, h2o_socket_t *socket);

/* The connection of a request or of a socket; NULL where connection_open did not make one. */
struct connection *connection_of(h2o_req_t *req);
struct connection *connection_of_socket(h2o_socket_t *socket);

/*
 * What the sockets of connections are read through: H2O's own callback, with connection_reading() telling
 * meanwhile whose bytes these are. Cuts a connection of which H2O keeps more unread bytes than any request
 * can have.
 */
void connection_read(h2o_socket_t *socket, const char *fault);
struct connection *connection_reading(void);

/* Called by the exchange when a request starts (handler entered) and ends (answered, or the client left). */
void connection_request_started(struct connection *connection);
void connection_request_ended(struct connection *connection);

/*
 * Shuts the socket down in both directions; H2O then closes it. Safe inside any callback. The reason is
 * counted, and logged at most once a second.
 */
void connection_cut(struct connection *connection, enum cut_reason reason);
/* Only counts and logs, in the same way: where H2O itself is about to close. */
void connection_complain(const struct connection *connection, enum cut_reason reason);

/* True while less than max have been counted in this second. */
bool budget_take(struct budget *budget, uint64_t now_ms, uint64_t max);
/* Gives some back, as far as they were taken in this second. */
void budget_give(struct budget *budget, uint64_t count);

/* Closes HTTP/1 connections that idle between requests, for a drain (SHUT_RD). */
void connections_close_idle(struct loop *loop);

/* Starts the sweeper of a loop: once a second it cuts what stalls (REQUEST_TIMEOUT_MS, RESPONSE_TIMEOUT_MS
 * ...). */
void sweeper_start(struct loop *loop);
void sweeper_stop(struct loop *loop);

#endif
