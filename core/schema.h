/*
 * schema.h - JSON body to C struct, by declaration. A form is a table of fields; one reader reads them all
 * and reports every fault of a body at once, worded as FastAPI users know it. The only file but reply that
 * sees cJSON.
 *
 *     struct signup_form { struct text username; struct text password; bool is_admin; };
 *     static const struct field signup_fields[] = {
 *         {.name = "username", .kind = FIELD_TEXT, .at = offsetof(struct signup_form, username), .required =
 * true, .min = 1, .max = 64, .unit = UNIT_CODE_POINTS, .rule = username_rule}, ...
 */
#ifndef CORE_SCHEMA_H
#define CORE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buffer.h"

/* Bytes with a length; also NUL-terminated at at[length]. Never holds a NUL inside. */
struct text {
    const char *at;
    size_t length;
};

enum field_kind {
    FIELD_TEXT,         /* a JSON string -> struct text */
    FIELD_LENIENT_BOOL, /* what pydantic reads as a boolean -> bool; absent: false */
    FIELD_STRICT_BOOL,  /* true or false alone -> enum field_bool; absent or null: FIELD_BOOL_ABSENT */
    FIELD_ID,           /* an integral number 1..2^53-1 (beyond it a double cannot tell) -> uint64_t */
    FIELD_RAW,          /* any value, as compact JSON text with its digits as sent -> struct text */
};

enum field_bool { FIELD_BOOL_ABSENT, FIELD_BOOL_FALSE, FIELD_BOOL_TRUE };
enum field_unit { UNIT_BYTES, UNIT_CODE_POINTS };

struct field {
    const char *name;
    enum field_kind kind;
    size_t at;     /* offset of the member in the form's struct */
    bool required; /* FIELD_STRICT_BOOL: ignored, absence is told by the value */
    size_t min;    /* FIELD_TEXT: length; max 0: unlimited */
    size_t max;
    enum field_unit unit; /* what min and max count; the sentence says "characters" or "bytes" */
    /* FIELD_TEXT, after the length was found right: NULL if the text is right, else a sentence (static). */
    const char *(*rule)(const char *text, size_t length);
};

struct form {
    const struct field *fields;
    size_t count;
    size_t size; /* sizeof the struct that the fields describe */
};

/* What a reading holds on to: texts of the form's struct point into it. */
struct reading;

/*
 * Reads a body of `length` bytes (need not be NUL-terminated; NULL with 0 is an empty body) into *out, which
 * is zeroed first. Returns the reading, which the caller closes when it no longer needs the texts. Faults are
 * appended to `faults` as a JSON list ([{"loc": ..., "msg": ..., "type": ...}, ...], order of the fields,
 * never any input); an untouched buffer means that all is right. On faults *out is zeroed and NULL returned.
 * A field that may be absent and is stays zeroed (a text: at is NULL).
 * Not JSON: strict RFC 8259, plus UTF-8 throughout, no duplicate key in any object, no \u0000, nesting <= 64.
 */
struct reading *schema_read(const struct form *form, const char *body, size_t length, void *out,
                            struct buffer *faults);

/* A list in a body, {"NAME": [entry, ...]}, 1 to max entries of one form. */
struct list_form {
    const char *name;
    const struct form *entry; /* a field with the name "" is the entry itself; no FIELD_RAW */
    size_t max;
};

/*
 * Reads a list: entries is an array of list->max structs of the entry's form, sound[i] tells whether entry i
 * is as wanted (if not, its struct holds nothing), *count how many there are. One entry's fault is never
 * another's; only what is wrong with the body as a whole (no JSON, no list, none or too many entries) is
 * appended to `faults`, and NULL returned. Otherwise as schema_read.
 */
struct reading *schema_read_list(const struct list_form *list, const char *body, size_t length, void *entries,
                                 bool *sound, size_t *count, struct buffer *faults);

/* Wipes what was read (it may hold a password) and frees it; NULL is allowed. */
void reading_close(struct reading *reading);

#endif
