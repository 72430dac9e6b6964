/*
 * password.c - see password.h. Which hashes there are, and what they cost, is in password_format.c.
 */
#include "auth/password.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <crypt.h>
#include <openssl/crypto.h>

#include "auth/hash_memory.h"
#include "auth/password_format.h"
#include "core/yielder.h"

struct password_hasher {
    struct crypt_data data;
    struct hash_memory memory;
    struct yielder yielder;
};

_Static_assert(PASSWORD_MAX_BYTES == CRYPT_MAX_PASSPHRASE_SIZE - 1, "the longest password is libxcrypt's");

struct password_hasher *password_hasher_open(void)
{
    struct password_hasher *hasher = calloc(1, sizeof *hasher);

    if (hasher == NULL) {
        fputs("token-relay: out of memory for hashing passwords\n", stderr);
        abort();
    }
    yielder_open(&hasher->yielder);
    return hasher;
}

void password_hasher_close(struct password_hasher *hasher)
{
    if (hasher == NULL)
        return;
    yielder_close(&hasher->yielder);
    hash_memory_rest(&hasher->memory);
    password_wipe(hasher, sizeof *hasher);
    free(hasher);
}

void password_hasher_rest(struct password_hasher *hasher)
{
    hash_memory_rest(&hasher->memory);
}

void password_wipe(void *at, size_t length)
{
    explicit_bzero(at, length);
}

/* Passwords that libxcrypt could not take as they are: no hash can match them, none is made of them. */
static bool password_is_usable(const char *password, size_t length)
{
    return length >= 1 && length <= PASSWORD_MAX_BYTES && memchr(password, '\0', length) == NULL;
}

/* Runs crypt. The result stays in the hasher until hasher_wipe; NULL on failure, errno says why. */
static const char *hasher_run(struct password_hasher *hasher, const char *password, size_t length,
                              const char *setting)
{
    struct crypt_data *data = &hasher->data;

    assert(password_is_usable(password, length));
    assert(setting[0] == '$');
    memcpy(data->input, password, length);
    data->input[length] = '\0';
    errno = 0;
    hash_memory_use(&hasher->memory);
    yielder_start(&hasher->yielder); /* here alone: whoever gives way may hold no lock */
    const char *result = crypt_rn(data->input, setting, data, (int)sizeof *data);
    const int error = errno;
    yielder_stop(&hasher->yielder);
    hash_memory_use(NULL);
    errno = error;
    password_wipe(data->input, sizeof data->input);
    assert(result == NULL || result[0] == '$');
    return result;
}

static void hasher_wipe(struct password_hasher *hasher)
{
    password_wipe(hasher->data.output, sizeof hasher->data.output);
}

bool password_hash(struct password_hasher *hasher, const struct password_policy *policy, const char *password,
                   size_t length, char out[PASSWORD_HASH_MAX_BYTES + 1])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const struct password_format *format = password_format_find(policy->method);
    struct password_parts parts;
    bool done = false;

    assert(format != NULL);
    if (!password_is_usable(password, length) || length > password_policy_max_bytes(policy))
        return false;
    const unsigned long cost = policy->cost != 0 ? policy->cost : format->cost_default;
    if (crypt_gensalt_rn(format->prefix, cost, NULL, 0, setting, (int)sizeof setting) == NULL)
        return false;
    const char *hash = hasher_run(hasher, password, length, setting);
    /* What could not be verified later is never handed out. */
    if (hash != NULL && password_parts_read(hash, &parts)) {
        memcpy(out, hash, strlen(hash) + 1);
        done = true;
    }
    hasher_wipe(hasher);
    return done;
}

enum password_outcome password_verify(struct password_hasher *hasher, const char *password, size_t length,
                                      const char *hash)
{
    struct password_parts parts;
    enum password_outcome outcome = PASSWORD_MISMATCH;

    if (!password_parts_read(hash, &parts))
        return PASSWORD_UNSUPPORTED;
    if (!password_is_usable(password, length))
        return PASSWORD_MISMATCH;
    const char *result = hasher_run(hasher, password, length, hash);
    if (result == NULL) {
        /* EINVAL: a salt that libxcrypt cannot decode. */
        outcome = errno == EINVAL ? PASSWORD_UNSUPPORTED : PASSWORD_FAILED;
    } else {
        const size_t result_length = strlen(result);
        if (result_length == strlen(hash) && CRYPTO_memcmp(result, hash, result_length) == 0)
            outcome = PASSWORD_MATCH;
    }
    hasher_wipe(hasher);
    return outcome;
}

bool password_hash_is_supported(const char *hash)
{
    struct password_parts parts;

    return password_parts_read(hash, &parts);
}

bool password_hash_is_weaker(const char *hash, const struct password_policy *policy)
{
    struct password_parts stored;
    struct password_parts wanted;

    /* The dummy hash was made by this policy: it tells the work that a cost of 0 comes to. */
    const bool policy_is_set = password_parts_read(policy->dummy_hash, &wanted);
    assert(policy_is_set);
    (void)policy_is_set;
    if (!password_parts_read(hash, &stored))
        return true;
    if (stored.format->rank != wanted.format->rank)
        return stored.format->rank < wanted.format->rank;
    return stored.work < wanted.work;
}

static uint64_t monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t password_measure_us(struct password_hasher *hasher, const char *label)
{
    static const char password[] = "a password to measure with";
    char hash[PASSWORD_HASH_MAX_BYTES + 1];

    if (strnlen(label, PASSWORD_METHOD_MAX_BYTES + 1) > PASSWORD_METHOD_MAX_BYTES ||
        !password_label_to_hash(label, hash))
        return 0;
    const uint64_t started_us = monotonic_us();
    const enum password_outcome outcome = password_verify(hasher, password, sizeof password - 1, hash);
    const uint64_t elapsed_us = monotonic_us() - started_us;
    if (outcome == PASSWORD_UNSUPPORTED || outcome == PASSWORD_FAILED)
        return 0;
    return elapsed_us > 0 ? elapsed_us : 1;
}

size_t password_policy_max_bytes(const struct password_policy *policy)
{
    return strcmp(policy->method, "bcrypt") == 0 ? PASSWORD_BCRYPT_MAX_BYTES : PASSWORD_MAX_BYTES;
}

/* 256 random bits as text without a NUL. */
static bool random_password(char out[64 + 1])
{
    unsigned char bytes[32];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    password_wipe(bytes, sizeof bytes);
    return true;
}

/* Hashes a password that nobody has, with a hasher of its own. */
static bool make_dummy_hash(struct password_policy *policy)
{
    char password[64 + 1];

    if (!random_password(password))
        return false;
    struct password_hasher *hasher = password_hasher_open();
    const bool done = password_hash(hasher, policy, password, strlen(password), policy->dummy_hash);
    password_hasher_close(hasher);
    password_wipe(password, sizeof password);
    return done;
}

bool password_policy_set(struct password_policy *policy, const char *method, uint64_t cost, char *error,
                         size_t error_size)
{
    const struct password_format *row = password_format_find(method);

    if (row == NULL) {
        snprintf(
            error, error_size,
            "PASSWORD_METHOD is none of yescrypt, gost-yescrypt, scrypt, bcrypt, sha512crypt, sha256crypt.");
        return false;
    }
    if (cost != 0 && (cost < row->cost_min || cost > row->cost_max)) {
        snprintf(error, error_size, "PASSWORD_COST for %s must be from %u to %u, or 0 for the default.",
                 row->name, row->cost_min, row->cost_max);
        return false;
    }
    memset(policy, 0, sizeof *policy);
    policy->method = row->name;
    policy->cost = (unsigned)cost;
    if (!make_dummy_hash(policy)) {
        snprintf(error, error_size, "Passwords cannot be hashed with %s: no memory or no random bytes.",
                 row->name);
        return false;
    }
    password_label(policy->dummy_hash, policy->label);
    return true;
}
