/*
 * password_format.h - the formats of password hashes (crypt(5)): which are supported, and what they cost.
 * Pure text, nothing is hashed here. For password.c alone.
 */
#ifndef AUTH_PASSWORD_FORMAT_H
#define AUTH_PASSWORD_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/password.h"

/*
 * A hashing method that may be verified. Work is what grows with the time of a hash, in the method's own
 * terms: it compares hashes of one rank, and over work_max a hash is not run. Cost is what crypt_gensalt(3)
 * takes.
 */
struct password_format {
    const char *name;
    const char *prefix;
    /* Reads the parameters after the prefix. Returns where they end, or NULL if they are not well-formed. */
    const char *(*read)(const char *at, uint64_t *work);
    uint64_t work_max;
    unsigned rank;         /* greater is stronger */
    unsigned cost_default; /* 0: leave it to libxcrypt */
    unsigned cost_min;
    unsigned cost_max;
    const char *before_salt;
    size_t salt_min;
    size_t salt_max;
    const char *before_digest;
    size_t digest_length;
};

/* A hash string taken apart. */
struct password_parts {
    const struct password_format *format;
    uint64_t work;
    const char *parameters; /* inside the string that was read; sha*crypt may have none */
    size_t parameters_length;
};

/* The format that new hashes of a method have ("bcrypt": $2b$); NULL for an unknown name. */
const struct password_format *password_format_find(const char *name);

/* Takes a hash apart; false if it is of no supported format, incomplete, malformed, or over its ceiling. */
bool password_parts_read(const char *hash, struct password_parts *parts);

/* Makes up a well-formed hash, of nothing, with this label. False: there is no such label. */
bool password_label_to_hash(const char *label, char hash[PASSWORD_HASH_MAX_BYTES + 1]);

#endif
