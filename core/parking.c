/*
 * parking.c - two system calls less for each HTTP/1 request. libh2o takes a connection out of epoll while its
 * request is worked on, and puts it back for the next one. Both calls go through the PLT, so functions of the
 * same name in our executable come first (as in guard.c): a connection that is taken out stays in, "parked",
 * and putting it back as it was costs nothing.
 *
 * While it is parked nobody may hear of it. Should something happen there all the same (the client pipelines,
 * or leaves), epoll_wait takes it out for good before libh2o can see it, and from then on all is as if there
 * were no parking. A parked socket is taken out before it is closed, because a duplicate of its descriptor
 * may live on (exchange_watch_socket) and would keep it in.
 *
 * All of a connection's calls come from its loop's thread. What is not a connection passes through untouched.
 * libh2o's epoll is the one that this thread waits for with epoll_wait; the relay asks its own with
 * epoll_pwait, because its events carry no socket.
 */
#include <assert.h>
#include <h2o.h>
#include <sys/epoll.h>

#include "core/connection.h"
#include "core/interpose.h"

static struct {
    __typeof__(epoll_ctl) *epoll_ctl;
    __typeof__(epoll_wait) *epoll_wait;
    __typeof__(h2o_socket_close) *socket_close;
} own;

__attribute__((constructor)) static void find_own(void)
{
    *(void **)&own.epoll_ctl = interpose_next("epoll_ctl");
    *(void **)&own.epoll_wait = interpose_next("epoll_wait");
    *(void **)&own.socket_close = interpose_next("h2o_socket_close");
}

static _Thread_local int waited_for = -1; /* libh2o's epoll on this thread */

/* Out of epoll for good, if it was only parked. */
static void unpark(struct connection *connection)
{
    if (!connection->parked)
        return;
    connection->parked = false;
    connection->polled = 0;
    (void)own.epoll_ctl(connection->epoll, EPOLL_CTL_DEL, h2o_socket_get_fd(connection->socket), NULL);
}

/* libh2o adds a parked connection again. */
static int put_back(struct connection *connection, int epoll, int fd, struct epoll_event *event)
{
    assert(connection->epoll == epoll);
    connection->parked = false;
    if (connection->polled == event->events)
        return 0;
    connection->polled = event->events;
    return own.epoll_ctl(epoll, EPOLL_CTL_MOD, fd, event);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    /* Without an event (a socket that is closed or exported) nothing tells the socket, and nothing is parked.
     */
    struct connection *connection =
        event == NULL || epoll != waited_for ? NULL : connection_of_socket(event->data.ptr);

    if (connection == NULL)
        return own.epoll_ctl(epoll, operation, fd, event);
    if (operation == EPOLL_CTL_DEL && connection->polled == EPOLLIN) {
        connection->parked = true;
        connection->epoll = epoll;
        return 0;
    }
    if (operation == EPOLL_CTL_ADD && connection->parked)
        return put_back(connection, epoll, fd, event);
    connection->polled = operation == EPOLL_CTL_DEL ? 0 : event->events;
    return own.epoll_ctl(epoll, operation, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int count_max, int timeout_ms)
{
    waited_for = epoll;
    const int count = own.epoll_wait(epoll, events, count_max, timeout_ms);
    int kept = 0;

    for (int i = 0; i < count; i++) {
        struct connection *connection = connection_of_socket(events[i].data.ptr);
        if (connection != NULL && connection->parked)
            unpark(connection);
        else
            events[kept++] = events[i];
    }
    return count < 0 ? count : kept;
}

void h2o_socket_close(h2o_socket_t *socket)
{
    struct connection *connection = connection_of_socket(socket);

    if (connection != NULL)
        unpark(connection);
    own.socket_close(socket);
}
