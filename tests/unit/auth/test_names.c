// links: auth/names.c
// libs:
/* What a username and an e-mail address may look like at signup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/names.h"

typedef const char *rule(const char *text, size_t length);

/* Hands over just the text's bytes, so that a byte read too far is an ASan report. */
static const char *apply(rule *check, const char *text, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);

    assert_non_null(copy);
    memcpy(copy, text, length);
    const char *sentence = check(copy, length);
    free(copy);
    return sentence;
}

static const char *username(const char *text)
{
    return apply(username_rule, text, strlen(text));
}

static const char *email(const char *text)
{
    return apply(email_rule, text, strlen(text));
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    const size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00U >> size & 0xFF) | c);
    return size;
}

enum place { FIRST, MIDDLE, LAST };

/* What the rule says of a code point between two texts. */
static const char *with_code_point(rule *check, const char *before, const char *after, uint32_t code_point)
{
    char text[32];

    size_t length = strlen(before);
    memcpy(text, before, length);
    length += put_utf8(text + length, code_point);
    memcpy(text + length, after, strlen(after));
    return check(text, length + strlen(after)); /* no copy: this runs for all code points there are */
}

static const char *username_with(enum place place, uint32_t code_point)
{
    return with_code_point(username_rule, place == FIRST ? "" : "a", place == LAST ? "" : "b", code_point);
}

static bool is_surrogate(uint32_t code_point)
{
    return code_point >= 0xD800 && code_point <= 0xDFFF;
}

static void ordinary_names_of_all_scripts_are_right(void **state)
{
    static const char *const names[] = {
        "a",
        "admin_user",
        "normal user",
        "O'Brien",
        "a@b",
        "user.name+tag",
        "100%",
        "\"quoted\"",
        "<b>",
        "..",
        "/",
        "\xc3\x84nne",
        "\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd",
        "\xe5\xaf\x86 \xe7\xa0\x81",
        "\xf0\x9f\x94\x91",
        "a\xc2\xa0"
        "b",
        "a\xe3\x80\x80"
        "b",
        "e\xcc\x81",
        "\xef\xbc\x9a" /* a fullwidth colon is none */,
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (username(names[i]) != NULL)
            fail_msg("%s: %s", names[i], username(names[i]));
    assert_null(username(""));
}

static void each_fault_of_a_username_has_its_sentence(void **state)
{
    static const struct {
        uint32_t code_point;
        const char *sentence;
    } cases[] = {
        {0x00, "Username must not contain control characters"},
        {0x09, "Username must not contain control characters"},
        {0x0A, "Username must not contain control characters"},
        {0x1B, "Username must not contain control characters"},
        {0x1F, "Username must not contain control characters"},
        {0x7F, "Username must not contain control characters"},
        {0x80, "Username must not contain control characters"},
        {0x85, "Username must not contain control characters"},
        {0x9F, "Username must not contain control characters"},
        {0x00AD, "Username must not contain invisible characters"},
        {0x061C, "Username must not contain invisible characters"},
        {0x115F, "Username must not contain invisible characters"},
        {0x180E, "Username must not contain invisible characters"},
        {0x200B, "Username must not contain invisible characters"},
        {0x200D, "Username must not contain invisible characters"},
        {0x200E, "Username must not contain invisible characters"},
        {0x200F, "Username must not contain invisible characters"},
        {0x202A, "Username must not contain invisible characters"},
        {0x202E, "Username must not contain invisible characters"},
        {0x2060, "Username must not contain invisible characters"},
        {0x2066, "Username must not contain invisible characters"},
        {0x2069, "Username must not contain invisible characters"},
        {0x3164, "Username must not contain invisible characters"},
        {0xFE0F, "Username must not contain invisible characters"},
        {0xFEFF, "Username must not contain invisible characters"},
        {0xFFF9, "Username must not contain invisible characters"},
        {0xE0041, "Username must not contain invisible characters"},
        {0x2028, "Username must not contain line separators"},
        {0x2029, "Username must not contain line separators"},
        {':', "Username must not contain a colon"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (enum place place = FIRST; place <= LAST; place++)
            assert_string_equal(username_with(place, cases[i].code_point), cases[i].sentence);
}

static void white_space_is_right_inside_a_username_alone(void **state)
{
    static const uint32_t spaces[] = {0x20,   0xA0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005,
                                      0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x202F, 0x205F, 0x3000};
    static const char sentence[] = "Username must not start or end with white space";

    (void)state;
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        assert_string_equal(username_with(FIRST, spaces[i]), sentence);
        assert_null(username_with(MIDDLE, spaces[i]));
        assert_string_equal(username_with(LAST, spaces[i]), sentence);
    }
    assert_string_equal(username(" "), sentence);
    assert_string_equal(username("   "), sentence);
}

static void the_neighbours_of_refused_ranges_are_right(void **state)
{
    static const uint32_t code_points[] = {
        0x21,   0x7E,    0xA1,    0xAC,   0xAE,   0x34E,  0x350,   0x61B,   0x61D,   0x115E,  0x1161, 0x2010,
        0x2027, 0x2030,  0x205E,  0x2070, 0x3163, 0x3165, 0xFDFF,  0xFE10,  0xFEFE,  0xFF9F,  0xFFA1, 0xFFEF,
        0xFFFC, 0x1BC9F, 0x1BCA4, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0xDFFFF, 0xE1000, 0x10FFFF};

    (void)state;
    for (size_t i = 0; i < sizeof code_points / sizeof code_points[0]; i++)
        for (enum place place = FIRST; place <= LAST; place++)
            if (username_with(place, code_points[i]) != NULL)
                fail_msg("U+%04X: %s", (unsigned)code_points[i], username_with(place, code_points[i]));
}

/* So that no slip of a digit in a range goes unseen: the sizes of the properties, Unicode 14.0. */
static void as_many_code_points_are_refused_as_unicode_counts(void **state)
{
    size_t inside = 0;
    size_t only_at_the_ends = 0;
    size_t in_email = 0;

    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        if (is_surrogate(c))
            continue;
        if (username_with(MIDDLE, c) != NULL)
            inside++;
        else if (username_with(LAST, c) != NULL)
            only_at_the_ends++;
        in_email += with_code_point(email_rule, "a", "b@c", c) != NULL;
    }
    assert_int_equal(inside,
                     65 + 4174 + 3 + 2 + 1); /* Cc, Default_Ignorable, annotation, separators, colon */
    assert_int_equal(only_at_the_ends, 17);  /* White_Space without controls and separators */
    assert_int_equal(in_email, 65 + 19 + 1); /* Cc, White_Space without controls, "@" */
}

static void email_addresses_have_one_at_sign_with_something_around(void **state)
{
    static const char *const right[] = {"a@b", "user@example.com", "\"odd\"@host", "\xc3\xa4@\xc3\xb6",
                                        "a:b@[::1]"};
    static const char *const wrong[] = {"",      "@",    "a",  "a@",  "@b",
                                        "a@b@c", "a@@b", "@@", "@a@", "user.example.com"};

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        assert_null(email(right[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_string_equal(email(wrong[i]), "Email must have one @ with something on both sides");
}

static void email_addresses_have_no_white_space_and_no_controls(void **state)
{
    static const char *const spaces[] = {"a b@c",
                                         " a@b",
                                         "a@b ",
                                         "a@b\n",
                                         "a\t@b",
                                         "a@b\r\nBcc:c@d",
                                         "a\xc2\xa0@b",
                                         "a@b\xe3\x80\x80",
                                         "a@\xe2\x80\xa8"
                                         "b",
                                         "a@\xc2\x85"
                                         "b"};
    static const char *const controls[] = {"a\x1b@b", "a@b\x7f", "\x01@b", "a@\xc2\x80", "a\xc2\x9f@b"};

    (void)state;
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
        assert_string_equal(email(spaces[i]), "Email must not contain white space");
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++)
        assert_string_equal(email(controls[i]), "Email must not contain control characters");
}

static void text_cut_inside_a_character_is_not_read_beyond(void **state)
{
    (void)state;
    apply(username_rule, "a\xf0\x9f\x94", 4);
    apply(username_rule, "\xe2", 1);
    apply(email_rule, "a@\xe2\x80", 4);
    assert_null(username_rule(NULL, 0));
    assert_non_null(email_rule(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_names_of_all_scripts_are_right),
        cmocka_unit_test(each_fault_of_a_username_has_its_sentence),
        cmocka_unit_test(white_space_is_right_inside_a_username_alone),
        cmocka_unit_test(the_neighbours_of_refused_ranges_are_right),
        cmocka_unit_test(as_many_code_points_are_refused_as_unicode_counts),
        cmocka_unit_test(email_addresses_have_one_at_sign_with_something_around),
        cmocka_unit_test(email_addresses_have_no_white_space_and_no_controls),
        cmocka_unit_test(text_cut_inside_a_character_is_not_read_beyond),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
