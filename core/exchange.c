#include "core/exchange.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/clock.h"
#include "core/connection.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/router.h"
#include "core/service.h"

#define STATUS_CLIENT_LEFT 499

/* Lives in the request's pool, whose end tells that the client left: nothing else does (HTTP/2 reset). */
struct exchange_cell {
    struct exchange *x; /* NULL once answered */
};

void exchange_hold(struct exchange *x)
{
    assert(x->holds > 0);
    x->holds++;
}

void exchange_release(struct exchange *x)
{
    assert(x->holds > 0);
    if (--x->holds > 0)
        return;

    assert(x->req == NULL && x->cell == NULL);
    if (x->done != NULL)
        x->done(x);
    x->loop->work_count--;
    free(x);
}

static void end_request(struct exchange *x)
{
    x->cell->x = NULL;
    x->cell = NULL;
    x->req = NULL;
    x->segment = h2o_iovec_init(NULL, 0);
    metrics_add(&x->loop->metrics, METRIC_REQUESTS_IN_FLIGHT, 0, -1);
    if (x->connection != NULL)
        connection_request_ended(x->connection);
    x->connection = NULL;
}

h2o_req_t *exchange_take_request(struct exchange *x)
{
    h2o_req_t *req = x->req;

    if (req != NULL)
        end_request(x);
    return req;
}

void exchange_answered(struct exchange *x)
{
    assert(x->req == NULL);
    exchange_release(x);
}

static void tell_left(const struct exchange *x)
{
    const h2o_req_t *req = x->req;

    metrics_count(&x->loop->metrics, METRIC_REQUESTS, metrics_series_of_status(STATUS_CLIENT_LEFT));
    log_request(&(struct log_request){
        .request_id = x->id,
        .method = req->method.base,
        .method_length = req->method.len,
        .path = req->path.base,
        .path_length = req->query_at == SIZE_MAX ? req->path.len : req->query_at,
        .status = STATUS_CLIENT_LEFT,
        .duration_us = clock_monotonic_us() - x->arrived_us,
        .user_id = x->user_id,
    });
}

/* The dispose hook: the request's pool goes away. If that comes before the answer, the client left. */
static void cell_disposed(void *at)
{
    struct exchange_cell *cell = at;
    struct exchange *x = cell->x;

    if (x == NULL)
        return;
    tell_left(x);
    end_request(x);
    if (x->on_gone != NULL)
        x->on_gone(x);
    exchange_release(x);
}

h2o_iovec_t exchange_header(const struct exchange *x, const char *name, size_t *count)
{
    h2o_iovec_t value = {NULL, 0};
    const size_t name_length = strlen(name);
    ssize_t cursor = -1;

    *count = 0;
    if (x->req == NULL)
        return value;
    while ((cursor = h2o_find_header_by_str(&x->req->headers, name, name_length, cursor)) != -1)
        if ((*count)++ == 0)
            value = x->req->headers.entries[cursor].value;
    while (value.len > 0 && (value.base[0] == ' ' || value.base[0] == '\t'))
        value.base++, value.len--;
    while (value.len > 0 && (value.base[value.len - 1] == ' ' || value.base[value.len - 1] == '\t'))
        value.len--;
    return value;
}

int exchange_watch_socket(const struct exchange *x)
{
    const bool is_http1 = x->req != NULL && x->req->version < 0x200;
    const h2o_socket_t *socket = is_http1 ? x->req->conn->callbacks->get_socket(x->req->conn) : NULL;

    return socket == NULL ? -1 : fcntl(h2o_socket_get_fd((h2o_socket_t *)socket), F_DUPFD_CLOEXEC, 0);
}

bool exchange_socket_is_closed(int socket)
{
    char byte;

    return socket >= 0 && recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

size_t exchange_header_lines(const struct exchange *x, const char *name, h2o_iovec_t *out, size_t max)
{
    const size_t name_length = strlen(name);
    ssize_t cursor = -1;
    size_t count = 0;

    if (x->req == NULL)
        return 0;
    while ((cursor = h2o_find_header_by_str(&x->req->headers, name, name_length, cursor)) != -1) {
        if (count < max)
            out[count] = x->req->headers.entries[cursor].value;
        count++;
    }
    return count;
}

void exchange_peer(const struct exchange *x, char out[EXCHANGE_ADDRESS_MAX_BYTES + 1])
{
    struct sockaddr_storage peer = {0};
    const void *address = NULL;
    int family = AF_UNSPEC;

    strcpy(out, "unknown"); /* gone already: it must not pass for somebody on this machine */
    if (x->req == NULL || x->req->conn->callbacks->get_peername(x->req->conn, (void *)&peer) == 0)
        return;
    if (peer.ss_family == AF_INET) {
        family = AF_INET;
        address = &((struct sockaddr_in *)&peer)->sin_addr;
    } else if (peer.ss_family == AF_INET6) {
        const struct in6_addr *six = &((struct sockaddr_in6 *)&peer)->sin6_addr;
        const bool mapped = IN6_IS_ADDR_V4MAPPED(six);
        family = mapped ? AF_INET : AF_INET6;
        address = mapped ? &six->s6_addr[12] : &six->s6_addr[0];
    }
    if (address != NULL)
        inet_ntop(family, address, out, EXCHANGE_ADDRESS_MAX_BYTES + 1);
    else if (peer.ss_family == AF_UNIX)
        strcpy(out, "unix");
}

static bool id_is_good(h2o_iovec_t id)
{
    if (id.len == 0 || id.len > REQUEST_ID_MAX_BYTES)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        const char c = id.base[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}

static char *put_hex(char *at, uint64_t number, unsigned digits)
{
    static const char hex[] = "0123456789abcdef";

    for (unsigned i = digits; i > 0; i--) {
        at[i - 1] = hex[number & 15];
        number >>= 4;
    }
    return at + digits;
}

static unsigned hex_digits(uint64_t number)
{
    unsigned digits = 1;

    while ((number >>= 4) != 0)
        digits++;
    return digits;
}

/* Unique, not secret: 64 random bits per thread and a count. */
void exchange_make_id(char id[REQUEST_ID_MAX_BYTES + 1])
{
    static _Thread_local uint64_t prefix;
    static _Thread_local uint64_t count;

    if (prefix == 0 && getrandom(&prefix, sizeof prefix, 0) != (ssize_t)sizeof prefix)
        prefix = clock_monotonic_us();
    char *at = put_hex(id, prefix, 16);
    *at++ = '-';
    count++;
    *put_hex(at, count, hex_digits(count)) = '\0';
}

static void set_id(struct exchange *x)
{
    size_t count;
    const h2o_iovec_t sent = exchange_header(x, "x-request-id", &count);

    if (count == 1 && id_is_good(sent)) {
        memcpy(x->id, sent.base, sent.len);
        x->id[sent.len] = '\0';
    } else {
        exchange_make_id(x->id);
    }
}

static struct exchange *exchange_open(h2o_req_t *req, const struct entrance *entrance)
{
    const struct route *route = router_find(entrance, req);
    const size_t size = route != NULL && route->size != NULL ? *route->size : sizeof(struct exchange);
    struct exchange *x = memory_zeroed(size);
    struct exchange_cell *cell = h2o_mem_alloc_shared(&req->pool, sizeof *cell, cell_disposed);

    assert(size >= sizeof *x);
    x->req = req;
    x->loop = H2O_STRUCT_FROM_MEMBER(struct loop, context, req->conn->ctx);
    x->entrance = entrance;
    x->route = route;
    x->arrived_us = clock_monotonic_us();
    x->holds = 1; /* the client's */
    x->cell = cell;
    cell->x = x;
    x->loop->work_count++;
    metrics_count(&x->loop->metrics, METRIC_REQUESTS_IN_FLIGHT, 0);
    x->connection = connection_of(req);
    if (x->connection != NULL)
        connection_request_started(x->connection);
    set_id(x);
    return x;
}

int exchange_on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    const struct entrance *entrance = H2O_STRUCT_FROM_MEMBER(struct entrance, handler, handler);

    router_enter(exchange_open(req, entrance));
    return 0;
}
