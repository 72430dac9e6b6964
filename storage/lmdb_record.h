/*
 * lmdb_record.h - private to storage/: the bytes of a user record. Pure.
 *
 *   offset  bytes  what (numbers are big-endian)
 *   0       1      version of this layout: 1
 *   1       1      flags: 1 administrator, 2 active; the others are 0
 *   2       8      created_at_us, two's complement
 *   10      8      updated_at_us
 *   18      8      deactivated_at_us
 *   26             username, email, password_hash, password_method: each 2 bytes of length, then its bytes
 *
 * The id is the record's key. A change of this layout takes a new version; a version is never given a second
 * meaning.
 */
#ifndef STORAGE_LMDB_RECORD_H
#define STORAGE_LMDB_RECORD_H

#include <stddef.h>

#include "storage/user.h"

#define RECORD_VERSION     1
#define RECORD_FIXED_BYTES 26
#define RECORD_MAX_BYTES                                                                             \
    (RECORD_FIXED_BYTES + 4 * 2 + USER_NAME_MAX_BYTES + USER_EMAIL_MAX_BYTES + USER_HASH_MAX_BYTES + \
     USER_METHOD_MAX_BYTES)

enum record_outcome {
    RECORD_OK,
    RECORD_DAMAGED,
    RECORD_NEWER, /* a version that this program does not know */
};

/* Writes the record into `out` and returns its length. */
size_t record_encode(const struct user *user, unsigned char out[RECORD_MAX_BYTES]);

/* Every length is checked against `length`; `out` is untouched unless RECORD_OK is returned. */
enum record_outcome record_decode(const unsigned char *bytes, size_t length, uint64_t id, struct user *out);

/* Bytes within a record. */
struct span {
    const unsigned char *at;
    size_t length;
};

/* A text, as two bytes of length and its bytes; returns the place behind it. */
unsigned char *record_put_text(unsigned char *at, const char *text, size_t max_bytes);
/* Takes the next text off the rest. False: it is not whole, too long, or holds a NUL. */
bool record_take_text(struct span *rest, struct span *text, size_t max_bytes);
void record_copy_text(char *out, const struct span *text);

/* Eight bytes, big-endian, so that keys are in the order of their numbers. */
void number_encode(uint64_t number, unsigned char out[8]);
uint64_t number_decode(const unsigned char bytes[8]);

#endif
