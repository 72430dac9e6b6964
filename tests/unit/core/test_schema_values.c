// links: core/schema.c core/json_arena.c core/json_scan.c core/key_set.c core/buffer.c core/memory.c
// libs: cjson
#include "tests/unit/core/schema_forms.h"

/* What the form's is_admin becomes: '0', '1', 't' (wrong type) or 'p' (cannot be read). */
static char read_is_admin(const char *json)
{
    char body[200];
    snprintf(body, sizeof(body), "{\"username\":\"ann\",\"password\":\"12345678\",\"is_admin\":%s}", json);
    struct signup form;
    struct buffer faults;
    buffer_open(&faults);
    struct reading *reading = schema_read(&signup_form, body, strlen(body), &form, &faults);
    char outcome = form.is_admin ? '1' : '0';
    const char *wrong_type = "[{\"loc\":[\"body\",\"is_admin\"],\"msg\":\"Input should be a valid "
                             "boolean\",\"type\":\"bool_type\"}]";
    if (faults.length > 0)
        outcome = strcmp(faults.at, wrong_type) == 0 ? 't' : 'p';
    if (outcome == 'p')
        assert_string_equal(faults.at,
                            "[{\"loc\":[\"body\",\"is_admin\"],\"msg\":\"Input should be a valid boolean, "
                            "unable to interpret input\",\"type\":\"bool_parsing\"}]");
    buffer_close(&faults);
    reading_close(reading);
    return outcome;
}

static void assert_is_admin(char outcome, const char *const values[])
{
    for (size_t i = 0; values[i] != NULL; i++)
        if (read_is_admin(values[i]) != outcome)
            fail_msg("%s: %c, not %c", values[i], read_is_admin(values[i]), outcome);
}

static void a_lenient_boolean_is_read_as_pydantic_reads_it(void **state)
{
    (void)state;
    assert_is_admin('1', (const char *const[]){"true", "1", "1.0", "1e0", "10e-1", "\"true\"", "\"TRUE\"",
                                               "\"tRuE\"", "\"1\"", "\"yes\"", "\"YES\"", "\"on\"", "\"On\"",
                                               "\"t\"", "\"T\"", "\"y\"", "\"Y\"", "\"\\u0074rue\"", NULL});
    assert_is_admin('0', (const char *const[]){"false", "0", "0.0", "-0", "-0.0", "0e5", "\"false\"",
                                               "\"False\"", "\"0\"", "\"no\"", "\"No\"", "\"off\"", "\"OFF\"",
                                               "\"f\"", "\"F\"", "\"n\"", "\"N\"", NULL});
}

static void what_cannot_be_a_boolean_is_a_wrong_type(void **state)
{
    (void)state;
    assert_is_admin('t', (const char *const[]){"null", "[]", "{}", "[true]", "0.5", "1.5", "-0.1", "1e-3",
                                               "1e999", "-1e999", NULL});
}

static void a_boolean_that_cannot_be_read_is_told_so(void **state)
{
    (void)state;
    assert_is_admin('p', (const char *const[]){"2", "-1", "2.0", "1e3", "99999999999999999999999", "\"\"",
                                               "\" true\"", "\"true \"", "\"1.0\"", "\"truee\"", "\"tru\"",
                                               "\"null\"", "\"2\"", "\"\xc4\xb0\"", NULL});
}

static void a_required_lenient_boolean_may_not_be_absent(void **state)
{
    (void)state;
    static const struct field fields[] = {{.name = "flag", .kind = FIELD_LENIENT_BOOL, .required = true}};
    const struct form form = {fields, 1, sizeof(bool)};
    assert_faults(&form, "{}",
                  "[{\"loc\":[\"body\",\"flag\"],\"msg\":\"Field required\",\"type\":\"missing\"}]");
}

static void a_strict_boolean_tells_absence_from_false(void **state)
{
    (void)state;
    const struct {
        const char *body;
        enum field_bool value;
    } cases[] = {{"{}", FIELD_BOOL_ABSENT},
                 {"{\"is_valid\":null}", FIELD_BOOL_ABSENT},
                 {"{\"is_valid\":false}", FIELD_BOOL_FALSE},
                 {"{\"is_valid\":true}", FIELD_BOOL_TRUE}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct question form;
        struct reading *reading = read_right(&question_form, cases[i].body, &form);
        assert_int_equal(form.is_valid, cases[i].value);
        reading_close(reading);
    }
    const char *const wrong[] = {"{\"is_valid\":1}", "{\"is_valid\":\"true\"}", "{\"is_valid\":[]}",
                                 "{\"is_valid\":{}}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_faults(&question_form, wrong[i],
                      "[{\"loc\":[\"body\",\"is_valid\"],\"msg\":\"Input should be a valid boolean\","
                      "\"type\":\"bool_type\"}]");
}

static void an_id_is_a_whole_number_that_a_double_holds(void **state)
{
    (void)state;
    const struct {
        const char *body;
        uint64_t id;
    } cases[] = {{"{}", 0},
                 {"{\"id\":1}", 1},
                 {"{\"id\":3000000000}", 3000000000},
                 {"{\"id\":2.0}", 2},
                 {"{\"id\":9007199254740991}", 9007199254740991}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct question form;
        struct reading *reading = read_right(&question_form, cases[i].body, &form);
        assert_int_equal(form.id, cases[i].id);
        reading_close(reading);
    }
    const char *const wrong[] = {
        "0",     "-1", "1.5",   "9007199254740992", "9007199254740993", "1e999", "null", "true",
        "\"1\"", "[]", "-1e999"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char body[100];
        snprintf(body, sizeof(body), "{\"id\":%s}", wrong[i]);
        assert_faults(&question_form, body,
                      "[{\"loc\":[\"body\",\"id\"],\"msg\":\"Input should be a valid "
                      "integer\",\"type\":\"int_type\"}]");
    }
}

static void a_raw_value_is_what_was_sent_without_the_white_space(void **state)
{
    (void)state;
    struct question form;
    struct reading *reading =
        read_right(&question_form,
                   "\n{ \"x\\\"{\" : [ \"}\" , {} ] , \"other\"\t:\t9007199254740993 , \"list\" : "
                   "[ 1e999 , \" a b\\\\\" , { \"list\" : [ ] } ]\r\n}",
                   &form);
    assert_text(form.list, "[1e999,\" a b\\\\\",{\"list\":[]}]");
    assert_text(form.other, "9007199254740993");
    reading_close(reading);

    reading = read_right(&question_form, "{\"list\":null,\"other\":\"\\\"\"}", &form);
    assert_text(form.list, "null");
    assert_text(form.other, "\"\\\"\"");
    reading_close(reading);
}

static void what_is_absent_stays_empty(void **state)
{
    (void)state;
    struct question form;
    struct reading *reading = read_right(&question_form, "{}", &form);
    assert_null(form.list.at);
    assert_null(form.optional.at);
    assert_int_equal(form.id, 0);
    reading_close(reading);
    assert_faults(&question_form, "{\"optional\":null}",
                  "[{\"loc\":[\"body\",\"optional\"],\"msg\":\"Input should be a valid string\","
                  "\"type\":\"string_type\"}]");
}

static void a_number_of_many_digits_is_read(void **state)
{
    (void)state;
    struct buffer body;
    buffer_open(&body);
    buffer_add_text(&body, "{\"ignored\":");
    for (size_t i = 0; i < 2000; i++)
        buffer_add_char(&body, '7');
    buffer_add_text(&body, ",\"id\":7}");
    struct question form;
    struct reading *reading = read_right(&question_form, body.at, &form);
    assert_int_equal(form.id, 7);
    reading_close(reading);
    buffer_close(&body);
}

static void the_deepest_nesting_is_read_and_released(void **state)
{
    (void)state;
    struct buffer body;
    buffer_open(&body);
    buffer_add_text(&body, "{\"list\":");
    for (size_t i = 0; i < 63; i++)
        buffer_add_char(&body, '[');
    buffer_add_char(&body, '1');
    for (size_t i = 0; i < 63; i++)
        buffer_add_char(&body, ']');
    buffer_add_char(&body, '}');
    struct question form;
    struct reading *reading = read_right(&question_form, body.at, &form);
    assert_int_equal(form.list.length, 127);
    reading_close(reading);
    buffer_close(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lenient_boolean_is_read_as_pydantic_reads_it),
        cmocka_unit_test(what_cannot_be_a_boolean_is_a_wrong_type),
        cmocka_unit_test(a_boolean_that_cannot_be_read_is_told_so),
        cmocka_unit_test(a_required_lenient_boolean_may_not_be_absent),
        cmocka_unit_test(a_strict_boolean_tells_absence_from_false),
        cmocka_unit_test(an_id_is_a_whole_number_that_a_double_holds),
        cmocka_unit_test(a_raw_value_is_what_was_sent_without_the_white_space),
        cmocka_unit_test(what_is_absent_stays_empty),
        cmocka_unit_test(a_number_of_many_digits_is_read),
        cmocka_unit_test(the_deepest_nesting_is_read_and_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
