#include "tests/support/upstream.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(bool is_right, const char *what)
{
    if (!is_right) {
        perror(what);
        abort();
    }
}

static void peer_accept(struct upstream *upstream)
{
    const int fd = accept(upstream->listener, NULL, NULL);

    check(fd >= 0 && upstream->peer_count < UPSTREAM_CONNECTIONS_MAX, "upstream: accept");
    struct upstream_peer *peer = &upstream->peers[upstream->peer_count++];
    *peer = (struct upstream_peer){.fd = fd, .number = atomic_fetch_add(&upstream->connection_count, 1) + 1};
    peer->request.connection = peer->number;
}

static void peer_close(struct upstream *upstream, size_t place)
{
    close(upstream->peers[place].fd);
    upstream->peers[place] = upstream->peers[--upstream->peer_count];
}

/* Whole length of the request whose head is in `text`; 0: the head is not whole yet. */
static size_t length_wanted(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = strstr(text, "Content-Length: ");

    if (end == NULL)
        return 0;
    const size_t head = (size_t)(end + 4 - text);
    return length != NULL && length < end ? head + strtoul(length + 16, NULL, 10) : head;
}

static const struct upstream_line *line_for(const struct upstream *upstream, const char *request)
{
    const char *path = strchr(request, ' ');

    for (size_t i = 0; path != NULL && i < upstream->line_count; i++) {
        const size_t length = strlen(upstream->script[i].path);
        if (strncmp(path + 1, upstream->script[i].path, length) == 0 && path[1 + length] == ' ')
            return &upstream->script[i];
    }
    check(false, "upstream: no line for what was asked");
    return NULL;
}

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the client left: its right */
        bytes += sent;
        length -= (size_t)sent;
    }
}

/* Returns whether the connection stays. */
static bool peer_answer(struct upstream *upstream, struct upstream_peer *peer)
{
    const struct upstream_line *line = line_for(upstream, peer->request.text);
    const unsigned count = atomic_load(&upstream->request_count);
    char made[UPSTREAM_ANSWER_BYTES];

    check(count < UPSTREAM_REQUESTS_MAX, "upstream: too many requests");
    upstream->requests[count] = peer->request;
    atomic_store(&upstream->request_count, count + 1);
    memset(&peer->request, 0, sizeof peer->request);
    peer->request.connection = peer->number;
    peer->wanted = 0;
    if (line->make != NULL)
        send_all(peer->fd, made, line->make(upstream->requests[count].text, made, sizeof made));
    else
        send_all(peer->fd, line->answer, line->length > 0 ? line->length : strlen(line->answer));
    if (line->then == UPSTREAM_RESET)
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    return line->then == UPSTREAM_KEEP;
}

/* Clients of this server never send a second request before the first is answered. */
static bool peer_read(struct upstream *upstream, struct upstream_peer *peer)
{
    char bytes[65536];
    const ssize_t length = recv(peer->fd, bytes, sizeof bytes, 0);
    struct upstream_request *request = &peer->request;

    if (length <= 0)
        return false;
    if (request->length < sizeof request->text - 1) {
        const size_t room = sizeof request->text - 1 - request->length;
        memcpy(request->text + request->length, bytes, (size_t)length < room ? (size_t)length : room);
    }
    request->length += (size_t)length;
    if (peer->wanted == 0)
        peer->wanted = length_wanted(request->text);
    return peer->wanted == 0 || request->length < peer->wanted || peer_answer(upstream, peer);
}

static void *serve(void *argument)
{
    struct upstream *upstream = argument;

    for (;;) {
        struct pollfd fds[2 + UPSTREAM_CONNECTIONS_MAX] = {{.fd = upstream->stop_fds[0], .events = POLLIN},
                                                           {.fd = upstream->listener, .events = POLLIN}};
        const size_t peer_count = upstream->peer_count;
        for (size_t i = 0; i < peer_count; i++)
            fds[2 + i] = (struct pollfd){.fd = upstream->peers[i].fd, .events = POLLIN};
        poll(fds, 2 + peer_count, -1);
        for (size_t i = peer_count; i-- > 0;)
            if (fds[2 + i].revents != 0 && !peer_read(upstream, &upstream->peers[i]))
                peer_close(upstream, i);
        if (fds[1].revents != 0)
            peer_accept(upstream);
        if (fds[0].revents != 0)
            return NULL;
    }
}

void upstream_open(struct upstream *upstream, const struct upstream_line *script, size_t line_count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    memset(upstream, 0, sizeof *upstream);
    upstream->script = script;
    upstream->line_count = line_count;
    upstream->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(upstream->listener >= 0 && bind(upstream->listener, (struct sockaddr *)&address, length) == 0 &&
              listen(upstream->listener, UPSTREAM_CONNECTIONS_MAX) == 0 &&
              getsockname(upstream->listener, (struct sockaddr *)&address, &length) == 0,
          "upstream: listen");
    snprintf(upstream->base, sizeof upstream->base, "http://127.0.0.1:%u", ntohs(address.sin_port));
    check(pipe(upstream->stop_fds) == 0, "upstream: pipe");
    check(pthread_create(&upstream->thread, NULL, serve, upstream) == 0, "upstream: thread");
}

void upstream_close(struct upstream *upstream)
{
    check(write(upstream->stop_fds[1], "", 1) == 1, "upstream: stop");
    pthread_join(upstream->thread, NULL);
    while (upstream->peer_count > 0)
        peer_close(upstream, 0);
    close(upstream->listener);
    close(upstream->stop_fds[0]);
    close(upstream->stop_fds[1]);
}
