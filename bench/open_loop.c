/*
 * open_loop.c - an open load over HTTP/1.1: requests leave on a fixed schedule whether or not earlier ones
 * were answered, and a latency counts from the time that the schedule says, so that a stall shows in full.
 *
 *   open_loop --port=N --requests=FILE --rate=N --seconds=N [--warm-up=N] [--connections=N] [--seed=N]
 *             [--may-refuse]
 *
 * Requests are drawn at random from FILE (requests.h). Right is 200 with the expected text; with --may-refuse
 * a 503 with Retry-After is counted as refused; all else is wrong. When every connection is busy a request
 * waits, and its wait counts. What the first `warm-up` seconds offered is left out of the percentiles.
 * Prints one JSON object.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/answers.h"
#include "bench/requests.h"

#define NS_PER_S        1000000000u
#define ANSWER_MAX      8192
#define EVENTS_MAX      256
#define WAIT_MAX_NS     100000000u
#define PATIENCE_S      15 /* for answers, after the last request left */
#define CONNECTIONS_MAX 4096

struct connection {
    int fd;
    const struct request *request; /* NULL: idle */
    uint64_t scheduled_ns;
    size_t length;
    char answer[ANSWER_MAX];
};

static struct {
    unsigned port;
    double rate;
    double seconds;
    double warm_up;
    size_t connections;
    bool may_refuse;
} options = {.connections = 128};

static struct {
    struct requests requests;
    struct connection *connections;
    struct connection **idle;
    size_t idle_count;
    int epoll;
    uint64_t start_ns;
    uint64_t total;
    uint64_t sent;
    uint64_t waiting;
    uint64_t right;
    uint64_t refused;
    uint64_t wrong;
    uint64_t *latencies_ns;
    size_t latency_count;
} load;

static void open_connection(struct connection *connection)
{
    connection->fd = connect_to(options.port);
    connection->request = NULL;
    connection->length = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        abort();
    load.idle[load.idle_count++] = connection;
}

static uint64_t due_ns(uint64_t index)
{
    return load.start_ns + (uint64_t)((double)index * (double)NS_PER_S / options.rate);
}

static void count_wrong(const struct connection *connection, const char *why)
{
    if (load.wrong++ == 0)
        fprintf(stderr, "open_loop: %s: %.*s\n", why,
                (int)(connection->length < 400 ? connection->length : 400), connection->answer);
}

static void reopen(struct connection *connection)
{
    close(connection->fd);
    open_connection(connection);
}

static void send_next(void)
{
    struct connection *connection = load.idle[--load.idle_count];
    const struct request *request = requests_draw(&load.requests);

    assert(connection->request == NULL);
    connection->request = request;
    connection->scheduled_ns = due_ns(load.sent++);
    load.waiting++;
    if (send(connection->fd, request->bytes, request->length, MSG_NOSIGNAL) != (ssize_t)request->length) {
        count_wrong(connection, "a request could not be sent");
        load.waiting--;
        reopen(connection);
    }
}

static void judge(const struct connection *connection, const struct answer *answer)
{
    const struct request *request = connection->request;

    if (answer->status == 200 &&
        memmem(answer->body, answer->body_length, request->expected, request->expected_length) != NULL) {
        load.right++;
        if (connection->scheduled_ns >= load.start_ns + (uint64_t)(options.warm_up * NS_PER_S))
            load.latencies_ns[load.latency_count++] = clock_ns() - connection->scheduled_ns;
    } else if (options.may_refuse && answer->status == 503 && answer->has_retry_after) {
        load.refused++;
    } else {
        count_wrong(connection, "a wrong answer");
    }
}

static void take_answer(struct connection *connection)
{
    struct answer answer;
    const enum answer_outcome outcome = answer_read(connection->answer, connection->length, &answer);

    if (outcome == ANSWER_PARTIAL && connection->length < ANSWER_MAX)
        return;
    load.waiting--;
    if (outcome == ANSWER_WHOLE)
        judge(connection, &answer);
    else
        count_wrong(connection, "a malformed answer");
    if (outcome != ANSWER_WHOLE || answer.closes) {
        reopen(connection);
        return;
    }
    connection->request = NULL;
    connection->length = 0;
    load.idle[load.idle_count++] = connection;
}

static void leave_idle(const struct connection *connection)
{
    for (size_t i = 0; i < load.idle_count; i++)
        if (load.idle[i] == connection) {
            load.idle[i] = load.idle[--load.idle_count];
            return;
        }
}

static void on_readable(struct connection *connection)
{
    const ssize_t got = recv(connection->fd, connection->answer + connection->length,
                             ANSWER_MAX - connection->length, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0 && connection->request != NULL) {
        connection->length += (size_t)got;
        take_answer(connection);
        return;
    }
    if (connection->request != NULL) {
        load.waiting--;
        count_wrong(connection, "a connection ended before its answer");
    } else {
        leave_idle(connection);
    }
    reopen(connection);
}

static void run(void)
{
    struct epoll_event events[EVENTS_MAX];
    const uint64_t give_up_ns = load.start_ns + (uint64_t)((options.seconds + PATIENCE_S) * (double)NS_PER_S);

    for (;;) {
        const uint64_t now_ns = clock_ns();
        while (load.sent < load.total && load.idle_count > 0 && due_ns(load.sent) <= now_ns)
            send_next();
        if ((load.sent == load.total && load.waiting == 0) || now_ns > give_up_ns)
            return;

        uint64_t wait_ns = WAIT_MAX_NS;
        if (load.sent < load.total && load.idle_count > 0 && due_ns(load.sent) < now_ns + WAIT_MAX_NS)
            wait_ns = due_ns(load.sent) - now_ns;
        const struct timespec wait = {.tv_nsec = (long)wait_ns};
        const int count = epoll_pwait2(load.epoll, events, EVENTS_MAX, &wait, NULL);
        for (int i = 0; i < count; i++)
            on_readable(events[i].data.ptr);
    }
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

static void print_result(void)
{
    static const double percentiles[] = {0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.99, 100};
    const double seconds = (double)(clock_ns() - load.start_ns) / NS_PER_S;

    qsort(load.latencies_ns, load.latency_count, sizeof *load.latencies_ns, compare);
    printf("{\"offered\": %llu, \"right\": %llu, \"refused\": %llu, \"wrong\": %llu, \"unanswered\": %llu, "
           "\"seconds\": %.3f, \"counted\": %zu, \"percentiles_us\": [",
           (unsigned long long)load.total, (unsigned long long)load.right, (unsigned long long)load.refused,
           (unsigned long long)load.wrong,
           (unsigned long long)(load.total - load.right - load.refused - load.wrong), seconds,
           load.latency_count);
    for (size_t i = 0; load.latency_count > 0 && i < sizeof percentiles / sizeof percentiles[0]; i++) {
        const size_t at = (size_t)((double)(load.latency_count - 1) * percentiles[i] / 100 + 0.5);
        printf("%s[%g, %.1f]", i == 0 ? "" : ", ", percentiles[i], (double)load.latencies_ns[at] / 1000);
    }
    puts("]}");
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", 1, NULL, 'p'},    {"requests", 1, NULL, 'f'},   {"rate", 1, NULL, 'r'},
        {"seconds", 1, NULL, 's'}, {"warm-up", 1, NULL, 'w'},    {"connections", 1, NULL, 'c'},
        {"seed", 1, NULL, 'e'},    {"may-refuse", 0, NULL, 'm'}, {NULL, 0, NULL, 0},
    };
    const char *path = NULL;
    uint64_t seed = 1;

    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 'p':
            options.port = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'f':
            path = optarg;
            break;
        case 'r':
            options.rate = strtod(optarg, NULL);
            break;
        case 's':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'w':
            options.warm_up = strtod(optarg, NULL);
            break;
        case 'c':
            options.connections = strtoul(optarg, NULL, 10);
            break;
        case 'e':
            seed = strtoull(optarg, NULL, 10);
            break;
        case 'm':
            options.may_refuse = true;
            break;
        default:
            exit(2);
        }
    }
    if (path == NULL || options.port == 0 || !(options.rate > 0) || !(options.seconds > 0) ||
        options.connections == 0 || options.connections > CONNECTIONS_MAX) {
        fputs("open_loop: needs --port, --requests, --rate and --seconds\n", stderr);
        exit(2);
    }
    requests_read(&load.requests, path, seed);
}

int main(int argc, char **argv)
{
    const struct rlimit descriptors = {CONNECTIONS_MAX + 64, CONNECTIONS_MAX + 64};

    read_options(argc, argv);
    (void)setrlimit(RLIMIT_NOFILE, &descriptors);
    (void)prctl(PR_SET_TIMERSLACK, 1ul); /* ns; the schedule is kept to the microsecond */
    load.total = (uint64_t)(options.rate * options.seconds);
    load.latencies_ns = calloc(load.total + 1, sizeof *load.latencies_ns);
    load.connections = calloc(options.connections, sizeof *load.connections);
    load.idle = calloc(options.connections, sizeof *load.idle);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    assert(load.latencies_ns != NULL && load.connections != NULL && load.idle != NULL && load.epoll != -1);
    for (size_t i = 0; i < options.connections; i++)
        open_connection(&load.connections[i]);
    load.start_ns = clock_ns();
    run();
    print_result();
    return 0;
}
