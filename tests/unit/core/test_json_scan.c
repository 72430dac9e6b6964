// links: core/json_scan.c core/key_set.c core/buffer.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/buffer.h"
#include "core/json_scan.h"

#define UNTOUCHED ((size_t)-1)

/* The text in memory of exactly its size, so that a byte read too far is seen. */
static size_t scan(const char *text, size_t length)
{
    char *copy = malloc(length == 0 ? 1 : length);
    assert_non_null(copy);
    memcpy(copy, text, length);
    size_t wrong_at = UNTOUCHED;
    bool right = json_scan(copy, length, &wrong_at);
    assert_int_equal(right, wrong_at == UNTOUCHED);
    free(copy);
    return wrong_at;
}

static void assert_right(const char *text)
{
    if (scan(text, strlen(text)) != UNTOUCHED)
        fail_msg("refused: %s", text);
}

static void assert_wrong(const char *text, size_t at)
{
    size_t wrong_at = scan(text, strlen(text));
    if (wrong_at != at)
        fail_msg("%s: wrong at %zd, not at %zu", text, (ssize_t)wrong_at, at);
}

static void every_kind_of_value_is_json(void **state)
{
    (void)state;
    const char *const texts[] = {"null", "true", "false", "0", "\"\"", "[]", "{}", " \t\r\n[ ] \n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_right(texts[i]);
    assert_right("{\"a\":[1,-2.5e+3,{\"b\":null}],\"c\" : { \"a\" : \"x\" } }");
}

static void nothing_is_not_json_and_is_wrong_at_its_end(void **state)
{
    (void)state;
    size_t wrong_at = UNTOUCHED;
    assert_false(json_scan(NULL, 0, &wrong_at));
    assert_int_equal(wrong_at, 0);
    assert_wrong("", 0);
    assert_wrong("   ", 3);
}

static void every_true_beginning_of_a_text_is_wrong_at_its_end(void **state)
{
    (void)state;
    const char text[] = "{\"key\" : [ true, false , null, -1.5e-7, \"text\" ] , \"b\":{}}";
    for (size_t length = 0; length + 1 < sizeof(text); length++)
        assert_int_equal(scan(text, length), length);
    assert_right(text);
}

static void numbers_follow_the_grammar(void **state)
{
    (void)state;
    const char *const right[] = {
        "0",       "-0",
        "10",      "1.0",
        "-1.05",   "1e5",
        "1E+5",    "0e-0",
        "12.5e10", "123456789012345678901234567890123456789012345678901234567890123456789012345678"};
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_right(right[i]);
    assert_wrong("01", 1);
    assert_wrong("-", 1);
    assert_wrong("-a", 1);
    assert_wrong("+1", 0);
    assert_wrong(".5", 0);
    assert_wrong("1.", 2);
    assert_wrong("1.e1", 2);
    assert_wrong("1e", 2);
    assert_wrong("1e+", 3);
    assert_wrong("0x10", 1);
    assert_wrong("NaN", 0);
    assert_wrong("Infinity", 0);
    assert_wrong("-Infinity", 1);
}

static void what_lenient_readers_take_is_wrong(void **state)
{
    (void)state;
    assert_wrong("[1,]", 3);
    assert_wrong("[,1]", 1);
    assert_wrong("[1 2]", 3);
    assert_wrong("{\"a\":1,}", 7);
    assert_wrong("{\"a\" 1}", 5);
    assert_wrong("{a:1}", 1);
    assert_wrong("{'a':1}", 1);
    assert_wrong("{1:1}", 1);
    assert_wrong("[1}", 2);
    assert_wrong("{]", 1);
    assert_wrong("]", 0);
    assert_wrong("{} {}", 3);
    assert_wrong("{}x", 2);
    assert_wrong("1/**/", 1);
    assert_wrong("//\n1", 0);
    assert_wrong("True", 0);
    assert_wrong("nul", 3);
    assert_wrong("nulL", 3);
    assert_wrong("\xef\xbb\xbf{}", 0);
    assert_wrong("\v1", 0);
    assert_wrong("\f1", 0);
    assert_wrong("\xc2\xa0"
                 "1",
                 0);
}

static void a_nul_byte_is_wrong_wherever_it_stands(void **state)
{
    (void)state;
    assert_int_equal(scan("\0", 1), 0);
    assert_int_equal(scan("{}\0", 3), 2);
    assert_int_equal(scan("[\0]", 3), 1);
    assert_int_equal(scan("[1\0]", 4), 2);
    assert_int_equal(scan("\"a\0b\"", 5), 2);
    assert_int_equal(scan("\"\\\0\"", 4), 1);
    assert_int_equal(scan("{\"a\"\0:1}", 8), 4);
}

static void strings_hold_no_control_characters(void **state)
{
    (void)state;
    assert_wrong("\"a\nb\"", 2);
    assert_wrong("\"\x1f\"", 1);
    assert_right("\"\x7f\"");
    assert_right("\"\\b\\f\\n\\r\\t\\/\\\\\\\"\\u001F\"");
    assert_wrong("\"ab\\x\"", 3);
    assert_wrong("\"\\U0041\"", 1);
    assert_wrong("\"\\u004\"", 1);
    assert_wrong("\"\\u00g0\"", 1);
    assert_wrong("\"\\u+041\"", 1);
    assert_wrong("\"\\", 1);
    assert_wrong("\"\\u12", 1);
}

static void the_escape_of_nul_is_wrong_in_texts_and_keys(void **state)
{
    (void)state;
    assert_wrong("\"ab\\u0000\"", 3);
    assert_wrong("{\"a\":1,\"\\u0000\":2}", 8);
    assert_right("\"\\\\u0000\"");
    assert_right("\"\\u0001\"");
}

static void surrogates_come_in_pairs(void **state)
{
    (void)state;
    assert_right("\"\\ud83d\\ude00\"");
    assert_right("\"\\uDBFF\\uDFFF\"");
    assert_wrong("\"x\\ud83d\"", 2);
    assert_wrong("\"\\ud83dxxxxxx\"", 1);
    assert_wrong("\"\\ud83d\\n12345\"", 1);
    assert_wrong("\"\\ud83d\\ud83d\"", 1);
    assert_wrong("\"\\ude00\"", 1);
    assert_wrong("\"\\ud83d\\ude0", 1);
}

static void text_is_utf8_throughout(void **state)
{
    (void)state;
    assert_right("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\"");
    assert_wrong("\"\x80\"", 1);
    assert_wrong("\"a\xff\"", 2);
    assert_wrong("\"\xc0\xaf\"", 1);
    assert_wrong("\"\xc1\xbf\"", 1);
    assert_wrong("\"\xe0\x9f\xbf\"", 1);
    assert_wrong("\"\xf0\x8f\xbf\xbf\"", 1);
    assert_wrong("\"\xed\xa0\x80\"", 1);
    assert_wrong("\"\xf4\x90\x80\x80\"", 1);
    assert_wrong("\"\xf5\x80\x80\x80\"", 1);
    assert_wrong("\"\xe2\x82\"", 1);
    assert_wrong("\"\xe2\x82", 1);
    assert_wrong("{\"\xe2\x28\xa1\":1}", 2);
}

static void a_duplicate_key_is_wrong_at_its_quote(void **state)
{
    (void)state;
    assert_wrong("{\"a\":1,\"a\":1}", 7);
    assert_wrong("{\"a\":1, \"b\":2, \"a\":3}", 15);
    assert_wrong("{\"\":1,\"\":2}", 6);
    assert_wrong("{\"deep\":[1,{\"x\":{\"k\":1,\"k\":2}}]}", 23);
    assert_wrong("{\"a\":{\"b\":1},\"a\":2}", 13);
}

static void keys_are_compared_unescaped(void **state)
{
    (void)state;
    assert_wrong("{\"a\":1,\"\\u0061\":2}", 7);
    assert_wrong("{\"\\/\":1,\"/\":2}", 8);
    assert_wrong("{\"\xc3\xa9\":1,\"\\u00E9\":2}", 8);
    assert_wrong("{\"\xe2\x82\xac\":1,\"\\u20ac\":2}", 9);
    assert_wrong("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}", 10);
    assert_right("{\"a\":1,\"A\":2,\"a \":3,\"\\\\u0061\":4}");
}

static void the_same_key_in_another_object_is_right(void **state)
{
    (void)state;
    assert_right("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}");
    assert_right("[{\"a\":1},{\"a\":1},{\"a\":1}]");
    assert_right("{\"a\":[\"a\",\"a\"],\"b\":\"a\"}");
}

static void nesting_ends_at_the_limit(void **state)
{
    (void)state;
    for (int objects = 0; objects < 2; objects++) {
        const char *open = objects ? "{\"a\":" : "[";
        struct buffer text;
        buffer_open(&text);
        for (size_t i = 0; i < JSON_DEPTH_MAX; i++)
            buffer_add_text(&text, open);
        buffer_add_text(&text, "1");
        for (size_t i = 0; i < JSON_DEPTH_MAX; i++)
            buffer_add_char(&text, objects ? '}' : ']');
        assert_right(text.at);
        buffer_clear(&text);
        for (size_t i = 0; i < 100000; i++)
            buffer_add_text(&text, open);
        assert_wrong(text.at, JSON_DEPTH_MAX * strlen(open));
        buffer_close(&text);
    }
}

/* A comparison of each key with each other would take minutes here; the alarm ends the program first. */
static void a_million_keys_take_no_longer_than_they_are_long(void **state)
{
    (void)state;
    alarm(60);
    struct buffer text;
    buffer_open(&text);
    for (unsigned i = 0; i < 1000000; i++)
        buffer_add_format(&text, "%c\"%x\":0", i == 0 ? '{' : ',', i);
    size_t end = text.length;
    buffer_add_char(&text, '}');
    assert_int_equal(scan(text.at, text.length), UNTOUCHED);
    text.at[end] = ',';
    buffer_add_text(&text, "\"7\":1}");
    assert_int_equal(scan(text.at, text.length), end + 1);
    buffer_close(&text);
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_json),
        cmocka_unit_test(nothing_is_not_json_and_is_wrong_at_its_end),
        cmocka_unit_test(every_true_beginning_of_a_text_is_wrong_at_its_end),
        cmocka_unit_test(numbers_follow_the_grammar),
        cmocka_unit_test(what_lenient_readers_take_is_wrong),
        cmocka_unit_test(a_nul_byte_is_wrong_wherever_it_stands),
        cmocka_unit_test(strings_hold_no_control_characters),
        cmocka_unit_test(the_escape_of_nul_is_wrong_in_texts_and_keys),
        cmocka_unit_test(surrogates_come_in_pairs),
        cmocka_unit_test(text_is_utf8_throughout),
        cmocka_unit_test(a_duplicate_key_is_wrong_at_its_quote),
        cmocka_unit_test(keys_are_compared_unescaped),
        cmocka_unit_test(the_same_key_in_another_object_is_right),
        cmocka_unit_test(nesting_ends_at_the_limit),
        cmocka_unit_test(a_million_keys_take_no_longer_than_they_are_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
