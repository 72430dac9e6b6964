#include "core/json_scan.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/key_set.h"
#include "core/utf8.h"

struct level {
    bool is_object;
    uint64_t object; /* its number, from 1 */
};

/* What may stand at the next byte that is not white space. */
enum want {
    WANT_VALUE,
    WANT_VALUE_OR_END, /* after '[' */
    WANT_KEY_OR_END,   /* after '{' */
    WANT_KEY,          /* after a comma in an object */
    WANT_COMMA_OR_END, /* after a value; at the top: the end of the text */
};

struct scan {
    const char *text;
    size_t length;
    size_t at; /* when a step says false: what is wrong */
    enum want want;
    size_t depth;
    uint64_t objects;
    struct key_set keys; /* of all objects */
    struct level levels[JSON_DEPTH_MAX];
};

/* The byte at hand; at the end '\0', which is wrong wherever a byte is wanted. */
static char peek(const struct scan *scan)
{
    assert(scan->at <= scan->length);
    return scan->at < scan->length ? scan->text[scan->at] : '\0';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct scan *scan)
{
    while (is_space(peek(scan)))
        scan->at++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool scan_digits(struct scan *scan)
{
    if (!is_digit(peek(scan)))
        return false;
    while (is_digit(peek(scan)))
        scan->at++;
    return true;
}

static bool scan_number(struct scan *scan)
{
    if (peek(scan) == '-')
        scan->at++;
    if (peek(scan) == '0')
        scan->at++; /* nothing but a point or an exponent may follow: another digit is no comma and no end */
    else if (!scan_digits(scan))
        return false;
    if (peek(scan) == '.') {
        scan->at++;
        if (!scan_digits(scan))
            return false;
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        scan->at++;
        if (peek(scan) == '+' || peek(scan) == '-')
            scan->at++;
        return scan_digits(scan);
    }
    return true;
}

static bool scan_word(struct scan *scan, const char *word)
{
    for (; *word != '\0'; word++, scan->at++)
        if (peek(scan) != *word)
            return false;
    return true;
}

/* Four hexadecimal digits at `at`, or -1. */
static int32_t read_unit(const struct scan *scan, size_t at)
{
    if (scan->length - at < 4)
        return -1;
    int32_t unit = 0;
    for (size_t i = at; i < at + 4; i++) {
        char c = scan->text[i];
        if (is_digit(c))
            unit = unit << 4 | (c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            unit = unit << 4 | ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return unit;
}

/* \uXXXX, or two of them for one code point. Returns the code point, 0 if it is wrong or U+0000. */
static uint32_t scan_unicode_escape(struct scan *scan)
{
    assert(scan->text[scan->at] == '\\' && scan->text[scan->at + 1] == 'u');
    size_t at = scan->at;
    int32_t unit = read_unit(scan, at + 2);
    if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return 0;
    at += 6;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        if (scan->length - at < 6 || scan->text[at] != '\\' || scan->text[at + 1] != 'u')
            return 0;
        int32_t low = read_unit(scan, at + 2);
        if (low < 0xdc00 || low > 0xdfff)
            return 0;
        at += 6;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    scan->at = at;
    return (uint32_t)unit;
}

/* What an escape stands for, 0 if it is wrong. */
static uint32_t scan_escape(struct scan *scan)
{
    static const char names[] = "\"\\/bfnrt";
    static const char means[] = "\"\\/\b\f\n\r\t";
    assert(peek(scan) == '\\');
    if (scan->length - scan->at < 2)
        return 0;
    char name = scan->text[scan->at + 1];
    if (name == 'u')
        return scan_unicode_escape(scan);
    const char *found = name == '\0' ? NULL : strchr(names, name);
    if (found == NULL)
        return 0;
    scan->at += 2;
    return (uint32_t)means[found - names];
}

/* How much can be taken as it is. Values are long, and looked at eight bytes at a time; keys are short. */
static size_t plain_length(const struct scan *scan, bool is_key)
{
    const char *at = scan->text + scan->at;
    const size_t left = scan->length - scan->at;
    size_t length = 0;

    if (!is_key)
        return utf8_plain_run(at, left);
    while (length < left && (unsigned char)at[length] >= 0x20 && (unsigned char)at[length] < 0x80 &&
           at[length] != '"' && at[length] != '\\')
        length++;
    return length;
}

/* From quote to quote. The unescaped bytes go into `hash` if there is one. */
static bool scan_string(struct scan *scan, struct key_hash *hash)
{
    assert(peek(scan) == '"');
    scan->at++;
    while (scan->at < scan->length) {
        size_t plain = plain_length(scan, hash != NULL);
        if (hash != NULL)
            key_hash_bytes(hash, scan->text + scan->at, plain);
        scan->at += plain;
        if (scan->at == scan->length)
            return false;
        unsigned char c = (unsigned char)scan->text[scan->at];
        if (c == '"') {
            scan->at++;
            return true;
        }
        if (c < 0x20)
            return false;
        if (c == '\\') {
            uint32_t code_point = scan_escape(scan);
            if (code_point == 0)
                return false;
            if (hash != NULL)
                key_hash_code_point(hash, code_point);
            continue;
        }
        size_t length = utf8_length(scan->text + scan->at, scan->length - scan->at);
        if (length == 0)
            return false;
        if (hash != NULL)
            key_hash_bytes(hash, scan->text + scan->at, length);
        scan->at += length;
    }
    return false;
}

static bool scan_open(struct scan *scan, bool is_object)
{
    if (scan->depth == JSON_DEPTH_MAX)
        return false;
    scan->levels[scan->depth++] = (struct level){.is_object = is_object, .object = ++scan->objects};
    scan->at++;
    scan->want = is_object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
    return true;
}

static bool scan_value(struct scan *scan)
{
    char c = peek(scan);
    if (c == '{' || c == '[')
        return scan_open(scan, c == '{');
    scan->want = WANT_COMMA_OR_END;
    switch (c) {
    case '"':
        return scan_string(scan, NULL);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    default:
        return (c == '-' || is_digit(c)) && scan_number(scan);
    }
}

/* A key and its colon. */
static bool scan_key(struct scan *scan)
{
    assert(scan->depth > 0 && scan->levels[scan->depth - 1].is_object);
    if (peek(scan) != '"')
        return false;
    size_t quote = scan->at;
    struct key_hash hash;
    key_hash_open(&hash, scan->levels[scan->depth - 1].object);
    if (!scan_string(scan, &hash))
        return false;
    if (!key_set_add(&scan->keys, key_hash_close(&hash))) {
        scan->at = quote;
        return false;
    }
    skip_space(scan);
    if (peek(scan) != ':')
        return false;
    scan->at++;
    scan->want = WANT_VALUE;
    return true;
}

static bool scan_end(struct scan *scan)
{
    assert(scan->depth > 0);
    if (peek(scan) != (scan->levels[scan->depth - 1].is_object ? '}' : ']'))
        return false;
    scan->depth--;
    scan->at++;
    scan->want = WANT_COMMA_OR_END;
    return true;
}

static bool scan_comma_or_end(struct scan *scan)
{
    if (peek(scan) != ',')
        return scan_end(scan);
    scan->at++;
    scan->want = scan->levels[scan->depth - 1].is_object ? WANT_KEY : WANT_VALUE;
    return true;
}

static bool scan_step(struct scan *scan)
{
    switch (scan->want) {
    case WANT_VALUE:
        return scan_value(scan);
    case WANT_VALUE_OR_END:
        return peek(scan) == ']' ? scan_end(scan) : scan_value(scan);
    case WANT_KEY_OR_END:
        return peek(scan) == '}' ? scan_end(scan) : scan_key(scan);
    case WANT_KEY:
        return scan_key(scan);
    case WANT_COMMA_OR_END:
        return scan_comma_or_end(scan);
    }
    abort();
}

static bool scan_text(struct scan *scan)
{
    do {
        skip_space(scan);
        if (!scan_step(scan))
            return false;
    } while (scan->depth > 0 || scan->want != WANT_COMMA_OR_END);
    skip_space(scan);
    return scan->at == scan->length;
}

bool json_scan(const char *text, size_t length, size_t *wrong_at)
{
    assert(text != NULL || length == 0);
    assert(wrong_at != NULL);
    struct scan scan;
    scan.text = text;
    scan.length = length;
    scan.at = 0;
    scan.want = WANT_VALUE;
    scan.depth = 0;
    scan.objects = 0;
    key_set_open(&scan.keys);
    bool right = scan_text(&scan);
    assert(scan.at <= length);
    if (!right)
        *wrong_at = scan.at;
    key_set_close(&scan.keys);
    return right;
}

bool json_is_object(const char *json)
{
    while (is_space(*json))
        json++;
    return *json == '{';
}

static const char *skip_to(const char *at, char c)
{
    while (*at != c)
        at++;
    return at;
}

/* Behind the string whose quote is at `at`. */
static const char *skip_string(const char *at)
{
    assert(*at == '"');
    for (at++; *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at + 1;
}

/* At the comma or brace that ends the value at `at`. */
static const char *skip_value(const char *at)
{
    for (size_t depth = 0; depth > 0 || (*at != ',' && *at != '}');) {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        at++;
    }
    return at;
}

const char *json_member(const char *object, size_t index, size_t *length)
{
    assert(json_is_object(object));
    const char *at = skip_to(object, '{');
    for (;; index--) {
        at = skip_string(skip_to(at, '"'));
        at = skip_to(at, ':') + 1;
        const char *end = skip_value(at);
        if (index == 0) {
            *length = (size_t)(end - at);
            return at;
        }
        assert(*end == ',');
        at = end;
    }
}

size_t json_compact(const char *json, size_t length, char *to)
{
    size_t written = 0;
    for (const char *at = json; at < json + length;) {
        const char *next = *at == '"' ? skip_string(at) : at + 1;
        if (!is_space(*at)) {
            memcpy(to + written, at, (size_t)(next - at));
            written += (size_t)(next - at);
        }
        at = next;
    }
    assert(written <= length);
    return written;
}
