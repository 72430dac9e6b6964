/*
 * log_line.h - a record as a line of text. Private to core/log*.c.
 */
#ifndef CORE_LOG_LINE_H
#define CORE_LOG_LINE_H

#include <stdbool.h>

#include "core/buffer.h"
#include "core/log_record.h"

/* One JSON object and a newline. Keys: time, level, service, event, then those of the request or event. */
void log_line_json(struct buffer *out, const struct log_record *record, const char *service);

/* For people: "14:31:34.123 INFO  gateway  GET /user/message 200 1.2 ms  user 17  id abc", local time. */
void log_line_text(struct buffer *out, const struct log_record *record, const char *service,
                   bool has_colours);

#endif
