/*
 * guard_self_test.c - four attacks on ourselves, each over a socket pair and a loop of our own, before there
 * is any other loop. Where a function of guard.c is not in place, H2O answers as it would: with a 404 and no
 * complaint.
 */
#include <assert.h>
#include <errno.h>
#include <h2o.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/connection.h"
#include "core/guard.h"
#include "core/guard_limits.h"
#include "core/loop.h"

#define TURNS_MAX 32 /* everything is there at once: a few turns do */

enum { HEADERS = 1, RST_STREAM = 3, PING = 6, GOAWAY = 7, CONTINUATION = 9 };
enum { END_STREAM = 1, END_HEADERS = 4 };
enum { PROTOCOL_ERROR = 1, ENHANCE_YOUR_CALM = 11 };

static const struct guard_limits trial_limits = {
    .header_bytes_max = 1024,
    .header_count_max = 8,
    .resets_per_second = 4,
    .frames_per_second = 16,
};

/* GET / http, by the static table of HPACK (RFC 7541, appendix A), and a field "a: b" as a literal. */
static const uint8_t request_block[] = {0x82, 0x84, 0x86};
static const uint8_t field[] = {0x00, 0x01, 'a', 0x01, 'b'};

struct bytes {
    size_t length;
    uint8_t at[2048];
};

static void put(struct bytes *bytes, const void *from, size_t length)
{
    assert(bytes->length + length <= sizeof(bytes->at));
    memcpy(bytes->at + bytes->length, from, length);
    bytes->length += length;
}

static void put_frame(struct bytes *bytes, uint8_t type, uint8_t flags, uint8_t stream, const void *payload,
                      size_t length)
{
    const uint8_t head[9] = {0, (uint8_t)(length >> 8), (uint8_t)length, type, flags, 0, 0, 0, stream};

    put(bytes, head, sizeof(head));
    put(bytes, payload, length);
}

static void put_header_bomb(struct bytes *bytes)
{
    struct bytes block = {0};

    put(&block, request_block, sizeof(request_block));
    for (uint64_t i = 0; i <= trial_limits.header_count_max; i++)
        put(&block, field, sizeof(field));
    put_frame(bytes, HEADERS, END_HEADERS | END_STREAM, 1, block.at, block.length);
}

static void put_rapid_reset(struct bytes *bytes)
{
    static const uint8_t cancel[4] = {0, 0, 0, 8};

    for (uint64_t i = 0; i <= trial_limits.resets_per_second; i++) {
        const uint8_t stream = (uint8_t)(2 * i + 1);
        put_frame(bytes, HEADERS, END_HEADERS, stream, request_block, sizeof(request_block));
        put_frame(bytes, RST_STREAM, 0, stream, cancel, sizeof(cancel));
    }
}

static void put_ping_flood(struct bytes *bytes)
{
    static const uint8_t data[8];

    for (uint64_t i = 0; i <= trial_limits.frames_per_second; i++)
        put_frame(bytes, PING, 0, 0, data, sizeof(data));
}

static void put_continuation(struct bytes *bytes)
{
    put_frame(bytes, HEADERS, END_STREAM, 1, request_block, sizeof(request_block));
    put_frame(bytes, CONTINUATION, END_HEADERS, 1, field, sizeof(field));
}

static const struct trial {
    const char *function; /* that is not in place if it fails */
    void (*put)(struct bytes *bytes);
    bool draining;
    unsigned goaway; /* the error code H2O must close with; 0: closes without */
} trials[] = {
    {"h2o_hpack_parse_headers", put_header_bomb, false, ENHANCE_YOUR_CALM},
    {"h2o_http2_stream_reset", put_rapid_reset, false, 0},
    {"h2o_http2_decode_frame", put_continuation, true, PROTOCOL_ERROR},
    {"h2o_socket_read_start", put_ping_flood, false, ENHANCE_YOUR_CALM},
};

/* Lets the loop work until our end of the pair is closed; *answer gets what came. */
static bool read_to_end(struct loop *loop, int fd, struct bytes *answer)
{
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        (void)h2o_evloop_run(loop->evloop, 0);
        const size_t room = sizeof(answer->at) - answer->length;
        const ssize_t got = read(fd, answer->at + answer->length, room);
        if (got == 0 || (got == -1 && errno == ECONNRESET))
            return true;
        if (got > 0)
            answer->length += (size_t)got;
    }
    return false;
}

/* The error code of the first GOAWAY frame; 0: there is none. */
static unsigned find_goaway(const struct bytes *answer)
{
    size_t at = 0;

    while (at + 17 <= answer->length) {
        const uint8_t *frame = answer->at + at;
        if (frame[3] == GOAWAY)
            return frame[16]; /* the last byte of the code, which is a small number */
        at += 9 + ((size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2]);
    }
    return 0;
}

static bool run_trial(struct loop *loop, const struct trial *trial)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    struct bytes question = {0};
    struct bytes answer = {0};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return false;
    h2o_socket_t *socket =
        h2o_evloop_socket_create(loop->evloop, ends[0], H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    (void)connection_open(&loop->listener, socket);
    h2o_accept(&loop->listener.accept, socket);

    put(&question, preface, sizeof(preface) - 1);
    put_frame(&question, 4 /* SETTINGS */, 0, 0, "", 0);
    trial->put(&question);
    atomic_store(&guard_is_draining, trial->draining);
    bool passed = write(ends[1], question.at, question.length) == (ssize_t)question.length &&
                  read_to_end(loop, ends[1], &answer) && find_goaway(&answer) == trial->goaway;
    atomic_store(&guard_is_draining, false);

    close(ends[1]);
    for (int turn = 0; turn < TURNS_MAX && loop->connections != NULL; turn++)
        (void)h2o_evloop_run(loop->evloop, 0);
    return passed && loop->connections == NULL;
}

bool guard_self_test(char *error, size_t error_size)
{
    const struct guard_limits limits = guard_limits;
    const struct trial *failed = NULL;
    struct loop loop = {0};
    h2o_globalconf_t conf;

    assert(!atomic_load(&guard_is_draining));
    h2o_config_init(&conf);
    (void)h2o_config_register_host(&conf, h2o_iovec_init(H2O_STRLIT("self-test")), 65535);
    loop_open(&loop, NULL, 0, &conf);
    guard_limits = trial_limits;
    for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]) && failed == NULL; i++)
        if (!run_trial(&loop, &trials[i]))
            failed = &trials[i];
    guard_limits = limits;
    if (failed != NULL) {
        snprintf(
            error, error_size,
            "libh2o is not guarded: our %s is not called or does not do its work (another version of libh2o, "
            "or a static build?)",
            failed->function);
        return false; /* the process ends: what the loop holds ends with it */
    }
    loop_close(&loop);
    h2o_config_dispose(&conf);
    return true;
}
