// links: core/connection.c core/address_slot.c core/loop.c core/clock.c core/memory.c
// libs: h2o-evloop ssl crypto pthread
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/connection.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/seldom.h"
#include "core/service.h"

static unsigned lines;

void log_event_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    (void)level, (void)event, (void)fields, (void)count;
    lines++;
}

/* The loop of a gateway that lets an address have two connections. */
static struct world {
    struct config config;
    struct service_definition definition;
    struct service service;
    struct loop loop;
} world;

static int open_world(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.config.connections_per_address_max = 2;
    world.definition.has_envelope = true;
    world.service.definition = &world.definition;
    world.service.config = &world.config;
    h2o_config_init(&world.service.conf);
    h2o_config_register_host(&world.service.conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    loop_open(&world.loop, &world.service, 0, &world.service.conf);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    loop_close(&world.loop);
    h2o_config_dispose(&world.service.conf);
    return 0;
}

static h2o_socket_t *make_socket(int *other_end)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    *other_end = ends[1];
    return h2o_evloop_socket_create(world.loop.evloop, ends[0], H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
}

/* One that seems to be of a client at 192.0.2.7. */
static h2o_socket_t *make_tcp_socket(int *other_end)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000207)};
    h2o_socket_t *socket = make_socket(other_end);

    h2o_socket_setpeername(socket, (struct sockaddr *)&peer, sizeof peer);
    return socket;
}

static void a_budget_lasts_a_second(void **state)
{
    struct budget budget = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(budget_take(&budget, 5000, 3));
    assert_false(budget_take(&budget, 5999, 3));
    assert_true(budget_take(&budget, 6000, 3));
    for (int i = 0; i < 2; i++)
        assert_true(budget_take(&budget, 6500, 3));
    assert_false(budget_take(&budget, 6999, 3));
}

static void a_budget_survives_a_clock_that_is_set_back(void **state)
{
    struct budget budget = {0};

    (void)state;
    assert_true(budget_take(&budget, 5000, 1));
    assert_true(budget_take(&budget, 4000, 1));
    assert_false(budget_take(&budget, 4001, 1));
}

static void what_is_given_back_may_be_taken_again_but_never_saved(void **state)
{
    struct budget budget = {0};

    (void)state;
    budget_give(&budget, 8);
    assert_true(budget_take(&budget, 5000, 2));
    assert_true(budget_take(&budget, 5000, 2));
    assert_false(budget_take(&budget, 5000, 2));
    budget_give(&budget, 1);
    assert_true(budget_take(&budget, 5000, 2));
    assert_false(budget_take(&budget, 5000, 2));
    budget_give(&budget, 100);
    assert_true(budget_take(&budget, 5000, 2));
    assert_true(budget_take(&budget, 5000, 2));
    assert_false(budget_take(&budget, 5000, 2));
}

static void a_connection_lives_as_long_as_its_socket(void **state)
{
    int ends[2];

    (void)state;
    h2o_socket_t *first_socket = make_socket(&ends[0]);
    h2o_socket_t *second_socket = make_socket(&ends[1]);
    struct connection *first = connection_open(&world.loop.listener, first_socket);
    struct connection *second = connection_open(&world.loop.listener, second_socket);

    assert_ptr_equal(connection_of_socket(first_socket), first);
    assert_ptr_equal(connection_of_socket(second_socket), second);
    assert_ptr_equal(world.loop.connections, second);
    assert_ptr_equal(second->next, first);
    assert_int_equal(atomic_load(&world.service.connection_count), 2);

    h2o_socket_close(second_socket);
    assert_ptr_equal(world.loop.connections, first);
    assert_null(first->previous);
    h2o_socket_close(first_socket);
    assert_null(world.loop.connections);
    assert_int_equal(atomic_load(&world.service.connection_count), 0);
    close(ends[0]);
    close(ends[1]);
}

static void a_socket_of_another_kind_has_no_connection(void **state)
{
    int end;

    (void)state;
    h2o_socket_t *socket = make_socket(&end);
    assert_null(connection_of_socket(socket));
    assert_null(connection_of_socket(NULL));
    h2o_socket_close(socket);
    close(end);
}

static void an_address_with_too_many_connections_is_turned_away_at_once(void **state)
{
    int ends[3];

    (void)state;
    h2o_socket_t *first = make_tcp_socket(&ends[0]);
    h2o_socket_t *second = make_tcp_socket(&ends[1]);
    assert_non_null(connection_open(&world.loop.listener, first));
    assert_non_null(connection_open(&world.loop.listener, second));
    assert_null(connection_open(&world.loop.listener, make_tcp_socket(&ends[2])));
    char byte;
    assert_int_equal(read(ends[2], &byte, 1), 0);
    assert_int_equal(atomic_load(&world.service.connection_count), 2);

    h2o_socket_close(first);
    h2o_socket_t *third = make_tcp_socket(&ends[0]);
    assert_non_null(connection_open(&world.loop.listener, third));
    h2o_socket_close(second);
    h2o_socket_close(third);
}

static void a_unix_socket_has_no_address_to_count_by(void **state)
{
    h2o_socket_t *sockets[4];
    int ends[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        sockets[i] = make_socket(&ends[i]);
        const struct connection *connection = connection_open(&world.loop.listener, sockets[i]);
        assert_non_null(connection);
        assert_null(connection->address);
    }
    for (int i = 0; i < 4; i++) {
        h2o_socket_close(sockets[i]);
        close(ends[i]);
    }
}

static void a_cut_connection_ends_for_its_client_and_is_told_of_once(void **state)
{
    int end;
    char byte;

    (void)state;
    h2o_socket_t *socket = make_socket(&end);
    struct connection *connection = connection_open(&world.loop.listener, socket);
    assert_int_equal(read(end, &byte, 1), -1);
    lines = 0;
    connection_cut(connection, CUT_PRESSURE);
    connection_cut(connection, CUT_REQUEST_SLOW);
    assert_true(connection->cut);
    assert_int_equal(read(end, &byte, 1), 0);
    assert_true(lines <= 1);
    assert_ptr_equal(world.loop.connections, connection); /* H2O closes it, not we */
    h2o_socket_close(socket);
    close(end);
}

static void requests_keep_a_connection_from_being_quiet(void **state)
{
    int end;

    (void)state;
    h2o_socket_t *socket = make_socket(&end);
    struct connection *connection = connection_open(&world.loop.listener, socket);
    connection->quiet_since_ms = 0;
    connection_request_started(connection);
    connection_request_started(connection);
    assert_int_equal(connection->requests_started, 2);
    assert_int_equal(connection->requests_open, 2);
    connection_request_ended(connection);
    connection_request_ended(connection);
    assert_int_equal(connection->requests_started, 2);
    assert_int_equal(connection->requests_open, 0);
    assert_true(connection->quiet_since_ms >= connection->accepted_ms);
    h2o_socket_close(socket);
    close(end);
}

static struct connection *seen_reading;

static void note_reader(h2o_socket_t *socket, const char *fault)
{
    (void)fault;
    seen_reading = connection_reading();
    socket->input->size = 0;
}

static void close_reader(h2o_socket_t *socket, const char *fault)
{
    (void)fault;
    h2o_socket_close(socket);
    seen_reading = connection_reading();
}

static void whose_bytes_are_read_is_known_while_they_are_read(void **state)
{
    int end;

    (void)state;
    h2o_socket_t *socket = make_socket(&end);
    struct connection *connection = connection_open(&world.loop.listener, socket);

    connection->on_read = note_reader;
    connection_read(socket, NULL);
    assert_ptr_equal(seen_reading, connection);
    assert_null(connection_reading());
    connection->on_read = close_reader;
    connection_read(socket, NULL);
    assert_null(seen_reading);
    assert_null(connection_reading());
    close(end);
}

static void keep_unread(h2o_socket_t *socket, const char *fault)
{
    (void)fault;
    h2o_buffer_reserve(&socket->input, 1 << 20);
    socket->input->size += (1 << 20) - 1;
}

static void a_connection_that_only_fills_memory_is_cut(void **state)
{
    int end;

    (void)state;
    h2o_socket_t *socket = make_socket(&end);
    struct connection *connection = connection_open(&world.loop.listener, socket);
    connection->on_read = keep_unread;
    connection_read(socket, NULL);
    assert_false(connection->cut);
    connection_read(socket, NULL);
    assert_true(connection->cut);
    h2o_socket_close(socket);
    close(end);
}

static void what_happens_often_is_said_once_a_second(void **state)
{
    struct seldom seldom = {0};
    uint64_t unsaid = 99;

    (void)state;
    assert_true(seldom_may_say(&seldom, 5000, &unsaid));
    assert_int_equal(unsaid, 0);
    assert_false(seldom_may_say(&seldom, 5001, &unsaid));
    assert_false(seldom_may_say(&seldom, 5999, &unsaid));
    assert_true(seldom_may_say(&seldom, 6000, &unsaid));
    assert_int_equal(unsaid, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_budget_lasts_a_second),
        cmocka_unit_test(a_budget_survives_a_clock_that_is_set_back),
        cmocka_unit_test(what_is_given_back_may_be_taken_again_but_never_saved),
        cmocka_unit_test(what_happens_often_is_said_once_a_second),
        cmocka_unit_test_setup_teardown(a_connection_lives_as_long_as_its_socket, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_socket_of_another_kind_has_no_connection, open_world, close_world),
        cmocka_unit_test_setup_teardown(an_address_with_too_many_connections_is_turned_away_at_once,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(a_unix_socket_has_no_address_to_count_by, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_cut_connection_ends_for_its_client_and_is_told_of_once, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(requests_keep_a_connection_from_being_quiet, open_world, close_world),
        cmocka_unit_test_setup_teardown(whose_bytes_are_read_is_known_while_they_are_read, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(a_connection_that_only_fills_memory_is_cut, open_world, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
