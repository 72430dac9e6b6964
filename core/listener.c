#include "core/listener.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <h2o.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/connection.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/seldom.h"
#include "core/service.h"
#include "core/socket_file.h"

#define ACCEPTS_PER_TURN 16
#define PAUSE_US         50000 /* until it is tried again, when descriptors or room are wanting */
#define INSIDE_MORE      16    /* an operator may look on when clients have taken all the room */

static int fail(const struct config_address *address, const char *reason, char *error, size_t error_size)
{
    const bool is_ipv6 = strchr(address->host, ':') != NULL;
    char text[200];

    snprintf(text, sizeof(text), "%s", reason);
    text[0] = (char)tolower((unsigned char)text[0]);
    if (address->socket_path[0] != '\0') {
        snprintf(error, error_size, "cannot listen on " CONFIG_UNIX_SCHEME "%s: %s", address->socket_path,
                 text);
        return -1;
    }
    snprintf(error, error_size, "cannot listen on %s%s%s:%u: %s", is_ipv6 ? "[" : "", address->host,
             is_ipv6 ? "]" : "", (unsigned)address->port, text);
    return -1;
}

static struct addrinfo *look_up(const struct config_address *address, const char **fault)
{
    const bool is_localhost = strcasecmp(address->host, "localhost") == 0;
    const struct addrinfo hints = {
        .ai_family = is_localhost ? AF_INET : AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *found = NULL;
    char port[8];

    snprintf(port, sizeof(port), "%u", (unsigned)address->port);
    const int result = getaddrinfo(address->host[0] == '\0' ? NULL : address->host, port, &hints, &found);
    if (result != 0) {
        *fault = result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result);
        return NULL;
    }
    assert(found != NULL);
    return found;
}

static bool prepare(int fd, const struct addrinfo *where, uint64_t tcp_user_timeout_ms)
{
    const int on = 1;
    const unsigned timeout_ms = (unsigned)tcp_user_timeout_ms; /* accepted sockets inherit it */

    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms)) == 0 &&
           bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0;
}

int listener_bind(const struct config_address *address, uint64_t tcp_user_timeout_ms, char *error,
                  size_t error_size)
{
    const char *fault = NULL;

    if (address->socket_path[0] != '\0') {
        const int local = socket_file_listen(address->socket_path, &fault);
        return local != -1 ? local : fail(address, fault, error, error_size);
    }
    struct addrinfo *found = look_up(address, &fault);
    if (found == NULL)
        return fail(address, fault, error, error_size);
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1 || !prepare(fd, found, tcp_user_timeout_ms)) {
        fault = strerror(errno);
        if (fd != -1)
            close(fd);
        fd = fail(address, fault, error, error_size);
    }
    freeaddrinfo(found);
    return fd;
}

unsigned listener_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return 0;
    const int32_t port = h2o_socket_getport((struct sockaddr *)&address);
    return port < 0 ? 0 : (unsigned)port;
}

struct log_field listener_place(int fd, const struct socket_file *file)
{
    return file->path[0] != '\0' ? LOG_STRING("socket", file->path) : LOG_NUMBER("port", listener_port(fd));
}

static void on_accept(h2o_socket_t *socket, const char *fault);

static void accept_again(struct timer *timer)
{
    struct listener *listener = H2O_STRUCT_FROM_MEMBER(struct listener, again, timer);

    h2o_socket_read_start(listener->socket, on_accept);
}

/* A listener is read level-triggered: left as it is, it would wake the loop again at once. */
static void pause_accepting(struct listener *listener, const char *reason)
{
    static struct seldom seldom;
    uint64_t unsaid;

    h2o_socket_read_stop(listener->socket);
    if (!loop_timer_is_running(&listener->again))
        loop_timer_start(listener->loop, &listener->again, PAUSE_US, accept_again);
    if (seldom_may_say(&seldom, clock_monotonic_us() / 1000, &unsaid))
        log_event(LOG_WARN, "accept_paused", LOG_STRING("reason", reason), LOG_NUMBER("unsaid", unsaid));
}

static bool has_room(const struct listener *listener)
{
    const struct service *service = listener->loop->service;
    const uint64_t room = service->connections_max + (listener->is_inside ? INSIDE_MORE : 0);

    /* Loops may meet here, and pass the limit by one connection each. */
    return atomic_load(&service->connection_count) < room;
}

/* False: nobody waits, or there is no room. */
static bool accept_one(struct listener *listener)
{
    if (!has_room(listener)) {
        pause_accepting(listener, "connections_max reached");
        return false;
    }
    errno = 0;
    h2o_socket_t *socket = h2o_evloop_socket_accept(listener->socket);
    if (socket != NULL) {
        if (connection_open(listener, socket) != NULL)
            h2o_accept(&listener->accept, socket);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause_accepting(listener, strerror(errno));
        return false;
    }
    return errno !=
           EAGAIN; /* what is wrong with one connection is told here too: ECONNABORTED ... (accept(2)) */
}

static void on_accept(h2o_socket_t *socket, const char *fault)
{
    struct listener *listener = socket->data;

    (void)fault;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++)
        if (!accept_one(listener))
            return;
}

void listener_start(struct listener *listener, int fd)
{
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    assert(listener->socket == NULL && listener->accept.hosts != NULL);
    if (own == -1) {
        fprintf(stderr, "token-relay: cannot listen: %s\n", strerror(errno));
        abort();
    }
    listener->socket = h2o_evloop_socket_create(listener->loop->evloop, own, H2O_SOCKET_FLAG_DONT_READ);
    listener->socket->data = listener;
    h2o_socket_read_start(listener->socket, on_accept);
}

void listener_stop(struct listener *listener)
{
    if (listener->socket == NULL)
        return;
    /* Those that are connected already would be reset: take them in, so that they are closed in good order.
     */
    for (int i = 0; i < ACCEPTS_PER_TURN; i++)
        if (!accept_one(listener))
            break;
    loop_timer_stop(&listener->again);
    h2o_socket_read_stop(listener->socket);
    h2o_socket_close(listener->socket);
    listener->socket = NULL;
}
