#include "cli/terminal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SHOWN_OF_TOKEN_BYTES 6

void terminal_add(struct buffer *out, const char *text, size_t length)
{
    struct buffer quoted;

    buffer_open(&quoted);
    buffer_add_json_ascii(&quoted, text, length);
    assert(quoted.length >= 2);
    buffer_add(out, quoted.at + 1, quoted.length - 2);
    buffer_close(&quoted);
}

void terminal_put(FILE *out, const char *text, size_t length)
{
    struct buffer escaped;

    buffer_open(&escaped);
    terminal_add(&escaped, text, length);
    fwrite(escaped.at, 1, escaped.length, out);
    buffer_close(&escaped);
}

static bool is_colourful(FILE *out)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (no_color != NULL && no_color[0] != '\0')
        return false;
    return term != NULL && strcmp(term, "dumb") != 0 && isatty(fileno(out)) == 1;
}

const char *terminal_colour(FILE *out, enum terminal_colour colour)
{
    if (!is_colourful(out))
        return "";
    switch (colour) {
    case TERMINAL_PLAIN:
        return "\033[0m";
    case TERMINAL_GREEN:
        return "\033[32m";
    case TERMINAL_RED:
        return "\033[31m";
    case TERMINAL_DIM:
        return "\033[2m";
    case TERMINAL_BOLD:
        return "\033[1m";
    }
    abort();
}

/* The locale's character set, by the names that setlocale(3) looks at, in its order. */
static bool says_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0')
            return strcasestr(value, "UTF-8") != NULL || strcasestr(value, "UTF8") != NULL;
    }
    return false;
}

const char *terminal_mark(FILE *out, bool good)
{
    if (isatty(fileno(out)) == 1 && says_utf8())
        return good ? "\xe2\x9c\x93" : "\xe2\x9c\x97";
    return good ? "ok" : "FAILED";
}

void terminal_add_masked_token(struct buffer *out, const char *token, size_t length)
{
    /* Of what is short the beginning would be nearly all. */
    const size_t shown = length >= 4 * SHOWN_OF_TOKEN_BYTES ? SHOWN_OF_TOKEN_BYTES : 0;

    terminal_add(out, token, shown);
    buffer_add_format(out, "... (%zu characters)", length);
}

/* The end of a JSON string whose opening quote is at `at`: the offset of its closing quote, or length. */
static size_t string_end(const char *json, size_t length, size_t at)
{
    assert(at < length && json[at] == '"');
    for (at++; at < length && json[at] != '"'; at++) {
        if (json[at] == '\\' && at + 1 < length)
            at++;
    }
    return at < length ? at : length;
}

static bool ends_with(const char *name, size_t length, const char *end)
{
    const size_t end_length = strlen(end);
    return length >= end_length && strncasecmp(name + length - end_length, end, end_length) == 0;
}

/* The offset of a string that is the value of the member whose name ends at `at`; 0: no string follows. */
static size_t value_after(const char *json, size_t length, size_t at)
{
    at++;
    while (at < length && (json[at] == ' ' || json[at] == ':'))
        at++;
    return at < length && json[at] == '"' ? at : 0;
}

static void add_masked(struct buffer *out, bool is_token, const char *value, size_t length)
{
    buffer_add_char(out, '"');
    if (is_token)
        terminal_add_masked_token(out, value, length);
    else
        buffer_add_text(out, "(not shown)");
    buffer_add_char(out, '"');
}

/* Bytes that JSON has outside of strings; whatever else came is shown escaped. */
static void add_plain(struct buffer *out, char byte)
{
    if (byte >= ' ' && byte <= '~')
        buffer_add_char(out, byte);
    else
        terminal_add(out, &byte, 1);
}

static void add_string(struct buffer *out, const char *json, size_t length)
{
    /* The bytes as sent keep their own escapes; only what is not printable ASCII is escaped. */
    for (size_t i = 0; i < length;) {
        size_t run = 1;
        if (json[i] >= ' ' && json[i] <= '~') {
            buffer_add_char(out, json[i]);
        } else {
            while (i + run < length && (json[i + run] < ' ' || json[i + run] > '~'))
                run++;
            terminal_add(out, json + i, run);
        }
        i += run;
    }
}

/* Adds the string at `at` and, where its name asks for it, the masked value that follows. Returns what comes
 * next. */
static size_t add_member(struct buffer *out, const char *json, size_t length, size_t at)
{
    const size_t end = string_end(json, length, at);
    const char *name = json + at + 1;
    const size_t name_length = end > at ? end - at - 1 : 0;
    const bool is_token = ends_with(name, name_length, "token");
    const bool is_password = ends_with(name, name_length, "password");
    const size_t value = is_token || is_password ? value_after(json, length, end) : 0;

    add_string(out, json + at, (end < length ? end + 1 : length) - at);
    if (value == 0)
        return end + 1;
    add_string(out, json + end + 1, value - end - 1);
    const size_t value_end = string_end(json, length, value);
    add_masked(out, is_token, json + value + 1, value_end - value - 1);
    return value_end + 1;
}

void terminal_add_masked_json(struct buffer *out, const char *json, size_t length)
{
    const size_t start = out->length;
    size_t at = 0;

    while (at < length && out->length - start < TERMINAL_JSON_MAX_BYTES) {
        if (json[at] == '"') {
            at = add_member(out, json, length, at);
        } else {
            add_plain(out, json[at]);
            at++;
        }
    }
    if (at < length)
        buffer_add_text(out, " ...");
}
