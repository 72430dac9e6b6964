// links: auth/common_passwords.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "auth/common_passwords.h"

static const char *weakness(const char *password)
{
    return password_weakness(password, strlen(password), "ada_lovelace", 12, "Ada@Example.org", 15);
}

#define COMMON   "Password is among the most common ones"
#define USERNAME "Password must not be the username"
#define EMAIL    "Password must not be the email address"

struct block {
    size_t length;
    size_t count;
    const char *words;
};
#define BLOCK(length, count, words) {length, count, words},
static const struct block blocks[] = {
#include "auth/common_passwords.inc"
};
#define BLOCK_COUNT (sizeof blocks / sizeof blocks[0])

static void common_passwords_are_told_in_any_case(void **state)
{
    static const char *const rows[] = {"password",  "PASSWORD",    "PassWord", "12345678",
                                       "123456789", "qwertyuiop",  "iloveyou", "1qaz2wsx",
                                       "!QAZ2wsx",  "password123", "Football", "trustno1"};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (weakness(rows[i]) == NULL)
            fail_msg("%s", rows[i]);
    assert_string_equal(weakness("password"), COMMON);
}

static void at_least_10000_are_known_and_each_is_found(void **state)
{
    char word[64];
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        for (size_t j = 0; j < blocks[i].count; j++, count++) {
            memcpy(word, blocks[i].words + j * blocks[i].length, blocks[i].length);
            word[blocks[i].length] = '\0';
            if (weakness(word) == NULL)
                fail_msg("%s", word);
        }
    }
    assert_true(count >= 10000);
}

static void blocks_are_sorted_in_lower_case_and_without_duplicates(void **state)
{
    (void)state;
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        const struct block *block = &blocks[i];
        assert_true(block->length >= 8 && (i == 0 || block->length > blocks[i - 1].length));
        for (size_t j = 1; j < block->count; j++)
            assert_true(memcmp(block->words + (j - 1) * block->length, block->words + j * block->length,
                               block->length) < 0);
        for (const char *c = block->words; *c != '\0'; c++)
            assert_true(*c > ' ' && *c <= '~' && !(*c >= 'A' && *c <= 'Z'));
    }
}

static void what_is_like_a_common_one_is_none(void **state)
{
    static const char *const rows[] = {"password ",       " password", "passwor",   "correct horse battery",
                                       "p\xc3\xa4ssword", "ada",       "lovelace_", "",
                                       "xkqzjvwp",        "~~~~~~~~~~"};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (weakness(rows[i]) != NULL)
            fail_msg("%s: %s", rows[i], weakness(rows[i]));
}

static void ones_own_names_are_no_passwords(void **state)
{
    (void)state;
    assert_string_equal(weakness("ada_lovelace"), USERNAME);
    assert_string_equal(weakness("ADA_Lovelace"), USERNAME);
    assert_string_equal(weakness("ada@example.org"), EMAIL);
    assert_null(weakness("ada@example.org "));
    assert_null(weakness("ada_lovelace1"));
}

/* No byte is read beyond the length: a long password that begins like a common one, and one without a NUL. */
static void only_the_length_given_counts(void **state)
{
    char longest[511];

    (void)state;
    memset(longest, '1', sizeof longest);
    assert_null(password_weakness(longest, sizeof longest, "a", 1, "b", 1));
    assert_non_null(password_weakness(longest, 8, "a", 1, "b", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_passwords_are_told_in_any_case),
        cmocka_unit_test(at_least_10000_are_known_and_each_is_found),
        cmocka_unit_test(blocks_are_sorted_in_lower_case_and_without_duplicates),
        cmocka_unit_test(what_is_like_a_common_one_is_none),
        cmocka_unit_test(ones_own_names_are_no_passwords),
        cmocka_unit_test(only_the_length_given_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
