#include "core/connection.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/address_slot.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/memory.h"
#include "core/seldom.h"
#include "core/service.h"

/*
 * More than this H2O never needs before it takes bytes out again: a request head of 417,792 bytes and a body
 * of 64 KiB. A connection that it waits to close (after a protocol error, with unsent bytes) it reads without
 * end.
 */
#define INPUT_MAX_BYTES (1024 * 1024)

static __thread struct connection *reading;

/* What the log says; NULL: nothing. */
static const char *const reasons[CUT_REASON_COUNT] = {
    [CUT_REQUEST_SLOW] = "request not complete in time",
    [CUT_ANSWER_SLOW] = "answer not taken in time",
    [CUT_NO_REQUEST] = "no request in time",
    [CUT_IDLE] = NULL,
    [CUT_PRESSURE] = "no room for more connections",
    [CUT_ADDRESS_LIMIT] = "too many connections of one address",
    [CUT_INPUT_ENDLESS] = "sends on after the end",
    [CUT_HTTP2_HEADER_BYTES] = "HTTP/2 header block too large",
    [CUT_HTTP2_HEADER_COUNT] = "too many HTTP/2 header fields",
    [CUT_HTTP2_RESETS] = "too many HTTP/2 streams reset",
    [CUT_HTTP2_FRAMES] = "too many HTTP/2 frames without a request",
};
_Static_assert((int)CUT_REASON_COUNT == (int)METRIC_VALUES_CUT, "metrics.def knows every reason");

static uint64_t now_ms(void)
{
    return clock_monotonic_us() / 1000;
}

static void tell_cut(const struct connection *connection, const char *event, enum cut_reason reason)
{
    static struct seldom seldom;
    uint64_t unsaid;
    struct sockaddr_storage peer;
    char address[NI_MAXHOST] = "unknown";

    metrics_count(&connection->loop->metrics, METRIC_CONNECTIONS_CUT, reason);
    if (connection->loop->service == NULL || reasons[reason] == NULL)
        return; /* a self-test; not worth a line */
    if (!seldom_may_say(&seldom, now_ms(), &unsaid))
        return;
    const socklen_t length = h2o_socket_getpeername(connection->socket, (struct sockaddr *)&peer);
    if (length != 0 && peer.ss_family == AF_UNIX)
        strcpy(address, "unix");
    else if (length != 0 && h2o_socket_getnumerichost((struct sockaddr *)&peer, length, address) == SIZE_MAX)
        strcpy(address, "unknown");
    log_event(LOG_WARN, event, LOG_STRING("reason", reasons[reason]), LOG_STRING("peer", address),
              LOG_NUMBER("unsaid", unsaid));
}

static void on_socket_close(void *data)
{
    struct connection *connection = data;
    struct loop *loop = connection->loop;

    assert(connection->requests_open == 0);
    if (reading == connection)
        reading = NULL;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        loop->connections = connection->next;
    address_slot_release(connection->address);
    if (loop->service != NULL) {
        const uint64_t before = atomic_fetch_sub(&loop->service->connection_count, 1);
        assert(before > 0);
        (void)before;
    }
    free(connection);
}

static bool take_address(struct connection *connection, const struct listener *listener)
{
    const struct service *service = connection->loop->service;
    struct sockaddr_storage peer;

    if (service == NULL || !service->definition->has_envelope || listener->is_inside)
        return true; /* only the gateway meets strangers */
    if (h2o_socket_getpeername(connection->socket, (struct sockaddr *)&peer) == 0)
        return false; /* it is gone already */
    if (peer.ss_family == AF_UNIX)
        return true; /* who may open its file is no stranger, and all of them would be one address */
    connection->address =
        address_slot_take((struct sockaddr *)&peer, service->config->connections_per_address_max);
    if (connection->address == NULL)
        tell_cut(connection, "connection_refused", CUT_ADDRESS_LIMIT);
    return connection->address != NULL;
}

struct connection *connection_open(const struct listener *listener, h2o_socket_t *socket)
{
    struct connection *connection = memory_zeroed(sizeof(*connection));
    struct loop *loop = listener->loop;

    assert(socket->on_close.cb == NULL);
    connection->loop = loop;
    connection->socket = socket;
    connection->accepted_ms = connection->quiet_since_ms = now_ms();
    if (loop->service != NULL)
        atomic_fetch_add(&loop->service->connection_count, 1);
    connection->next = loop->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    loop->connections = connection;
    metrics_count(&loop->metrics, METRIC_CONNECTIONS_ACCEPTED, 0);
    socket->on_close.cb = on_socket_close;
    socket->on_close.data = connection;

    if (!take_address(connection, listener)) {
        h2o_socket_close(socket);
        return NULL;
    }
    return connection;
}

struct connection *connection_of_socket(h2o_socket_t *socket)
{
    if (socket == NULL || socket->on_close.cb != on_socket_close)
        return NULL;
    return socket->on_close.data;
}

struct connection *connection_of(h2o_req_t *req)
{
    return connection_of_socket(req->conn->callbacks->get_socket(req->conn));
}

void connection_read(h2o_socket_t *socket, const char *fault)
{
    struct connection *connection = connection_of_socket(socket);
    struct connection *outer = reading;

    assert(connection != NULL && connection->on_read != NULL);
    reading = connection;
    connection->on_read(socket, fault);
    /* Closing the socket took `reading` back: then the connection is no more. */
    if (reading == connection && socket->input->size > INPUT_MAX_BYTES)
        connection_cut(connection, CUT_INPUT_ENDLESS);
    reading = outer;
}

struct connection *connection_reading(void)
{
    return reading;
}

void connection_request_started(struct connection *connection)
{
    connection->requests_started++;
    connection->requests_open++;
}

void connection_request_ended(struct connection *connection)
{
    assert(connection->requests_open > 0);
    connection->requests_open--;
    connection->quiet_since_ms = now_ms();
}

void connection_cut(struct connection *connection, enum cut_reason reason)
{
    if (connection->cut)
        return;
    connection->cut = true;
    connection_complain(connection, reason);
    /* A peer that has closed already is as well cut: ENOTCONN. */
    (void)shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

void connection_complain(const struct connection *connection, enum cut_reason reason)
{
    tell_cut(connection, "connection_cut", reason);
}

bool budget_take(struct budget *budget, uint64_t time_ms, uint64_t max)
{
    /* A clock that was set back makes a huge difference, and so begins a new second too. */
    if (time_ms - budget->window_ms >= 1000) {
        budget->window_ms = time_ms;
        budget->count = 0;
    }
    if (budget->count >= max)
        return false;
    budget->count++;
    return true;
}

void budget_give(struct budget *budget, uint64_t count)
{
    budget->count -= count < budget->count ? count : budget->count;
}

static int close_if_idle(h2o_req_t *req, void *data)
{
    (void)data;
    if (req->timestamps.request_begin_at.tv_sec == 0) {
        h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
        if (socket != NULL)
            (void)shutdown(h2o_socket_get_fd(socket), SHUT_RD);
    }
    return 0;
}

void connections_close_idle(struct loop *loop)
{
    h2o_context_t *context = &loop->context;

    (void)context->globalconf->http1.callbacks.foreach_request(context, close_if_idle, NULL);
}
