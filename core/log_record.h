/*
 * log_record.h - a line as it waits in the ring: copied from the caller, not yet formatted (that is the
 * writer's work). And the ring itself: records one behind the other, each whole. Private to core/log*.c.
 */
#ifndef CORE_LOG_RECORD_H
#define CORE_LOG_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/log.h"

#define LOG_FIELDS_MAX     16
#define LOG_TEXT_MAX_BYTES 1024 /* of an event's text; longer ones are cut */
#define LOG_PATH_MAX_BYTES 512
#define LOG_WORD_MAX_BYTES 64 /* of a request's id, method and error code */

enum log_record_kind { LOG_RECORD_EVENT, LOG_RECORD_REQUEST, LOG_RECORD_PADDING };

/* Sizes are multiples of 8, so that a record starts aligned. */
struct log_record {
    uint32_t size; /* with this header and what follows */
    uint8_t kind;
    uint8_t level;
    uint16_t count; /* fields of an event */
    int64_t wall_us;
};

struct log_record_text {
    uint16_t length;
    bool is_cut;
};

/* An event: this, `count` fields, the texts one behind the other. */
struct log_record_event {
    struct log_record record;
    const char *event;
};

struct log_record_field {
    const char *key;
    int64_t number;
    struct log_record_text text;
    bool is_text;
};

/* A request: this, then id, method, path and error code. */
struct log_record_request {
    struct log_record record;
    uint64_t duration_us;
    uint64_t user_id;
    uint32_t status;
    struct log_record_text request_id;
    struct log_record_text method;
    struct log_record_text path;
    struct log_record_text error_code; /* length 0: none */
    struct log_record_text calls;      /* the same */
};

/* Bytes a record takes, and its copy into `at` of that size. */
size_t log_record_event_size(const struct log_field *fields, size_t count);
void log_record_put_event(void *at, size_t size, enum log_level level, const char *event,
                          const struct log_field *fields, size_t count);
size_t log_record_request_size(const struct log_request *request);
void log_record_put_request(void *at, size_t size, enum log_level level, const struct log_request *request);

/*
 * The ring: head and tail only grow. One reader takes records in place, from head to a tail it has seen;
 * writers put new ones only in free space. Whoever calls holds a lock, but reading between head and tail
 * needs none.
 */
struct log_ring {
    char *bytes;
    size_t capacity; /* a multiple of 8 */
    uint64_t head;
    uint64_t tail;
};

void log_ring_open(struct log_ring *ring, size_t capacity);
void log_ring_close(struct log_ring *ring);

/* Room for a record, to be filled before the lock is given back; NULL: full. */
void *log_ring_reserve(struct log_ring *ring, size_t size);

/* The record at a position. */
const struct log_record *log_ring_at(const struct log_ring *ring, uint64_t position);

#endif
