/*
 * utf8.h - one character of UTF-8 at a time (RFC 3629): no overlong forms, no surrogates, nothing above
 * U+10FFFF.
 */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UTF8_EVERY_BYTE UINT64_C(0x0101010101010101)

/* Not 0 if one of the eight bytes is `byte`. */
static inline uint64_t utf8_find_byte(uint64_t eight, unsigned char byte)
{
    const uint64_t zero_there = eight ^ (UTF8_EVERY_BYTE * byte);
    return (zero_there - UTF8_EVERY_BYTE) & ~zero_there & (UTF8_EVERY_BYTE * 0x80);
}

/*
 * How many bytes from here on need no look in a JSON string: ASCII, no control character, neither quote nor
 * backslash. Eight at a time, so it may stop up to seven bytes early.
 */
static inline size_t utf8_plain_run(const char *at, size_t left)
{
    size_t length = 0;

    while (left - length >= sizeof(uint64_t)) {
        uint64_t eight;
        memcpy(&eight, at + length, sizeof eight);
        const uint64_t controls = (eight - UTF8_EVERY_BYTE * 0x20) & ~eight;
        if (((controls | eight) & (UTF8_EVERY_BYTE * 0x80)) != 0 || utf8_find_byte(eight, '"') != 0 ||
            utf8_find_byte(eight, '\\') != 0)
            break;
        length += sizeof eight;
    }
    return length;
}

static inline bool utf8_is_tail(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of the character that begins at `at` (1..4), or 0 if the bytes there (at most `left`) are not UTF-8.
 */
static inline size_t utf8_length(const char *at, size_t left)
{
    if (left == 0)
        return 0;
    unsigned char lead = (unsigned char)at[0];
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || left < length)
        return 0;
    unsigned char second = (unsigned char)at[1];
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (!utf8_is_tail(at[i]))
            return 0;
    return length;
}

/* The code point of a character whose length utf8_length gave. */
static inline uint32_t utf8_code_point(const char *at, size_t length)
{
    static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code_point = (unsigned char)at[0] & lead_mask[length];
    for (size_t i = 1; i < length; i++)
        code_point = code_point << 6 | ((unsigned char)at[i] & 0x3f);
    return code_point;
}

#endif
