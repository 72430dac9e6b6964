// links: core/dotenv.c core/dotenv_text.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/dotenv.h"

/* What python-dotenv 0.21 makes of the same text, where not said otherwise. */

static const char *environment(const char *name)
{
    if (strcmp(name, "HOME_NAME") == 0)
        return "from-environment";
    return strcmp(name, "SET_BUT_EMPTY") == 0 ? "" : NULL;
}

static void assert_value_n(const char *text, size_t length, const char *name, const char *expected,
                           size_t bad_line)
{
    size_t got_bad_line = 99;
    struct dotenv *dotenv = dotenv_parse(text, length, environment, &got_bad_line);
    const char *value = dotenv_get(dotenv, name);
    if (expected == NULL)
        assert_null(value);
    else
        assert_non_null(value);
    if (expected != NULL)
        assert_string_equal(value, expected);
    assert_int_equal(got_bad_line, bad_line);
    dotenv_free(dotenv);
}

static void assert_value(const char *text, const char *name, const char *expected)
{
    assert_value_n(text, strlen(text), name, expected, 0);
}

static void assert_bad_line(const char *text, size_t bad_line, const char *name, const char *expected)
{
    assert_value_n(text, strlen(text), name, expected, bad_line);
}

static void plain_values_are_trimmed(void **state)
{
    (void)state;
    assert_value("A=b", "A", "b");
    assert_value("  A  =  b c  \n", "A", "b c");
    assert_value("\n\n\tA=b\n", "A", "b");
    assert_value("A=\n", "A", "");
    assert_value("A=", "A", "");
    assert_value("A=a=b\n", "A", "a=b");
    assert_value("A.B-c=1\n", "A.B-c", "1");
    assert_value("", "A", NULL);
    assert_value("A=\xC2\xA0x\xE2\x80\x83\n", "A", "x"); /* no-break and em space are white space too */
}

static void the_last_of_a_name_wins(void **state)
{
    (void)state;
    assert_value("A=1\nB=2\nA=3\n", "A", "3");
    assert_value("A=1\nA\n", "A", NULL);
}

static void export_is_passed_over(void **state)
{
    (void)state;
    assert_value("export A=b\n", "A", "b");
    assert_value("export\t A=b\n", "A", "b");
    assert_value("export=b\n", "export", "b");
    assert_value("exportA=b\n", "exportA", "b");
    assert_value("export # nothing\nA=b\n", "A", "b");
    assert_bad_line("export =b\nA=1\n", 1, "A", "1");
}

static void comments_need_white_space_in_front(void **state)
{
    (void)state;
    assert_value("# A=x\nA=b # c\n", "A", "b");
    assert_value("A=b#c\n", "A", "b#c");
    assert_value("A=#c\n", "A", "#c");
    assert_value("A= # c\n", "A", "# c");
    assert_value("A=b\t# c # d\n", "A", "b");
    assert_value("A='b' # c\n", "A", "b");
    assert_value("A=\"b\"# c\n", "A", "b");
    assert_value("A # c\nB=1", "B", "1");
}

static void single_quotes_know_two_escapes(void **state)
{
    (void)state;
    assert_value("A='b c'\n", "A", "b c");
    assert_value("A='b\\'c'\n", "A", "b'c");
    assert_value("A='b\\\\c'\n", "A", "b\\c");
    assert_value("A='b\\nc\\\"'\n", "A", "b\\nc\\\"");
    assert_value("A=' b '\n", "A", " b ");
    assert_value("A=''\n", "A", "");
}

static void double_quotes_know_the_letters(void **state)
{
    (void)state;
    assert_value("A=\"b\\nc\\td\\r\\a\\b\\f\\v\"\n", "A", "b\nc\td\r\a\b\f\v");
    assert_value("A=\"b\\\"c\\'d\\\\e\"\n", "A", "b\"c'd\\e");
    assert_value("A=\"\\x41\\u0041\\0\"\n", "A", "\\x41\\u0041\\0");
    assert_value("A=b\\nc\n", "A", "b\\nc");
}

static void quoted_values_go_over_lines(void **state)
{
    (void)state;
    assert_value("A=\"b\nc\"\nB=1\n", "A", "b\nc");
    assert_value("A='b\nc'\nB=1\n", "B", "1");
    assert_value("A='b\r\nc'\r\nB=1\r\n", "A", "b\nc");
}

static void the_last_quote_closes_where_all_have_a_backslash(void **state)
{
    (void)state;
    assert_value("A='C:\\dir\\'\n", "A", "C:\\dir\\");
    assert_value("A=\"b\\\\\"\n", "A", "b\\"); /* the backslash in front counts, whatever stands before it */
}

static void names_may_be_in_single_quotes(void **state)
{
    (void)state;
    assert_value("'A B'=c\n", "A B", "c");
    assert_value("\"A\"=c\n", "\"A\"", "c");
    assert_bad_line("''=c\n", 1, "", NULL);
}

static void every_kind_of_newline_ends_a_line(void **state)
{
    (void)state;
    assert_value("A=1\rB=2\r\nC=3", "A", "1");
    assert_value("A=1\rB=2\r\nC=3", "B", "2");
    assert_value("A=1\rB=2\r\nC=3", "C", "3");
}

static void lines_that_cannot_be_read_are_skipped(void **state)
{
    (void)state;
    assert_bad_line("A=1\n=x\nB=2\n", 2, "B", "2");
    assert_bad_line("A=1\n\nB x=2\nC=3\n", 3, "C", "3");
    assert_bad_line("A='b' c\nB=2\n", 1, "A", NULL);
    assert_bad_line("A='b\nB=2\n", 1, "B", "2");
    assert_bad_line("A=\"b\nc\" x\nB=2\n", 1, "B", "2");
}

static void variables_come_from_the_environment_first(void **state)
{
    (void)state;
    assert_value("HOME_NAME=file\nA=${HOME_NAME}\n", "A", "from-environment");
    assert_value("B=file\nA=x${B}y${B}\n", "A", "xfileyfile");
    assert_value("A=${B}\nB=later\n", "A", "");
    assert_value("A='${HOME_NAME}'\n", "A", "from-environment");
    assert_value("A=$HOME_NAME ${\n", "A", "$HOME_NAME ${");
}

static void variables_have_defaults(void **state)
{
    (void)state;
    assert_value("A=${NOBODY:-x y}\n", "A", "x y");
    assert_value("A=${NOBODY:-}\n", "A", "");
    assert_value("A=${SET_BUT_EMPTY:-x}\n", "A", "");
    assert_value("B\nA=${B:-x}\n", "A", "");
    assert_value("A=${NOBODY:x}\n", "A", "${NOBODY:x}");
    assert_value("A=${NOBODY:-${B}}\n", "A", "${B}");
}

/* The three below are ours: Python ends with an exception, or reads on for ever. */
static void a_nul_byte_spoils_its_line_only(void **state)
{
    (void)state;
    assert_value_n("A=b\0c\nB=2\n", 10, "A", NULL, 1);
    assert_value_n("A=b\0c\nB=2\n", 10, "B", "2", 1);
    assert_value_n("A\0=b\nB=2\n", 9, "B", "2", 1);
}

static void values_that_double_without_end_are_cut_off(void **state)
{
    (void)state;
    char text[64 * 24 + 1] = "A=0123456789abcdef\n";
    for (int i = 0; i < 64; i++)
        strcat(text, "A=${A}${A}\n");
    size_t bad_line = 0;
    struct dotenv *dotenv = dotenv_parse(text, strlen(text), NULL, &bad_line);
    assert_int_not_equal(bad_line, 0);
    assert_true(strlen(dotenv_get(dotenv, "A")) <= 4 << 20);
    dotenv_free(dotenv);
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    (void)state;
    assert_value("\xEF\xBB\xBF"
                 "A=b\n",
                 "A", "b");
}

static void no_environment_is_needed(void **state)
{
    (void)state;
    size_t bad_line = 0;
    struct dotenv *dotenv = dotenv_parse("A=${HOME_NAME:-x}", 17, NULL, &bad_line);
    assert_string_equal(dotenv_get(dotenv, "A"), "x");
    dotenv_free(dotenv);
    dotenv_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_values_are_trimmed),
        cmocka_unit_test(the_last_of_a_name_wins),
        cmocka_unit_test(export_is_passed_over),
        cmocka_unit_test(comments_need_white_space_in_front),
        cmocka_unit_test(single_quotes_know_two_escapes),
        cmocka_unit_test(double_quotes_know_the_letters),
        cmocka_unit_test(quoted_values_go_over_lines),
        cmocka_unit_test(the_last_quote_closes_where_all_have_a_backslash),
        cmocka_unit_test(names_may_be_in_single_quotes),
        cmocka_unit_test(every_kind_of_newline_ends_a_line),
        cmocka_unit_test(lines_that_cannot_be_read_are_skipped),
        cmocka_unit_test(variables_come_from_the_environment_first),
        cmocka_unit_test(variables_have_defaults),
        cmocka_unit_test(a_nul_byte_spoils_its_line_only),
        cmocka_unit_test(values_that_double_without_end_are_cut_off),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(no_environment_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
