/*
 * names.c - see names.h. The ranges are those of the Unicode Character Database, version 14.0: White_Space
 * and Bidi_Control of PropList.txt, Default_Ignorable_Code_Point of DerivedCoreProperties.txt, Cc of
 * UnicodeData.txt.
 */
#include "auth/names.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct range {
    uint32_t first;
    uint32_t last;
};

static const struct range controls[] = {{0x0000, 0x001F}, {0x007F, 0x009F}};

static const struct range white_space[] = {
    {0x0009, 0x000D}, {0x0020, 0x0020}, {0x0085, 0x0085}, {0x00A0, 0x00A0}, {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
};

static const struct range line_separators[] = {{0x2028, 0x2029}};

/* Default_Ignorable_Code_Point, all Bidi_Control among them, and the interlinear annotation characters. */
static const struct range invisible[] = {
    {0x00AD, 0x00AD},   {0x034F, 0x034F},   {0x061C, 0x061C}, {0x115F, 0x1160}, {0x17B4, 0x17B5},
    {0x180B, 0x180F},   {0x200B, 0x200F},   {0x202A, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164},
    {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3},
    {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

#define IS_IN(ranges, code_point) is_in((ranges), sizeof(ranges) / sizeof((ranges)[0]), (code_point))

static bool is_in(const struct range *ranges, size_t count, uint32_t code_point)
{
    for (size_t i = 0; i < count; i++)
        if (code_point >= ranges[i].first && code_point <= ranges[i].last)
            return true;
    return false;
}

/* The code point at *at, which moves on behind it. The text is valid UTF-8; if not, a byte stands for itself.
 */
static uint32_t next_code_point(const char *text, size_t length, size_t *at)
{
    const unsigned char *bytes = (const unsigned char *)text + *at;
    const size_t left = length - *at;
    const size_t size = bytes[0] < 0xC0 ? 1 : bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;

    assert(left > 0);
    if (size == 1 || size > left) {
        *at += 1;
        return bytes[0];
    }
    uint32_t code_point = bytes[0] & (0xFFU >> (size + 1));
    for (size_t i = 1; i < size; i++)
        code_point = code_point << 6 | (bytes[i] & 0x3FU);
    *at += size;
    return code_point;
}

const char *username_rule(const char *text, size_t length)
{
    bool was_space = false;

    assert(text != NULL || length == 0);
    for (size_t at = 0; at < length;) {
        const bool is_first = at == 0;
        const uint32_t code_point = next_code_point(text, length, &at);
        if (IS_IN(controls, code_point))
            return "Username must not contain control characters";
        if (IS_IN(invisible, code_point))
            return "Username must not contain invisible characters";
        if (IS_IN(line_separators, code_point))
            return "Username must not contain line separators";
        if (code_point == ':')
            return "Username must not contain a colon";
        was_space = IS_IN(white_space, code_point);
        if (was_space && is_first)
            break;
    }
    return was_space ? "Username must not start or end with white space" : NULL;
}

const char *email_rule(const char *text, size_t length)
{
    size_t at_signs = 0;

    assert(text != NULL || length == 0);
    for (size_t at = 0; at < length;) {
        const uint32_t code_point = next_code_point(text, length, &at);
        if (IS_IN(white_space, code_point))
            return "Email must not contain white space";
        if (IS_IN(controls, code_point))
            return "Email must not contain control characters";
        if (code_point == '@')
            at_signs++;
    }
    if (at_signs != 1 || text[0] == '@' || text[length - 1] == '@')
        return "Email must have one @ with something on both sides";
    return NULL;
}
