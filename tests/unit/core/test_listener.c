// links: core/listener.c core/socket_file.c core/connection.c core/address_slot.c core/loop.c core/clock.c
// links: core/memory.c
// libs: h2o-evloop ssl crypto pthread
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/listener.h"
#include "core/log.h"
#include "core/socket_file.h"

void log_event_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    (void)level, (void)event, (void)fields, (void)count;
}

static struct config_address address_of(const char *host, unsigned port)
{
    struct config_address address = {.port = (uint16_t)port};

    snprintf(address.host, sizeof address.host, "%s", host);
    return address;
}

static int bind_to(const char *host, unsigned port, char error[300])
{
    const struct config_address address = address_of(host, port);

    error[0] = '\0';
    return listener_bind(&address, 7000, error, 300);
}

static void a_taken_port_is_refused_with_a_sentence(void **state)
{
    char error[300];
    char expected[300];

    (void)state;
    const int first = bind_to("127.0.0.1", 0, error);
    assert_true(first >= 0);
    const unsigned port = listener_port(first);
    assert_true(port > 0);
    assert_int_equal(bind_to("127.0.0.1", port, error), -1);
    snprintf(expected, sizeof expected, "cannot listen on 127.0.0.1:%u: address already in use", port);
    assert_string_equal(error, expected);

    close(first);
    const int again = bind_to("127.0.0.1", port, error);
    assert_true(again >= 0);
    close(again);
}

static void ipv6_is_listened_on_and_named_with_brackets(void **state)
{
    char error[300];
    char expected[300];

    (void)state;
    const int first = bind_to("::1", 0, error);
    if (first < 0)
        skip(); /* a machine without IPv6 */
    const unsigned port = listener_port(first);
    assert_int_equal(bind_to("::1", port, error), -1);
    snprintf(expected, sizeof expected, "cannot listen on [::1]:%u: address already in use", port);
    assert_string_equal(error, expected);
    close(first);
}

static void an_unknown_name_is_refused_with_a_sentence(void **state)
{
    char error[300];

    (void)state;
    assert_int_equal(bind_to("no such host", 80, error), -1);
    assert_ptr_equal(strstr(error, "cannot listen on no such host:80: "), error);
}

static void localhost_is_the_ipv4_loopback(void **state)
{
    struct sockaddr_in bound = {0};
    socklen_t length = sizeof bound;
    char error[300];

    (void)state;
    const int fd = bind_to("localhost", 0, error);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
    assert_int_equal(bound.sin_family, AF_INET);
    assert_int_equal(ntohl(bound.sin_addr.s_addr), INADDR_LOOPBACK);
    close(fd);
}

static void no_host_is_all_addresses(void **state)
{
    char error[300];

    (void)state;
    const int fd = bind_to("", 0, error);
    assert_true(fd >= 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)listener_port(fd))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), 0);
    close(client);
    close(fd);
}

static void sockets_do_not_block_and_are_not_inherited_and_have_a_user_timeout(void **state)
{
    unsigned timeout_ms = 0;
    socklen_t length = sizeof timeout_ms;
    char error[300];

    (void)state;
    const int fd = bind_to("127.0.0.1", 0, error);
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &length), 0);
    assert_int_equal(timeout_ms, 7000);
    close(fd);
}

static void an_address_of_another_kind_has_no_file(void **state)
{
    struct socket_file file;
    char error[300];

    (void)state;
    const int fd = bind_to("127.0.0.1", 0, error);
    socket_file_note(fd, &file);
    assert_string_equal(file.path, "");
    socket_file_remove(&file);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_taken_port_is_refused_with_a_sentence),
        cmocka_unit_test(ipv6_is_listened_on_and_named_with_brackets),
        cmocka_unit_test(an_unknown_name_is_refused_with_a_sentence),
        cmocka_unit_test(localhost_is_the_ipv4_loopback),
        cmocka_unit_test(no_host_is_all_addresses),
        cmocka_unit_test(sockets_do_not_block_and_are_not_inherited_and_have_a_user_timeout),
        cmocka_unit_test(an_address_of_another_kind_has_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
