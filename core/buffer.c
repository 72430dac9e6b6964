#include "core/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

static const char hex_digits[] = "0123456789abcdef";

static void out_of_memory(void)
{
    fputs("token-relay: out of memory\n", stderr);
    abort();
}

static void check(const struct buffer *buffer)
{
    (void)buffer;
    assert(buffer->at != NULL);
    assert(buffer->length < buffer->capacity);
    assert(buffer->at[buffer->length] == '\0');
}

void buffer_open(struct buffer *buffer)
{
    buffer->at = buffer->first;
    buffer->length = 0;
    buffer->capacity = sizeof(buffer->first);
    buffer->first[0] = '\0';
}

/* All of the memory, not just the text: what was cleared may still lie behind it. */
static void release(struct buffer *buffer)
{
    explicit_bzero(buffer->at, buffer->capacity);
    if (buffer->at != buffer->first)
        free(buffer->at);
}

void buffer_close(struct buffer *buffer)
{
    if (buffer == NULL || buffer->at == NULL)
        return;
    check(buffer);
    release(buffer);
    buffer->at = NULL;
    buffer->length = 0;
    buffer->capacity = 0;
}

void buffer_clear(struct buffer *buffer)
{
    check(buffer);
    explicit_bzero(buffer->at, buffer->length);
    buffer->length = 0;
    buffer->at[0] = '\0';
}

/* Room for `more` bytes and the NUL. Not realloc, which would leave a copy of the text behind unwiped. */
static void make_room(struct buffer *buffer, size_t more)
{
    check(buffer);
    if (more < buffer->capacity - buffer->length)
        return;
    if (more > SIZE_MAX / 4 - buffer->capacity)
        out_of_memory();
    size_t capacity = 2 * buffer->capacity;
    if (capacity <= buffer->length + more)
        capacity = buffer->length + more + 1;
    char *at = malloc(capacity);
    if (at == NULL)
        out_of_memory();
    memcpy(at, buffer->at, buffer->length + 1);
    release(buffer);
    buffer->at = at;
    buffer->capacity = capacity;
    assert(more < buffer->capacity - buffer->length);
}

void buffer_add(struct buffer *buffer, const char *bytes, size_t length)
{
    assert(bytes != NULL || length == 0);
    if (length == 0)
        return;
    make_room(buffer, length);
    memcpy(buffer->at + buffer->length, bytes, length);
    buffer->length += length;
    buffer->at[buffer->length] = '\0';
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_add_char(struct buffer *buffer, char c)
{
    buffer_add(buffer, &c, 1);
}

void buffer_add_number(struct buffer *buffer, uint64_t number)
{
    char digits[20];
    size_t first = sizeof(digits);
    do {
        assert(first > 0);
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_add(buffer, digits + first, sizeof(digits) - first);
}

void buffer_add_format(struct buffer *buffer, const char *format, ...)
{
    va_list values;
    va_list again;
    va_start(values, format);
    va_copy(again, values);
    make_room(buffer, 0);
    size_t room = buffer->capacity - buffer->length;
    int length = vsnprintf(buffer->at + buffer->length, room, format, values);
    assert(length >= 0);
    if ((size_t)length >= room) {
        buffer->at[buffer->length] = '\0';
        make_room(buffer, (size_t)length);
        int repeated = vsnprintf(buffer->at + buffer->length, (size_t)length + 1, format, again);
        assert(repeated == length);
        (void)repeated;
    }
    buffer->length += (size_t)length;
    va_end(again);
    va_end(values);
    check(buffer);
}

static void add_unit_escape(struct buffer *buffer, uint32_t unit)
{
    assert(unit <= 0xffff);
    const char escape[] = {'\\',
                           'u',
                           hex_digits[unit >> 12],
                           hex_digits[unit >> 8 & 15],
                           hex_digits[unit >> 4 & 15],
                           hex_digits[unit & 15]};
    buffer_add(buffer, escape, sizeof(escape));
}

static void add_code_point_escape(struct buffer *buffer, uint32_t code_point)
{
    if (code_point > 0xffff) {
        add_unit_escape(buffer, 0xd800 + ((code_point - 0x10000) >> 10));
        add_unit_escape(buffer, 0xdc00 + ((code_point - 0x10000) & 0x3ff));
    } else {
        add_unit_escape(buffer, code_point);
    }
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

/* One character that JSON does not allow as it is. */
static void add_escape(struct buffer *buffer, char c)
{
    static const char named[] = "\"\\\b\f\n\r\t";
    static const char names[] = "\"\\bfnrt";
    assert(!is_plain(c));
    const char *found = c == '\0' ? NULL : strchr(named, c);
    if (found != NULL) {
        const char escape[] = {'\\', names[found - named]};
        buffer_add(buffer, escape, sizeof(escape));
    } else {
        add_unit_escape(buffer, (unsigned char)c);
    }
}

void buffer_add_json(struct buffer *buffer, const char *bytes, size_t length)
{
    assert(bytes != NULL || length == 0);
    buffer_add_char(buffer, '"');
    size_t begin = 0;
    for (size_t i = 0; i < length; i++) {
        if (is_plain(bytes[i]))
            continue;
        buffer_add(buffer, bytes + begin, i - begin);
        add_escape(buffer, bytes[i]);
        begin = i + 1;
    }
    if (begin < length)
        buffer_add(buffer, bytes + begin, length - begin);
    buffer_add_char(buffer, '"');
}

static bool is_plain_ascii(char c)
{
    return is_plain(c) && (unsigned char)c < 0x7f;
}

/* What begins at `at` and is not printable ASCII; returns the bytes it took. */
static size_t add_ascii_escape(struct buffer *buffer, const char *at, size_t left)
{
    if (!is_plain(*at)) {
        add_escape(buffer, *at);
        return 1;
    }
    size_t taken = utf8_length(at, left);
    assert(taken <= left);
    if (taken == 0) {
        add_unit_escape(buffer, (unsigned char)*at);
        return 1;
    }
    add_code_point_escape(buffer, utf8_code_point(at, taken));
    return taken;
}

void buffer_add_json_ascii(struct buffer *buffer, const char *bytes, size_t length)
{
    assert(bytes != NULL || length == 0);
    buffer_add_char(buffer, '"');
    for (size_t i = 0; i < length;) {
        size_t plain = 0;
        while (i + plain < length && is_plain_ascii(bytes[i + plain]))
            plain++;
        buffer_add(buffer, bytes + i, plain);
        i += plain;
        if (i < length)
            i += add_ascii_escape(buffer, bytes + i, length - i);
    }
    buffer_add_char(buffer, '"');
}
