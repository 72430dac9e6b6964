/*
 * answer.h - how auth words its answers: {"detail": ..., "date_time": "..."}; the gateway puts the detail
 * into its envelope.
 */
#ifndef AUTH_ANSWER_H
#define AUTH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buffer.h"
#include "core/exchange.h"

/* 200 with a detail that is JSON. May free x. */
void answer_detail(struct exchange *x, const char *json, size_t length);

/* 200 with a sentence, plain ASCII without quotes. May free x. */
void answer_sentence(struct exchange *x, const char *sentence);

/* 422 of one field, found after the form was read: a sentence of ours, static. May free x. */
void answer_field_fault(struct exchange *x, const char *field, const char *sentence);

/* "KEY":"2024-11-21T14:31:34.123456Z", or "KEY":null for a time that never was. */
void answer_add_time(struct buffer *out, const char *key, int64_t time_us);
/* "KEY":true or false. */
void answer_add_bool(struct buffer *out, const char *key, bool value);
/* "KEY":"text", escaped. */
void answer_add_text(struct buffer *out, const char *key, const char *text);

#endif
