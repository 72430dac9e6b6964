/*
 * password.h - password hashes, by libxcrypt (crypt(3), crypt(5)). The only file that includes <crypt.h>.
 *
 * A hasher is one thread's working memory (struct crypt_data is 32 KiB): one per worker, never shared.
 * Passwords are handed in with their length and never kept; hashes are NUL-terminated crypt(5) strings.
 */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PASSWORD_MIN_BYTES        8
#define PASSWORD_MAX_BYTES        511 /* CRYPT_MAX_PASSPHRASE_SIZE - 1 */
#define PASSWORD_BCRYPT_MAX_BYTES 72
#define PASSWORD_HASH_MAX_BYTES   255
#define PASSWORD_METHOD_MAX_BYTES 31

enum password_outcome {
    PASSWORD_MATCH,
    PASSWORD_MISMATCH,
    PASSWORD_UNSUPPORTED, /* the stored hash is malformed, of an unknown method, or too dear to be run */
    PASSWORD_FAILED,      /* libxcrypt failed (out of memory) */
};

/* How new hashes are made. Read-only after password_policy_set. */
struct password_policy {
    const char *method;                           /* "yescrypt", "bcrypt", ...: a row of the method table */
    unsigned cost;                                /* 0: the library's default */
    char label[PASSWORD_METHOD_MAX_BYTES + 1];    /* method and cost as password_label tells them */
    char dummy_hash[PASSWORD_HASH_MAX_BYTES + 1]; /* of a random password: for names that do not exist */
};

struct password_hasher;

/* Opens a thread's hasher; exits when out of memory. Close wipes it; NULL is allowed. */
struct password_hasher *password_hasher_open(void);
void password_hasher_close(struct password_hasher *hasher);

/* Gives back the memory that a memory-hard hash took (hash_memory.h); the next one takes it anew. */
void password_hasher_rest(struct password_hasher *hasher);

/*
 * Makes a policy of the settings PASSWORD_METHOD and PASSWORD_COST (0: the library's default cost; for bcrypt
 * 12, because libxcrypt's own default is 5). Hashes once. False: `error` holds one sentence.
 */
bool password_policy_set(struct password_policy *policy, const char *method, uint64_t cost, char *error,
                         size_t error_size);

/* The longest password a new hash of this policy takes: 511, or 72 for bcrypt. */
size_t password_policy_max_bytes(const struct password_policy *policy);

/*
 * Hashes `password` with a fresh salt into `out`. False when libxcrypt failed, and for a password that the
 * hash would cut short: empty, over password_policy_max_bytes, or with a NUL inside. Slow: workers only.
 */
bool password_hash(struct password_hasher *hasher, const struct password_policy *policy, const char *password,
                   size_t length, char out[PASSWORD_HASH_MAX_BYTES + 1]);

/*
 * Compares in constant time. A password that is empty, over 511 bytes or has a NUL inside matches nothing.
 * bcrypt looks at the first 72 bytes alone, as every bcrypt does. Slow: workers only.
 */
enum password_outcome password_verify(struct password_hasher *hasher, const char *password, size_t length,
                                      const char *hash);

/* True if a password may be verified against this stored hash: known method, cost within its ceiling. */
bool password_hash_is_supported(const char *hash);

/* True if `hash` is weaker than what the policy makes (another method that ranks lower, or a lower cost). */
bool password_hash_is_weaker(const char *hash, const struct password_policy *policy);

/*
 * Writes what decides the time that verifying `hash` takes - prefix and cost, without the salt, e.g.
 * "$y$j9T", "$2b$12", "$6$rounds=5000" - into label; "?" for a hash that is not supported.
 */
void password_label(const char *hash, char label[PASSWORD_METHOD_MAX_BYTES + 1]);

/* Measures one verification of the method that a label names, in microseconds; 0 where it cannot run. */
uint64_t password_measure_us(struct password_hasher *hasher, const char *label);

/* Overwrites memory in a way that the compiler keeps (explicit_bzero). */
void password_wipe(void *at, size_t length);

#endif
