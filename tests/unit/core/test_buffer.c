// links: core/buffer.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/buffer.h"

static void assert_holds(const struct buffer *buffer, const char *text)
{
    assert_string_equal(buffer->at, text);
    assert_int_equal(buffer->length, strlen(text));
}

static void a_new_buffer_is_an_empty_string(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_open(&buffer);
    assert_holds(&buffer, "");
    buffer_close(&buffer);
}

static void pieces_follow_each_other(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_open(&buffer);
    buffer_add(&buffer, "abcd", 2);
    buffer_add(&buffer, NULL, 0);
    buffer_add_text(&buffer, "-text-");
    buffer_add_char(&buffer, 'c');
    buffer_add_number(&buffer, 0);
    buffer_add_number(&buffer, UINT64_MAX);
    buffer_add_format(&buffer, " %d %s", -5, "five");
    assert_holds(&buffer, "ab-text-c018446744073709551615 -5 five");
    buffer_close(&buffer);
}

static void text_survives_growth_and_stays_terminated(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_open(&buffer);
    for (size_t i = 0; i < 100000; i++) {
        buffer_add_char(&buffer, (char)('a' + i % 26));
        assert_int_equal(buffer.at[buffer.length], '\0');
    }
    assert_int_equal(buffer.length, 100000);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(buffer.at[i], 'a' + i % 26);
    buffer_close(&buffer);
}

static void a_piece_that_just_fits_needs_no_growth_and_one_more_does(void **state)
{
    (void)state;
    char piece[BUFFER_INLINE_BYTES];
    memset(piece, 'x', sizeof(piece));
    struct buffer buffer;
    buffer_open(&buffer);
    buffer_add(&buffer, piece, sizeof(piece) - 1);
    assert_ptr_equal(buffer.at, buffer.first);
    assert_int_equal(buffer.at[buffer.length], '\0');
    buffer_add_char(&buffer, 'y');
    assert_ptr_not_equal(buffer.at, buffer.first);
    assert_int_equal(buffer.length, BUFFER_INLINE_BYTES);
    assert_int_equal(buffer.at[buffer.length], '\0');
    buffer_close(&buffer);
}

static void growth_and_close_wipe_what_was_left_behind(void **state)
{
    (void)state;
    static const char zeros[BUFFER_INLINE_BYTES];
    char piece[BUFFER_INLINE_BYTES];
    memset(piece, 'x', sizeof(piece));
    struct buffer buffer;
    buffer_open(&buffer);
    buffer_add(&buffer, piece, 500);
    buffer_add(&buffer, piece, 500);
    assert_memory_equal(buffer.first, zeros, sizeof(zeros));
    buffer_close(&buffer);

    buffer_open(&buffer);
    buffer_add(&buffer, piece, 500);
    buffer_clear(&buffer);
    buffer_close(&buffer);
    assert_memory_equal(buffer.first, zeros, sizeof(zeros));
}

static void a_closed_buffer_may_be_closed_again_and_reopened(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_open(&buffer);
    buffer_add_text(&buffer, "one");
    buffer_close(&buffer);
    buffer_close(&buffer);
    buffer_open(&buffer);
    buffer_add_text(&buffer, "two");
    assert_holds(&buffer, "two");
    buffer_close(&buffer);
    buffer_close(NULL);
}

static void a_cleared_buffer_starts_over(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_open(&buffer);
    buffer_add_text(&buffer, "something");
    buffer_clear(&buffer);
    assert_holds(&buffer, "");
    buffer_add_text(&buffer, "else");
    assert_holds(&buffer, "else");
    buffer_close(&buffer);
}

static void a_format_longer_than_the_room_is_written_whole(void **state)
{
    (void)state;
    struct buffer buffer;
    for (int width = BUFFER_INLINE_BYTES - 4; width < BUFFER_INLINE_BYTES + 4; width++) {
        buffer_open(&buffer);
        buffer_add_format(&buffer, "%*d", width, 7);
        assert_int_equal(buffer.length, width);
        assert_int_equal(buffer.at[width - 1], '7');
        assert_int_equal(buffer.at[width], '\0');
        buffer_close(&buffer);
    }
}

static void assert_json(const char *bytes, size_t length, const char *json)
{
    struct buffer buffer;
    buffer_open(&buffer);
    buffer_add_json(&buffer, bytes, length);
    assert_holds(&buffer, json);
    buffer_close(&buffer);
}

static void assert_ascii(const char *bytes, size_t length, const char *json)
{
    struct buffer buffer;
    buffer_open(&buffer);
    buffer_add_json_ascii(&buffer, bytes, length);
    assert_holds(&buffer, json);
    buffer_close(&buffer);
}

static void json_escapes_quotes_backslashes_and_controls_only(void **state)
{
    (void)state;
    assert_json(NULL, 0, "\"\"");
    assert_json("plain/'", 7, "\"plain/'\"");
    assert_json("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
    assert_json("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
    assert_json("\0\x01\x1f ", 4, "\"\\u0000\\u0001\\u001f \"");
    assert_json("\xc3\xa9\x7f", 3, "\"\xc3\xa9\x7f\"");
}

static void ascii_json_escapes_all_that_is_not_printable_ascii(void **state)
{
    (void)state;
    assert_ascii(NULL, 0, "\"\"");
    assert_ascii("a\"\\\n\0 z~\x7f", 9, "\"a\\\"\\\\\\n\\u0000 z~\\u007f\"");
    assert_ascii("\xc3\xa9 \xe2\x82\xac", 6, "\"\\u00e9 \\u20ac\"");
    assert_ascii("\xf0\x9f\x98\x80", 4, "\"\\ud83d\\ude00\"");
    assert_ascii("\xf4\x8f\xbf\xbf", 4, "\"\\udbff\\udfff\"");
}

static void ascii_json_shows_bytes_that_are_not_utf8(void **state)
{
    (void)state;
    assert_ascii("\x80\xff", 2, "\"\\u0080\\u00ff\"");
    assert_ascii("\xc0\xaf", 2, "\"\\u00c0\\u00af\"");                       /* overlong */
    assert_ascii("\xe0\x80\xaf", 3, "\"\\u00e0\\u0080\\u00af\"");            /* overlong */
    assert_ascii("\xed\xa0\x80", 3, "\"\\u00ed\\u00a0\\u0080\"");            /* a surrogate */
    assert_ascii("\xf4\x90\x80\x80", 4, "\"\\u00f4\\u0090\\u0080\\u0080\""); /* above U+10FFFF */
    assert_ascii("\xe2\x82", 2, "\"\\u00e2\\u0082\"");                       /* cut off */
    assert_ascii("\xe2\x82x", 3, "\"\\u00e2\\u0082x\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_buffer_is_an_empty_string),
        cmocka_unit_test(pieces_follow_each_other),
        cmocka_unit_test(text_survives_growth_and_stays_terminated),
        cmocka_unit_test(a_piece_that_just_fits_needs_no_growth_and_one_more_does),
        cmocka_unit_test(growth_and_close_wipe_what_was_left_behind),
        cmocka_unit_test(a_closed_buffer_may_be_closed_again_and_reopened),
        cmocka_unit_test(a_cleared_buffer_starts_over),
        cmocka_unit_test(a_format_longer_than_the_room_is_written_whole),
        cmocka_unit_test(json_escapes_quotes_backslashes_and_controls_only),
        cmocka_unit_test(ascii_json_escapes_all_that_is_not_printable_ascii),
        cmocka_unit_test(ascii_json_shows_bytes_that_are_not_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
