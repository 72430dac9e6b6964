/*
 * lmdb_session_record.h - private to storage/: the bytes of a session record. Pure.
 *
 *   offset  bytes  what (numbers are big-endian)
 *   0       1      version of this layout: 1
 *   1       8      user_id
 *   9       8      created_at_us
 *   17      8      refreshed_at_us
 *   25      8      ends_at_us
 *   33      8      idle_ends_at_us
 *   41      8      issued_at_s
 *   49      8      spent_at_us
 *   57      22     access_id
 *   79      22     refresh_id
 *   101     22     spent_refresh_id; zeros: none
 *   123            client_address, user_agent: each 2 bytes of length, then its bytes
 *
 * The id is the record's key. A record's length never changes, so that a refresh needs no room. A change of
 * this layout takes a new version; a version is never given a second meaning.
 */
#ifndef STORAGE_LMDB_SESSION_RECORD_H
#define STORAGE_LMDB_SESSION_RECORD_H

#include "storage/lmdb_record.h"
#include "storage/session.h"

#define SESSION_RECORD_VERSION     1
#define SESSION_RECORD_FIXED_BYTES 123
#define SESSION_RECORD_MAX_BYTES \
    (SESSION_RECORD_FIXED_BYTES + 2 * 2 + SESSION_ADDRESS_MAX_BYTES + SESSION_USER_AGENT_MAX_BYTES)

size_t session_record_encode(const struct session *session, unsigned char out[SESSION_RECORD_MAX_BYTES]);

/* `id` has SESSION_ID_LENGTH characters. `out` is untouched unless RECORD_OK is returned. */
enum record_outcome session_record_decode(const unsigned char *bytes, size_t length, const char *id,
                                          struct session *out);

/* What every validation asks: whose session it is, and its two ends, copied into these fields of `out` only.
 */
enum record_outcome session_record_glance(const unsigned char *bytes, size_t length, struct session *out);

#endif
