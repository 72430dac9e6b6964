// links: core/config_parse.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/config.h"
#include "core/config_parse.h"

static void sizes_have_units(void **state)
{
    (void)state;
    uint64_t bytes = 0;
    assert_true(config_parse_size("0", &bytes) && bytes == 0);
    assert_true(config_parse_size("1500", &bytes) && bytes == 1500);
    assert_true(config_parse_size("2KiB", &bytes) && bytes == 2048);
    assert_true(config_parse_size("3 mib", &bytes) && bytes == 3 << 20);
    assert_true(config_parse_size("4GiB", &bytes) && bytes == UINT64_C(4) << 30);
    assert_false(config_parse_size("17179869184GiB", &bytes));
    assert_false(config_parse_size("1KB", &bytes));
    assert_false(config_parse_size("KiB", &bytes));
    assert_false(config_parse_size("", &bytes));
}

static void assert_url(const char *text, const char *host, unsigned port, const char *base)
{
    struct config_url url;
    const char *why = "";
    if (!config_parse_url(text, &url, &why))
        fail_msg("%s: %s", text, why);
    assert_string_equal(url.host, host);
    assert_int_equal(url.port, port);
    assert_string_equal(url.base, base);
}

static void urls_are_taken_apart(void **state)
{
    (void)state;
    assert_url("http://localhost:8181/", "localhost", 8181, "http://localhost:8181");
    assert_url("http://localhost:8181", "localhost", 8181, "http://localhost:8181");
    assert_url("HTTP://auth_1.example", "auth_1.example", 80, "http://auth_1.example:80");
    assert_url("http://[::1]:65535/", "::1", 65535, "http://[::1]:65535");
    assert_url("http://[fe80::1]", "fe80::1", 80, "http://[fe80::1]:80");
}

static void urls_with_more_than_an_address_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "localhost:1",   "ftp://a:1",    "http://",        "http:///",
        "http://:1",  "http://a:",     "http://a:0",   "http://a:65536", "http://a:1x",
        "http://a b", "http://[::1",   "http://[a]:1", "http://::1:80",  "http://a:1/x",
        "http://a?b", "http://a#b",    "http://a//",   "https://a",      "http://-a",
        "http://u@a", "http://[::1]x", "http://a:1:2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct config_url url;
        const char *why = NULL;
        if (config_parse_url(bad[i], &url, &why))
            fail_msg("%s was taken", bad[i]);
        assert_non_null(why);
    }
    char long_host[400] = "http://";
    memset(long_host + 7, 'a', 256);
    struct config_url url;
    const char *why = NULL;
    assert_false(config_parse_url(long_host, &url, &why));
    long_host[7 + 255] = '\0';
    assert_true(config_parse_url(long_host, &url, &why));
}

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    struct config_address address;
    const char *why = NULL;
    assert_true(config_parse_address(":8181", &address, &why));
    assert_string_equal(address.host, "0.0.0.0");
    assert_int_equal(address.port, 8181);
    assert_true(config_parse_address("[::]:0", &address, &why));
    assert_string_equal(address.host, "::");
    assert_int_equal(address.port, 0);
    assert_true(config_parse_address("localhost:1", &address, &why));
    static const char *const bad[] = {"",       "8181",  "localhost", "a:",        "a:65536",
                                      "::1:80", "[::1]", "a:1/",      "http://a:1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(config_parse_address(bad[i], &address, &why));
}

static void unix_sockets_are_taken_as_urls_and_as_addresses(void **state)
{
    struct config_url url;
    struct config_address address;
    const char *why = NULL;

    (void)state;
    assert_url("unix:/run/a.socket", "localhost", 0, "unix:/run/a.socket");
    assert_url("UNIX:a b", "localhost", 0, "unix:a b");
    assert_true(config_parse_url("unix:/run/a.socket", &url, &why));
    assert_string_equal(url.socket_path, "/run/a.socket");
    assert_true(config_parse_url("http://a:1", &url, &why));
    assert_string_equal(url.socket_path, "");
    assert_true(config_parse_address("unix:./a.socket", &address, &why));
    assert_string_equal(address.socket_path, "./a.socket");
    assert_string_equal(address.host, "localhost");
    assert_int_equal(address.port, 0);
    assert_true(config_parse_address("unix.example:80", &address, &why));
    assert_string_equal(address.socket_path, "");
}

static void unix_sockets_have_a_file_and_at_most_107_bytes_of_path(void **state)
{
    struct config_url url;
    struct config_address address;
    char path[200] = "unix:";
    const char *why = NULL;

    (void)state;
    memset(path + 5, 'p', 108);
    assert_false(config_parse_url(path, &url, &why));
    assert_string_equal(why, "must have a path of at most 107 bytes behind unix:, which is all that a Unix "
                             "socket's address has room for");
    why = NULL;
    assert_false(config_parse_address(path, &address, &why));
    assert_non_null(why);
    path[5 + 107] = '\0';
    assert_true(config_parse_url(path, &url, &why));
    assert_true(config_parse_address(path, &address, &why));
    assert_int_equal(strlen(address.socket_path), 107);

    static const char *const nameless[] = {"unix:", "unix:/", "unix:/run/"};
    for (size_t i = 0; i < sizeof(nameless) / sizeof(nameless[0]); i++) {
        assert_false(config_parse_url(nameless[i], &url, &why));
        assert_string_equal(why, "must name a file behind unix:, such as unix:/run/token-relay/auth.socket");
        assert_false(config_parse_address(nameless[i], &address, &why));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_units),
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(urls_with_more_than_an_address_are_refused),
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(unix_sockets_are_taken_as_urls_and_as_addresses),
        cmocka_unit_test(unix_sockets_have_a_file_and_at_most_107_bytes_of_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
