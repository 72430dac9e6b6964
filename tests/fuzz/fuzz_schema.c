// links: core/schema.c core/json_arena.c core/json_scan.c core/key_set.c core/buffer.c core/memory.c
// libs: cjson
/*
 * Any bytes as a body: the scanner, cJSON behind it, and a form with a field of every kind.
 * The body ends where a page without access begins, so that libraries built without sanitizers cannot read on
 * unseen.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/buffer.h"
#include "core/json_arena.h"
#include "core/json_scan.h"
#include "core/schema.h"
#include "core/utf8.h"

#define BODY_MAX (64 * 1024)
#define PAGE     4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* What schema.c does at its first reading: cJSON is asked before that here. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = json_arena_allocate, .free_fn = json_arena_free});
    return 0;
}

struct everything {
    struct text name;
    struct text secret;
    bool lenient;
    enum field_bool strict;
    uint64_t id;
    struct text raw;
    struct text list;
};

static const char *rule(const char *text, size_t length)
{
    return memchr(text, ':', length) == NULL ? NULL : "No colon";
}

static const struct field fields[] = {
    {.name = "u",
     .kind = FIELD_TEXT,
     .at = offsetof(struct everything, name),
     .required = true,
     .min = 1,
     .max = 4,
     .unit = UNIT_CODE_POINTS,
     .rule = rule},
    {.name = "p", .kind = FIELD_TEXT, .at = offsetof(struct everything, secret), .min = 2, .max = 8},
    {.name = "a", .kind = FIELD_LENIENT_BOOL, .at = offsetof(struct everything, lenient)},
    {.name = "v", .kind = FIELD_STRICT_BOOL, .at = offsetof(struct everything, strict)},
    {.name = "id", .kind = FIELD_ID, .at = offsetof(struct everything, id)},
    {.name = "r", .kind = FIELD_RAW, .at = offsetof(struct everything, raw)},
    {.name = "l", .kind = FIELD_RAW, .at = offsetof(struct everything, list)},
};
static const struct form form = {fields, sizeof(fields) / sizeof(fields[0]), sizeof(struct everything)};

/* All that a fault may say, but for the offset of a syntax fault: none of it comes from the body. */
#define FAULT(loc, msg, type) "{\"loc\":[\"body\"" loc "],\"msg\":\"" msg "\",\"type\":\"" type "\"}"
static const char *const sayable[] = {
    FAULT("", "Field required", "missing"),
    FAULT("", "Input should be a valid dictionary or object to extract fields from", "model_attributes_type"),
    FAULT(",\"u\"", "Field required", "missing"),
    FAULT(",\"u\"", "Input should be a valid string", "string_type"),
    FAULT(",\"u\"", "String should have at least 1 character", "string_too_short"),
    FAULT(",\"u\"", "String should have at most 4 characters", "string_too_long"),
    FAULT(",\"u\"", "No colon", "value_error"),
    FAULT(",\"p\"", "Input should be a valid string", "string_type"),
    FAULT(",\"p\"", "String should have at least 2 bytes", "string_too_short"),
    FAULT(",\"p\"", "String should have at most 8 bytes", "string_too_long"),
    FAULT(",\"a\"", "Input should be a valid boolean", "bool_type"),
    FAULT(",\"a\"", "Input should be a valid boolean, unable to interpret input", "bool_parsing"),
    FAULT(",\"v\"", "Input should be a valid boolean", "bool_type"),
    FAULT(",\"id\"", "Input should be a valid integer", "int_type"),
};

static void must(bool holds, const char *sentence)
{
    if (holds)
        return;
    fprintf(stderr, "broken: %s\n", sentence);
    abort();
}

static size_t sayable_length(const char *at)
{
    for (size_t i = 0; i < sizeof(sayable) / sizeof(sayable[0]); i++)
        if (strncmp(at, sayable[i], strlen(sayable[i])) == 0)
            return strlen(sayable[i]);
    return 0;
}

static void check_syntax_fault(const struct buffer *faults, size_t wrong_at)
{
    char expected[128];
    snprintf(expected, sizeof(expected),
             "[{\"loc\":[\"body\",%zu],\"msg\":\"JSON decode error\",\"type\":\"json_invalid\"}]", wrong_at);
    must(strcmp(faults->at, expected) == 0, "a syntax fault tells its offset and nothing else");
}

static void check_faults(const struct buffer *faults)
{
    const char *at = faults->at;
    size_t wrong_at;
    must(json_scan(faults->at, faults->length, &wrong_at), "faults are JSON");
    must(*at == '[', "faults are a list");
    do {
        size_t length = sayable_length(++at);
        must(length > 0, "a fault says nothing but what it may say");
        at += length;
    } while (*at == ',');
    must(strcmp(at, "]") == 0, "the list ends");
}

static void check_text(struct text text)
{
    if (text.at == NULL) {
        must(text.length == 0, "an absent text has no length");
        return;
    }
    must(strlen(text.at) == text.length, "a text ends at its NUL");
    for (size_t i = 0, step; i < text.length; i += step) {
        step = utf8_length(text.at + i, text.length - i);
        must(step > 0, "a text is UTF-8");
    }
}

/* cJSON is the schema's, with hooks of its own; what is asked of it here needs an arena too. */
static struct json_arena arena;

static void check_raw(struct text raw, size_t body_length)
{
    size_t wrong_at;
    check_text(raw);
    if (raw.at == NULL)
        return;
    must(raw.length < body_length, "a raw value is no longer than the body");
    must(json_scan(raw.at, raw.length, &wrong_at), "a raw value is JSON");
    json_arena_use(&arena);
    must(cJSON_Parse(raw.at) != NULL, "a raw value can be parsed");
    json_arena_close(&arena);
}

static void check_form(const struct everything *read, size_t body_length)
{
    check_text(read->name);
    check_text(read->secret);
    must(read->name.at != NULL && read->name.length >= 1 && read->name.length <= 16,
         "a name keeps its limits");
    must(strchr(read->name.at, ':') == NULL, "a name keeps its rule");
    must(read->secret.at == NULL || (read->secret.length >= 2 && read->secret.length <= 8),
         "bytes are counted");
    must(read->strict <= FIELD_BOOL_TRUE, "a strict boolean is one of three");
    must(read->id < (uint64_t)1 << 53, "an id is one a double can tell");
    check_raw(read->raw, body_length);
    check_raw(read->list, body_length);
}

/* What the scanner lets through, cJSON must read, by either way of telling it the length. */
static bool check_scan(const char *body, size_t length, size_t *wrong_at)
{
    *wrong_at = length + 1;
    if (!json_scan(body, length, wrong_at)) {
        must(*wrong_at <= length, "a fault lies within the body");
        size_t again = length + 1;
        bool right_so_far = json_scan(body, *wrong_at, &again);
        must(right_so_far || again == *wrong_at, "nothing before the fault is wrong");
        return false;
    }
    must(*wrong_at == length + 1, "a right text leaves the offset alone");
    json_arena_use(&arena);
    cJSON *tree = cJSON_ParseWithLength(body, length);
    must(tree != NULL, "cJSON reads what the scanner lets through");
    char *printed = cJSON_PrintUnformatted(tree);
    size_t printed_wrong_at;
    must(printed != NULL && json_scan(printed, strlen(printed), &printed_wrong_at),
         "what cJSON prints is JSON again");
    json_arena_close(&arena);
    return true;
}

static void check_read(const char *body, size_t length)
{
    static const struct everything nothing;
    struct everything read;
    struct buffer faults;
    size_t wrong_at;
    bool is_json = check_scan(body, length, &wrong_at);
    buffer_open(&faults);
    memset(&read, 0xee, sizeof(read));
    struct reading *reading = schema_read(&form, body, length, &read, &faults);
    must((reading == NULL) == (faults.length > 0), "there is a reading or a fault");
    if (reading != NULL) {
        must(is_json, "what is read is JSON");
        check_form(&read, length);
    } else {
        must(memcmp(&read, &nothing, sizeof(read)) == 0, "a fault leaves nothing in the form");
        if (!is_json && length > 0)
            check_syntax_fault(&faults, wrong_at);
        else
            check_faults(&faults);
    }
    reading_close(reading);
    buffer_close(&faults);
}

/* Bytes that end at a page nobody may touch. */
static char *fenced(const uint8_t *data, size_t size)
{
    static char *fence;
    if (fence == NULL) {
        char *area = mmap(NULL, BODY_MAX + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(area != MAP_FAILED, "memory is there");
        fence = area + BODY_MAX;
        must(mprotect(fence, PAGE, PROT_NONE) == 0, "a page can be closed");
    }
    if (size > 0)
        memcpy(fence - size, data, size);
    return fence - size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= BODY_MAX)
        check_read(fenced(data, size), size);
    return 0;
}
