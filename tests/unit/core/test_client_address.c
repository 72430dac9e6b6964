// links: core/client_address.c core/ip_address.c core/memory.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "core/client_address.h"

static struct client_address_rule *rule_of(const char *proxies, const char *header)
{
    char error[256] = "";
    struct client_address_rule *rule = client_address_open(proxies, header, error, sizeof error);

    if (rule == NULL)
        fail_msg("%s", error);
    return rule;
}

/* What two lines say (the second may be NULL), with 10.0.0.0/8 and 2001:db8:ffff::/48 trusted. */
static const char *found(const char *header, const char *first, const char *second)
{
    static char out[IP_ADDRESS_TEXT_BYTES];
    struct client_address_rule *rule = rule_of("10.0.0.0/8,2001:db8:ffff::/48 127.0.0.1", header);
    const struct client_address_line lines[] = {
        {first, strlen(first)},
        {second, second == NULL ? 0 : strlen(second)},
    };

    client_address_find(rule, lines, second == NULL ? 1 : 2, out);
    client_address_close(rule);
    return out;
}

static void only_a_trusted_peer_is_believed(void **state)
{
    struct client_address_rule *rule = rule_of("127.0.0.1, ::1\t10.0.0.0/8", "X-Forwarded-For");

    (void)state;
    assert_true(client_address_is_believed(rule, "127.0.0.1"));
    assert_true(client_address_is_believed(rule, "::1"));
    assert_true(client_address_is_believed(rule, "10.1.2.3"));
    assert_true(client_address_is_believed(rule, "::ffff:10.1.2.3"));
    assert_false(client_address_is_believed(rule, "127.0.0.2"));
    assert_false(client_address_is_believed(rule, "192.0.2.1"));
    assert_true(client_address_is_believed(rule, "unix")); /* who may open the socket's file */
    assert_string_equal(client_address_header(rule), "x-forwarded-for");
    client_address_close(rule);
}

static void without_proxies_or_without_a_header_nobody_is_believed(void **state)
{
    struct client_address_rule *rule = rule_of("", "X-Forwarded-For");

    (void)state;
    assert_false(client_address_is_believed(rule, "127.0.0.1"));
    client_address_close(rule);
    rule = rule_of("0.0.0.0/0", "");
    assert_false(client_address_is_believed(rule, "127.0.0.1"));
    assert_string_equal(client_address_header(rule), "");
    client_address_close(rule);
    client_address_close(NULL);
}

static void a_setting_that_is_wrong_is_told_in_one_sentence(void **state)
{
    char error[256] = "";

    (void)state;
    assert_null(client_address_open("10.0.0.0/8, proxy.example, ::1", "", error, sizeof error));
    assert_non_null(strstr(error, "TRUSTED_PROXIES: \"proxy.example\" is no address"));
    assert_null(client_address_open("10.0.0.0/40", "", error, sizeof error));
    assert_non_null(strstr(error, "\"10.0.0.0/40\""));
    assert_null(client_address_open("", "X-Forwarded-For:", error, sizeof error));
    assert_non_null(strstr(error, "CLIENT_ADDRESS_HEADER"));
    assert_null(client_address_open("", "two words", error, sizeof error));
}

static void the_client_is_the_rightmost_that_is_no_proxy(void **state)
{
    (void)state;
    assert_string_equal(found("X-Forwarded-For", "192.0.2.7", NULL), "192.0.2.7");
    assert_string_equal(found("X-Forwarded-For", "1.1.1.1, 192.0.2.7", NULL), "192.0.2.7");
    assert_string_equal(found("X-Forwarded-For", "1.1.1.1,192.0.2.7 ,10.0.0.1,\t10.0.0.2", NULL),
                        "192.0.2.7");
    assert_string_equal(found("X-Forwarded-For", "10.0.0.9, 192.0.2.7, 10.0.0.1", NULL), "192.0.2.7");
    assert_string_equal(found("X-Real-IP", "2001:DB8::0:7", NULL), "2001:db8::7");
}

static void lines_count_as_one_list_in_their_order(void **state)
{
    (void)state;
    assert_string_equal(found("X-Forwarded-For", "192.0.2.1", "192.0.2.2"), "192.0.2.2");
    assert_string_equal(found("X-Forwarded-For", "192.0.2.1", "10.0.0.1"), "192.0.2.1");
    assert_string_equal(found("X-Forwarded-For", "192.0.2.1", ""), "192.0.2.1");
    assert_string_equal(found("Forwarded", "for=192.0.2.1", "for=10.0.0.1"), "192.0.2.1");
}

static void ports_and_brackets_are_taken_off(void **state)
{
    static const char *const rows[][2] = {
        {"192.0.2.7:4711", "192.0.2.7"},
        {"[2001:db8::7]:4711", "2001:db8::7"},
        {"[2001:db8::7]", "2001:db8::7"},
        {"2001:db8::7", "2001:db8::7"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"[::ffff:192.0.2.7]:80", "192.0.2.7"},
        {"[2001:db8:ffff::1]:80", "2001:db8:ffff::1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(found("X-Forwarded-For", rows[i][0], NULL), rows[i][1]);
}

static void what_hides_or_cannot_be_read_is_unknown(void **state)
{
    static const char *const rows[] = {
        "unknown",
        "_hidden",
        "proxy.example",
        "192.0.2.7, unknown",
        "192.0.2.7, unknown, 10.0.0.1",
        "192.0.2.7 80",
        "[192.0.2.7]",
        "[2001:db8::7",
        "[2001:db8::7]80",
        "2001:db8::7]:80",
        "192.0.2",
        "fe80::1%eth0",
        "\"192.0.2.7\"",
        ":80",
        "[]",
        "",
        " , ,",
        "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111"};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(found("X-Forwarded-For", rows[i], NULL), "unknown") != 0)
            fail_msg("%s: %s", rows[i], found("X-Forwarded-For", rows[i], NULL));
}

static void what_is_unknown_further_left_does_not_matter(void **state)
{
    (void)state;
    assert_string_equal(found("X-Forwarded-For", "unknown, <script>, 192.0.2.7", NULL), "192.0.2.7");
    assert_string_equal(found("Forwarded", "for=\"oops", "for=192.0.2.7"), "192.0.2.7");
}

static void where_all_are_proxies_it_is_the_first(void **state)
{
    (void)state;
    assert_string_equal(found("X-Forwarded-For", "10.0.0.9, 10.0.0.1", NULL), "10.0.0.9");
    assert_string_equal(found("Forwarded", "for=10.0.0.9, for=10.0.0.1", NULL), "10.0.0.9");
}

/* Or what a proxy passes on unread would make its sender the first administrator. */
static void no_header_makes_a_client_local(void **state)
{
    (void)state;
    assert_string_equal(found("X-Forwarded-For", "127.0.0.1", NULL), "unknown");
    assert_string_equal(found("X-Forwarded-For", "::1", NULL), "unknown");
    assert_string_equal(found("X-Forwarded-For", "127.0.0.9, 10.0.0.1", NULL), "unknown");
    assert_string_equal(found("Forwarded", "for=\"[::1]\"", NULL), "unknown");
}

/* The examples of RFC 7239, sections 4 and 6, and their like. */
static void forwarded_is_read_by_its_rfc(void **state)
{
    static const char *const rows[][2] = {
        {"for=192.0.2.43", "192.0.2.43"},
        {"For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"},
        {"for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"},
        {"proto=http; by=\"203.0.113.43\" ; FOR=192.0.2.60", "192.0.2.60"},
        {"for=192.0.2.43, for=198.51.100.17", "198.51.100.17"},
        {"for=192.0.2.43,for=\"10.0.0.1:80\";by=10.0.0.2", "192.0.2.43"},
        {"for=\"192.0.2.43:47011\"", "192.0.2.43"},
        {"for=\"\\1\\9\\2.0.2.43\"", "192.0.2.43"},
        {"for=192.0.2.43;ext=\"a, for=1.1.1.1; \\\" b\"", "192.0.2.43"},
        {", for=192.0.2.43 ,, ", "192.0.2.43"},
        {"for=192.0.2.43;", "192.0.2.43"},
        {"for=[2001:db8::1]:80", "2001:db8::1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(found("Forwarded", rows[i][0], NULL), rows[i][1]) != 0)
            fail_msg("%s: %s", rows[i][0], found("Forwarded", rows[i][0], NULL));
}

static void a_forwarded_that_is_broken_or_hides_is_unknown(void **state)
{
    static const char *const rows[] = {
        "for=unknown",
        "for=_gazonk",
        "for=\"_SEVKISEK\"",
        "for=192.0.2.43, for=unknown",
        "by=192.0.2.43",
        "for=",
        "for",
        "=1.2.3.4",
        "for=\"192.0.2.43",
        "for=\"192.0.2.43\\",
        "for=192.0.2.43;for=192.0.2.44",
        "for = 192.0.2.43",
        "192.0.2.43",
        "for=192.0.2.43 for=192.0.2.44",
        "for=\"\"",
        "fox=192.0.2.43",
        "for=\"192.0.2.43\"x",
        "",
        ",",
        "for=\"192.0.2.43                                                                 \""};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(found("Forwarded", rows[i], NULL), "unknown") != 0)
            fail_msg("%s: %s", rows[i], found("Forwarded", rows[i], NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_trusted_peer_is_believed),
        cmocka_unit_test(without_proxies_or_without_a_header_nobody_is_believed),
        cmocka_unit_test(a_setting_that_is_wrong_is_told_in_one_sentence),
        cmocka_unit_test(the_client_is_the_rightmost_that_is_no_proxy),
        cmocka_unit_test(lines_count_as_one_list_in_their_order),
        cmocka_unit_test(ports_and_brackets_are_taken_off),
        cmocka_unit_test(what_hides_or_cannot_be_read_is_unknown),
        cmocka_unit_test(what_is_unknown_further_left_does_not_matter),
        cmocka_unit_test(where_all_are_proxies_it_is_the_first),
        cmocka_unit_test(no_header_makes_a_client_local),
        cmocka_unit_test(forwarded_is_read_by_its_rfc),
        cmocka_unit_test(a_forwarded_that_is_broken_or_hides_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
