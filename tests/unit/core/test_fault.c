// links: core/fault.c
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <ctype.h>
#include <string.h>

#include "core/fault.h"

static void every_fault_has_an_error_status_with_a_reason_phrase(void **state)
{
    (void)state;
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        const struct fault_row *row = fault_row((enum fault)fault);
        assert_in_range(row->status, 400, 599);
        assert_true(strlen(status_reason(row->status)) > 0); /* aborts where there is none */
    }
}

static void every_success_and_redirect_sent_has_a_reason_phrase(void **state)
{
    (void)state;
    assert_string_equal(status_reason(200), "OK");
    assert_string_equal(status_reason(201), "Created");
    assert_string_equal(status_reason(307), "Temporary Redirect");
}

static void reason_phrases_are_those_of_http(void **state)
{
    (void)state;
    assert_string_equal(status_reason(400), "Bad Request");
    assert_string_equal(status_reason(401), "Unauthorized");
    assert_string_equal(status_reason(404), "Not Found");
    assert_string_equal(status_reason(405), "Method Not Allowed");
    assert_string_equal(status_reason(422), "Unprocessable Content");
    assert_string_equal(status_reason(429), "Too Many Requests");
    assert_string_equal(status_reason(503), "Service Unavailable");
    assert_string_equal(status_reason(504), "Gateway Timeout");
}

static void no_two_faults_share_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < FAULT_COUNT; i++)
        for (int k = i + 1; k < FAULT_COUNT; k++)
            assert_string_not_equal(fault_row((enum fault)i)->name, fault_row((enum fault)k)->name);
}

static void names_are_capitals_and_fit_into_a_header_that_is_passed_on(void **state)
{
    (void)state;
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        const char *name = fault_row((enum fault)fault)->name;
        assert_in_range(strlen(name), 3, 64);
        assert_true(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(name));
    }
}

static void a_name_leads_to_its_own_row(void **state)
{
    (void)state;
    assert_string_equal(fault_row(FAULT_NOT_FOUND)->name, "NOT_FOUND");
    assert_int_equal(fault_row(FAULT_NOT_FOUND)->status, 404);
    assert_string_equal(fault_row(FAULT_INTERNAL)->name, "INTERNAL");
    assert_int_equal(fault_row(FAULT_INTERNAL)->status, 500);
}

/* A fault of ours tells a client that, and what to do; never where, why or with what. */
static void every_5xx_has_a_sentence_that_names_no_internals(void **state)
{
    static const char end[] = ". Please try again later.";
    static const char *const internals[] = {"/",     ":",    "\\",     "lmdb", "LMDB",  "curl",    "h2o",
                                            "H2O",   "jwt",  "socket", "null", "store", "Store",   "database",
                                            "errno", "8181", "8282",   "8383", "local", "%",       "thread",
                                            "queue", "disk", "memory", "file", "crypt", "password"};

    (void)state;
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        const struct fault_row *row = fault_row((enum fault)fault);
        if (row->status < 500)
            continue;
        const size_t length = strlen(row->sentence);
        assert_true(length > strlen(end));
        assert_true(isupper((unsigned char)row->sentence[0]));
        assert_string_equal(row->sentence + length - strlen(end), end);
        for (size_t i = 0; i < sizeof internals / sizeof internals[0]; i++)
            assert_null(strstr(row->sentence, internals[i]));
        for (size_t i = 0; i < length; i++)
            assert_false(isdigit((unsigned char)row->sentence[i]));
    }
}

static void only_details_made_for_the_occasion_have_no_sentence(void **state)
{
    (void)state;
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        const bool made =
            fault == FAULT_UNPROCESSABLE || fault == FAULT_USERNAME_TAKEN || fault == FAULT_EMAIL_TAKEN;
        assert_int_equal(*fault_row((enum fault)fault)->sentence == '\0', made);
    }
}

/* Sentences are written into JSON and are read by people: one line of printable ASCII. */
static void sentences_are_printable_ascii(void **state)
{
    (void)state;
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        for (const char *at = fault_row((enum fault)fault)->sentence; *at != '\0'; at++)
            assert_in_range((unsigned char)*at, ' ', '~');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_has_an_error_status_with_a_reason_phrase),
        cmocka_unit_test(every_success_and_redirect_sent_has_a_reason_phrase),
        cmocka_unit_test(reason_phrases_are_those_of_http),
        cmocka_unit_test(no_two_faults_share_a_name),
        cmocka_unit_test(names_are_capitals_and_fit_into_a_header_that_is_passed_on),
        cmocka_unit_test(a_name_leads_to_its_own_row),
        cmocka_unit_test(every_5xx_has_a_sentence_that_names_no_internals),
        cmocka_unit_test(only_details_made_for_the_occasion_have_no_sentence),
        cmocka_unit_test(sentences_are_printable_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
