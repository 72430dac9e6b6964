/*
 * guard.h - what Debian's libh2o 2.2.5 leaves open, closed: functions of the same name as libh2o's own, in
 * the executable, take their place (its cross-file calls go through the PLT) and forward with
 * dlsym(RTLD_NEXT).
 *
 *   h2o_hpack_parse_headers   header bomb: a block over HEADER_BYTES_MAX or more than HEADER_COUNT_MAX fields
 *   h2o_http2_stream_reset    rapid reset (CVE-2023-44487) and MadeYouReset (CVE-2025-8671): a rate per
 * connection h2o_http2_decode_frame    CONTINUATION in a drain (endless loop), floods of frames that carry no
 * request h2o_socket_read_start     connections are read through connection_read, which tells decode_frame
 * whose frame it is
 *
 * Frames that carry no request are all but HEADERS, and DATA of some size. A client may send
 * HTTP2_FRAMES_PER_SECOND of them, and eight more for each request it makes (WINDOW_UPDATEs, a small body):
 * so a busy connection is bounded by its requests, which cost more than frames do, and a flood by the
 * setting.
 */
#ifndef CORE_GUARD_H
#define CORE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "core/config.h"

/* Sets the limits; before any loop starts. */
void guard_configure(const struct config *config);

/* From now on a CONTINUATION frame is a protocol error; any thread. */
void guard_drain(void);

/*
 * Proves, by HTTP/2 connections to ourselves over socket pairs, that these functions are in place and do
 * their work. False: error says which is not (another libh2o, a static build); the service must not start.
 */
bool guard_self_test(char *error, size_t error_size);

#endif
