#include "auth/audit.h"

#include <assert.h>
#include <string.h>

#include "core/log.h"

#define FIELDS_MAX 10

static const struct {
    const char *name;
    enum log_level level;
} rows[AUDIT_COUNT] = {
#define AUDIT(name, text, level, sentence) {text, LOG_##level},
#include "auth/audit.def"
#undef AUDIT
};

/* A line that is being put together. */
struct line {
    struct log_field fields[FIELDS_MAX];
    size_t count;
};

static void add_text(struct line *line, const char *key, const char *text)
{
    if (text == NULL || *text == '\0')
        return;
    assert(line->count < FIELDS_MAX);
    line->fields[line->count++] = LOG_STRING(key, text);
}

static void add_id(struct line *line, const char *key, uint64_t id)
{
    if (id == 0)
        return;
    assert(line->count < FIELDS_MAX);
    line->fields[line->count++] = LOG_NUMBER(key, id);
}

void audit_log(enum audit_event event, const struct audit *audit)
{
    struct line line = {.count = 0};

    assert((size_t)event < AUDIT_COUNT);
    add_text(&line, "kind", "audit");
    add_text(&line, "request_id", audit->x->id);
    if (audit->client != NULL)
        add_text(&line, "client_address", audit->client->address);
    add_id(&line, "actor_id", audit->actor_id);
    add_id(&line, "subject_id", audit->subject_id);
    add_text(&line, "subject", audit->subject);
    add_text(&line, "sid", audit->session_id);
    add_text(&line, "change", audit->change);
    if (audit->counts_sessions) {
        assert(line.count < FIELDS_MAX);
        line.fields[line.count++] = LOG_NUMBER("ended_sessions", audit->ended_sessions);
    }
    log_event_fields(rows[event].level, rows[event].name, line.fields, line.count);
}

const char *audit_name(enum audit_event event)
{
    assert((size_t)event < AUDIT_COUNT);
    return rows[event].name;
}
