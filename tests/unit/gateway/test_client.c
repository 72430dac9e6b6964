// links: gateway/client.c core/client_address.c core/ip_address.c core/memory.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/client_address.h"
#include "gateway/client.h"
#include "gateway/state.h"

/* The request: where it comes from, and its headers. */
static const char *peer;
static struct {
    const char *name;
    const char *value;
} headers[101];
static size_t header_count;

h2o_iovec_t exchange_header(const struct exchange *x, const char *name, size_t *count)
{
    (void)x;
    *count = 0;
    for (size_t i = 0; i < header_count; i++)
        *count += strcmp(headers[i].name, name) == 0;
    return h2o_iovec_init(NULL, 0);
}

size_t exchange_header_lines(const struct exchange *x, const char *name, h2o_iovec_t *out, size_t max)
{
    size_t count = 0;

    (void)x;
    for (size_t i = 0; i < header_count; i++) {
        if (strcmp(headers[i].name, name) != 0)
            continue;
        if (count < max)
            out[count] = h2o_iovec_init(headers[i].value, strlen(headers[i].value));
        count++;
    }
    return count;
}

void exchange_peer(const struct exchange *x, char out[EXCHANGE_ADDRESS_MAX_BYTES + 1])
{
    (void)x;
    snprintf(out, EXCHANGE_ADDRESS_MAX_BYTES + 1, "%s", peer);
}

static void from(const char *address)
{
    peer = address;
    header_count = 0;
}

static void send_header(const char *name, const char *value)
{
    headers[header_count].name = name;
    headers[header_count++].value = value;
}

static const char *client(const char *proxies, const char *header)
{
    static char out[EXCHANGE_ADDRESS_MAX_BYTES + 1];
    struct gateway gateway = {0};
    struct service service = {.state = &gateway};
    struct loop loop = {.service = &service};
    const struct exchange x = {.loop = &loop};
    char error[256];

    gateway.client_rule = client_address_open(proxies, header, error, sizeof error);
    assert_non_null(gateway.client_rule);
    client_write(&x, out);
    client_address_close(gateway.client_rule);
    return out;
}

static void the_client_is_the_peer(void **state)
{
    (void)state;
    from("127.0.0.1");
    assert_string_equal(client("", ""), "127.0.0.1");
    from("2001:db8::1");
    assert_string_equal(client("10.0.0.0/8", "X-Forwarded-For"), "2001:db8::1");
    from("unix");
    assert_string_equal(client("", ""), "unix");
}

/* Who may open the socket's file is a proxy of ours; nothing else would tell its clients apart. */
static void over_a_unix_socket_the_header_that_is_named_is_believed(void **state)
{
    (void)state;
    from("unix");
    send_header("x-forwarded-for", "192.0.2.7");
    assert_string_equal(client("", ""), "unix");
    assert_string_equal(client("", "X-Forwarded-For"), "192.0.2.7");
}

/* Or any client could choose in which count its failures go. */
static void the_header_of_one_not_trusted_changes_nothing(void **state)
{
    static const char *const peers[] = {"127.0.0.1", "::1", "203.0.113.9"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        from(peers[i]);
        send_header("x-forwarded-for", "192.0.2.7");
        send_header("forwarded", "for=192.0.2.7");
        assert_string_equal(client("", ""), peers[i]);
        assert_string_equal(client("", "X-Forwarded-For"), peers[i]);
        assert_string_equal(client("10.0.0.0/8", "X-Forwarded-For"), peers[i]);
        assert_string_equal(client("0.0.0.0/0", ""), peers[i]);
    }
}

/* Or a client behind a proxy on this machine would pass for one on it. */
static void what_was_forwarded_is_known_as_such_whoever_sent_it(void **state)
{
    const struct exchange x = {.req = NULL};

    (void)state;
    from("127.0.0.1");
    assert_false(client_is_forwarded(&x));
    send_header("x-forwarded-for", "192.0.2.7");
    assert_true(client_is_forwarded(&x));
    from("127.0.0.1");
    send_header("forwarded", "");
    assert_true(client_is_forwarded(&x));
}

static void a_trusted_proxy_is_believed(void **state)
{
    (void)state;
    from("127.0.0.1");
    send_header("x-forwarded-for", "1.1.1.1, 192.0.2.7");
    send_header("x-forwarded-for", "10.0.0.1");
    send_header("forwarded", "for=192.0.2.8");
    assert_string_equal(client("127.0.0.1 10.0.0.0/8", "X-Forwarded-For"), "192.0.2.7");
    assert_string_equal(client("127.0.0.1", "X-Forwarded-For"), "10.0.0.1");
    assert_string_equal(client("127.0.0.1", "Forwarded"), "192.0.2.8");
}

static void a_trusted_proxy_that_says_nothing_is_the_client(void **state)
{
    (void)state;
    from("127.0.0.1");
    assert_string_equal(client("127.0.0.1", "X-Forwarded-For"), "127.0.0.1");
    send_header("forwarded", "for=192.0.2.8");
    assert_string_equal(client("127.0.0.1", "X-Forwarded-For"), "127.0.0.1");
    from("10.0.0.1");
    assert_string_equal(client("10.0.0.0/8", "X-Real-IP"), "10.0.0.1");
}

static void what_a_trusted_proxy_says_makes_no_client_local(void **state)
{
    (void)state;
    from("127.0.0.1");
    send_header("x-forwarded-for", "127.0.0.1");
    assert_string_equal(client("127.0.0.1", "X-Forwarded-For"), "unknown");
}

static void lines_without_end_are_unknown(void **state)
{
    (void)state;
    from("10.0.0.1");
    for (int i = 0; i < 100; i++)
        send_header("x-forwarded-for", "192.0.2.7");
    assert_string_equal(client("10.0.0.1", "X-Forwarded-For"), "192.0.2.7");
    send_header("x-forwarded-for", "192.0.2.7");
    assert_string_equal(client("10.0.0.1", "X-Forwarded-For"), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_is_the_peer),
        cmocka_unit_test(over_a_unix_socket_the_header_that_is_named_is_believed),
        cmocka_unit_test(the_header_of_one_not_trusted_changes_nothing),
        cmocka_unit_test(what_was_forwarded_is_known_as_such_whoever_sent_it),
        cmocka_unit_test(a_trusted_proxy_is_believed),
        cmocka_unit_test(a_trusted_proxy_that_says_nothing_is_the_client),
        cmocka_unit_test(what_a_trusted_proxy_says_makes_no_client_local),
        cmocka_unit_test(lines_without_end_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
