/*
 * password_format.c - see password_format.h. Everything that differs between methods is a row of `formats`.
 * They are read strictly: what a row of the store says decides how long a worker is busy, and with how much
 * memory.
 */
#include "auth/password_format.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SHACRYPT_DEFAULT_ROUNDS 5000
#define SHACRYPT_MIN_ROUNDS     1000
#define SHACRYPT_MAX_ROUNDS     1000000

/* N * r (* p) of scrypt and yescrypt counts blocks of 128 bytes: this many are 128 MiB, some 0.3 s. */
#define SCRYPT_BLOCKS_MAX (UINT64_C(1) << 20)

#define BCRYPT_COST_MIN     4
#define BCRYPT_COST_MAX     15
#define BCRYPT_COST_DEFAULT 12 /* libxcrypt's own is 5 */

#define SALT_PROBE_LENGTH 16 /* a length that every method but bcrypt takes */

/* The value of a character of crypt(5)'s base 64, or -1. Its alphabet is ./0-9A-Za-z, in this order. */
static int crypt64_value(char c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 38;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 12;
    if (c >= '.' && c <= '9')
        return c - '.';
    return -1;
}

/* bcrypt has an order of its own: ./A-Za-z0-9. */
static int bcrypt64_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0' + 54;
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 28;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 2;
    return c == '.' ? 0 : c == '/' ? 1 : -1;
}

static size_t crypt64_span(const char *at)
{
    size_t length = 0;

    while (crypt64_value(at[length]) >= 0)
        length++;
    return length;
}

/*
 * yescrypt: flavour, log2 N less 1, r less 1, a character each as long as values are small. Only the flavour
 * "j" without further parameters (p = 1, t = 0, g = 0, no ROM) is taken: libxcrypt's crypt_gensalt makes no
 * other.
 */
static const char *read_yescrypt(const char *at, uint64_t *work)
{
    if (crypt64_span(at) != 3 || at[0] != 'j')
        return NULL;
    const int log2_n = crypt64_value(at[1]) + 1;
    const int r = crypt64_value(at[2]) + 1;
    if (log2_n > 30 || r > 48) /* from 48 on a value takes more characters */
        return NULL;
    *work = ((uint64_t)1 << log2_n) * (uint64_t)r;
    return at + 3;
}

/* Five characters, least significant first: 30 bits. */
static uint64_t read_crypt64_30(const char *at)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 5; i++)
        value |= (uint64_t)crypt64_value(at[i]) << (6 * i);
    assert(value < (1U << 30));
    return value;
}

/* scrypt: log2 N in one character, r and p in five each; the salt follows at once. */
static const char *read_scrypt(const char *at, uint64_t *work)
{
    if (crypt64_span(at) < 11)
        return NULL;
    const int log2_n = crypt64_value(at[0]);
    const uint64_t r = read_crypt64_30(at + 1);
    const uint64_t p = read_crypt64_30(at + 6);
    if (log2_n < 1 || log2_n > 30 || r == 0 || p == 0)
        return NULL;
    /* Each factor is bounded first, so that their product cannot overflow. */
    if (r > SCRYPT_BLOCKS_MAX || p > SCRYPT_BLOCKS_MAX / r)
        return NULL;
    *work = ((uint64_t)1 << log2_n) * r * p;
    return at + 11;
}

/*
 * bcrypt: two digits. Of the 22nd character of a salt only two bits count. libxcrypt clears the others in
 * what it returns, so a stored hash that has them set could never match: better told as unsupported.
 */
static const char *read_bcrypt(const char *at, uint64_t *work)
{
    if (at[0] < '0' || at[0] > '3' || at[1] < '0' || at[1] > '9')
        return NULL;
    *work = (uint64_t)(at[0] - '0') * 10 + (uint64_t)(at[1] - '0');
    if (*work < BCRYPT_COST_MIN || at[2] != '$' || crypt64_span(at + 3) < 22 ||
        bcrypt64_value(at[3 + 21]) % 16 != 0)
        return NULL;
    return at + 2;
}

/* sha256crypt, sha512crypt: "rounds=N" or nothing. The "$" in front of a missing one is the prefix's own. */
static const char *read_shacrypt(const char *at, uint64_t *work)
{
    static const char key[] = "rounds=";

    *work = SHACRYPT_DEFAULT_ROUNDS;
    if (strncmp(at, key, sizeof key - 1) != 0)
        return at - 1;
    at += sizeof key - 1;
    if (*at < '1' || *at > '9')
        return NULL;
    *work = 0;
    for (size_t digits = 0; *at >= '0' && *at <= '9'; at++) {
        if (++digits > 9)
            return NULL;
        *work = *work * 10 + (uint64_t)(*at - '0');
    }
    return *work < SHACRYPT_MIN_ROUNDS ? NULL : at;
}

/*
 * Strongest first, in the order of crypt(5). What is not here (DES, MD5, NT ...) is not supported. The first
 * row of a name is the one for new hashes.
 */
static const struct password_format formats[] = {
    {.name = "yescrypt",
     .prefix = "$y$",
     .rank = 6,
     .read = read_yescrypt,
     .work_max = SCRYPT_BLOCKS_MAX,
     .cost_min = 1,
     .cost_max = 8,
     .before_salt = "$",
     .salt_min = 0,
     .salt_max = 86,
     .before_digest = "$",
     .digest_length = 43},
    {.name = "gost-yescrypt",
     .prefix = "$gy$",
     .rank = 5,
     .read = read_yescrypt,
     .work_max = SCRYPT_BLOCKS_MAX,
     .cost_min = 1,
     .cost_max = 8,
     .before_salt = "$",
     .salt_min = 0,
     .salt_max = 86,
     .before_digest = "$",
     .digest_length = 43},
    {.name = "scrypt",
     .prefix = "$7$",
     .rank = 4,
     .read = read_scrypt,
     .work_max = SCRYPT_BLOCKS_MAX,
     .cost_min = 6,
     .cost_max = 8,
     .before_salt = "",
     .salt_min = 0,
     .salt_max = 86,
     .before_digest = "$",
     .digest_length = 43},
    {.name = "bcrypt",
     .prefix = "$2b$",
     .rank = 3,
     .read = read_bcrypt,
     .work_max = BCRYPT_COST_MAX,
     .cost_default = BCRYPT_COST_DEFAULT,
     .cost_min = BCRYPT_COST_MIN,
     .cost_max = BCRYPT_COST_MAX,
     .before_salt = "$",
     .salt_min = 22,
     .salt_max = 22,
     .before_digest = "",
     .digest_length = 31},
    {.name = "bcrypt",
     .prefix = "$2a$",
     .rank = 3,
     .read = read_bcrypt,
     .work_max = BCRYPT_COST_MAX,
     .cost_default = BCRYPT_COST_DEFAULT,
     .cost_min = BCRYPT_COST_MIN,
     .cost_max = BCRYPT_COST_MAX,
     .before_salt = "$",
     .salt_min = 22,
     .salt_max = 22,
     .before_digest = "",
     .digest_length = 31},
    {.name = "bcrypt",
     .prefix = "$2y$",
     .rank = 3,
     .read = read_bcrypt,
     .work_max = BCRYPT_COST_MAX,
     .cost_default = BCRYPT_COST_DEFAULT,
     .cost_min = BCRYPT_COST_MIN,
     .cost_max = BCRYPT_COST_MAX,
     .before_salt = "$",
     .salt_min = 22,
     .salt_max = 22,
     .before_digest = "",
     .digest_length = 31},
    {.name = "sha512crypt",
     .prefix = "$6$",
     .rank = 2,
     .read = read_shacrypt,
     .work_max = SHACRYPT_MAX_ROUNDS,
     .cost_min = SHACRYPT_MIN_ROUNDS,
     .cost_max = SHACRYPT_MAX_ROUNDS,
     .before_salt = "$",
     .salt_min = 1,
     .salt_max = 16,
     .before_digest = "$",
     .digest_length = 86},
    {.name = "sha256crypt",
     .prefix = "$5$",
     .rank = 1,
     .read = read_shacrypt,
     .work_max = SHACRYPT_MAX_ROUNDS,
     .cost_min = SHACRYPT_MIN_ROUNDS,
     .cost_max = SHACRYPT_MAX_ROUNDS,
     .before_salt = "$",
     .salt_min = 1,
     .salt_max = 16,
     .before_digest = "$",
     .digest_length = 43},
};

#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

static bool skip_text(const char **at, const char *text)
{
    const size_t length = strlen(text);

    if (strncmp(*at, text, length) != 0)
        return false;
    *at += length;
    return true;
}

/* Takes a hash of this method apart; false if it is incomplete, malformed or beyond the ceiling. */
static bool read_as(const struct password_format *format, const char *hash, struct password_parts *parts)
{
    const char *at = hash + strlen(format->prefix);
    const char *end = format->read(at, &parts->work);

    if (end == NULL || parts->work > format->work_max)
        return false;
    parts->format = format;
    parts->parameters = at;
    parts->parameters_length = end > at ? (size_t)(end - at) : 0;
    if (!skip_text(&end, format->before_salt))
        return false;
    if (format->before_digest[0] == '\0') /* fixed lengths, nothing between salt and digest */
        return crypt64_span(end) == format->salt_max + format->digest_length &&
               end[format->salt_max + format->digest_length] == '\0';
    const size_t salt_length = crypt64_span(end);
    if (salt_length < format->salt_min || salt_length > format->salt_max)
        return false;
    end += salt_length;
    return skip_text(&end, format->before_digest) && crypt64_span(end) == format->digest_length &&
           end[format->digest_length] == '\0';
}

bool password_parts_read(const char *hash, struct password_parts *parts)
{
    assert(hash != NULL);
    if (strnlen(hash, PASSWORD_HASH_MAX_BYTES + 1) > PASSWORD_HASH_MAX_BYTES)
        return false;
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (strncmp(hash, formats[i].prefix, strlen(formats[i].prefix)) == 0)
            return read_as(&formats[i], hash, parts);
    return false;
}

const struct password_format *password_format_find(const char *name)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

void password_label(const char *hash, char label[PASSWORD_METHOD_MAX_BYTES + 1])
{
    struct password_parts parts;
    int length;

    if (!password_parts_read(hash, &parts))
        length = snprintf(label, PASSWORD_METHOD_MAX_BYTES + 1, "?");
    else if (parts.parameters_length == 0)
        length = snprintf(label, PASSWORD_METHOD_MAX_BYTES + 1, "%srounds=%d", parts.format->prefix,
                          SHACRYPT_DEFAULT_ROUNDS);
    else
        length = snprintf(label, PASSWORD_METHOD_MAX_BYTES + 1, "%s%.*s", parts.format->prefix,
                          (int)parts.parameters_length, parts.parameters);
    assert(length > 0 && length <= PASSWORD_METHOD_MAX_BYTES);
    (void)length;
}

/* Salt and digest are all dots, zeros to every method. */
bool password_label_to_hash(const char *label, char hash[PASSWORD_HASH_MAX_BYTES + 1])
{
    char dots[PASSWORD_HASH_MAX_BYTES];
    char again[PASSWORD_METHOD_MAX_BYTES + 1];

    memset(dots, '.', sizeof dots);
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        const struct password_format *format = &formats[i];
        if (strncmp(label, format->prefix, strlen(format->prefix)) != 0)
            continue;
        const int salt_length =
            format->salt_min > SALT_PROBE_LENGTH ? (int)format->salt_min : SALT_PROBE_LENGTH;
        const int length =
            snprintf(hash, PASSWORD_HASH_MAX_BYTES + 1, "%s%s%.*s%s%.*s", label, format->before_salt,
                     salt_length, dots, format->before_digest, (int)format->digest_length, dots);
        assert(length > 0 && length <= PASSWORD_HASH_MAX_BYTES);
        (void)length;
        password_label(hash, again);
        return strcmp(again, label) == 0;
    }
    return false;
}
