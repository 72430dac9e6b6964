// links:
// libs:
/* The shape of a token, which the gateway checks before it asks anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "auth/contract.h"

static bool has_shape(const char *token)
{
    return auth_token_has_shape(token, strlen(token));
}

static void three_parts_of_base64url_have_the_shape(void **state)
{
    (void)state;
    assert_true(has_shape("a.b.c"));
    assert_true(has_shape("AZ.az.09-_"));
    assert_true(has_shape("eyJhbGciOiJIUzI1NiJ9.e30.WGTsZ-_x"));
}

static void anything_else_has_not(void **state)
{
    static const char *const tokens[] = {
        "",          ".",
        "..",        "...",
        "a",         "a.b",
        "a.b.",      ".b.c",
        "a..c",      "a.b.c.",
        ".a.b.c",    "a.b.c.d",
        "a.b.c..",   "a.b.c=",
        "a.b+.c",    "a.b/.c",
        " a.b.c",    "a.b.c ",
        "a. b.c",    "a.b.c\n",
        "a.b.c\t",   "\"a.b.c\"",
        "a.b.c,",    "a.b.\x7f",
        "a.b.\xc3",  "a.b.\xc3\xa4",
        "a.b.c\r\n", "a:b.c.d",
        "a.[.c",     "a.`.c",
        "a.{.c",     "a.@.c",
        "a.b.c\\",
    };

    (void)state;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        if (has_shape(tokens[i]))
            fail_msg("has the shape: %s", tokens[i]);
}

static void a_nul_inside_is_no_end(void **state)
{
    (void)state;
    assert_true(auth_token_has_shape("a.b.c\0d", 5));
    assert_false(auth_token_has_shape("a.b.c\0d", 7));
    assert_false(auth_token_has_shape("a.b.c", 6));
}

static void nothing_beyond_the_length_counts(void **state)
{
    (void)state;
    assert_true(auth_token_has_shape("a.b.cd.", 6));
    assert_false(auth_token_has_shape("a.b.c", 4));
    assert_false(auth_token_has_shape(NULL, 0));
}

static void the_longest_token_has_4096_bytes(void **state)
{
    char *token = malloc(AUTH_TOKEN_MAX_BYTES + 1); /* exact: a byte read too far is an ASan report */

    (void)state;
    assert_non_null(token);
    memset(token, 'a', AUTH_TOKEN_MAX_BYTES + 1);
    token[1] = token[3] = '.';
    assert_true(auth_token_has_shape(token, AUTH_TOKEN_MAX_BYTES));
    assert_false(auth_token_has_shape(token, AUTH_TOKEN_MAX_BYTES + 1));
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_parts_of_base64url_have_the_shape),
        cmocka_unit_test(anything_else_has_not),
        cmocka_unit_test(a_nul_inside_is_no_end),
        cmocka_unit_test(nothing_beyond_the_length_counts),
        cmocka_unit_test(the_longest_token_has_4096_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
