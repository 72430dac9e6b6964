#include "core/guard.h"

#include <assert.h>
#include <h2o.h>

#include "core/connection.h"
#include "core/guard_limits.h"
#include "core/interpose.h"

/* RFC 9113, section 7; H2O returns them negative. */
#define ERROR_PROTOCOL          (-1)
#define ERROR_ENHANCE_YOUR_CALM (-11)

#define FRAME_DATA         0
#define FRAME_HEADERS      1
#define FRAME_CONTINUATION 9

/* A body of 64 KiB in pieces of at least this size takes 1,024 frames. */
#define DATA_MIN_BYTES     64
#define FRAMES_PER_REQUEST 8

/*
 * What http2_internal.h declares of 2.2.5: the header itself needs khash.h, which Debian does not ship. Types
 * that are only passed on are left opaque.
 */
struct frame {
    uint32_t length;
    uint8_t type;
    uint8_t flags;
    uint32_t stream_id;
    const uint8_t *payload;
};

/* The functions of libh2o that ours stand before. */
int h2o_hpack_parse_headers(h2o_req_t *req, void *table, const uint8_t *src, size_t length,
                            int *pseudo_headers, size_t *content_length, void **digests, const char **error);
void h2o_http2_stream_reset(h2o_conn_t *conn, void *stream);
ssize_t h2o_http2_decode_frame(struct frame *frame, const uint8_t *src, size_t length, const void *settings,
                               const char **error);

static struct {
    __typeof__(h2o_hpack_parse_headers) *parse_headers;
    __typeof__(h2o_http2_stream_reset) *stream_reset;
    __typeof__(h2o_http2_decode_frame) *decode_frame;
    __typeof__(h2o_socket_read_start) *read_start;
} h2o_own;

/* Until guard_configure: what a tool's own loop has is not limited. */
struct guard_limits guard_limits = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
atomic_bool guard_is_draining;

/* Before main, so that no thread can call one of ours before it knows where to go on. */
__attribute__((constructor)) static void find_h2o_own(void)
{
    *(void **)&h2o_own.parse_headers = interpose_next("h2o_hpack_parse_headers");
    *(void **)&h2o_own.stream_reset = interpose_next("h2o_http2_stream_reset");
    *(void **)&h2o_own.decode_frame = interpose_next("h2o_http2_decode_frame");
    *(void **)&h2o_own.read_start = interpose_next("h2o_socket_read_start");
}

void guard_configure(const struct config *config)
{
    assert(config->header_bytes_max > 0 && config->header_count_max > 0);
    guard_limits = (struct guard_limits){
        .header_bytes_max = config->header_bytes_max,
        .header_count_max = config->header_count_max,
        .resets_per_second = config->http2_resets_per_second,
        .frames_per_second = config->http2_frames_per_second,
    };
}

void guard_drain(void)
{
    atomic_store(&guard_is_draining, true);
}

static void complain(h2o_req_t *req, enum cut_reason reason)
{
    struct connection *connection = connection_of(req);

    if (connection != NULL)
        connection_complain(connection, reason);
}

/* A field takes a byte on the wire once it is in the table, and 40 bytes here: the bomb. */
int h2o_hpack_parse_headers(h2o_req_t *req, void *table, const uint8_t *src, size_t length,
                            int *pseudo_headers, size_t *content_length, void **digests, const char **error)
{
    if (length > guard_limits.header_bytes_max) {
        complain(req, CUT_HTTP2_HEADER_BYTES);
        *error = "header block too large";
        return ERROR_ENHANCE_YOUR_CALM;
    }
    const int result =
        h2o_own.parse_headers(req, table, src, length, pseudo_headers, content_length, digests, error);
    if (req->headers.size > guard_limits.header_count_max) {
        complain(req, CUT_HTTP2_HEADER_COUNT);
        *error = "too many header fields";
        return ERROR_ENHANCE_YOUR_CALM;
    }
    return result;
}

/* Called for RST_STREAM frames, and where a client's fault made H2O reset a stream itself. */
void h2o_http2_stream_reset(h2o_conn_t *conn, void *stream)
{
    struct connection *connection = connection_of_socket(conn->callbacks->get_socket(conn));

    if (connection != NULL &&
        !budget_take(&connection->resets, h2o_now(conn->ctx->loop), guard_limits.resets_per_second))
        connection_cut(connection, CUT_HTTP2_RESETS);
    h2o_own.stream_reset(conn, stream);
}

static bool carries_request(const struct frame *frame)
{
    if (frame->type == FRAME_DATA)
        return frame->length >= DATA_MIN_BYTES;
    return frame->type == FRAME_HEADERS;
}

/* False: too many frames that carry no request. */
static bool take_frame(struct connection *connection, const struct frame *frame)
{
    if (frame->type == FRAME_HEADERS)
        budget_give(&connection->frames, FRAMES_PER_REQUEST);
    if (carries_request(frame))
        return true;
    h2o_loop_t *loop = h2o_socket_get_loop(connection->socket);
    return budget_take(&connection->frames, h2o_now(loop), guard_limits.frames_per_second);
}

ssize_t h2o_http2_decode_frame(struct frame *frame, const uint8_t *src, size_t length, const void *settings,
                               const char **error)
{
    const ssize_t result = h2o_own.decode_frame(frame, src, length, settings, error);
    struct connection *connection = connection_reading();

    if (result < 0)
        return result; /* incomplete, or wrong */
    if (frame->type == FRAME_CONTINUATION && atomic_load(&guard_is_draining)) {
        /* In a connection that ends, H2O takes such a frame for no bytes, and reads it for ever. */
        *error = "CONTINUATION while shutting down";
        return ERROR_PROTOCOL;
    }
    if (connection != NULL && !take_frame(connection, frame)) {
        connection_complain(connection, CUT_HTTP2_FRAMES);
        *error = "too many frames";
        return ERROR_ENHANCE_YOUR_CALM;
    }
    return result;
}

void h2o_socket_read_start(h2o_socket_t *socket, h2o_socket_cb on_read)
{
    struct connection *connection = connection_of_socket(socket);

    if (connection != NULL) {
        connection->on_read = on_read;
        on_read = connection_read;
    }
    h2o_own.read_start(socket, on_read);
}
