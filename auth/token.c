/*
 * token.c - see token.h. What libjwt 1.10 leaves open is closed here: it takes an algorithm in any letter
 * case and of any strength, accepts everything when handed no key, ignores `crit`, answers 0 for a number
 * that is none, and judges no claim at all.
 */
#include "auth/token.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <jwt.h>

#include "auth/contract.h"

/* The secret in the example settings of the system that this one replaces. */
#define EXAMPLE_SECRET "Secret_Key-2024"

/* The largest integer that JSON readers with double numbers keep exact: 2^53 (RFC 8259, section 6). */
#define TOKEN_USER_ID_MAX (INT64_C(1) << 53)

#define TOKEN_ID_RANDOM_BYTES 16

_Static_assert(TOKEN_MAX_BYTES == AUTH_TOKEN_MAX_BYTES, "one limit for callers and for us");
_Static_assert(sizeof(long) == sizeof(int64_t), "libjwt hands integers over as long");
_Static_assert(TOKEN_ID_BYTES == (TOKEN_ID_RANDOM_BYTES * 8 + 5) / 6, "base64url without padding");

static const char *use_name(enum token_use use)
{
    return use == TOKEN_ACCESS ? "access" : "refresh";
}

/* libjwt takes a token without checking it when it is handed no key: no call may go there with a short one.
 */
static void assert_key(const unsigned char *key, size_t length)
{
    assert(key != NULL);
    assert(length >= TOKEN_KEY_MIN_BYTES && length <= TOKEN_KEY_MAX_BYTES);
    if (length < TOKEN_KEY_MIN_BYTES || length > TOKEN_KEY_MAX_BYTES)
        abort(); /* where assertions are compiled out */
}

static bool secret_is_good(const char *name, const char *secret, char *error, size_t error_size)
{
    static const char advice[] = "make one with: openssl rand -base64 48";
    const size_t length = strlen(secret);

    if (strcmp(secret, EXAMPLE_SECRET) == 0)
        snprintf(error, error_size, "%s is the published example secret; %s", name, advice);
    else if (length < TOKEN_KEY_MIN_BYTES)
        snprintf(error, error_size, "%s has %zu bytes, at least %d are needed; %s", name, length,
                 TOKEN_KEY_MIN_BYTES, advice);
    else if (length > TOKEN_KEY_MAX_BYTES)
        snprintf(error, error_size, "%s has %zu bytes, at most %d are taken; %s", name, length,
                 TOKEN_KEY_MAX_BYTES, advice);
    else
        return true;
    return false;
}

bool token_keys_set(struct token_keys *keys, const char *current, const char *previous, char *error,
                    size_t error_size)
{
    if (!secret_is_good("SECRET_KEY", current != NULL ? current : "", error, error_size))
        return false;
    if (previous != NULL && previous[0] == '\0')
        previous = NULL;
    if (previous != NULL && !secret_is_good("SECRET_KEY_PREVIOUS", previous, error, error_size))
        return false;
    memset(keys, 0, sizeof *keys);
    keys->current_length = strlen(current);
    memcpy(keys->current, current, keys->current_length);
    if (previous != NULL) {
        keys->previous_length = strlen(previous);
        memcpy(keys->previous, previous, keys->previous_length);
    }
    return true;
}

void token_keys_wipe(struct token_keys *keys)
{
    explicit_bzero(keys, sizeof *keys);
}

bool token_id_make(char id[TOKEN_ID_BYTES + 1])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[TOKEN_ID_RANDOM_BYTES + 1] = {0};

    /* Up to 256 bytes come whole or not at all (getrandom(2)). */
    if (getrandom(bytes, TOKEN_ID_RANDOM_BYTES, 0) != TOKEN_ID_RANDOM_BYTES)
        return false;
    for (size_t i = 0; i < TOKEN_ID_BYTES; i++) {
        const size_t bit = i * 6;
        const unsigned two = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
        id[i] = alphabet[(two >> (10 - bit % 8)) & 63];
    }
    id[TOKEN_ID_BYTES] = '\0';
    return true;
}

/* For identifiers: 1 to TOKEN_ID_BYTES base64url characters. */
static bool is_token_id(const char *text)
{
    size_t length = 0;

    for (; text[length] != '\0'; length++) {
        const char c = text[length];
        if (length == TOKEN_ID_BYTES)
            return false;
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_'))
            return false;
    }
    return length > 0;
}

static bool add_claims(jwt_t *jwt, const struct token_claims *claims)
{
    return jwt_add_grant(jwt, "sub", claims->subject) == 0 &&
           jwt_add_grant_int(jwt, "uid", (long)claims->user_id) == 0 &&
           jwt_add_grant(jwt, "sid", claims->session_id) == 0 &&
           jwt_add_grant(jwt, "jti", claims->token_id) == 0 &&
           jwt_add_grant_int(jwt, "iat", claims->issued_at_s) == 0 &&
           jwt_add_grant_int(jwt, "exp", claims->expires_at_s) == 0 &&
           jwt_add_grant(jwt, "use", use_name(claims->use)) == 0 &&
           (claims->use == TOKEN_ACCESS || jwt_add_grant(jwt, "aud", TOKEN_REFRESH_AUDIENCE) == 0);
}

enum token_outcome token_issue(const struct token_keys *keys, const struct token_claims *claims,
                               char out[TOKEN_MAX_BYTES + 1])
{
    jwt_t *jwt = NULL;
    char *token = NULL;
    enum token_outcome outcome = TOKEN_FAILED;

    assert_key(keys->current, keys->current_length);
    assert(claims->subject[0] != '\0');
    assert(claims->user_id >= 1 && claims->user_id <= TOKEN_USER_ID_MAX);
    assert(is_token_id(claims->session_id) && is_token_id(claims->token_id));
    assert(claims->issued_at_s >= 0 && claims->expires_at_s >= 0);
    if (jwt_new(&jwt) != 0)
        return TOKEN_FAILED;
    if (add_claims(jwt, claims) &&
        jwt_set_alg(jwt, JWT_ALG_HS256, keys->current, (int)keys->current_length) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    if (token == NULL)
        return TOKEN_FAILED;
    const size_t length = strlen(token);
    if (auth_token_has_shape(token, length)) { /* also: not over TOKEN_MAX_BYTES */
        memcpy(out, token, length + 1);
        outcome = TOKEN_VALID;
    }
    explicit_bzero(token, length);
    free(token);
    return outcome;
}

/* The header of a token whose signature is right, as it must be: our algorithm, spelt so; nothing critical.
 */
static bool header_is_ours(jwt_t *jwt)
{
    if (jwt_get_alg(jwt) != JWT_ALG_HS256)
        return false;
    /* RFC 7515, section 4.1.1: case-sensitive. libjwt compares without regard to case. */
    const char *algorithm = jwt_get_header(jwt, "alg");
    if (algorithm == NULL || strcmp(algorithm, "HS256") != 0)
        return false;
    /* Section 4.1.9: optional; libjwt has seen to it that a string says JWT, but lets other types pass. */
    errno = 0;
    if (jwt_get_header(jwt, "typ") == NULL && errno != ENOENT)
        return false;
    /* Section 4.1.11: extensions that must be understood; none is. */
    errno = 0;
    return jwt_get_header(jwt, "crit") == NULL && errno == ENOENT;
}

/* Decodes and checks the signature with one key. TOKEN_VALID: *jwt is set, and the caller's to free. */
static enum token_outcome decode_with(const unsigned char *key, size_t key_length, const char *token,
                                      jwt_t **jwt)
{
    assert_key(key, key_length);
    *jwt = NULL;
    const int failure = jwt_decode(jwt, token, key, (int)key_length);
    if (failure != 0) {
        assert(*jwt == NULL);
        return failure == ENOMEM ? TOKEN_FAILED : TOKEN_INVALID;
    }
    if (header_is_ours(*jwt))
        return TOKEN_VALID;
    jwt_free(*jwt);
    *jwt = NULL;
    return TOKEN_INVALID;
}

static enum token_outcome decode(const struct token_keys *keys, const char *token, size_t length, jwt_t **jwt)
{
    char text[TOKEN_MAX_BYTES + 1];

    assert(length <= TOKEN_MAX_BYTES);
    memcpy(text, token, length);
    text[length] = '\0';
    enum token_outcome outcome = decode_with(keys->current, keys->current_length, text, jwt);
    if (outcome == TOKEN_INVALID && keys->previous_length > 0)
        outcome = decode_with(keys->previous, keys->previous_length, text, jwt);
    explicit_bzero(text, length);
    return outcome;
}

enum claim_state { CLAIM_ABSENT, CLAIM_WRONG, CLAIM_RIGHT };

static enum claim_state claim_text(jwt_t *jwt, const char *name, const char **text)
{
    errno = 0;
    *text = jwt_get_grant(jwt, name);
    if (*text != NULL)
        return CLAIM_RIGHT;
    return errno == ENOENT ? CLAIM_ABSENT : CLAIM_WRONG;
}

/* libjwt answers 0 for a value of another type; whether it is a 0 shows its JSON text. */
static enum claim_state claim_integer(jwt_t *jwt, const char *name, int64_t *value)
{
    errno = 0;
    *value = jwt_get_grant_int(jwt, name);
    if (*value == -1 && errno == ENOENT)
        return CLAIM_ABSENT;
    if (*value != 0)
        return CLAIM_RIGHT;
    char *json = jwt_get_grants_json(jwt, name);
    const bool is_zero = json != NULL && strcmp(json, "0") == 0;
    free(json);
    return is_zero ? CLAIM_RIGHT : CLAIM_WRONG;
}

static bool claim_is_text(jwt_t *jwt, const char *name, const char *wanted)
{
    const char *text;

    return claim_text(jwt, name, &text) == CLAIM_RIGHT && strcmp(text, wanted) == 0;
}

static bool read_id(jwt_t *jwt, const char *name, char id[TOKEN_ID_BYTES + 1])
{
    const char *text;

    if (claim_text(jwt, name, &text) != CLAIM_RIGHT || !is_token_id(text))
        return false;
    memcpy(id, text, strlen(text) + 1);
    return true;
}

static bool read_subject(jwt_t *jwt, char subject[USER_NAME_MAX_BYTES + 1])
{
    const char *text;

    if (claim_text(jwt, "sub", &text) != CLAIM_RIGHT)
        return false;
    const size_t length = strlen(text);
    if (length == 0 || length > USER_NAME_MAX_BYTES)
        return false;
    memcpy(subject, text, length + 1);
    return true;
}

static bool read_user_id(jwt_t *jwt, uint64_t *user_id)
{
    int64_t value;

    if (claim_integer(jwt, "uid", &value) != CLAIM_RIGHT || value < 1 || value > TOKEN_USER_ID_MAX)
        return false;
    *user_id = (uint64_t)value;
    return true;
}

/* An access token has no audience, so that a library that insists on checking one takes it. */
static bool audience_is_right(jwt_t *jwt, enum token_use use)
{
    const char *text;

    if (use == TOKEN_REFRESH)
        return claim_is_text(jwt, "aud", TOKEN_REFRESH_AUDIENCE);
    return claim_text(jwt, "aud", &text) == CLAIM_ABSENT;
}

/*
 * An `iat` in the future is accepted: clocks of machines differ, and a small step back of one of them must
 * not end every session. `nbf` (RFC 7519, section 4.1.5), which we never set ourselves, is obeyed.
 */
static bool times_are_right(jwt_t *jwt, int64_t now_s, struct token_claims *claims)
{
    int64_t not_before_s;
    const enum claim_state not_before = claim_integer(jwt, "nbf", &not_before_s);

    return claim_integer(jwt, "iat", &claims->issued_at_s) == CLAIM_RIGHT && claims->issued_at_s >= 0 &&
           claim_integer(jwt, "exp", &claims->expires_at_s) == CLAIM_RIGHT && claims->expires_at_s >= 0 &&
           (not_before == CLAIM_ABSENT || (not_before == CLAIM_RIGHT && not_before_s <= now_s));
}

/* A claim that is named twice counts as its last (RFC 7519, section 4); only who has the key could do that.
 */
static enum token_outcome judge_claims(jwt_t *jwt, enum token_use use, int64_t now_s,
                                       struct token_claims *claims)
{
    struct token_claims read = {.use = use};

    if (!claim_is_text(jwt, "use", use_name(use)) || !audience_is_right(jwt, use) ||
        !read_subject(jwt, read.subject) || !read_user_id(jwt, &read.user_id) ||
        !read_id(jwt, "sid", read.session_id) || !read_id(jwt, "jti", read.token_id) ||
        !times_are_right(jwt, now_s, &read))
        return TOKEN_INVALID;
    *claims = read;
    return now_s >= read.expires_at_s ? TOKEN_EXPIRED : TOKEN_VALID;
}

enum token_outcome token_verify(const struct token_keys *keys, const char *token, size_t length,
                                enum token_use use, int64_t now_s, struct token_claims *claims)
{
    jwt_t *jwt = NULL;

    assert_key(keys->current, keys->current_length);
    assert(use == TOKEN_ACCESS || use == TOKEN_REFRESH);
    assert(now_s >= 0);
    if (!auth_token_has_shape(token, length))
        return TOKEN_INVALID;
    enum token_outcome outcome = decode(keys, token, length, &jwt);
    if (outcome == TOKEN_VALID)
        outcome = judge_claims(jwt, use, now_s, claims);
    jwt_free(jwt);
    return outcome;
}
