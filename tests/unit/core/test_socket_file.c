// links: core/listener.c core/socket_file.c core/connection.c core/address_slot.c core/loop.c core/clock.c
// links: core/memory.c
// libs: h2o-evloop ssl crypto pthread
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/listener.h"
#include "core/log.h"
#include "core/socket_file.h"

void log_event_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    (void)level, (void)event, (void)fields, (void)count;
}

#define STARTERS 6
#define ROUNDS   60

static char directory[40]; /* of the test's own */

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/test_listener.XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

/* It must be empty: whoever made a file removes it. */
static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

static struct config_address socket_at(const char *name)
{
    struct config_address address = {.host = "localhost"};

    const int length = snprintf(address.socket_path, sizeof address.socket_path, "%s/%s", directory, name);
    assert_true(length > 0 && (size_t)length < sizeof address.socket_path);
    return address;
}

static int try_to_connect(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(to.sun_path, path);
    const int result = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
    close(fd);
    return result;
}

static void assert_refused(const struct config_address *address, const char *reason)
{
    char error[300] = "";
    char expected[300];

    assert_int_equal(listener_bind(address, 7000, error, sizeof error), -1);
    snprintf(expected, sizeof expected, "cannot listen on unix:%s: %s", address->socket_path, reason);
    assert_string_equal(error, expected);
}

static void a_unix_socket_is_for_its_owner_alone_and_has_no_port(void **state)
{
    const struct config_address address = socket_at("a");
    struct stat status;
    char error[300];

    (void)state;
    const mode_t mask = umask(0);
    const int fd = listener_bind(&address, 7000, error, sizeof error);
    umask(mask);
    assert_true(fd >= 0);
    assert_int_equal(stat(address.socket_path, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(listener_port(fd), 0);
    assert_int_equal(try_to_connect(address.socket_path), 0);
    close(fd);
    assert_int_equal(unlink(address.socket_path), 0);
}

static void a_unix_socket_that_somebody_listens_on_is_refused_and_stays(void **state)
{
    const struct config_address address = socket_at("a");
    char error[300];

    (void)state;
    const int fd = listener_bind(&address, 7000, error, sizeof error);
    assert_true(fd >= 0);
    assert_refused(&address, "address already in use");
    assert_int_equal(try_to_connect(address.socket_path), 0);
    close(fd);
    assert_int_equal(unlink(address.socket_path), 0);
}

static void a_unix_socket_whose_queue_is_full_is_in_use(void **state)
{
    const struct config_address address = socket_at("a");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int waiting[2];

    (void)state;
    strcpy(to.sun_path, address.socket_path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (int i = 0; i < 2; i++) {
        waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const int result = connect(waiting[i], (struct sockaddr *)&to, sizeof to);
        assert_true(i == 0 ? result == 0 : result == -1 && errno == EAGAIN);
    }
    assert_refused(&address, "address already in use");
    for (int i = 0; i < 2; i++)
        close(waiting[i]);
    close(fd);
    assert_int_equal(unlink(address.socket_path), 0);
}

static void a_socket_file_that_was_left_is_replaced(void **state)
{
    const struct config_address address = socket_at("a");
    char error[300];

    (void)state;
    close(listener_bind(&address, 7000, error, sizeof error)); /* as a killed process leaves it */
    assert_int_equal(try_to_connect(address.socket_path), ECONNREFUSED);
    const int fd = listener_bind(&address, 7000, error, sizeof error);
    assert_true(fd >= 0);
    assert_int_equal(try_to_connect(address.socket_path), 0);
    close(fd);
    assert_int_equal(unlink(address.socket_path), 0);
}

static void what_is_no_socket_is_never_replaced(void **state)
{
    const struct config_address file = socket_at("file");
    const struct config_address link = socket_at("link");

    (void)state;
    close(open(file.socket_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(symlink("file", link.socket_path), 0);
    assert_refused(&file, "a file that is no socket has that name");
    assert_refused(&link, "a file that is no socket has that name");
    assert_int_equal(unlink(link.socket_path), 0);
    assert_int_equal(unlink(file.socket_path), 0);
}

static void a_missing_directory_is_told(void **state)
{
    const struct config_address address = socket_at("none/a");

    (void)state;
    assert_refused(&address, "its directory does not exist");
}

static void only_the_own_socket_file_is_removed(void **state)
{
    const struct config_address address = socket_at("a");
    struct socket_file first;
    struct socket_file second;
    char error[300];

    (void)state;
    const int fd = listener_bind(&address, 7000, error, sizeof error);
    socket_file_note(fd, &first);
    assert_string_equal(first.path, address.socket_path);
    char moved[200];
    snprintf(moved, sizeof moved, "%s/moved", directory);
    assert_int_equal(rename(address.socket_path, moved), 0);
    const int other = listener_bind(&address, 7000, error, sizeof error);
    assert_true(other >= 0);
    socket_file_note(other, &second);

    socket_file_remove(&first);
    assert_int_equal(try_to_connect(address.socket_path), 0);
    socket_file_remove(&second);
    assert_int_equal(access(address.socket_path, F_OK), -1);
    socket_file_remove(&second);
    close(fd);
    close(other);
    assert_int_equal(unlink(moved), 0);
}

/* Says '1' or '0', whether it listens, and then stays. */
static pid_t start_one(const struct config_address *address, const int start[2], int say_fd)
{
    const pid_t pid = fork();

    if (pid != 0)
        return pid;
    char error[300];
    char byte;
    close(start[1]);
    if (read(start[0], &byte, 1) != 0) /* until nobody has the other end any more */
        _exit(1);
    const int fd = listener_bind(address, 7000, error, sizeof error);
    if (write(say_fd, fd >= 0 ? "1" : "0", 1) != 1)
        _exit(1);
    while (true)
        pause();
}

static void of_many_that_start_at_once_over_a_left_file_one_listens(void **state)
{
    const struct config_address address = socket_at("a");
    char error[300];

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        int start[2];
        int said[2];
        pid_t pids[STARTERS];
        unsigned winners = 0;

        close(listener_bind(&address, 7000, error, sizeof error));
        assert_int_equal(pipe2(start, O_CLOEXEC), 0);
        assert_int_equal(pipe2(said, O_CLOEXEC), 0);
        for (int i = 0; i < STARTERS; i++) {
            pids[i] = start_one(&address, start, said[1]);
            assert_true(pids[i] > 0);
        }
        close(start[1]);
        for (int i = 0; i < STARTERS; i++) {
            char byte = '?';
            assert_int_equal(read(said[0], &byte, 1), 1);
            winners += byte == '1';
        }
        assert_int_equal(try_to_connect(address.socket_path), 0);
        for (int i = 0; i < STARTERS; i++) {
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, 0);
        }
        close(start[0]), close(said[0]), close(said[1]);
        assert_int_equal(winners, 1);
    }
    assert_int_equal(unlink(address.socket_path), 0);
}

#define UNIX_TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIX_TEST(a_unix_socket_is_for_its_owner_alone_and_has_no_port),
        UNIX_TEST(a_unix_socket_that_somebody_listens_on_is_refused_and_stays),
        UNIX_TEST(a_unix_socket_whose_queue_is_full_is_in_use),
        UNIX_TEST(a_socket_file_that_was_left_is_replaced),
        UNIX_TEST(what_is_no_socket_is_never_replaced),
        UNIX_TEST(a_missing_directory_is_told),
        UNIX_TEST(only_the_own_socket_file_is_removed),
        UNIX_TEST(of_many_that_start_at_once_over_a_left_file_one_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
