/*
 * streams.c - a closed load over HTTP/2, in the clear: every connection keeps a number of streams busy.
 * h2load gives every request the same headers; here each carries a token drawn at random, as a client of many
 * users would.
 *
 *   streams PORT REQUESTS CONNECTIONS STREAMS SECONDS SEED
 *
 * REQUESTS holds header blocks (requests.h, RFC 7541) that leave the dynamic table alone. Right is an answer
 * whose first field is `:status: 200` and whose data holds the expected text. Prints one JSON object.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/requests.h"

#define NS_PER_S        1000000000u
#define FRAME_HEADER    9
#define FRAME_MAX       16384
#define INPUT_MAX       (4u * (FRAME_HEADER + FRAME_MAX))
#define OUTPUT_MAX      (1u << 18)
#define STREAMS_MAX     256
#define CONNECTIONS_MAX 1024
#define WINDOW_BYTES    0x3fffffffu
#define STATUS_200      0x88 /* the static table's entry, RFC 7541, appendix A */
#define EVENTS_MAX      64
#define WAIT_MS         100

enum frame_type { FRAME_DATA = 0, FRAME_HEADERS = 1, FRAME_RESET = 3, FRAME_SETTINGS = 4, FRAME_GOAWAY = 7 };
enum frame_flag { FLAG_END_STREAM = 1, FLAG_ACK = 1, FLAG_END_HEADERS = 4 };

struct stream {
    uint32_t id; /* 0: unused */
    const struct request *request;
    bool is_200;
    bool is_right;
};

struct connection {
    int fd;
    uint32_t next_id;
    uint64_t data_bytes; /* taken since the window was last opened */
    size_t input_length;
    size_t output_length;
    struct stream streams[STREAMS_MAX];
    unsigned char input[INPUT_MAX];
    unsigned char output[OUTPUT_MAX];
};

static struct requests requests;
static unsigned streams_per_connection;
static uint64_t right_count;
static uint64_t wrong_count;
static uint64_t end_ns;

static void put_frame_header(struct connection *connection, size_t length, enum frame_type type,
                             unsigned flags, uint32_t id)
{
    unsigned char *at = connection->output + connection->output_length;

    assert(connection->output_length + FRAME_HEADER + length <= OUTPUT_MAX);
    at[0] = (unsigned char)(length >> 16);
    at[1] = (unsigned char)(length >> 8);
    at[2] = (unsigned char)length;
    at[3] = (unsigned char)type;
    at[4] = (unsigned char)flags;
    at[5] = (unsigned char)(id >> 24);
    at[6] = (unsigned char)(id >> 16);
    at[7] = (unsigned char)(id >> 8);
    at[8] = (unsigned char)id;
    connection->output_length += FRAME_HEADER;
}

static void put(struct connection *connection, const void *bytes, size_t length)
{
    assert(connection->output_length + length <= OUTPUT_MAX);
    memcpy(connection->output + connection->output_length, bytes, length);
    connection->output_length += length;
}

static void open_window(struct connection *connection)
{
    const unsigned char bytes[4] = {WINDOW_BYTES >> 24, (WINDOW_BYTES >> 16) & 0xff,
                                    (WINDOW_BYTES >> 8) & 0xff, WINDOW_BYTES & 0xff};

    put_frame_header(connection, sizeof bytes, (enum frame_type)8, 0, 0);
    put(connection, bytes, sizeof bytes);
    connection->data_bytes = 0;
}

static void ask(struct connection *connection, struct stream *stream)
{
    const struct request *request = requests_draw(&requests);

    *stream = (struct stream){.id = connection->next_id, .request = request};
    connection->next_id += 2;
    put_frame_header(connection, request->length, FRAME_HEADERS, FLAG_END_STREAM | FLAG_END_HEADERS,
                     stream->id);
    put(connection, request->bytes, request->length);
}

static struct stream *find(struct connection *connection, uint32_t id)
{
    for (unsigned i = 0; i < streams_per_connection; i++)
        if (connection->streams[i].id == id)
            return &connection->streams[i];
    return NULL;
}

static void end_stream(struct connection *connection, struct stream *stream)
{
    if (stream->is_200 && stream->is_right)
        right_count++;
    else
        wrong_count++;
    stream->id = 0;
    if (clock_ns() < end_ns)
        ask(connection, stream);
}

static void on_frame(struct connection *connection, unsigned type, unsigned flags, uint32_t id,
                     const unsigned char *bytes, size_t length)
{
    struct stream *stream = id == 0 ? NULL : find(connection, id);

    if (type == FRAME_SETTINGS && (flags & FLAG_ACK) == 0)
        put_frame_header(connection, 0, FRAME_SETTINGS, FLAG_ACK, 0);
    if (type == FRAME_GOAWAY) {
        fputs("streams: the server ended a connection\n", stderr);
        exit(1);
    }
    if (stream == NULL)
        return;
    if (type == FRAME_HEADERS)
        stream->is_200 = length > 0 && bytes[0] == STATUS_200;
    if (type == FRAME_DATA) {
        connection->data_bytes += length;
        if (memmem(bytes, length, stream->request->expected, stream->request->expected_length) != NULL)
            stream->is_right = true;
    }
    if (type == FRAME_RESET ||
        ((type == FRAME_HEADERS || type == FRAME_DATA) && (flags & FLAG_END_STREAM) != 0))
        end_stream(connection, stream);
}

/* Handles whole frames, keeps the rest. */
static void take_frames(struct connection *connection)
{
    const unsigned char *at = connection->input;
    size_t left = connection->input_length;

    while (left >= FRAME_HEADER) {
        const size_t length = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        if (length > FRAME_MAX) {
            fputs("streams: a frame is too large\n", stderr);
            exit(1);
        }
        if (left < FRAME_HEADER + length)
            break;
        const uint32_t id =
            ((uint32_t)at[5] << 24 | (uint32_t)at[6] << 16 | (uint32_t)at[7] << 8 | at[8]) & 0x7fffffffu;
        on_frame(connection, at[3], at[4], id, at + FRAME_HEADER, length);
        at += FRAME_HEADER + length;
        left -= FRAME_HEADER + length;
    }
    memmove(connection->input, at, left);
    connection->input_length = left;
    if (connection->data_bytes > WINDOW_BYTES / 2)
        open_window(connection);
}

static void flush(struct connection *connection)
{
    size_t sent = 0;

    while (sent < connection->output_length) {
        const ssize_t count =
            send(connection->fd, connection->output + sent, connection->output_length - sent, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN && errno != EINTR) {
            perror("streams: a connection ended");
            exit(1);
        }
        /* The server reads whatever it writes: a full socket is a matter of moments. */
        sent += count > 0 ? (size_t)count : 0;
    }
    connection->output_length = 0;
}

static void on_readable(struct connection *connection)
{
    const ssize_t got = recv(connection->fd, connection->input + connection->input_length,
                             INPUT_MAX - connection->input_length, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        fputs("streams: the server closed a connection\n", stderr);
        exit(1);
    }
    connection->input_length += (size_t)got;
    take_frames(connection);
    flush(connection);
}

static struct connection *open_connection(int epoll, unsigned port)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    struct connection *connection = calloc(1, sizeof *connection);

    assert(connection != NULL);
    connection->fd = connect_to(port);
    connection->next_id = 1;
    put(connection, preface, sizeof preface - 1);
    put_frame_header(connection, 0, FRAME_SETTINGS, 0, 0);
    open_window(connection);
    for (unsigned i = 0; i < streams_per_connection; i++)
        ask(connection, &connection->streams[i]);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        abort();
    return connection;
}

int main(int argc, char **argv)
{
    static struct connection *connections[CONNECTIONS_MAX];
    struct epoll_event events[EVENTS_MAX];

    if (argc != 7) {
        fputs("usage: streams PORT REQUESTS CONNECTIONS STREAMS SECONDS SEED\n", stderr);
        return 2;
    }
    const unsigned long count = strtoul(argv[3], NULL, 10);
    streams_per_connection = (unsigned)strtoul(argv[4], NULL, 10);
    if (count == 0 || count > CONNECTIONS_MAX || streams_per_connection == 0 ||
        streams_per_connection > STREAMS_MAX)
        return 2;
    requests_read(&requests, argv[2], strtoull(argv[6], NULL, 10));

    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned long i = 0; i < count; i++)
        connections[i] = open_connection(epoll, (unsigned)strtoul(argv[1], NULL, 10));
    const uint64_t start_ns = clock_ns();
    end_ns = start_ns + (uint64_t)(strtod(argv[5], NULL) * NS_PER_S);
    for (unsigned long i = 0; i < count; i++)
        flush(connections[i]);
    while (clock_ns() < end_ns) {
        const int ready = epoll_wait(epoll, events, EVENTS_MAX, WAIT_MS);
        for (int i = 0; i < ready; i++)
            on_readable(events[i].data.ptr);
    }
    const double seconds = (double)(clock_ns() - start_ns) / NS_PER_S;
    printf("{\"requests\": %llu, \"wrong\": %llu, \"seconds\": %.3f, \"requests_per_second\": %.1f}\n",
           (unsigned long long)right_count, (unsigned long long)wrong_count, seconds,
           (double)right_count / seconds);
    return 0;
}
