// links: core/schema.c core/json_arena.c core/json_scan.c core/key_set.c core/buffer.c core/memory.c
// libs: cjson
#include "tests/unit/core/schema_forms.h"

#include <malloc.h>

#include "core/json_arena.h"

static void a_right_body_fills_the_form(void **state)
{
    (void)state;
    struct signup form;
    struct reading *reading = read_right(
        &signup_form,
        " {\"password\":\"p\\u00e4ss\\n\\\"word\",\"ignored\":[{}],\"is_admin\":true,\"username\":\"ann\"} ",
        &form);
    assert_text(form.username, "ann");
    assert_text(form.password, "p\xc3\xa4ss\n\"word");
    assert_true(form.is_admin);
    reading_close(reading);
    reading_close(NULL);
}

static void nothing_is_trimmed_and_keys_are_case_sensitive(void **state)
{
    (void)state;
    struct signup form;
    struct reading *reading =
        read_right(&signup_form, "{\"username\":\" a \",\"password\":\"  12345 \",\"Is_Admin\":true}", &form);
    assert_text(form.username, " a ");
    assert_text(form.password, "  12345 ");
    assert_false(form.is_admin);
    reading_close(reading);
    assert_faults(&signup_form, "{\"Username\":\"ann\",\"password\":\"12345678\"}",
                  "[{\"loc\":[\"body\",\"username\"],\"msg\":\"Field required\",\"type\":\"missing\"}]");
}

static void all_faults_are_told_in_the_order_of_the_fields(void **state)
{
    (void)state;
    assert_faults(&signup_form, "{\"is_admin\":null,\"username\":7}",
                  "[{\"loc\":[\"body\",\"username\"],\"msg\":\"Input should be a valid string\","
                  "\"type\":\"string_type\"},"
                  "{\"loc\":[\"body\",\"password\"],\"msg\":\"Field required\",\"type\":\"missing\"},"
                  "{\"loc\":[\"body\",\"is_admin\"],\"msg\":\"Input should be a valid boolean\","
                  "\"type\":\"bool_type\"}]");
}

static void a_text_of_another_type_is_a_wrong_type(void **state)
{
    (void)state;
    const char *const values[] = {"null", "true", "1", "1.5", "[]", "{}", "[\"ann\"]"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char body[100];
        snprintf(body, sizeof(body), "{\"username\":%s,\"password\":\"12345678\"}", values[i]);
        assert_faults(&signup_form, body,
                      "[{\"loc\":[\"body\",\"username\"],\"msg\":\"Input should be a valid string\","
                      "\"type\":\"string_type\"}]");
    }
}

static void lengths_count_code_points_or_bytes_and_say_so(void **state)
{
    (void)state;
    struct signup form;
    reading_close(read_right(&signup_form,
                             "{\"username\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z\","
                             "\"password\":\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"}",
                             &form));
    assert_faults(&signup_form, "{\"username\":\"\",\"password\":\"\xc3\xa9\xc3\xa9\xc3\xa9z\"}",
                  "[{\"loc\":[\"body\",\"username\"],\"msg\":\"String should have at least 1 character\","
                  "\"type\":\"string_too_short\"},"
                  "{\"loc\":[\"body\",\"password\"],\"msg\":\"String should have at least 8 bytes\","
                  "\"type\":\"string_too_short\"}]");
    struct buffer body;
    buffer_open(&body);
    buffer_add_text(&body, "{\"username\":\"12345\",\"password\":\"");
    for (size_t i = 0; i < 512; i++)
        buffer_add_char(&body, 'p');
    buffer_add_text(&body, "\"}");
    assert_faults(&signup_form, body.at,
                  "[{\"loc\":[\"body\",\"username\"],\"msg\":\"String should have at most 4 characters\","
                  "\"type\":\"string_too_long\"},"
                  "{\"loc\":[\"body\",\"password\"],\"msg\":\"String should have at most 511 bytes\","
                  "\"type\":\"string_too_long\"}]");
    buffer_close(&body);
}

static void one_byte_is_told_in_the_singular(void **state)
{
    (void)state;
    static const struct field fields[] = {
        {.name = "token", .kind = FIELD_TEXT, .required = true, .min = 1, .max = 1, .unit = UNIT_BYTES}};
    const struct form form = {fields, 1, sizeof(struct text)};
    assert_faults(&form, "{\"token\":\"\"}",
                  "[{\"loc\":[\"body\",\"token\"],\"msg\":\"String should have at least 1 byte\","
                  "\"type\":\"string_too_short\"}]");
    assert_faults(&form, "{\"token\":\"ab\"}",
                  "[{\"loc\":[\"body\",\"token\"],\"msg\":\"String should have at most 1 byte\","
                  "\"type\":\"string_too_long\"}]");
}

static void a_rule_is_asked_after_the_length_and_its_sentence_told(void **state)
{
    (void)state;
    assert_faults(&signup_form, "{\"username\":\"a:b\",\"password\":\"12345678\"}",
                  "[{\"loc\":[\"body\",\"username\"],\"msg\":\"Username must not contain \\\":\\\"\","
                  "\"type\":\"value_error\"}]");
    assert_faults(&signup_form, "{\"username\":\"a:bcd\",\"password\":\"12345678\"}",
                  "[{\"loc\":[\"body\",\"username\"],\"msg\":\"String should have at most 4 characters\","
                  "\"type\":\"string_too_long\"}]");
}

static void an_empty_body_is_missing(void **state)
{
    (void)state;
    const char *missing = "[{\"loc\":[\"body\"],\"msg\":\"Field required\",\"type\":\"missing\"}]";
    assert_faults_n(&signup_form, NULL, 0, missing);
    assert_faults_n(&signup_form, "{}", 0, missing);
}

static void a_body_that_is_no_object_is_told_so(void **state)
{
    (void)state;
    const char *const bodies[] = {"null", "[]", "1", "\"{}\"", " true ", "[{\"username\":\"ann\"}]"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_faults(
            &signup_form, bodies[i],
            "[{\"loc\":[\"body\"],\"msg\":\"Input should be a valid dictionary or object to extract fields "
            "from\",\"type\":\"model_attributes_type\"}]");
}

static void assert_syntax_fault(const char *body, size_t length, size_t offset)
{
    char expected[100];
    snprintf(expected, sizeof(expected),
             "[{\"loc\":[\"body\",%zu],\"msg\":\"JSON decode error\",\"type\":\"json_invalid\"}]", offset);
    assert_faults_n(&signup_form, body, length, expected);
}

static void what_is_not_json_is_told_by_its_offset_alone(void **state)
{
    (void)state;
    assert_syntax_fault("  ", 2, 2);
    assert_syntax_fault("{\"username\":", 12, 12);
    assert_syntax_fault("{'username':1}", 14, 1);
    assert_syntax_fault("{}{}", 4, 2);
    assert_syntax_fault("{}\0", 3, 2);
    assert_syntax_fault("{\"a\":\"\xff\"}", 9, 6);
    assert_syntax_fault("{\"a\":\"\\u0000\"}", 14, 6);
    assert_syntax_fault("{\"a\":1,\"a\":2}", 13, 7);
    assert_syntax_fault("{\"x\":{\"a\":1,\"a\":2}}", 19, 12);
}

/* Memory as it is given back: none of it may hold the secret any more. */
#define SECRET "correct horse"
static size_t blocks_freed;
static size_t secrets_freed;

static void watched_free(void *block)
{
    if (block != NULL) {
        blocks_freed++;
        if (memmem(block, malloc_usable_size(block), SECRET, strlen(SECRET)) != NULL)
            secrets_freed++;
    }
    free(block);
}

static void a_closed_reading_leaves_no_password_in_memory(void **state)
{
    (void)state;
    json_arena_give_back = watched_free;
    struct signup form;
    reading_close(read_right(
        &signup_form,
        "{\"username\":\"ann\",\"password\":\"" SECRET "\",\"" SECRET "\":[{\"a\":\"" SECRET "\"}]}", &form));
    assert_faults(&signup_form, "{\"password\":\"" SECRET "\"}",
                  "[{\"loc\":[\"body\",\"username\"],\"msg\":\"Field required\",\"type\":\"missing\"}]");
    json_arena_give_back = free;
    assert_true(blocks_freed >= 2);
    assert_int_equal(secrets_freed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_body_fills_the_form),
        cmocka_unit_test(nothing_is_trimmed_and_keys_are_case_sensitive),
        cmocka_unit_test(all_faults_are_told_in_the_order_of_the_fields),
        cmocka_unit_test(a_text_of_another_type_is_a_wrong_type),
        cmocka_unit_test(lengths_count_code_points_or_bytes_and_say_so),
        cmocka_unit_test(one_byte_is_told_in_the_singular),
        cmocka_unit_test(a_rule_is_asked_after_the_length_and_its_sentence_told),
        cmocka_unit_test(an_empty_body_is_missing),
        cmocka_unit_test(a_body_that_is_no_object_is_told_so),
        cmocka_unit_test(what_is_not_json_is_told_by_its_offset_alone),
        cmocka_unit_test(a_closed_reading_leaves_no_password_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
