/*
 * connection.h - one accepted socket, from accept to close: counted, capped, and swept when it stalls.
 * The struct hangs on the socket (h2o_socket_t.on_close.data) and survives the switch from HTTP/1.1 to HTTP/2.
 */
#ifndef CORE_CONNECTION_H
#define CORE_CONNECTION_H

#include <h2o.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct address_slot; /* how many connections one client address has, over all loops */

/* What may happen at most so often in a second: a window of one second, counted. */
struct budget {
    uint64_t window_ms;
    uint64_t count;
};

struct connection {
    struct connection *previous;
    struct connection *next;
    struct loop *loop;
    h2o_socket_t *socket;
    struct address_slot *address;
    uint64_t accepted_ms;   /* monotonic */
    uint64_t quiet_since_ms; /* when the last request ended, or the connection was accepted */
    uint64_t requests_started;
    unsigned requests_open; /* exchanges that are not answered yet */
    struct budget resets;
    struct budget frames;
    bool cut; /* shut down by us; the loop closes it in its own time */
};

/* The connection of a request; NULL in a self-test. */
struct connection *connection_of(h2o_req_t *req);

/* Called by the exchange when a request starts (handler entered) and ends (answered, or the client left). */
void connection_request_started(struct connection *connection);
void connection_request_ended(struct connection *connection);

/* Shuts the socket down in both directions; H2O then closes it. Safe inside any callback. */
void connection_cut(struct connection *connection, const char *reason);

/* True while less than max have been counted in this second. */
bool budget_take(struct budget *budget, uint64_t now_ms, uint64_t max);

/* Closes HTTP/1 connections that idle between requests, for a drain (SHUT_RD). */
void connections_close_idle(struct loop *loop);

/* Starts the sweeper of a loop: once a second it cuts what stalls (REQUEST_TIMEOUT_MS, RESPONSE_TIMEOUT_MS ...). */
void sweeper_start(struct loop *loop);
void sweeper_stop(struct loop *loop);

#endif
