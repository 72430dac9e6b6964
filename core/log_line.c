#include "core/log_line.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"

/* A text of a record, found by walking over those before it. */
struct cursor {
    const char *at;
};

static const char *next_text(struct cursor *cursor, struct log_record_text measured)
{
    const char *text = cursor->at;
    cursor->at += measured.length;
    return text;
}

static const struct log_record_field *fields_of(const struct log_record_event *event)
{
    return (const struct log_record_field *)(event + 1);
}

static void add_integer(struct buffer *out, int64_t number)
{
    if (number < 0)
        buffer_add_char(out, '-');
    buffer_add_number(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

/* ---- JSON. ---- */

static void add_key(struct buffer *out, const char *key)
{
    buffer_add(out, ",\"", 2);
    buffer_add_text(out, key);
    buffer_add(out, "\":", 2);
}

static void add_json_text(struct buffer *out, const char *text, struct log_record_text measured)
{
    buffer_add_json_ascii(out, text, measured.length);
    if (measured.is_cut) { /* before the quote that closes it */
        assert(out->length > 0 && out->at[out->length - 1] == '"');
        out->at[--out->length] = '\0';
        buffer_add(out, "...\"", 4);
    }
}

static void add_json_event(struct buffer *out, const struct log_record_event *event)
{
    const struct log_record_field *fields = fields_of(event);
    struct cursor cursor = {(const char *)(fields + event->record.count)};
    buffer_add_json_ascii(out, event->event, strlen(event->event));
    for (size_t i = 0; i < event->record.count; i++) {
        add_key(out, fields[i].key);
        if (fields[i].is_text)
            add_json_text(out, next_text(&cursor, fields[i].text), fields[i].text);
        else
            add_integer(out, fields[i].number);
    }
}

/* Keys with all that stands around them are added in one piece: this is most of the writer's work. */
#define ADD_LITERAL(out, literal) buffer_add((out), (literal), sizeof(literal) - 1)

static void add_json_request(struct buffer *out, const struct log_record_request *request)
{
    struct cursor cursor = {(const char *)(request + 1)};
    ADD_LITERAL(out, "\"request\",\"request_id\":");
    add_json_text(out, next_text(&cursor, request->request_id), request->request_id);
    ADD_LITERAL(out, ",\"method\":");
    add_json_text(out, next_text(&cursor, request->method), request->method);
    ADD_LITERAL(out, ",\"path\":");
    add_json_text(out, next_text(&cursor, request->path), request->path);
    ADD_LITERAL(out, ",\"status\":");
    buffer_add_number(out, request->status);
    ADD_LITERAL(out, ",\"duration_us\":");
    buffer_add_number(out, request->duration_us);
    if (request->user_id != 0) {
        ADD_LITERAL(out, ",\"user_id\":");
        buffer_add_number(out, request->user_id);
    }
    if (request->error_code.length != 0) {
        ADD_LITERAL(out, ",\"error_code\":");
        add_json_text(out, next_text(&cursor, request->error_code), request->error_code);
    }
    if (request->calls.length != 0) {
        ADD_LITERAL(out, ",\"calls\":");
        add_json_text(out, next_text(&cursor, request->calls), request->calls);
    }
}

void log_line_json(struct buffer *out, const struct log_record *record, const char *service)
{
    static const char *const levels[] = {
        "\",\"level\":\"debug\",\"service\":\"", "\",\"level\":\"info\",\"service\":\"",
        "\",\"level\":\"warn\",\"service\":\"", "\",\"level\":\"error\",\"service\":\""};
    assert(record->kind != LOG_RECORD_PADDING && record->level <= LOG_ERROR);
    char time[CLOCK_RFC3339_LENGTH + 1];
    clock_rfc3339(record->wall_us, time);
    ADD_LITERAL(out, "{\"time\":\"");
    buffer_add(out, time, CLOCK_RFC3339_LENGTH);
    buffer_add_text(out, levels[record->level]);
    buffer_add_text(out, service);
    ADD_LITERAL(out, "\",\"event\":");
    if (record->kind == LOG_RECORD_REQUEST)
        add_json_request(out, (const struct log_record_request *)record);
    else
        add_json_event(out, (const struct log_record_event *)record);
    buffer_add(out, "}\n", 2);
}

/* ---- For people. ---- */

/* Printable ASCII as it is; other bytes as \xNN, so that no text can move a terminal's cursor. */
static void add_visible(struct buffer *out, const char *text, struct log_record_text measured)
{
    for (size_t i = 0; i < measured.length; i++) {
        if (text[i] >= ' ' && text[i] <= '~')
            buffer_add_char(out, text[i]);
        else
            buffer_add_format(out, "\\x%02X", (unsigned)(unsigned char)text[i]);
    }
    if (measured.is_cut)
        buffer_add_text(out, "...");
}

static void add_duration(struct buffer *out, uint64_t duration_us)
{
    if (duration_us < 1000000)
        buffer_add_format(out, " %.1f ms", (double)duration_us / 1e3);
    else
        buffer_add_format(out, " %.2f s", (double)duration_us / 1e6);
}

static void add_text_request(struct buffer *out, const struct log_record_request *request)
{
    struct cursor cursor = {(const char *)(request + 1)};
    const char *request_id = next_text(&cursor, request->request_id);
    add_visible(out, next_text(&cursor, request->method), request->method);
    buffer_add_char(out, ' ');
    add_visible(out, next_text(&cursor, request->path), request->path);
    buffer_add_format(out, " %u", (unsigned)request->status);
    add_duration(out, request->duration_us);
    if (request->error_code.length != 0) {
        buffer_add_text(out, "  ");
        add_visible(out, next_text(&cursor, request->error_code), request->error_code);
    }
    if (request->user_id != 0) {
        buffer_add_text(out, "  user ");
        buffer_add_number(out, request->user_id);
    }
    buffer_add_text(out, "  id ");
    add_visible(out, request_id, request->request_id);
}

static void add_text_event(struct buffer *out, const struct log_record_event *event)
{
    const struct log_record_field *fields = fields_of(event);
    struct cursor cursor = {(const char *)(fields + event->record.count)};
    buffer_add_text(out, event->event);
    for (size_t i = 0; i < event->record.count; i++) {
        buffer_add_text(out, i == 0 ? "  " : " ");
        buffer_add_text(out, fields[i].key);
        buffer_add_char(out, '=');
        if (!fields[i].is_text) {
            add_integer(out, fields[i].number);
            continue;
        }
        const char *text = next_text(&cursor, fields[i].text);
        bool has_space = memchr(text, ' ', fields[i].text.length) != NULL;
        buffer_add_text(out, has_space ? "\"" : "");
        add_visible(out, text, fields[i].text);
        buffer_add_text(out, has_space ? "\"" : "");
    }
}

void log_line_text(struct buffer *out, const struct log_record *record, const char *service, bool has_colours)
{
    static const char *const levels[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    static const char *const colours[] = {"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
    assert(record->kind != LOG_RECORD_PADDING && record->level <= LOG_ERROR);
    time_t second = (time_t)(record->wall_us / 1000000);
    struct tm parts = {0};
    localtime_r(&second, &parts);
    buffer_add_format(out, "%02d:%02d:%02d.%03d ", parts.tm_hour, parts.tm_min, parts.tm_sec,
                      (int)(record->wall_us % 1000000 / 1000));
    buffer_add_text(out, has_colours ? colours[record->level] : "");
    buffer_add_text(out, levels[record->level]);
    buffer_add_text(out, has_colours ? "\x1b[0m " : " ");
    buffer_add_format(out, "%-8s ", service);
    if (record->kind == LOG_RECORD_REQUEST)
        add_text_request(out, (const struct log_record_request *)record);
    else
        add_text_event(out, (const struct log_record_event *)record);
    buffer_add_char(out, '\n');
}
