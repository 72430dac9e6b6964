#include "core/schema.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/json_arena.h"
#include "core/json_scan.h"
#include "core/memory.h"
#include "core/utf8.h"

/* Doubles hold every whole number up to here, and beyond it none but whole numbers, not all of them. */
#define WHOLE_MAX 9007199254740991.0

struct reading {
    struct json_arena arena; /* of the tree */
    cJSON *tree;             /* texts point into it */
    char *raw;               /* FIELD_RAW texts, one after the other, each with its NUL */
    size_t raw_size;
    size_t raw_length;
};

/* One schema_read. */
struct reader {
    const struct form *form;
    const char *body;
    size_t length;
    char *out;
    struct reading *reading;
    const cJSON *item; /* whose members are read */
    struct buffer *faults;
    size_t fault_count;
};

static void open_fault(struct reader *reader)
{
    buffer_add_text(reader->faults,
                    reader->fault_count++ == 0 ? "[{\"loc\":[\"body\"" : ",{\"loc\":[\"body\"");
}

static void close_fault(struct reader *reader, const char *message, const char *type)
{
    buffer_add_text(reader->faults, "],\"msg\":");
    buffer_add_json(reader->faults, message, strlen(message));
    buffer_add_text(reader->faults, ",\"type\":\"");
    buffer_add_text(reader->faults, type);
    buffer_add_text(reader->faults, "\"}");
}

static void body_fault(struct reader *reader, const char *message, const char *type)
{
    open_fault(reader);
    close_fault(reader, message, type);
}

static void syntax_fault(struct reader *reader, size_t offset)
{
    assert(offset <= reader->length);
    open_fault(reader);
    buffer_add_char(reader->faults, ',');
    buffer_add_number(reader->faults, offset);
    close_fault(reader, "JSON decode error", "json_invalid");
}

static void field_fault(struct reader *reader, const struct field *field, const char *message,
                        const char *type)
{
    open_fault(reader);
    buffer_add_char(reader->faults, ',');
    buffer_add_json(reader->faults, field->name, strlen(field->name));
    close_fault(reader, message, type);
}

static void length_fault(struct reader *reader, const struct field *field, bool too_long)
{
    char message[80];
    size_t limit = too_long ? field->max : field->min;
    int length =
        snprintf(message, sizeof(message), "String should have at %s %zu %s%s", too_long ? "most" : "least",
                 limit, field->unit == UNIT_BYTES ? "byte" : "character", limit == 1 ? "" : "s");
    assert(length > 0 && (size_t)length < sizeof(message));
    (void)length;
    field_fault(reader, field, message, too_long ? "string_too_long" : "string_too_short");
}

static void *member(const struct reader *reader, const struct field *field, size_t size)
{
    assert(field->at + size <= reader->form->size);
    (void)size;
    return reader->out + field->at;
}

static size_t count_code_points(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += utf8_is_tail(text[i]) ? 0 : 1;
    return count;
}

static void read_text(struct reader *reader, const struct field *field, const cJSON *item)
{
    if (!cJSON_IsString(item)) {
        field_fault(reader, field, "Input should be a valid string", "string_type");
        return;
    }
    const char *text = item->valuestring;
    size_t length = strlen(text);
    size_t units = field->unit == UNIT_BYTES ? length : count_code_points(text, length);
    if (units < field->min || (field->max > 0 && units > field->max)) {
        length_fault(reader, field, units >= field->min);
        return;
    }
    const char *sentence = field->rule == NULL ? NULL : field->rule(text, length);
    if (sentence != NULL) {
        field_fault(reader, field, sentence, "value_error");
        return;
    }
    struct text *to = member(reader, field, sizeof(*to));
    *to = (struct text){.at = text, .length = length};
}

/* The words that pydantic reads as a boolean, in any ASCII case. */
static bool read_bool_word(const char *word, bool *value)
{
    static const char *const words[][2] = {{"false", "true"}, {"0", "1"}, {"no", "yes"},
                                           {"off", "on"},     {"f", "t"}, {"n", "y"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        for (int truth = 0; truth < 2; truth++)
            if (strcasecmp(word, words[i][truth]) == 0) {
                *value = truth == 1;
                return true;
            }
    return false;
}

static bool is_whole(double number)
{
    if (number < -WHOLE_MAX || number > WHOLE_MAX)
        return isfinite(number);
    return (double)(int64_t)number == number;
}

/* Of a type that might be read as a boolean: all but null, lists, objects and numbers with a fraction. */
static bool may_be_bool(const cJSON *item)
{
    if (cJSON_IsNumber(item))
        return is_whole(item->valuedouble);
    return cJSON_IsBool(item) || cJSON_IsString(item);
}

static bool read_bool(const cJSON *item, bool *value)
{
    if (cJSON_IsString(item))
        return read_bool_word(item->valuestring, value);
    if (cJSON_IsNumber(item)) {
        *value = item->valuedouble >= 1;
        return item->valuedouble >= 0 && item->valuedouble <= 1;
    }
    assert(cJSON_IsBool(item));
    *value = cJSON_IsTrue(item);
    return true;
}

static void read_lenient_bool(struct reader *reader, const struct field *field, const cJSON *item)
{
    bool value = false;
    if (!may_be_bool(item))
        field_fault(reader, field, "Input should be a valid boolean", "bool_type");
    else if (!read_bool(item, &value))
        field_fault(reader, field, "Input should be a valid boolean, unable to interpret input",
                    "bool_parsing");
    else
        *(bool *)member(reader, field, sizeof(bool)) = value;
}

static void read_strict_bool(struct reader *reader, const struct field *field, const cJSON *item)
{
    if (cJSON_IsNull(item))
        return; /* as if it were absent */
    if (!cJSON_IsBool(item)) {
        field_fault(reader, field, "Input should be a valid boolean", "bool_type");
        return;
    }
    enum field_bool *to = member(reader, field, sizeof(*to));
    *to = cJSON_IsTrue(item) ? FIELD_BOOL_TRUE : FIELD_BOOL_FALSE;
}

static void read_id(struct reader *reader, const struct field *field, const cJSON *item)
{
    double number = cJSON_IsNumber(item) ? item->valuedouble : 0;
    if (number < 1 || number > WHOLE_MAX || !is_whole(number)) {
        field_fault(reader, field, "Input should be a valid integer", "int_type");
        return;
    }
    uint64_t *to = member(reader, field, sizeof(*to));
    *to = (uint64_t)number;
}

/* Copied from the body, because cJSON would print the digits of a double. */
static void read_raw(struct reader *reader, const struct field *field, const cJSON *item)
{
    struct reading *reading = reader->reading;
    if (reading->raw == NULL) {
        /* Fields have different names, so each takes another part of the body. */
        reading->raw_size = reader->length + reader->form->count;
        reading->raw = memory_zeroed(reading->raw_size);
    }
    size_t index = 0;
    for (const cJSON *before = reading->tree->child; before != item; before = before->next)
        index++;
    size_t length = 0;
    const char *value = json_member(reader->body, index, &length);
    assert(length < reading->raw_size - reading->raw_length);
    struct text *to = member(reader, field, sizeof(*to));
    to->at = reading->raw + reading->raw_length;
    to->length = json_compact(value, length, reading->raw + reading->raw_length);
    reading->raw_length += to->length + 1; /* a NUL is there already */
}

static void read_field(struct reader *reader, const struct field *field)
{
    assert(field->kind != FIELD_RAW || reader->item == reader->reading->tree);
    const bool is_itself = *field->name == '\0';
    const cJSON *item =
        is_itself ? reader->item : cJSON_GetObjectItemCaseSensitive(reader->item, field->name);
    if (item == NULL) {
        if (field->required && field->kind != FIELD_STRICT_BOOL)
            field_fault(reader, field, "Field required", "missing");
        return;
    }
    switch (field->kind) {
    case FIELD_TEXT:
        read_text(reader, field, item);
        return;
    case FIELD_LENIENT_BOOL:
        read_lenient_bool(reader, field, item);
        return;
    case FIELD_STRICT_BOOL:
        read_strict_bool(reader, field, item);
        return;
    case FIELD_ID:
        read_id(reader, field, item);
        return;
    case FIELD_RAW:
        read_raw(reader, field, item);
        return;
    }
    abort();
}

static void use_arenas(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = json_arena_allocate, .free_fn = json_arena_free});
}

/* The tree lives in the reading's arena, and goes with it. */
static cJSON *parse_tree(struct reading *reading, const char *body, size_t length, const char **end)
{
    static pthread_once_t hooks = PTHREAD_ONCE_INIT;

    pthread_once(&hooks, use_arenas);
    json_arena_use(&reading->arena);
    cJSON *tree = cJSON_ParseWithLengthOpts(body, length, end, false);
    json_arena_use(NULL);
    return tree;
}

/* False: there is a fault, and no tree. */
static bool parse(struct reader *reader)
{
    size_t wrong_at = 0;
    if (reader->length == 0) {
        body_fault(reader, "Field required", "missing");
    } else if (!json_scan(reader->body, reader->length, &wrong_at)) {
        syntax_fault(reader, wrong_at);
    } else if (!json_is_object(reader->body)) {
        body_fault(reader, "Input should be a valid dictionary or object to extract fields from",
                   "model_attributes_type");
    } else {
        /* The scan found the end of the object, so cJSON needs no NUL behind the body to stop there. */
        const char *end = NULL;
        reader->reading->tree = parse_tree(reader->reading, reader->body, reader->length, &end);
        if (reader->reading->tree == NULL)
            syntax_fault(reader, end == NULL ? 0 : (size_t)(end - reader->body));
    }
    assert((reader->reading->tree == NULL) == (reader->fault_count > 0));
    return reader->reading->tree != NULL;
}

struct reading *schema_read(const struct form *form, const char *body, size_t length, void *out,
                            struct buffer *faults)
{
    assert(body != NULL || length == 0);
    assert(form->fields != NULL && form->size > 0);
    struct reader reader = {.form = form, .body = body, .length = length, .out = out, .faults = faults};
    reader.reading = memory_zeroed(sizeof(*reader.reading));
    memset(out, 0, form->size);
    if (parse(&reader)) {
        assert(cJSON_IsObject(reader.reading->tree));
        reader.item = reader.reading->tree;
        for (size_t i = 0; i < form->count; i++)
            read_field(&reader, &form->fields[i]);
    }
    if (reader.fault_count == 0)
        return reader.reading;
    buffer_add_char(faults, ']');
    memset(out, 0, form->size); /* no text must point into what is freed */
    reading_close(reader.reading);
    return NULL;
}

/* The list, or NULL and a fault. */
static const cJSON *find_list(struct reader *reader, const struct list_form *list)
{
    const struct field field = {.name = list->name};
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(reader->reading->tree, list->name);
    const size_t count = items == NULL ? 0 : (size_t)cJSON_GetArraySize(items);
    char too_long[64];

    snprintf(too_long, sizeof too_long, "List should have at most %zu items", list->max);
    if (items == NULL)
        field_fault(reader, &field, "Field required", "missing");
    else if (!cJSON_IsArray(items))
        field_fault(reader, &field, "Input should be a valid list", "list_type");
    else if (count == 0)
        field_fault(reader, &field, "List should have at least 1 item", "too_short");
    else if (count > list->max)
        field_fault(reader, &field, too_long, "too_long");
    return reader->fault_count == 0 ? items : NULL;
}

/* One entry by itself; what is wrong with it is not told, only that it is. */
static bool read_entry(struct reader *whole, const cJSON *item, char *out, struct buffer *unsaid)
{
    const struct form *form = whole->form;
    struct reader reader = {.form = form,
                            .body = whole->body,
                            .out = out,
                            .reading = whole->reading,
                            .item = item,
                            .faults = unsaid};

    memset(out, 0, form->size);
    if (*form->fields[0].name != '\0' && !cJSON_IsObject(item))
        return false; /* though none of its fields need be there */
    for (size_t i = 0; i < form->count; i++)
        read_field(&reader, &form->fields[i]);
    if (reader.fault_count > 0) {
        memset(out, 0, form->size);
        buffer_clear(unsaid);
    }
    return reader.fault_count == 0;
}

struct reading *schema_read_list(const struct list_form *list, const char *body, size_t length, void *entries,
                                 bool *sound, size_t *count, struct buffer *faults)
{
    struct reader reader = {.form = list->entry, .body = body, .length = length, .faults = faults};
    struct buffer unsaid;
    const cJSON *item;

    *count = 0;
    reader.reading = memory_zeroed(sizeof(*reader.reading));
    const cJSON *items = parse(&reader) ? find_list(&reader, list) : NULL;
    if (items == NULL) {
        buffer_add_char(faults, ']');
        reading_close(reader.reading);
        return NULL;
    }
    buffer_open(&unsaid);
    cJSON_ArrayForEach(item, items)
    {
        sound[*count] = read_entry(&reader, item, (char *)entries + *count * list->entry->size, &unsaid);
        (*count)++;
    }
    buffer_close(&unsaid);
    return reader.reading;
}

void reading_close(struct reading *reading)
{
    if (reading == NULL)
        return;
    json_arena_close(&reading->arena);
    if (reading->raw != NULL)
        explicit_bzero(reading->raw, reading->raw_size);
    free(reading->raw);
    free(reading);
}
