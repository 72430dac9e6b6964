#include "core/log_record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

static size_t align(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static struct log_record_text measure(size_t length, size_t max)
{
    bool is_cut = length > max;
    return (struct log_record_text){.length = (uint16_t)(is_cut ? max : length), .is_cut = is_cut};
}

static struct log_record_text measure_word(const char *word)
{
    return measure(word == NULL ? 0 : strnlen(word, LOG_WORD_MAX_BYTES + 1), LOG_WORD_MAX_BYTES);
}

static char *put_text(char *at, const char *text, struct log_record_text measured)
{
    if (measured.length != 0)
        memcpy(at, text, measured.length);
    return at + measured.length;
}

static struct log_record header(size_t size, enum log_record_kind kind, enum log_level level, size_t count)
{
    return (struct log_record){.size = (uint32_t)size,
                               .kind = (uint8_t)kind,
                               .level = (uint8_t)level,
                               .count = (uint16_t)count,
                               .wall_us = clock_wall_us()};
}

/* ---- Events. ---- */

size_t log_record_event_size(const struct log_field *fields, size_t count)
{
    assert(count <= LOG_FIELDS_MAX);
    size_t size = sizeof(struct log_record_event) + count * sizeof(struct log_record_field);
    for (size_t i = 0; i < count; i++)
        if (fields[i].text != NULL)
            size += measure(fields[i].length, LOG_TEXT_MAX_BYTES).length;
    return align(size);
}

void log_record_put_event(void *at, size_t size, enum log_level level, const char *event,
                          const struct log_field *fields, size_t count)
{
    assert(event != NULL);
    struct log_record_event *record = at;
    record->record = header(size, LOG_RECORD_EVENT, level, count);
    record->event = event;
    struct log_record_field *kept = (struct log_record_field *)(record + 1);
    char *text = (char *)(kept + count);
    for (size_t i = 0; i < count; i++) {
        assert(fields[i].key != NULL);
        bool is_text = fields[i].text != NULL;
        kept[i] =
            (struct log_record_field){.key = fields[i].key, .number = fields[i].number, .is_text = is_text};
        if (is_text) {
            kept[i].text = measure(fields[i].length, LOG_TEXT_MAX_BYTES);
            text = put_text(text, fields[i].text, kept[i].text);
        }
    }
    assert(text <= (char *)at + size);
}

/* ---- Requests. ---- */

static void measure_request(const struct log_request *request, struct log_record_request *record)
{
    record->request_id = measure_word(request->request_id);
    record->method = measure(request->method_length, LOG_WORD_MAX_BYTES);
    record->path = measure(request->path_length, LOG_PATH_MAX_BYTES);
    record->error_code = measure_word(request->error_code);
    record->calls = measure_word(request->calls);
}

size_t log_record_request_size(const struct log_request *request)
{
    struct log_record_request record;
    measure_request(request, &record);
    size_t texts = (size_t)record.request_id.length + record.method.length + record.path.length +
                   record.error_code.length + record.calls.length;
    return align(sizeof(record) + texts);
}

void log_record_put_request(void *at, size_t size, enum log_level level, const struct log_request *request)
{
    struct log_record_request *record = at;
    record->record = header(size, LOG_RECORD_REQUEST, level, 0);
    record->duration_us = request->duration_us;
    record->user_id = request->user_id;
    record->status = request->status;
    measure_request(request, record);
    char *text = (char *)(record + 1);
    text = put_text(text, request->request_id, record->request_id);
    text = put_text(text, request->method, record->method);
    text = put_text(text, request->path, record->path);
    text = put_text(text, request->error_code, record->error_code);
    text = put_text(text, request->calls, record->calls);
    assert(text <= (char *)at + size);
}

/* ---- The ring. ---- */

void log_ring_open(struct log_ring *ring, size_t capacity)
{
    *ring = (struct log_ring){.bytes = malloc(align(capacity)), .capacity = align(capacity)};
    if (ring->bytes == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
}

void log_ring_close(struct log_ring *ring)
{
    free(ring->bytes);
    *ring = (struct log_ring){0};
}

void *log_ring_reserve(struct log_ring *ring, size_t size)
{
    assert(size % 8 == 0 && size >= sizeof(struct log_record));
    size_t at = ring->tail % ring->capacity;
    size_t to_end = ring->capacity - at;
    size_t padding = size > to_end ? to_end : 0;
    size_t used = (size_t)(ring->tail - ring->head);
    if (used + padding + size > ring->capacity)
        return NULL;
    if (padding != 0) {
        /* Only the first 8 bytes of the header are sure to fit. */
        uint32_t padding_size = (uint32_t)padding;
        uint8_t kind = LOG_RECORD_PADDING;
        memcpy(ring->bytes + at + offsetof(struct log_record, size), &padding_size, sizeof(padding_size));
        memcpy(ring->bytes + at + offsetof(struct log_record, kind), &kind, sizeof(kind));
        at = 0;
    }
    ring->tail += padding + size;
    return ring->bytes + at;
}

const struct log_record *log_ring_at(const struct log_ring *ring, uint64_t position)
{
    assert(position >= ring->head);
    return (const struct log_record *)(const void *)(ring->bytes + position % ring->capacity);
}
