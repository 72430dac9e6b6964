/*
 * buffer.h - text that grows, and the JSON written into it. Small texts need no allocation.
 * Out of memory exits. Not for sharing between threads.
 */
#ifndef CORE_BUFFER_H
#define CORE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#define BUFFER_INLINE_BYTES 512

struct buffer {
    char *at; /* NUL-terminated at at[length] */
    size_t length;
    size_t capacity;
    char first[BUFFER_INLINE_BYTES];
};

void buffer_open(struct buffer *buffer);
/* Wipes and frees. */
void buffer_close(struct buffer *buffer);
/* Wipes, and keeps the memory for what comes next. */
void buffer_clear(struct buffer *buffer);

void buffer_add(struct buffer *buffer, const char *bytes, size_t length);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_char(struct buffer *buffer, char c);
void buffer_add_number(struct buffer *buffer, uint64_t number);
void buffer_add_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string with its quotes (RFC 8259, section 7); bytes >= 0x80 pass through and must be UTF-8. */
void buffer_add_json(struct buffer *buffer, const char *bytes, size_t length);

/* The same in printable ASCII: other code points as \uXXXX, bytes that are not UTF-8 as \u00XX. For logs. */
void buffer_add_json_ascii(struct buffer *buffer, const char *bytes, size_t length);

#endif
