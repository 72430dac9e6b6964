#include "auth/answer.h"

#include <string.h>

#include "core/clock.h"
#include "core/loop.h"
#include "core/reply.h"

void answer_detail(struct exchange *x, const char *json, size_t length)
{
    struct buffer body;

    buffer_open(&body);
    buffer_add_text(&body, "{\"detail\":");
    buffer_add(&body, json, length);
    buffer_add_text(&body, ",\"date_time\":\"");
    buffer_add(&body, clock_local(&x->loop->clock), CLOCK_LOCAL_LENGTH);
    buffer_add_text(&body, "\"}");
    reply_json(x, 200, body.at, body.length);
    buffer_close(&body);
}

void answer_sentence(struct exchange *x, const char *sentence)
{
    struct buffer quoted;

    buffer_open(&quoted);
    buffer_add_json(&quoted, sentence, strlen(sentence));
    answer_detail(x, quoted.at, quoted.length);
    buffer_close(&quoted);
}

void answer_field_fault(struct exchange *x, const char *field, const char *sentence)
{
    struct buffer detail;

    buffer_open(&detail);
    buffer_add_format(&detail, "[{\"loc\":[\"body\",\"%s\"],\"msg\":", field);
    buffer_add_json(&detail, sentence, strlen(sentence));
    buffer_add_text(&detail, ",\"type\":\"value_error\"}]");
    reply_fault_detail(x, FAULT_UNPROCESSABLE, detail.at, detail.length);
    buffer_close(&detail);
}

static void add_key(struct buffer *out, const char *key)
{
    buffer_add_char(out, '"');
    buffer_add_text(out, key);
    buffer_add_text(out, "\":");
}

void answer_add_time(struct buffer *out, const char *key, int64_t time_us)
{
    char text[CLOCK_RFC3339_LENGTH + 1];

    add_key(out, key);
    if (time_us == 0) {
        buffer_add_text(out, "null");
        return;
    }
    clock_rfc3339(time_us, text);
    buffer_add_format(out, "\"%s\"", text);
}

void answer_add_bool(struct buffer *out, const char *key, bool value)
{
    add_key(out, key);
    buffer_add_text(out, value ? "true" : "false");
}

void answer_add_text(struct buffer *out, const char *key, const char *text)
{
    add_key(out, key);
    buffer_add_json(out, text, strlen(text));
}
