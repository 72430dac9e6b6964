// links: cli/terminal.c core/buffer.c core/memory.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/terminal.h"

static void assert_masked(const char *json, const char *wanted)
{
    struct buffer out;

    buffer_open(&out);
    terminal_add_masked_json(&out, json, strlen(json));
    assert_string_equal(out.at, wanted);
    buffer_close(&out);
}

static void text_comes_out_in_printable_ascii(void **state)
{
    static const char text[] = "a\x1b[31m\n\xc3\xab\"\\\x7f\xff";
    struct buffer out;

    (void)state;
    buffer_open(&out);
    terminal_add(&out, text, sizeof text - 1);
    for (size_t i = 0; i < out.length; i++)
        assert_in_range(out.at[i], ' ', '~');
    assert_non_null(strstr(out.at, "\\u00eb"));
    buffer_close(&out);
}

static void passwords_are_not_shown(void **state)
{
    (void)state;
    assert_masked("{\"username\": \"ada\", \"password\": \"a \\\"secret\\\"\", \"x\": 1}",
                  "{\"username\": \"ada\", \"password\": \"(not shown)\", \"x\": 1}");
    assert_masked("{\"new_password\":\"s\"}", "{\"new_password\":\"(not shown)\"}");
}

static void of_tokens_only_the_beginning_is_shown(void **state)
{
    (void)state;
    assert_masked("{\"access_token\":\"abcdefghijklmnopqrstuvwxyz\"}",
                  "{\"access_token\":\"abcdef... (26 characters)\"}");
    assert_masked("{\"refresh_token\": \"short\"}", "{\"refresh_token\": \"... (5 characters)\"}");
    assert_masked("{\"token_type\":\"bearer\"}", "{\"token_type\":\"bearer\"}");
}

static void a_value_cut_off_is_masked_too(void **state)
{
    (void)state;
    assert_masked("{\"password\":\"cut o", "{\"password\":\"(not shown)\"");
    assert_masked("{\"password", "{\"password");
    assert_masked("{\"password\":", "{\"password\":");
    assert_masked("\"", "\"");
    assert_masked("\"\\", "\"\\");
}

static void what_is_too_long_is_cut(void **state)
{
    char text[3 * TERMINAL_JSON_MAX_BYTES];
    struct buffer out;

    (void)state;
    memset(text, 'x', sizeof text);
    buffer_open(&out);
    terminal_add_masked_json(&out, text, sizeof text);
    assert_in_range(out.length, TERMINAL_JSON_MAX_BYTES, TERMINAL_JSON_MAX_BYTES + 8);
    buffer_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_out_in_printable_ascii),
        cmocka_unit_test(passwords_are_not_shown),
        cmocka_unit_test(of_tokens_only_the_beginning_is_shown),
        cmocka_unit_test(a_value_cut_off_is_masked_too),
        cmocka_unit_test(what_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
