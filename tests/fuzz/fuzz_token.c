// links: auth/token.c
// libs: jwt crypto
/*
 * Any bytes as a token. The first byte chooses: 'r', the rest is a token as it came; else it is a header, a
 * line feed and a payload, which are signed with the right key, so that what lies behind the signature is
 * reached too.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/contract.h"
#include "auth/token.h"
#include "tests/support/forge.h"

#define NOW 1800000000
#define KEY "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct token_keys keys;

static void require(bool is_so, const char *claim)
{
    if (is_so)
        return;
    fprintf(stderr, "not so: %s\n", claim);
    abort();
}

static void check_claims(const struct token_claims *claims, enum token_use use, enum token_outcome outcome)
{
    char token[TOKEN_MAX_BYTES + 1];
    struct token_claims again;

    require(claims->use == use, "the use is the one asked for");
    require(claims->subject[0] != '\0', "there is a subject");
    require(claims->user_id >= 1 && claims->user_id <= UINT64_C(1) << 53, "the user id is in its range");
    require(claims->session_id[0] != '\0' && claims->token_id[0] != '\0', "there are identifiers");
    require((claims->expires_at_s <= NOW) == (outcome == TOKEN_EXPIRED), "expired is what is over");
    require(token_issue(&keys, claims, token) == TOKEN_VALID, "claims that were read can be signed again");
    require(token_verify(&keys, token, strlen(token), use, NOW, &again) == outcome, "the verdict stays");
    require(strcmp(again.subject, claims->subject) == 0 && again.user_id == claims->user_id,
            "so do the claims");
}

static void judge(const char *token, size_t length)
{
    for (enum token_use use = TOKEN_ACCESS; use <= TOKEN_REFRESH; use++) {
        struct token_claims claims;
        const enum token_outcome outcome = token_verify(&keys, token, length, use, NOW, &claims);
        if (outcome != TOKEN_VALID && outcome != TOKEN_EXPIRED)
            continue;
        require(auth_token_has_shape(token, length), "a token that is accepted has the shape");
        check_claims(&claims, use, outcome);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char token[FORGE_TOKEN_MAX];
    char error[200];

    if (size == 0 || size > TOKEN_MAX_BYTES * 2)
        return 0;
    if (keys.current_length == 0)
        require(token_keys_set(&keys, KEY, "fedcba9876543210fedcba9876543210", error, sizeof error),
                "keys are good");
    const char *rest = (const char *)data + 1;
    const char *line_end = memchr(rest, '\n', size - 1);
    if (data[0] == 'r' || line_end == NULL) {
        judge(rest, size - 1);
        return 0;
    }
    const size_t header_length = (size_t)(line_end - rest);
    const size_t length = forge_token(token, rest, header_length, line_end + 1, size - 2 - header_length,
                                      EVP_sha256(), KEY, strlen(KEY));
    judge(token, length);
    return 0;
}
