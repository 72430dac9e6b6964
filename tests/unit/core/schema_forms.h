/*
 * schema_forms.h - two forms with a field of every kind, and the two ways to read them that the tests of
 * schema share.
 */
#ifndef TESTS_SCHEMA_FORMS_H
#define TESTS_SCHEMA_FORMS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/buffer.h"
#include "core/schema.h"

struct signup {
    struct text username;
    struct text password;
    bool is_admin;
};

static inline const char *no_colon(const char *text, size_t length)
{
    return memchr(text, ':', length) == NULL ? NULL : "Username must not contain \":\"";
}

static const struct field signup_fields[] = {
    {.name = "username",
     .kind = FIELD_TEXT,
     .at = offsetof(struct signup, username),
     .required = true,
     .min = 1,
     .max = 4,
     .unit = UNIT_CODE_POINTS,
     .rule = no_colon},
    {.name = "password",
     .kind = FIELD_TEXT,
     .at = offsetof(struct signup, password),
     .required = true,
     .min = 8,
     .max = 511,
     .unit = UNIT_BYTES},
    {.name = "is_admin", .kind = FIELD_LENIENT_BOOL, .at = offsetof(struct signup, is_admin)},
};
static const struct form signup_form = {signup_fields, 3, sizeof(struct signup)};

struct question {
    enum field_bool is_valid;
    uint64_t id;
    struct text list;
    struct text other;
    struct text optional;
};

static const struct field question_fields[] = {
    {.name = "is_valid",
     .kind = FIELD_STRICT_BOOL,
     .at = offsetof(struct question, is_valid),
     .required = true},
    {.name = "id", .kind = FIELD_ID, .at = offsetof(struct question, id)},
    {.name = "list", .kind = FIELD_RAW, .at = offsetof(struct question, list)},
    {.name = "other", .kind = FIELD_RAW, .at = offsetof(struct question, other)},
    {.name = "optional", .kind = FIELD_TEXT, .at = offsetof(struct question, optional), .max = 3},
};
static const struct form question_form = {question_fields, 5, sizeof(struct question)};

/* Reads a body that must be right, from memory of exactly its size. */
static inline struct reading *read_right(const struct form *form, const char *body, void *out)
{
    struct buffer faults;
    buffer_open(&faults);
    size_t length = strlen(body);
    char *copy = malloc(length);
    assert_non_null(copy);
    memcpy(copy, body, length);
    memset(out, 0xee, form->size);
    struct reading *reading = schema_read(form, copy, length, out, &faults);
    assert_string_equal(faults.at, "");
    assert_non_null(reading);
    memset(copy, 'x', length);
    free(copy);
    buffer_close(&faults);
    return reading;
}

static inline void assert_faults_n(const struct form *form, const char *body, size_t length,
                                   const char *expected)
{
    static const char zeros[256];
    char out[256];
    assert_true(form->size <= sizeof(out));
    memset(out, 0xee, sizeof(out));
    struct buffer faults;
    buffer_open(&faults);
    buffer_add_text(&faults, ">");
    assert_null(schema_read(form, body, length, out, &faults));
    assert_string_equal(faults.at + 1, expected);
    assert_memory_equal(out, zeros, form->size);
    buffer_close(&faults);
}

static inline void assert_faults(const struct form *form, const char *body, const char *expected)
{
    assert_faults_n(form, body, strlen(body), expected);
}

static inline void assert_text(struct text text, const char *expected)
{
    assert_non_null(text.at);
    assert_string_equal(text.at, expected);
    assert_int_equal(text.length, strlen(expected));
}

#endif
