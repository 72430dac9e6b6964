/*
 * log.h - structured lines. A line goes into a bounded ring that a thread of its own writes out; when the
 * reader is stuck, lines are dropped and counted, and no caller ever waits. JSON, or a readable form on a
 * terminal. Text from clients comes out as printable ASCII. Secrets, hashes and whole tokens must not be
 * handed in.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_JSON, LOG_TEXT };

struct log_options {
    const char *service; /* static: "gateway" ... */
    enum log_level level;
    enum log_format format;
    const char *file;       /* "" or NULL: standard error */
    size_t queue_max_bytes; /* the ring */
    bool take_over_stderr;  /* libh2o writes client bytes to fd 2: read them here, limit and escape them */
};

/* Starts the writer's thread. False: error holds one sentence (the file cannot be opened). */
bool log_open(const struct log_options *options, char *error, size_t error_size);

/* Writes out what is queued (waits at most a second for a stuck reader) and ends the thread. */
void log_close(void);

/* Opens LOG_FILE again (after a rotation); done by the writer's thread. Not for signal handlers. */
void log_reopen(void);

bool log_is_on(enum log_level level);

/* A member of an event's line. Keys are static; texts are copied, and cut at 1,024 bytes with "...". */
struct log_field {
    const char *key;
    const char *text; /* NULL: a number */
    size_t length;
    int64_t number;
};

#define LOG_TEXT_N(k, t, n) ((struct log_field){.key = (k), .text = (t), .length = (n)})
#define LOG_STRING(k, t)    ((struct log_field){.key = (k), .text = (t), .length = strlen(t)})
#define LOG_NUMBER(k, n)    ((struct log_field){.key = (k), .number = (int64_t)(n)})

/* An event: a stable, static name ("started", "relay_failed") and at most 16 fields. Any thread; no-op before
 * log_open. */
#define log_event(level, event, ...)                                            \
    log_event_fields((level), (event), (const struct log_field[]){__VA_ARGS__}, \
                     sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
void log_event_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* The line of one request. Path over 512 bytes, method, id and code over 64: cut with "...". Copied. */
struct log_request {
    const char *request_id;
    const char *method;
    size_t method_length;
    const char *path; /* as sent, without the query */
    size_t path_length;
    unsigned status; /* 499: the client left before the answer */
    uint64_t duration_us;
    uint64_t user_id;       /* 0: not known */
    const char *error_code; /* the fault's name, or NULL */
    const char *calls;      /* ids of the gathered calls that carried it, or NULL */
    bool is_routine;        /* a probe of health: logged at debug unless it failed */
};
void log_request(const struct log_request *request);

/* Lines dropped so far because the ring was full. */
uint64_t log_dropped(void);

#endif
