// links: auth/audit.c
// defines: SOURCE_ROOT
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/audit.h"
#include "core/log.h"

#define FIELDS_MAX 16

static struct {
    enum log_level level;
    const char *event;
    struct log_field fields[FIELDS_MAX];
    size_t count;
} logged;

/* In place of the log's. */
void log_event_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    assert_true(count <= FIELDS_MAX);
    logged.level = level;
    logged.event = event;
    logged.count = count;
    memcpy(logged.fields, fields, count * sizeof *fields);
}

static const struct log_field *field_of(const char *key)
{
    for (size_t i = 0; i < logged.count; i++)
        if (strcmp(logged.fields[i].key, key) == 0)
            return &logged.fields[i];
    return NULL;
}

static const char *text_of(const char *key)
{
    const struct log_field *field = field_of(key);

    return field == NULL ? NULL : field->text;
}

static void everything_that_is_known_is_told(void **state)
{
    static const struct exchange x = {.id = "request-1"};
    static const struct client client = {.address = "192.0.2.7"};

    (void)state;
    audit_log(AUDIT_USER_CHANGED, &(struct audit){.x = &x,
                                                  .client = &client,
                                                  .actor_id = 1,
                                                  .subject_id = 2,
                                                  .subject = "ada",
                                                  .session_id = "sid",
                                                  .change = "is_admin=true",
                                                  .counts_sessions = true,
                                                  .ended_sessions = 3});
    assert_string_equal(logged.event, "user_changed");
    assert_int_equal(logged.level, LOG_INFO);
    assert_string_equal(text_of("kind"), "audit");
    assert_string_equal(text_of("request_id"), "request-1");
    assert_string_equal(text_of("client_address"), "192.0.2.7");
    assert_int_equal(field_of("actor_id")->number, 1);
    assert_int_equal(field_of("subject_id")->number, 2);
    assert_string_equal(text_of("subject"), "ada");
    assert_string_equal(text_of("sid"), "sid");
    assert_string_equal(text_of("change"), "is_admin=true");
    assert_int_equal(field_of("ended_sessions")->number, 3);
    assert_int_equal(logged.count, 9);
}

static void what_is_not_known_is_left_out(void **state)
{
    static const struct exchange x = {.id = "request-2"};

    (void)state;
    audit_log(AUDIT_REFRESH_THEFT, &(struct audit){.x = &x, .subject = ""});
    assert_int_equal(logged.level, LOG_WARN);
    assert_int_equal(logged.count, 2);
    assert_non_null(field_of("kind"));
    assert_non_null(field_of("request_id"));
}

static void no_two_events_share_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < AUDIT_COUNT; i++)
        for (int k = i + 1; k < AUDIT_COUNT; k++)
            assert_string_not_equal(audit_name((enum audit_event)i), audit_name((enum audit_event)k));
}

static void names_are_small_letters(void **state)
{
    (void)state;
    for (int i = 0; i < AUDIT_COUNT; i++) {
        const char *name = audit_name((enum audit_event)i);
        assert_true(strlen(name) >= 3 && strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
    }
}

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1024 * 1024);

    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, 1024 * 1024 - 1, file) > 0);
    fclose(file);
    return text;
}

/* The list of README.md has each event with its sentence, as in audit.def, one behind the other. */
static void readme_lists_every_event(void **state)
{
    static const struct {
        const char *name;
        const char *sentence;
    } rows[] = {
#define AUDIT(name, text, level, sentence) {text, sentence},
#include "auth/audit.def"
#undef AUDIT
    };
    char *readme = read_all(SOURCE_ROOT "/README.md");
    const char *at = strstr(readme, "| event | what it tells |\n|---|---|\n");

    (void)state;
    assert_non_null(at);
    at = strstr(at, "\n| `") + 1;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[256];
        const int length = snprintf(line, sizeof line, "| `%s` | %s |\n", rows[i].name, rows[i].sentence);
        assert_true(length > 0 && (size_t)length < sizeof line);
        assert_int_equal(strncmp(at, line, (size_t)length), 0);
        at += length;
    }
    assert_true(*at != '|');
    free(readme);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_is_known_is_told), cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(no_two_events_share_a_name),       cmocka_unit_test(names_are_small_letters),
        cmocka_unit_test(readme_lists_every_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
