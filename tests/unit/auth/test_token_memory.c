// links: auth/token_memory.c core/memory.c
// libs: crypto
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/token_memory.h"

#define TOKEN_BYTES 120

static struct token_claims claims_of(uint64_t user_id)
{
    return (struct token_claims){.user_id = user_id, .expires_at_s = (int64_t)user_id, .use = TOKEN_ACCESS};
}

/* Fills out with a token of base64url characters that no other seed gives. */
static void make_token(char *out, size_t length, unsigned seed)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;

    for (size_t i = 0; i < length; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out[i] = alphabet[state >> 58];
    }
}

static void keep(struct token_memory *memory, const char *token, size_t length, uint64_t user_id)
{
    const struct token_claims claims = claims_of(user_id);

    token_memory_keep(memory, token, length, &claims);
}

/* The user of a remembered token; 0: it is not remembered. */
static uint64_t found(const struct token_memory *memory, const char *token, size_t length)
{
    const struct token_claims *claims = token_memory_find(memory, token, length);

    return claims == NULL ? 0 : claims->user_id;
}

static void a_kept_token_is_found_with_all_its_claims(void **state)
{
    struct token_memory *memory = token_memory_open(16);
    struct token_claims claims = {.subject = "someone",
                                  .user_id = 7,
                                  .session_id = "session-session-sessio",
                                  .token_id = "token-token-token-toke",
                                  .issued_at_s = 100,
                                  .expires_at_s = 1900,
                                  .use = TOKEN_ACCESS};
    const struct token_claims wanted = claims;
    char token[TOKEN_BYTES];

    (void)state;
    make_token(token, sizeof token, 1);
    assert_null(token_memory_find(memory, token, sizeof token));
    token_memory_keep(memory, token, sizeof token, &claims);
    memset(&claims, 0, sizeof claims);
    const struct token_claims *known = token_memory_find(memory, token, sizeof token);
    assert_non_null(known);
    assert_string_equal(known->subject, wanted.subject);
    assert_int_equal(known->user_id, 7);
    assert_string_equal(known->session_id, wanted.session_id);
    assert_string_equal(known->token_id, wanted.token_id);
    assert_int_equal(known->issued_at_s, 100);
    assert_int_equal(known->expires_at_s, 1900);
    assert_int_equal(known->use, TOKEN_ACCESS);
    token_memory_close(memory);
}

static void the_bytes_are_copied(void **state)
{
    struct token_memory *memory = token_memory_open(16);
    char token[TOKEN_BYTES];
    char same[TOKEN_BYTES];

    (void)state;
    make_token(token, sizeof token, 1);
    memcpy(same, token, sizeof same);
    keep(memory, token, sizeof token, 1);
    memset(token, 'x', sizeof token);
    assert_int_equal(found(memory, same, sizeof same), 1);
    assert_int_equal(found(memory, token, sizeof token), 0);
    token_memory_close(memory);
}

/* One place, so that every token is looked for where the kept one lies. */
static void a_token_that_differs_in_one_bit_is_not_found(void **state)
{
    struct token_memory *memory = token_memory_open(1);
    char token[TOKEN_BYTES];

    (void)state;
    make_token(token, sizeof token, 1);
    keep(memory, token, sizeof token, 1);
    for (size_t bit = 0; bit < 8 * sizeof token; bit++) {
        token[bit / 8] = (char)(token[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(found(memory, token, sizeof token), 0);
        token[bit / 8] = (char)(token[bit / 8] ^ (1 << bit % 8));
    }
    assert_int_equal(found(memory, token, sizeof token), 1);
    token_memory_close(memory);
}

static void a_longer_or_shorter_token_is_not_found(void **state)
{
    struct token_memory *memory = token_memory_open(1);
    char token[TOKEN_BYTES + 40];

    (void)state;
    make_token(token, sizeof token, 1);
    keep(memory, token + 20, TOKEN_BYTES, 1);
    for (size_t cut = 1; cut <= 20; cut++) {
        assert_int_equal(found(memory, token + 20, TOKEN_BYTES - cut), 0);
        assert_int_equal(found(memory, token + 20, TOKEN_BYTES + cut), 0);
        assert_int_equal(found(memory, token + 20 - cut, TOKEN_BYTES + cut), 0);
        assert_int_equal(found(memory, token + 20 + cut, TOKEN_BYTES - cut), 0);
    }
    assert_int_equal(found(memory, token + 20, TOKEN_BYTES), 1);
    token_memory_close(memory);
}

static void a_newer_token_takes_the_place_of_the_oldest_of_four(void **state)
{
    struct token_memory *memory = token_memory_open(1);
    char tokens[6][TOKEN_BYTES];

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        make_token(tokens[i], TOKEN_BYTES - i, i + 1);
    for (unsigned i = 0; i < 6; i++) {
        keep(memory, tokens[i], TOKEN_BYTES - i, i + 1);
        for (unsigned k = 0; k <= i; k++)
            assert_int_equal(found(memory, tokens[k], TOKEN_BYTES - k), k + 4 > i ? k + 1 : 0);
    }
    keep(memory, tokens[0], TOKEN_BYTES, 1);
    assert_int_equal(found(memory, tokens[0], TOKEN_BYTES), 1);
    assert_int_equal(found(memory, tokens[2], TOKEN_BYTES - 2), 0);
    token_memory_close(memory);
}

static void a_token_kept_again_has_the_newer_claims(void **state)
{
    struct token_memory *memory = token_memory_open(16);
    char token[TOKEN_BYTES];

    (void)state;
    make_token(token, sizeof token, 1);
    keep(memory, token, sizeof token, 1);
    keep(memory, token, sizeof token, 2);
    assert_int_equal(found(memory, token, sizeof token), 2);
    token_memory_close(memory);
}

static void without_places_nothing_is_remembered(void **state)
{
    struct token_memory *memory = token_memory_open(0);
    char token[TOKEN_BYTES];

    (void)state;
    make_token(token, sizeof token, 1);
    assert_int_equal(found(memory, token, sizeof token), 0);
    keep(memory, token, sizeof token, 1);
    assert_int_equal(found(memory, token, sizeof token), 0);
    token_memory_close(memory);
}

/* The least that is looked at: a place is found by bytes near the end. */
static void what_is_shorter_than_a_signature_is_not_remembered(void **state)
{
    struct token_memory *memory = token_memory_open(16);
    char token[TOKEN_BYTES];

    (void)state;
    make_token(token, sizeof token, 1);
    for (size_t length = 0; length < 43; length++) {
        char *exact = malloc(length + 1); /* so that a look in front of it is seen */
        assert_non_null(exact);
        memcpy(exact, token, length);
        keep(memory, exact, length, 1);
        assert_int_equal(found(memory, exact, length), 0);
        free(exact);
    }
    keep(memory, token, 43, 1);
    assert_int_equal(found(memory, token, 43), 1);
    token_memory_close(memory);
}

/* And no token is ever taken for another one, whatever its place. */
static void a_quarter_of_the_places_holds_nearly_all_of_as_many_tokens(void **state)
{
    enum { PLACES = 1024, TOKENS = PLACES / 4 };
    struct token_memory *memory = token_memory_open(PLACES);
    char token[TOKEN_BYTES];
    unsigned remembered = 0;

    (void)state;
    for (unsigned i = 1; i <= TOKENS; i++) {
        make_token(token, sizeof token, i);
        keep(memory, token, sizeof token, i);
    }
    for (unsigned i = 1; i <= TOKENS; i++) {
        make_token(token, sizeof token, i);
        const uint64_t user_id = found(memory, token, sizeof token);
        assert_true(user_id == 0 || user_id == i);
        remembered += user_id == i;
    }
    /* One for each set on average: about four in a thousand are a fifth one. */
    assert_in_range(remembered, TOKENS * 97 / 100, TOKENS);
    token_memory_close(memory);
}

static void no_more_tokens_are_held_than_places(void **state)
{
    struct token_memory *memory = token_memory_open(5); /* rounded up: 8 */
    char token[TOKEN_BYTES];
    unsigned remembered = 0;

    (void)state;
    for (unsigned i = 1; i <= 200; i++) {
        make_token(token, sizeof token, i);
        keep(memory, token, sizeof token, i);
        assert_int_equal(found(memory, token, sizeof token), i);
    }
    for (unsigned i = 1; i <= 200; i++) {
        make_token(token, sizeof token, i);
        remembered += found(memory, token, sizeof token) == i;
    }
    assert_in_range(remembered, 1, 8);
    token_memory_close(memory);
}

static void closing_nothing_is_allowed(void **state)
{
    (void)state;
    token_memory_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_token_is_found_with_all_its_claims),
        cmocka_unit_test(the_bytes_are_copied),
        cmocka_unit_test(a_token_that_differs_in_one_bit_is_not_found),
        cmocka_unit_test(a_longer_or_shorter_token_is_not_found),
        cmocka_unit_test(a_newer_token_takes_the_place_of_the_oldest_of_four),
        cmocka_unit_test(a_token_kept_again_has_the_newer_claims),
        cmocka_unit_test(without_places_nothing_is_remembered),
        cmocka_unit_test(what_is_shorter_than_a_signature_is_not_remembered),
        cmocka_unit_test(a_quarter_of_the_places_holds_nearly_all_of_as_many_tokens),
        cmocka_unit_test(no_more_tokens_are_held_than_places),
        cmocka_unit_test(closing_nothing_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
