// links: auth/token.c
// libs: jwt crypto
/*
 * Tokens of every wrong kind are refused, and each call into libjwt and the kernel is made to fail in turn:
 * the functions that token.c calls are interposed below.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "auth/token.h"
#include "tests/support/forge.h"

#define NOW         1800000000
#define KEY         "0123456789abcdef0123456789abcdef"
#define OLD_KEY     "fedcba9876543210fedcba9876543210-and-longer"
#define HEADER      "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define OF_SUBJECT  "\"sub\":\"alice\""
#define OF_USER     "\"uid\":7"
#define OF_SESSION  "\"sid\":\"SSSSSSSSSSSSSSSSSSSSSS\""
#define OF_ID       "\"jti\":\"JJJJJJJJJJJJJJJJJJJJJJ\""
#define OF_ISSUED   "\"iat\":1799999000"
#define OF_EXPIRY   "\"exp\":1800000001"
#define OF_ACCESS   "\"use\":\"access\""
#define OF_REFRESH  "\"use\":\"refresh\""
#define OF_AUDIENCE "\"aud\":\"token-relay:refresh\""

/* All claims of an access token but one, with `instead` in its place; each starts with a comma or is empty.
 */
#define ALL_BUT_SUBJECT OF_USER "," OF_SESSION "," OF_ID "," OF_ISSUED "," OF_EXPIRY "," OF_ACCESS
#define ALL_BUT_USER    OF_SUBJECT "," OF_SESSION "," OF_ID "," OF_ISSUED "," OF_EXPIRY "," OF_ACCESS
#define ALL_BUT_SESSION OF_SUBJECT "," OF_USER "," OF_ID "," OF_ISSUED "," OF_EXPIRY "," OF_ACCESS
#define ALL_BUT_ID      OF_SUBJECT "," OF_USER "," OF_SESSION "," OF_ISSUED "," OF_EXPIRY "," OF_ACCESS
#define ALL_BUT_ISSUED  OF_SUBJECT "," OF_USER "," OF_SESSION "," OF_ID "," OF_EXPIRY "," OF_ACCESS
#define ALL_BUT_EXPIRY  OF_SUBJECT "," OF_USER "," OF_SESSION "," OF_ID "," OF_ISSUED "," OF_ACCESS
#define ALL_BUT_USE     OF_SUBJECT "," OF_USER "," OF_SESSION "," OF_ID "," OF_ISSUED "," OF_EXPIRY
#define ALL             ALL_BUT_USE "," OF_ACCESS
#define ALL_OF_REFRESH  ALL_BUT_USE "," OF_REFRESH "," OF_AUDIENCE

/* The call that fails: 1 is the next one, 0 none. */
static int calls_to_failure;

static bool fails_now(void)
{
    return calls_to_failure > 0 && --calls_to_failure == 0;
}

struct jwt;
int jwt_new(struct jwt **jwt);
int jwt_add_grant(struct jwt *jwt, const char *name, const char *value);
int jwt_add_grant_int(struct jwt *jwt, const char *name, long value);
int jwt_set_alg(struct jwt *jwt, int algorithm, const unsigned char *key, int length);
char *jwt_encode_str(struct jwt *jwt);
int jwt_decode(struct jwt **jwt, const char *token, const unsigned char *key, int length);
char *jwt_get_grants_json(struct jwt *jwt, const char *name);
ssize_t getrandom(void *out, size_t size, unsigned flags);

int jwt_new(struct jwt **jwt)
{
    int (*real)(struct jwt **);

    *(void **)&real = dlsym(RTLD_NEXT, "jwt_new");
    return fails_now() ? ENOMEM : real(jwt);
}

int jwt_add_grant(struct jwt *jwt, const char *name, const char *value)
{
    int (*real)(struct jwt *, const char *, const char *);

    *(void **)&real = dlsym(RTLD_NEXT, "jwt_add_grant");
    return fails_now() ? ENOMEM : real(jwt, name, value);
}

int jwt_add_grant_int(struct jwt *jwt, const char *name, long value)
{
    int (*real)(struct jwt *, const char *, long);

    *(void **)&real = dlsym(RTLD_NEXT, "jwt_add_grant_int");
    return fails_now() ? ENOMEM : real(jwt, name, value);
}

int jwt_set_alg(struct jwt *jwt, int algorithm, const unsigned char *key, int length)
{
    int (*real)(struct jwt *, int, const unsigned char *, int);

    *(void **)&real = dlsym(RTLD_NEXT, "jwt_set_alg");
    return fails_now() ? ENOMEM : real(jwt, algorithm, key, length);
}

char *jwt_encode_str(struct jwt *jwt)
{
    char *(*real)(struct jwt *);

    *(void **)&real = dlsym(RTLD_NEXT, "jwt_encode_str");
    return fails_now() ? NULL : real(jwt);
}

int jwt_decode(struct jwt **jwt, const char *token, const unsigned char *key, int length)
{
    int (*real)(struct jwt **, const char *, const unsigned char *, int);

    assert_true(key != NULL && length >= 32); /* with less, libjwt checks nothing */
    *(void **)&real = dlsym(RTLD_NEXT, "jwt_decode");
    return fails_now() ? ENOMEM : real(jwt, token, key, length);
}

char *jwt_get_grants_json(struct jwt *jwt, const char *name)
{
    char *(*real)(struct jwt *, const char *);

    *(void **)&real = dlsym(RTLD_NEXT, "jwt_get_grants_json");
    return fails_now() ? NULL : real(jwt, name);
}

ssize_t getrandom(void *out, size_t size, unsigned flags)
{
    if (fails_now()) {
        errno = ENOSYS;
        return -1;
    }
    return syscall(SYS_getrandom, out, size, flags);
}

static struct token_keys keys;

static int set_keys(void **state)
{
    char error[200] = "";

    (void)state;
    calls_to_failure = 0;
    return token_keys_set(&keys, KEY, NULL, error, sizeof error) ? 0 : -1;
}

/* Judges a copy of just the token's bytes, so that a byte read too far is an ASan report. */
static enum token_outcome verify_bytes(const char *token, size_t length, enum token_use use,
                                       struct token_claims *claims)
{
    char *copy = malloc(length > 0 ? length : 1);

    assert_non_null(copy);
    memcpy(copy, token, length);
    const enum token_outcome outcome = token_verify(&keys, copy, length, use, NOW, claims);
    free(copy);
    return outcome;
}

static enum token_outcome verify(const char *token, enum token_use use)
{
    struct token_claims claims;

    return verify_bytes(token, strlen(token), use, &claims);
}

static const char *sign(const char *header, const char *payload, const EVP_MD *digest, const char *key)
{
    static char token[FORGE_TOKEN_MAX];

    forge_token(token, header, strlen(header), payload, strlen(payload), digest, key, strlen(key));
    return token;
}

static enum token_outcome judge(const char *header, const char *payload, enum token_use use)
{
    return verify(sign(header, payload, EVP_sha256(), KEY), use);
}

static struct token_claims claims_of(enum token_use use)
{
    struct token_claims claims = {
        .subject = "alice", .user_id = 7, .issued_at_s = NOW, .expires_at_s = NOW + 1800, .use = use};

    assert_true(token_id_make(claims.session_id));
    assert_true(token_id_make(claims.token_id));
    return claims;
}

static void issued_tokens_are_valid_and_tell_their_claims(void **state)
{
    static const char *const names[] = {"alice", "a", "\"\\/", "\xe5\xaf\x86\xe7\xa0\x81 \xf0\x9f\x94\x91",
                                        "</script>"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (enum token_use use = TOKEN_ACCESS; use <= TOKEN_REFRESH; use++) {
            struct token_claims claims = claims_of(use);
            struct token_claims read;
            char token[TOKEN_MAX_BYTES + 1];
            strcpy(claims.subject, names[i]);
            assert_int_equal(token_issue(&keys, &claims, token), TOKEN_VALID);
            assert_int_equal(verify_bytes(token, strlen(token), use, &read), TOKEN_VALID);
            assert_string_equal(read.subject, names[i]);
            assert_int_equal(read.user_id, 7);
            assert_string_equal(read.session_id, claims.session_id);
            assert_string_equal(read.token_id, claims.token_id);
            assert_int_equal(read.issued_at_s, NOW);
            assert_int_equal(read.expires_at_s, NOW + 1800);
            assert_int_equal(read.use, use);
        }
    }
}

static void the_header_is_as_the_contract_says(void **state)
{
    const struct token_claims claims = claims_of(TOKEN_ACCESS);
    char token[TOKEN_MAX_BYTES + 1];
    char header[64];

    (void)state;
    assert_int_equal(token_issue(&keys, &claims, token), TOKEN_VALID);
    const size_t length = forge_base64url(header, 0, HEADER, strlen(HEADER));
    assert_memory_equal(token, header, length);
    assert_int_equal(token[length], '.');
}

static void the_longest_name_fits_into_a_token(void **state)
{
    struct token_claims claims = claims_of(TOKEN_REFRESH);
    char token[TOKEN_MAX_BYTES + 1];

    (void)state;
    memset(claims.subject, '\x01', USER_NAME_MAX_BYTES); /* six bytes each in JSON: more than any name has */
    claims.user_id = UINT64_C(1) << 53;
    claims.expires_at_s = INT64_MAX;
    assert_int_equal(token_issue(&keys, &claims, token), TOKEN_VALID);
    assert_int_equal(verify(token, TOKEN_REFRESH), TOKEN_VALID);
}

static void every_changed_byte_of_a_token_is_refused(void **state)
{
    const struct token_claims claims = claims_of(TOKEN_ACCESS);
    char token[TOKEN_MAX_BYTES + 1];

    (void)state;
    assert_int_equal(token_issue(&keys, &claims, token), TOKEN_VALID);
    const size_t length = strlen(token);
    for (size_t i = 0; i < length; i++) {
        const char kept = token[i];
        token[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(verify(token, TOKEN_ACCESS), TOKEN_INVALID);
        token[i] = kept;
    }
    for (size_t cut = 0; cut < length; cut++) {
        struct token_claims read;
        assert_int_equal(verify_bytes(token, cut, TOKEN_ACCESS, &read), TOKEN_INVALID);
    }
    assert_int_equal(verify(token, TOKEN_ACCESS), TOKEN_VALID);
}

/* All with a signature that is right for what they say. */
static const struct {
    const char *header;
    const char *payload;
    enum token_outcome access;
    enum token_outcome refresh;
} forged[] = {
    {HEADER, "{" ALL "}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL_OF_REFRESH "}", TOKEN_INVALID, TOKEN_VALID},
    /* what other issuers do differently, and may */
    {"{\"typ\":\"JWT\",\"alg\":\"HS256\"}", "{" ALL "}", TOKEN_VALID, TOKEN_INVALID},
    {"{ \"typ\" : \"jwt\", \"alg\" : \"HS256\" }", " {" ALL "} ", TOKEN_VALID, TOKEN_INVALID},
    {"{\"alg\":\"HS256\"}", "{" ALL "}", TOKEN_VALID, TOKEN_INVALID},
    {"{\"alg\":\"HS256\",\"kid\":\"../../etc/passwd\"}", "{" ALL "}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL ",\"more\":{\"a\":[1,2]}}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SUBJECT ",\"sub\":\"\\u0061lice\"}", TOKEN_VALID, TOKEN_INVALID},
    /* header */
    {"{\"alg\":\"none\",\"typ\":\"JWT\"}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"NoNe\"}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"\"}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"hs256\"}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"HS512\"}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"RS256\"}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":256}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":null}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"typ\":\"JWT\"}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"[\"HS256\"]", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"\"HS256\"", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"HS256", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"HS256\",\"typ\":\"\"}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"HS256\",\"typ\":1}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"HS256\",\"typ\":null}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"HS256\",\"crit\":[]}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"HS256\",\"crit\":\"exp\"}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    {"{\"alg\":\"HS256\",\"crit\":null}", "{" ALL "}", TOKEN_INVALID, TOKEN_INVALID},
    /* payload */
    {HEADER, "{}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "[]", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "[{" ALL "}]", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "null", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER,
     "\""
     "text"
     "\"",
     TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL, TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL "}{}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SUBJECT ",\"sub\":\"a\xff\"}", TOKEN_INVALID, TOKEN_INVALID},
    /* a claim absent */
    {HEADER, "{" ALL_BUT_SUBJECT "}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER "}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SESSION "}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_ID "}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_ISSUED "}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_EXPIRY "}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USE "}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USE "," OF_REFRESH "}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{\"SUB\":\"alice\"," ALL_BUT_SUBJECT "}", TOKEN_INVALID, TOKEN_INVALID},
    /* a claim twice: its last counts */
    {HEADER, "{" ALL_BUT_USE "," OF_REFRESH "," OF_ACCESS "}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" OF_AUDIENCE "," ALL_BUT_USE "," OF_ACCESS "," OF_REFRESH "}", TOKEN_INVALID, TOKEN_VALID},
    {HEADER, "{" ALL ",\"exp\":1}", TOKEN_EXPIRED, TOKEN_INVALID},
    {HEADER, "{" ALL ",\"uid\":\"8\"}", TOKEN_INVALID, TOKEN_INVALID},
    /* use and audience */
    {HEADER, "{" ALL "," OF_AUDIENCE "}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL ",\"aud\":\"elsewhere\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL ",\"aud\":null}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL ",\"aud\":[]}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USE "," OF_REFRESH ",\"aud\":[\"token-relay:refresh\"]}", TOKEN_INVALID,
     TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USE "," OF_REFRESH ",\"aud\":\"token-relay:refresh \"}", TOKEN_INVALID,
     TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USE ",\"use\":\"Access\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USE ",\"use\":\"\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USE ",\"use\":true}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USE ",\"use\":[\"access\"]}", TOKEN_INVALID, TOKEN_INVALID},
    /* sub */
    {HEADER, "{" ALL_BUT_SUBJECT ",\"sub\":\"\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SUBJECT ",\"sub\":7}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SUBJECT ",\"sub\":null}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SUBJECT ",\"sub\":{\"a\":1}}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SUBJECT ",\"sub\":\"alice\\u0000bob\"}", TOKEN_INVALID, TOKEN_INVALID},
    /* uid */
    {HEADER, "{" ALL_BUT_USER ",\"uid\":1}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER ",\"uid\":9007199254740992}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER ",\"uid\":9007199254740993}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER ",\"uid\":18446744073709551623}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER ",\"uid\":0}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER ",\"uid\":-1}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER ",\"uid\":7.0}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER ",\"uid\":7e0}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER ",\"uid\":\"7\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER ",\"uid\":true}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER ",\"uid\":null}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_USER ",\"uid\":[7]}", TOKEN_INVALID, TOKEN_INVALID},
    /* sid, jti */
    {HEADER, "{" ALL_BUT_SESSION ",\"sid\":\"s\"}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SESSION ",\"sid\":\"-_azAZ09-_azAZ09-_azAZ\"}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SESSION ",\"sid\":\"\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SESSION ",\"sid\":\"SSSSSSSSSSSSSSSSSSSSSSS\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SESSION ",\"sid\":\"a+b\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SESSION ",\"sid\":\"a b\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_SESSION ",\"sid\":1}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_ID ",\"jti\":\"\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_ID ",\"jti\":\"JJJJJJJJJJJJJJJJJJJJJJJ\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_ID ",\"jti\":\"j=\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_ID ",\"jti\":null}", TOKEN_INVALID, TOKEN_INVALID},
    /* iat: the past and the future alike, but a number */
    {HEADER, "{" ALL_BUT_ISSUED ",\"iat\":0}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_ISSUED ",\"iat\":1900000000}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_ISSUED ",\"iat\":-1}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_ISSUED ",\"iat\":\"1799999000\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_ISSUED ",\"iat\":1799999000.5}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_ISSUED ",\"iat\":false}", TOKEN_INVALID, TOKEN_INVALID},
    /* exp: now is 1800000000 */
    {HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":1800000001}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":1800000000}", TOKEN_EXPIRED, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":1799999999}", TOKEN_EXPIRED, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":0}", TOKEN_EXPIRED, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":9223372036854775807}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":9223372036854775808}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":-1}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":\"1900000000\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":1.9e9}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":null}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":true}", TOKEN_INVALID, TOKEN_INVALID},
    /* nbf */
    {HEADER, "{" ALL ",\"nbf\":1800000000}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL ",\"nbf\":0}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL ",\"nbf\":-5}", TOKEN_VALID, TOKEN_INVALID},
    {HEADER, "{" ALL ",\"nbf\":1800000001}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL ",\"nbf\":\"0\"}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL ",\"nbf\":null}", TOKEN_INVALID, TOKEN_INVALID},
    {HEADER, "{" ALL ",\"nbf\":1.5}", TOKEN_INVALID, TOKEN_INVALID},
};

static void every_forged_token_gets_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        const enum token_outcome access = judge(forged[i].header, forged[i].payload, TOKEN_ACCESS);
        const enum token_outcome refresh = judge(forged[i].header, forged[i].payload, TOKEN_REFRESH);
        if (access != forged[i].access || refresh != forged[i].refresh)
            fail_msg("%s %s: %d as access, %d as refresh", forged[i].header, forged[i].payload, (int)access,
                     (int)refresh);
    }
}

static void another_key_or_digest_is_refused(void **state)
{
    (void)state;
    assert_int_equal(
        verify(sign(HEADER, "{" ALL "}", EVP_sha256(), "another key of thirty-two bytes."), TOKEN_ACCESS),
        TOKEN_INVALID);
    assert_int_equal(verify(sign(HEADER, "{" ALL "}", EVP_sha256(), KEY "x"), TOKEN_ACCESS), TOKEN_INVALID);
    assert_int_equal(verify(sign(HEADER, "{" ALL "}", EVP_sha256(), ""), TOKEN_ACCESS), TOKEN_INVALID);
    assert_int_equal(verify(sign(HEADER, "{" ALL "}", EVP_sha512(), KEY), TOKEN_ACCESS), TOKEN_INVALID);
    assert_int_equal(verify(sign("{\"alg\":\"HS512\"}", "{" ALL "}", EVP_sha512(), KEY), TOKEN_ACCESS),
                     TOKEN_INVALID);
    assert_int_equal(verify(sign("{\"alg\":\"HS384\"}", "{" ALL "}", EVP_sha384(), KEY), TOKEN_ACCESS),
                     TOKEN_INVALID);
}

static void an_expired_forgery_is_invalid_not_expired(void **state)
{
    (void)state;
    assert_int_equal(
        verify(sign(HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":1}", EVP_sha256(), OLD_KEY), TOKEN_ACCESS),
        TOKEN_INVALID);
}

static void what_has_not_the_shape_never_reaches_libjwt(void **state)
{
    static char token[FORGE_TOKEN_MAX + 8];
    static char huge[TOKEN_MAX_BYTES * 2];

    (void)state;
    calls_to_failure = 1; /* the next call of libjwt would end with TOKEN_FAILED */
    const char *good = sign(HEADER, "{" ALL "}", EVP_sha256(), KEY);
    snprintf(token, sizeof token, "%s.", good);
    assert_int_equal(verify(token, TOKEN_ACCESS), TOKEN_INVALID);
    snprintf(token, sizeof token, ".%s", good);
    assert_int_equal(verify(token, TOKEN_ACCESS), TOKEN_INVALID);
    snprintf(token, sizeof token, "%s=", good);
    assert_int_equal(verify(token, TOKEN_ACCESS), TOKEN_INVALID);
    snprintf(token, sizeof token, " %s", good);
    assert_int_equal(verify(token, TOKEN_ACCESS), TOKEN_INVALID);
    assert_int_equal(verify("", TOKEN_ACCESS), TOKEN_INVALID);
    assert_int_equal(verify("..", TOKEN_ACCESS), TOKEN_INVALID);
    memset(huge, ' ', sizeof huge);
    memcpy(huge, "{" ALL ",", strlen("{" ALL ","));
    strcpy(huge + sizeof huge - 8, "\"x\":1}");
    good = sign(HEADER, huge, EVP_sha256(), KEY);
    assert_true(strlen(good) > TOKEN_MAX_BYTES);
    assert_int_equal(verify(good, TOKEN_ACCESS), TOKEN_INVALID);
    assert_int_equal(calls_to_failure, 1);
}

static void rubbish_of_the_right_shape_is_refused(void **state)
{
    static const char *const tokens[] = {"a.b.c", "A.A.A", "----.____.----", "e30.e30.e30", "eyJ.eyJ.eyJ"};
    char longest[TOKEN_MAX_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        assert_int_equal(verify(tokens[i], TOKEN_ACCESS), TOKEN_INVALID);
    memset(longest, 'A', TOKEN_MAX_BYTES);
    longest[TOKEN_MAX_BYTES] = '\0';
    longest[1500] = longest[3000] = '.';
    assert_int_equal(verify(longest, TOKEN_ACCESS), TOKEN_INVALID);
}

static void a_subject_has_at_most_256_bytes(void **state)
{
    char payload[1024];
    char name[USER_NAME_MAX_BYTES + 2];

    (void)state;
    memset(name, 'n', sizeof name);
    name[USER_NAME_MAX_BYTES] = '\0';
    snprintf(payload, sizeof payload, "{%s,\"sub\":\"%s\"}", ALL_BUT_SUBJECT, name);
    assert_int_equal(judge(HEADER, payload, TOKEN_ACCESS), TOKEN_VALID);
    snprintf(payload, sizeof payload, "{%s,\"sub\":\"%sn\"}", ALL_BUT_SUBJECT, name);
    assert_int_equal(judge(HEADER, payload, TOKEN_ACCESS), TOKEN_INVALID);
}

static void tokens_of_the_previous_key_are_accepted_while_there_is_one(void **state)
{
    char error[200];

    (void)state;
    assert_int_equal(verify(sign(HEADER, "{" ALL "}", EVP_sha256(), OLD_KEY), TOKEN_ACCESS), TOKEN_INVALID);
    assert_true(token_keys_set(&keys, KEY, OLD_KEY, error, sizeof error));
    assert_int_equal(verify(sign(HEADER, "{" ALL "}", EVP_sha256(), OLD_KEY), TOKEN_ACCESS), TOKEN_VALID);
    assert_int_equal(verify(sign(HEADER, "{" ALL "}", EVP_sha256(), KEY), TOKEN_ACCESS), TOKEN_VALID);
    assert_int_equal(
        verify(sign(HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":1}", EVP_sha256(), OLD_KEY), TOKEN_ACCESS),
        TOKEN_EXPIRED);
    assert_int_equal(verify(sign("{\"alg\":\"none\"}", "{" ALL "}", EVP_sha256(), OLD_KEY), TOKEN_ACCESS),
                     TOKEN_INVALID);
    assert_int_equal(verify(sign(HEADER, "{" ALL "}", EVP_sha256(), "a third key"), TOKEN_ACCESS),
                     TOKEN_INVALID);
}

static void tokens_are_signed_with_the_current_key(void **state)
{
    const struct token_claims claims = claims_of(TOKEN_ACCESS);
    char token[TOKEN_MAX_BYTES + 1];
    char error[200];

    (void)state;
    assert_true(token_keys_set(&keys, OLD_KEY, KEY, error, sizeof error));
    assert_int_equal(token_issue(&keys, &claims, token), TOKEN_VALID);
    assert_true(token_keys_set(&keys, KEY, NULL, error, sizeof error));
    assert_int_equal(verify(token, TOKEN_ACCESS), TOKEN_INVALID);
}

static void claims_are_untouched_by_a_refusal_and_told_of_an_expired_token(void **state)
{
    struct token_claims claims;
    struct token_claims untouched;

    (void)state;
    memset(&claims, 0x5A, sizeof claims);
    memset(&untouched, 0x5A, sizeof untouched);
    const char *token = sign(HEADER, "{" ALL_BUT_EXPIRY "}", EVP_sha256(), KEY);
    assert_int_equal(verify_bytes(token, strlen(token), TOKEN_ACCESS, &claims), TOKEN_INVALID);
    assert_memory_equal(&claims, &untouched, sizeof claims);
    token = sign(HEADER, "{" ALL_BUT_EXPIRY ",\"exp\":1799999999}", EVP_sha256(), KEY);
    assert_int_equal(verify_bytes(token, strlen(token), TOKEN_ACCESS, &claims), TOKEN_EXPIRED);
    assert_string_equal(claims.subject, "alice");
    assert_int_equal(claims.user_id, 7);
}

static void every_failing_call_of_issuing_is_told(void **state)
{
    const struct token_claims claims = claims_of(TOKEN_REFRESH);
    char token[TOKEN_MAX_BYTES + 1] = "untouched";
    int failures = 0;

    (void)state;
    for (;; failures++) {
        calls_to_failure = failures + 1;
        const enum token_outcome outcome = token_issue(&keys, &claims, token);
        if (calls_to_failure > 0) { /* fewer calls than that: this time all went well */
            assert_int_equal(outcome, TOKEN_VALID);
            break;
        }
        assert_int_equal(outcome, TOKEN_FAILED);
        assert_string_equal(token, "untouched");
    }
    assert_int_equal(failures, 1 + 8 + 1 + 1); /* new, eight claims, key, encode */
}

/* libjwt allocates by jwt_new within jwt_decode, and is asked twice: for the current and for the previous
 * key. */
static void running_out_of_memory_never_makes_a_token_valid(void **state)
{
    char error[200];
    int failures = 0;
    enum token_outcome outcome = TOKEN_FAILED;

    (void)state;
    assert_true(token_keys_set(&keys, KEY, OLD_KEY, error, sizeof error));
    const char *token = sign(HEADER, "{" ALL ",\"nbf\":0}", EVP_sha256(), OLD_KEY);
    for (;; failures++) {
        calls_to_failure = failures + 1;
        outcome = verify(token, TOKEN_ACCESS);
        if (calls_to_failure > 0)
            break;
        /* The fifth is the reading of "nbf". */
        assert_int_equal(outcome, failures < 4 ? TOKEN_FAILED : TOKEN_INVALID);
    }
    assert_int_equal(failures, 5);
    assert_int_equal(outcome, TOKEN_VALID);
}

static void a_name_that_is_not_utf8_is_not_signed(void **state)
{
    struct token_claims claims = claims_of(TOKEN_ACCESS);
    char token[TOKEN_MAX_BYTES + 1];

    (void)state;
    strcpy(claims.subject, "\xff");
    assert_int_equal(token_issue(&keys, &claims, token), TOKEN_FAILED);
}

static void identifiers_are_22_base64url_characters_and_never_the_same(void **state)
{
    char ids[64][TOKEN_ID_BYTES + 1];
    bool seen[128] = {false};
    size_t letters = 0;

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        assert_true(token_id_make(ids[i]));
        assert_int_equal(strlen(ids[i]), TOKEN_ID_BYTES);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ids[i], ids[j]);
        for (const char *c = ids[i]; *c != '\0'; c++)
            seen[(unsigned char)*c & 127] = true;
    }
    for (size_t c = 0; c < 128; c++)
        letters += seen[c];
    assert_int_equal(letters, 64); /* all of the alphabet, among 1,408 characters */
    calls_to_failure = 1;
    assert_false(token_id_make(ids[0]));
}

static void secrets_that_are_no_secrets_are_refused_with_advice(void **state)
{
    static const struct {
        const char *current;
        const char *previous;
        const char *error;
    } cases[] = {
        {NULL, NULL,
         "SECRET_KEY has 0 bytes, at least 32 are needed; make one with: openssl rand -base64 48"},
        {"", NULL, "SECRET_KEY has 0 bytes, at least 32 are needed; make one with: openssl rand -base64 48"},
        {"0123456789abcdef0123456789abcde", NULL,
         "SECRET_KEY has 31 bytes, at least 32 are needed; make one with: openssl rand -base64 48"},
        {"Secret_Key-2024", NULL,
         "SECRET_KEY is the published example secret; make one with: openssl rand -base64 48"},
        {KEY, "Secret_Key-2024",
         "SECRET_KEY_PREVIOUS is the published example secret; make one with: openssl rand -base64 48"},
        {KEY, "short",
         "SECRET_KEY_PREVIOUS has 5 bytes, at least 32 are needed; make one with: openssl rand -base64 48"},
    };
    char long_secret[TOKEN_KEY_MAX_BYTES + 2];
    char error[200];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(token_keys_set(&keys, cases[i].current, cases[i].previous, error, sizeof error));
        assert_string_equal(error, cases[i].error);
    }
    memset(long_secret, 'k', sizeof long_secret);
    long_secret[TOKEN_KEY_MAX_BYTES + 1] = '\0';
    assert_false(token_keys_set(&keys, long_secret, NULL, error, sizeof error));
    assert_non_null(strstr(error, "at most 1024"));
    long_secret[TOKEN_KEY_MAX_BYTES] = '\0';
    assert_true(token_keys_set(&keys, long_secret, "", error, sizeof error));
    assert_int_equal(keys.current_length, TOKEN_KEY_MAX_BYTES);
    assert_int_equal(keys.previous_length, 0);
    assert_int_equal(judge(HEADER, "{" ALL "}", TOKEN_ACCESS), TOKEN_INVALID);
    assert_int_equal(verify(sign(HEADER, "{" ALL "}", EVP_sha256(), long_secret), TOKEN_ACCESS), TOKEN_VALID);
}

static void wiped_keys_are_gone(void **state)
{
    static const struct token_keys none;

    (void)state;
    token_keys_wipe(&keys);
    assert_memory_equal(&keys, &none, sizeof keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(issued_tokens_are_valid_and_tell_their_claims, set_keys),
        cmocka_unit_test_setup(the_header_is_as_the_contract_says, set_keys),
        cmocka_unit_test_setup(the_longest_name_fits_into_a_token, set_keys),
        cmocka_unit_test_setup(every_changed_byte_of_a_token_is_refused, set_keys),
        cmocka_unit_test_setup(every_forged_token_gets_its_verdict, set_keys),
        cmocka_unit_test_setup(another_key_or_digest_is_refused, set_keys),
        cmocka_unit_test_setup(an_expired_forgery_is_invalid_not_expired, set_keys),
        cmocka_unit_test_setup(what_has_not_the_shape_never_reaches_libjwt, set_keys),
        cmocka_unit_test_setup(rubbish_of_the_right_shape_is_refused, set_keys),
        cmocka_unit_test_setup(a_subject_has_at_most_256_bytes, set_keys),
        cmocka_unit_test_setup(tokens_of_the_previous_key_are_accepted_while_there_is_one, set_keys),
        cmocka_unit_test_setup(tokens_are_signed_with_the_current_key, set_keys),
        cmocka_unit_test_setup(claims_are_untouched_by_a_refusal_and_told_of_an_expired_token, set_keys),
        cmocka_unit_test_setup(every_failing_call_of_issuing_is_told, set_keys),
        cmocka_unit_test_setup(running_out_of_memory_never_makes_a_token_valid, set_keys),
        cmocka_unit_test_setup(a_name_that_is_not_utf8_is_not_signed, set_keys),
        cmocka_unit_test_setup(identifiers_are_22_base64url_characters_and_never_the_same, set_keys),
        cmocka_unit_test_setup(secrets_that_are_no_secrets_are_refused_with_advice, set_keys),
        cmocka_unit_test_setup(wiped_keys_are_gone, set_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
