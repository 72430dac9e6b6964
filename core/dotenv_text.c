#include "core/dotenv_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *dotenv_checked(void *memory)
{
    if (memory == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return memory;
}

void dotenv_wipe_and_free(char *memory, size_t length)
{
    if (memory != NULL)
        explicit_bzero(memory, length);
    free(memory);
}

/* ---- Growing text. ---- */

void dotenv_text_add(struct dotenv_text *text, const char *bytes, size_t length)
{
    if (text->length + length + 1 > text->capacity) {
        size_t capacity = (text->length + length + 1) * 2;
        char *bigger = dotenv_checked(malloc(capacity));
        if (text->length != 0)
            memcpy(bigger, text->at, text->length);
        dotenv_wipe_and_free(text->at, text->capacity); /* not realloc: it would leave a copy behind */
        text->at = bigger;
        text->capacity = capacity;
    }
    if (length != 0)
        memcpy(text->at + text->length, bytes, length);
    text->length += length;
}

void dotenv_text_free(struct dotenv_text *text)
{
    dotenv_wipe_and_free(text->at, text->capacity);
    *text = (struct dotenv_text){0};
}

char *dotenv_string(const char *bytes, size_t length)
{
    char *string = dotenv_checked(malloc(length + 1));
    if (length != 0)
        memcpy(string, bytes, length);
    string[length] = '\0';
    return string;
}

/* ---- White space as Python's str knows it, in UTF-8. ---- */

/* Code points over U+007F that are white space; ranges, first and last. */
static const struct {
    unsigned first;
    unsigned last;
} wide_spaces[] = {{0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                   {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};

static size_t wide_space_length(const char *at, const char *end)
{
    const unsigned char *bytes = (const unsigned char *)at;
    size_t left = (size_t)(end - at);
    unsigned code = 0;
    size_t length = 0;
    if (left >= 2 && (bytes[0] == 0xC2)) {
        code = (unsigned)(bytes[0] & 0x1F) << 6 | (bytes[1] & 0x3F);
        length = 2;
    } else if (left >= 3 && bytes[0] >= 0xE1 && bytes[0] <= 0xE3) {
        code = (unsigned)(bytes[0] & 0x0F) << 12 | (unsigned)(bytes[1] & 0x3F) << 6 | (bytes[2] & 0x3F);
        length = 3;
    }
    for (size_t i = 0; i < sizeof(wide_spaces) / sizeof(wide_spaces[0]); i++)
        if (code >= wide_spaces[i].first && code <= wide_spaces[i].last)
            return length;
    return 0;
}

/* Bytes of the white space at `at`, 0 if it is none. A newline is one. */
size_t dotenv_space_length(const char *at, const char *end)
{
    if (at == end)
        return 0;
    unsigned char byte = (unsigned char)*at;
    if (byte >= 0x80)
        return wide_space_length(at, end);
    return byte == ' ' || (byte >= 0x09 && byte <= 0x0D) || (byte >= 0x1C && byte <= 0x1F) ? 1 : 0;
}

const char *dotenv_after_spaces(const char *at, const char *end, bool over_newlines)
{
    for (;;) {
        size_t length = at != end && *at == '\n' && !over_newlines ? 0 : dotenv_space_length(at, end);
        if (length == 0)
            return at;
        at += length;
    }
}

/* ---- Lines. ---- */

void dotenv_normalise_newlines(const char *text, size_t length, struct dotenv_text *out)
{
    dotenv_text_add(out, "", 0);
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        length -= 3;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '\r')
            dotenv_text_add(out, &text[i], 1);
        else if (i + 1 == length || text[i + 1] != '\n')
            dotenv_text_add(out, "\n", 1);
    }
}
