#include "core/dotenv.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/dotenv_text.h"

/*
 * The grammar is python-dotenv's (parser.py, variables.py), odd corners included, since existing files were
 * written against it: a value's first quote is closed by the first one without a backslash in front, or else
 * by the last one of the text; ${NAME} is looked up in values of any quoting; a name without "=" has no value
 * and hides earlier ones. Ours: a byte-order mark at the start is passed over; a statement with a NUL byte,
 * or whose values together pass VALUES_MAX_BYTES (${A}${A} doubles), is skipped as one that cannot be read.
 */
#define VALUES_MAX_BYTES (4 << 20)

struct entry {
    char *name;
    char *value; /* NULL: a name without "=" */
};

struct dotenv {
    struct entry *entries;
    size_t count;
    size_t capacity;
    size_t value_bytes;
};

struct reader {
    const char *at;
    const char *end;
    size_t line;
    const char *(*lookup)(const char *name);
    struct dotenv *dotenv;
};

/* ---- Values. ---- */

/*
 * The quote that closes the value starting at `at`: the first without a backslash in front, else the last;
 * NULL: none.
 */
static const char *closing_quote(const char *at, const char *end, char quote)
{
    const char *last = NULL;
    for (const char *p = at; p != end; p++) {
        if (*p != quote)
            continue;
        last = p;
        if (p == at || p[-1] != '\\')
            return p;
    }
    return last;
}

/* Appends with the escapes of the quote: \\ and \', within double quotes also \" and the letters. */
static void add_unescaped(struct dotenv_text *out, const char *at, const char *end, char quote)
{
    static const char from[] = "\\'\"abfnrtv";
    static const char to[] = "\\'\"\a\b\f\n\r\t\v";
    size_t known = quote == '"' ? sizeof(from) - 1 : 2;
    while (at != end) {
        const char *escape = at + 1 != end && *at == '\\' ? memchr(from, at[1], known) : NULL;
        if (escape == NULL) {
            dotenv_text_add(out, at++, 1);
        } else {
            dotenv_text_add(out, &to[escape - from], 1);
            at += 2;
        }
    }
}

/* Appends up to the end of the line, without a comment that has white space in front, without white space
 * behind. */
static void add_unquoted(struct reader *reader, struct dotenv_text *out)
{
    const char *at = reader->at;
    const char *newline = memchr(at, '\n', (size_t)(reader->end - at));
    const char *line_end = newline == NULL ? reader->end : newline;
    const char *value_end = at;
    bool is_comment = false;
    for (const char *p = at; p != line_end && !is_comment;) {
        const char *next = dotenv_after_spaces(p, line_end, false);
        is_comment = next != p && next != line_end && *next == '#';
        if (next == p)
            value_end = ++next;
        p = next;
    }
    dotenv_text_add(out, at, (size_t)(value_end - at));
    reader->at = line_end;
}

static void advance(struct reader *reader, const char *to)
{
    for (; reader->at != to; reader->at++)
        if (*reader->at == '\n')
            reader->line++;
}

/* After the "=" and the white space behind it. False: a quote is not closed. */
static bool read_value(struct reader *reader, struct dotenv_text *out)
{
    if (reader->at == reader->end || *reader->at == '\n')
        return true;
    char quote = *reader->at;
    if (quote != '"' && quote != '\'') {
        add_unquoted(reader, out);
        return true;
    }
    const char *close = closing_quote(reader->at + 1, reader->end, quote);
    if (close == NULL)
        return false;
    add_unescaped(out, reader->at + 1, close, quote);
    advance(reader, close + 1);
    return true;
}

/* ---- ${NAME} and ${NAME:-default}. ---- */

static const struct entry *find(const struct dotenv *dotenv, const char *name)
{
    for (size_t i = dotenv->count; i-- > 0;)
        if (strcmp(dotenv->entries[i].name, name) == 0)
            return &dotenv->entries[i];
    return NULL;
}

/* A name that is in the file without a value is empty, not defaulted. */
static void add_variable(const struct reader *reader, struct dotenv_text *out, const char *name_at,
                         size_t name_length, const char *fallback, size_t fallback_length)
{
    char *name = dotenv_string(name_at, name_length);
    const char *value = reader->lookup == NULL ? NULL : reader->lookup(name);
    const struct entry *entry = value == NULL ? find(reader->dotenv, name) : NULL;
    if (entry != NULL)
        value = entry->value == NULL ? "" : entry->value;
    if (value != NULL)
        dotenv_text_add(out, value, strlen(value));
    else
        dotenv_text_add(out, fallback, fallback_length);
    free(name);
}

/* Takes what stands at "${" and returns the place behind its "}"; NULL: it is not a variable. */
static const char *expand_one(const struct reader *reader, struct dotenv_text *out, const char *at,
                              const char *end)
{
    assert(end - at >= 2 && at[0] == '$' && at[1] == '{');
    const char *name = at + 2;
    const char *name_end = name;
    while (name_end != end && *name_end != '}' && *name_end != ':')
        name_end++;
    if (name_end == end)
        return NULL;
    size_t name_length = (size_t)(name_end - name);
    if (*name_end == '}') {
        add_variable(reader, out, name, name_length, "", 0);
        return name_end + 1;
    }
    if (end - name_end < 2 || name_end[1] != '-')
        return NULL;
    const char *fallback = name_end + 2;
    const char *close = memchr(fallback, '}', (size_t)(end - fallback));
    if (close == NULL)
        return NULL;
    add_variable(reader, out, name, name_length, fallback, (size_t)(close - fallback));
    return close + 1;
}

/* False: the values would pass VALUES_MAX_BYTES. */
static bool expand(const struct reader *reader, struct dotenv_text *out, const struct dotenv_text *raw)
{
    const char *end = raw->at + raw->length;
    for (const char *at = raw->at; at != end;) {
        const char *next = NULL;
        if (end - at >= 2 && at[0] == '$' && at[1] == '{')
            next = expand_one(reader, out, at, end);
        if (next == NULL) {
            dotenv_text_add(out, at, 1);
            next = at + 1;
        }
        at = next;
        if (reader->dotenv->value_bytes + out->length > VALUES_MAX_BYTES)
            return false;
    }
    return true;
}

/* ---- Statements. ---- */

static void keep(struct dotenv *dotenv, const char *name, size_t name_length, const struct dotenv_text *value)
{
    if (dotenv->count == dotenv->capacity) {
        dotenv->capacity = dotenv->capacity == 0 ? 32 : dotenv->capacity * 2;
        dotenv->entries =
            dotenv_checked(reallocarray(dotenv->entries, dotenv->capacity, sizeof(struct entry)));
    }
    struct entry *entry = &dotenv->entries[dotenv->count++];
    entry->name = dotenv_string(name, name_length);
    entry->value = value == NULL ? NULL : dotenv_string(value->at, value->length);
    dotenv->value_bytes += value == NULL ? 0 : value->length;
}

/* Keeps name=value; value NULL: there was no "=". False: it holds a NUL, or is too much. */
static bool expand_and_keep(struct reader *reader, const char *name, size_t name_length,
                            const struct dotenv_text *value)
{
    if (memchr(name, '\0', name_length) != NULL)
        return false;
    if (value == NULL || value->length == 0) {
        keep(reader->dotenv, name, name_length, value);
        return true;
    }
    if (memchr(value->at, '\0', value->length) != NULL)
        return false;
    struct dotenv_text expanded = {0};
    bool is_good = expand(reader, &expanded, value);
    if (is_good)
        keep(reader->dotenv, name, name_length, &expanded);
    dotenv_text_free(&expanded);
    return is_good;
}

/* True if nothing but a comment stands before the end of the line, over which it moves. */
static bool read_line_end(struct reader *reader)
{
    const char *at = dotenv_after_spaces(reader->at, reader->end, false);
    if (at != reader->end && *at == '#') {
        const char *newline = memchr(at, '\n', (size_t)(reader->end - at));
        at = newline == NULL ? reader->end : newline;
    }
    if (at != reader->end && *at != '\n')
        return false;
    advance(reader, at == reader->end ? at : at + 1);
    return true;
}

/* The name: quoted by ', or up to a "=", "#" or white space. False: there is none. */
static bool read_name(struct reader *reader, const char **name, size_t *length)
{
    const char *at = reader->at;
    if (at != reader->end && *at == '\'') {
        const char *close = memchr(at + 1, '\'', (size_t)(reader->end - at - 1));
        if (close == NULL || close == at + 1)
            return false;
        *name = at + 1;
        *length = (size_t)(close - at - 1);
        advance(reader, close + 1);
        return true;
    }
    while (at != reader->end && *at != '=' && *at != '#' && dotenv_space_length(at, reader->end) == 0)
        at++;
    *name = reader->at;
    *length = (size_t)(at - reader->at);
    reader->at = at;
    return *length != 0;
}

static void skip_export(struct reader *reader)
{
    static const char word[] = "export";
    size_t length = sizeof(word) - 1;
    if ((size_t)(reader->end - reader->at) <= length || memcmp(reader->at, word, length) != 0)
        return;
    const char *after = dotenv_after_spaces(reader->at + length, reader->end, false);
    if (after != reader->at + length)
        reader->at = after;
}

/* What one statement says; name NULL: nothing, a comment. */
struct statement {
    const char *name;
    size_t name_length;
    struct dotenv_text value;
    bool has_value;
};

/* One statement, after the white space in front, over the end of its line. False: it cannot be read. */
static bool read_statement(struct reader *reader, struct statement *statement)
{
    skip_export(reader);
    if (reader->at != reader->end && *reader->at == '#')
        return read_line_end(reader);
    if (!read_name(reader, &statement->name, &statement->name_length))
        return false;
    reader->at = dotenv_after_spaces(reader->at, reader->end, false);
    statement->has_value = reader->at != reader->end && *reader->at == '=';
    if (statement->has_value) {
        reader->at = dotenv_after_spaces(reader->at + 1, reader->end, false);
        if (!read_value(reader, &statement->value))
            return false;
    }
    return read_line_end(reader);
}

static void skip_line(struct reader *reader)
{
    const char *newline = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    advance(reader, newline == NULL ? reader->end : newline + 1);
}

static void read_statements(struct reader *reader, size_t *bad_line)
{
    for (;;) {
        advance(reader, dotenv_after_spaces(reader->at, reader->end, true));
        if (reader->at == reader->end)
            return;
        size_t line = reader->line;
        struct statement statement = {0};
        bool is_good = read_statement(reader, &statement);
        if (!is_good)
            skip_line(reader);
        else if (statement.name != NULL)
            is_good = expand_and_keep(reader, statement.name, statement.name_length,
                                      statement.has_value ? &statement.value : NULL);
        if (!is_good && *bad_line == 0)
            *bad_line = line;
        dotenv_text_free(&statement.value);
    }
}

struct dotenv *dotenv_parse(const char *text, size_t length, const char *(*lookup)(const char *name),
                            size_t *bad_line)
{
    assert((text != NULL || length == 0) && bad_line != NULL);
    *bad_line = 0;
    struct dotenv *dotenv = dotenv_checked(calloc(1, sizeof(*dotenv)));
    struct dotenv_text lines = {0};
    dotenv_normalise_newlines(text, length, &lines);
    struct reader reader = {
        .at = lines.at, .end = lines.at + lines.length, .line = 1, .lookup = lookup, .dotenv = dotenv};
    read_statements(&reader, bad_line);
    dotenv_text_free(&lines);
    return dotenv;
}

const char *dotenv_get(const struct dotenv *dotenv, const char *name)
{
    assert(dotenv != NULL && name != NULL);
    const struct entry *entry = find(dotenv, name);
    return entry == NULL ? NULL : entry->value;
}

void dotenv_free(struct dotenv *dotenv)
{
    if (dotenv == NULL)
        return;
    for (size_t i = 0; i < dotenv->count; i++) {
        char *value = dotenv->entries[i].value;
        if (value != NULL)
            dotenv_wipe_and_free(value, strlen(value));
        free(dotenv->entries[i].name);
    }
    free(dotenv->entries);
    free(dotenv);
}
