// links: core/query.c
// libs: h2o-evloop ssl crypto
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "core/query.h"

#define VALUE_MAX_BYTES 16

static char value[VALUE_MAX_BYTES + 1];
static size_t length;

static enum query_outcome read_of(const char *query, const char *name)
{
    memset(value, '#', sizeof value);
    length = SIZE_MAX;
    return query_read(h2o_iovec_init(query, strlen(query)), name, value, sizeof value, &length);
}

static void assert_reads(const char *query, const char *name, const char *wanted)
{
    assert_int_equal(read_of(query, name), QUERY_FOUND);
    assert_int_equal(length, strlen(wanted));
    assert_string_equal(value, wanted);
}

static void assert_absent(const char *query, const char *name)
{
    assert_int_equal(read_of(query, name), QUERY_ABSENT);
    assert_int_equal(length, SIZE_MAX);
    assert_int_equal(value[0], '#');
}

static void a_parameter_is_found_by_its_whole_name(void **state)
{
    (void)state;
    assert_reads("after=7&limit=20", "after", "7");
    assert_reads("after=7&limit=20", "limit", "20");
    assert_absent("after=7&limit=20", "aft");
    assert_absent("after=7&limit=20", "afterwards");
    assert_absent("after=7", "AFTER");
    assert_absent("x=after=7", "after");
}

static void nothing_is_found_where_nothing_is(void **state)
{
    (void)state;
    assert_int_equal(query_read(h2o_iovec_init(NULL, 0), "a", value, sizeof value, &length), QUERY_ABSENT);
    assert_absent("", "a");
    assert_absent("&", "a");
    assert_absent("=&==&=a", "a");
    assert_absent("?a=b", "a");
}

static void a_value_may_be_empty(void **state)
{
    (void)state;
    assert_reads("a", "a", "");
    assert_reads("a=", "a", "");
    assert_reads("&&a&", "a", "");
}

static void a_value_ends_at_the_next_parameter_alone(void **state)
{
    (void)state;
    assert_reads("a=b=c&d", "a", "b=c");
    assert_reads("a=b;c=d", "a", "b;c=d");
    assert_reads("a=?/:", "a", "?/:");
}

static void of_two_the_last_one_counts(void **state)
{
    (void)state;
    assert_reads("a=1&b=2&a=3", "a", "3");
    assert_reads("a=1&a", "a", "");
    assert_reads("a=12345678901234567&a=1", "a", "1");
    assert_int_equal(read_of("a=1&a=12345678901234567", "a"), QUERY_TOO_LONG);
}

static void escapes_are_decoded_in_names_and_values(void **state)
{
    (void)state;
    assert_reads("a=%41%7e%7E%2B", "a", "A~~+");
    assert_reads("%61=1", "a", "1");
    assert_reads("a%3Db=1", "a=b", "1");
    assert_reads("a=%26%3d", "a", "&=");
    assert_reads("a=%C3%A4", "a", "\xc3\xa4");
    assert_reads("a=%2541", "a", "%41");
}

static void a_plus_is_a_space(void **state)
{
    (void)state;
    assert_reads("a=b+c%20d", "a", "b c d");
    assert_reads("a+b=1", "a b", "1");
}

static void a_malformed_escape_stands_for_itself(void **state)
{
    (void)state;
    assert_reads("a=%", "a", "%");
    assert_reads("a=%4", "a", "%4");
    assert_reads("a=%4&b=1", "a", "%4");
    assert_reads("a=%zz%4g%g4", "a", "%zz%4g%g4");
    assert_reads("a=%%41", "a", "%A");
    assert_reads("a=%+1", "a", "% 1");
}

/* The query ends within the request's path buffer: what lies behind it is not its own. */
static void nothing_behind_the_query_is_read(void **state)
{
    static const char text[] = "a=%4142";

    (void)state;
    assert_int_equal(query_read(h2o_iovec_init(text, 4), "a", value, sizeof value, &length), QUERY_FOUND);
    assert_string_equal(value, "%4");
}

static void a_nul_is_seen_by_the_length(void **state)
{
    (void)state;
    assert_int_equal(read_of("a=b%00c", "a"), QUERY_FOUND);
    assert_int_equal(length, 3);
    assert_memory_equal(value, "b\0c", 4);
}

static void what_does_not_fit_is_told_and_not_written(void **state)
{
    (void)state;
    assert_reads("a=1234567890123456", "a", "1234567890123456");
    assert_reads("a=%31%32%33%34%35%36%37%38%39%30%31%32%33%34%35%36", "a", "1234567890123456");
    assert_int_equal(read_of("a=12345678901234567", "a"), QUERY_TOO_LONG);
    assert_int_equal(length, SIZE_MAX);
    assert_int_equal(value[0], '#');
}

static void the_query_of_a_request_starts_behind_its_question_mark(void **state)
{
    static const struct {
        const char *path;
        size_t query_at;
        const char *query; /* NULL: none */
    } cases[] = {{"/a", SIZE_MAX, NULL}, {"/a?", 2, ""}, {"/a?b=c?d", 2, "b=c?d"}};
    h2o_req_t req;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(&req, 0, sizeof req);
        req.path = h2o_iovec_init(cases[i].path, strlen(cases[i].path));
        req.query_at = cases[i].query_at;
        const h2o_iovec_t query = query_of(&req);
        assert_int_equal(query.len, cases[i].query == NULL ? 0 : strlen(cases[i].query));
        if (cases[i].query == NULL)
            assert_null(query.base);
        else
            assert_memory_equal(query.base, cases[i].query, query.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parameter_is_found_by_its_whole_name),
        cmocka_unit_test(nothing_is_found_where_nothing_is),
        cmocka_unit_test(a_value_may_be_empty),
        cmocka_unit_test(a_value_ends_at_the_next_parameter_alone),
        cmocka_unit_test(of_two_the_last_one_counts),
        cmocka_unit_test(escapes_are_decoded_in_names_and_values),
        cmocka_unit_test(a_plus_is_a_space),
        cmocka_unit_test(a_malformed_escape_stands_for_itself),
        cmocka_unit_test(nothing_behind_the_query_is_read),
        cmocka_unit_test(a_nul_is_seen_by_the_length),
        cmocka_unit_test(what_does_not_fit_is_told_and_not_written),
        cmocka_unit_test(the_query_of_a_request_starts_behind_its_question_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
