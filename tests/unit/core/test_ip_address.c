// links: core/ip_address.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "core/ip_address.h"

static struct ip_address address(const char *text)
{
    struct ip_address out;

    if (!ip_address_read(text, strlen(text), &out))
        fail_msg("%s is an address", text);
    return out;
}

static bool has(const char *network, const char *text)
{
    const struct ip_address ip = address(text);
    struct ip_network out;

    if (!ip_network_read(network, strlen(network), &out))
        fail_msg("%s is a network", network);
    return ip_network_has(&out, &ip);
}

static void addresses_are_written_in_their_shortest_form(void **state)
{
    static const char *const rows[][2] = {
        {"192.0.2.7", "192.0.2.7"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"::", "::"},
        {"2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:1111:2222:3333:4444:5555:6666"},
    };
    char text[IP_ADDRESS_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct ip_address ip = address(rows[i][0]);
        ip_address_write(&ip, text);
        assert_string_equal(text, rows[i][1]);
    }
}

static void what_is_no_address_is_none(void **state)
{
    static const char *const rows[] = {
        "",         "unknown",          "1.2.3", "1.2.3.4.5",    "256.0.0.1",     " 1.2.3.4",
        "1.2.3.4 ", "1.2.3.4:5",        "[::1]", "fe80::1%eth0", "1.2.3.4/32",    "::g",
        "0x7f.1",   "::ffff:1.2.3.4.5", "unix",  "_hidden",      "2001:db8::1::", "01.02.03.004"};
    struct ip_address out = {.is_ipv6 = true};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (ip_address_read(rows[i], strlen(rows[i]), &out))
            fail_msg("%s", rows[i]);
    assert_false(ip_address_read("1.2.3.4\0", 8, &out));
    assert_true(out.is_ipv6);
}

static void a_network_has_what_its_prefix_says(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.0.1"));
    assert_false(has("10.0.0.0/8", "11.0.0.1"));
    assert_true(has("192.0.2.128/25", "192.0.2.255"));
    assert_false(has("192.0.2.128/25", "192.0.2.127"));
    assert_true(has("192.0.2.7", "192.0.2.7"));
    assert_false(has("192.0.2.7", "192.0.2.6"));
    assert_true(has("0.0.0.0/0", "203.0.113.1"));
    assert_true(has("2001:db8::/32", "2001:db8:ffff::1"));
    assert_false(has("2001:db8::/32", "2001:db9::1"));
    assert_true(has("2001:db8:0:8000::/49", "2001:db8:0:ffff::1"));
    assert_true(has("::1", "::1"));
}

static void bits_behind_the_prefix_do_not_count(void **state)
{
    (void)state;
    assert_true(has("10.1.2.3/8", "10.9.9.9"));
    assert_true(has("2001:db8::7/32", "2001:db8:1::"));
}

static void the_families_do_not_meet_but_in_mapped_addresses(void **state)
{
    (void)state;
    assert_false(has("::/0", "192.0.2.7"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("::ffff:10.0.0.0/104", "10.9.9.9"));
    assert_true(has("10.0.0.0/8", "::ffff:10.9.9.9"));
}

static void what_is_no_network_is_none(void **state)
{
    static const char *const rows[] = {
        "",           "/8",         "10.0.0.0/",   "10.0.0.0/33", "::/129", "10/8",        "1.2.3.4/-1",
        "1.2.3.4/+1", "1.2.3.4/8 ", "1.2.3.4/8/8", "1.2.3.4/0x8", "host",   "1.2.3.4/0008"};
    struct ip_network out;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (ip_network_read(rows[i], strlen(rows[i]), &out))
            fail_msg("%s", rows[i]);
}

static void loopback_is_127_and_one(void **state)
{
    static const char *const yes[] = {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"};
    static const char *const no[] = {"128.0.0.1", "126.0.0.1", "::2", "::", "7f00::1", "7f00:1::"};

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        const struct ip_address ip = address(yes[i]);
        assert_true(ip_address_is_loopback(&ip));
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        const struct ip_address ip = address(no[i]);
        assert_false(ip_address_is_loopback(&ip));
    }
}

static void a_client_has_one_ipv4_address_or_a_64(void **state)
{
    static const char *const rows[][2] = {
        {"192.0.2.7", "192.0.2.7/32"},
        {"::ffff:192.0.2.7", "192.0.2.7/32"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
        {"2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"},
        {"2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:1111:2222::/64"},
        {"::1", "::/64"},
    };
    char network[CLIENT_NETWORK_MAX_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(client_network_of(rows[i][0], network));
        assert_string_equal(network, rows[i][1]);
    }
}

static void a_client_without_an_address_has_no_network(void **state)
{
    char network[CLIENT_NETWORK_MAX_BYTES + 1];

    (void)state;
    assert_false(client_network_of("unknown", network));
    assert_string_equal(network, "unknown");
    assert_false(client_network_of("unix", network));
    assert_string_equal(network, "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_written_in_their_shortest_form),
        cmocka_unit_test(what_is_no_address_is_none),
        cmocka_unit_test(a_network_has_what_its_prefix_says),
        cmocka_unit_test(bits_behind_the_prefix_do_not_count),
        cmocka_unit_test(the_families_do_not_meet_but_in_mapped_addresses),
        cmocka_unit_test(what_is_no_network_is_none),
        cmocka_unit_test(loopback_is_127_and_one),
        cmocka_unit_test(a_client_has_one_ipv4_address_or_a_64),
        cmocka_unit_test(a_client_without_an_address_has_no_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
