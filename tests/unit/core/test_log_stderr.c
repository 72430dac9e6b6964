// links: core/log.c core/log_line.c core/log_output.c core/log_record.c core/log_stderr.c
// links: core/clock.c core/buffer.c
// libs: cjson pthread
// tsan
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/log.h"
#include "tests/support/log_child.h"
#include "tests/support/log_lines.h"

static void print_hundred_lines(void)
{
    open_taking_over();
    for (int i = 0; i < 100; i++)
        print("skipping frame (type:99)\n");
    log_close();
}

static void output_of_libraries_is_limited_and_the_rest_counted(void **state)
{
    (void)state;
    assert_int_equal(in_child(print_hundred_lines), 0);
    cJSON *lines = read_lines(log_path);
    int passed_on = 0;
    double dropped = 0;
    const cJSON *line = NULL;
    cJSON_ArrayForEach(line, lines)
    {
        if (strcmp(text_of(line, "event"), "library_output_dropped") == 0) {
            dropped += number_of(line, "lines");
            continue;
        }
        assert_string_equal(text_of(line, "event"), "library_output");
        assert_string_equal(text_of(line, "text"), "skipping frame (type:99)");
        passed_on++;
    }
    assert_in_range(passed_on, 10, 20); /* the second may turn once */
    assert_int_equal(passed_on + (int)dropped, 100);
    cJSON_Delete(lines);
}

static void print_odd_lines(void)
{
    char text[1001];
    memset(text, 'x', sizeof(text) - 1);
    text[1000] = '\0';
    open_taking_over();
    print("failed to normalize path: /\x1b[2J\xff\n\n");
    print(text);
    print("y\n");
    print("no newline");
    log_close();
    print("given back\n");
}

static void output_of_libraries_is_escaped_and_cut(void **state)
{
    (void)state;
    assert_int_equal(in_child(print_odd_lines), 0);
    char *text = read_text(log_path);
    char *given_back = strstr(text, "given back\n");
    assert_non_null(given_back);
    assert_true(given_back[-1] == '\n' && given_back[11] == '\0');
    assert_non_null(strstr(text, "\"text\":\"failed to normalize path: /\\u001b[2J\\u00ff\"}"));
    *given_back = '\0';
    cJSON *lines = parse_lines(text);
    assert_int_equal(cJSON_GetArraySize(lines), 3);
    assert_int_equal(strlen(text_of(cJSON_GetArrayItem(lines, 1), "text")), 256 + 3);
    assert_string_equal(text_of(cJSON_GetArrayItem(lines, 2), "text"), "no newline");
    cJSON_Delete(lines);
    free(text);
}

/* A pipe that is full would stop a loop in the middle of a library's fprintf. */
static void flood(void)
{
    static char text[65536];
    memset(text, 'x', sizeof(text));
    open_taking_over();
    for (int i = 0; i < 1000; i++) {
        ssize_t count = write(STDERR_FILENO, text, sizeof(text));
        (void)count;
    }
    log_close();
}

static void a_flood_never_blocks_who_prints(void **state)
{
    (void)state;
    assert_int_equal(in_child(flood), 0);
}

#define DESCRIPTORS_MAX 256

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 3; fd < DESCRIPTORS_MAX; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void check_descriptors(void)
{
    bool was_open[DESCRIPTORS_MAX];
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
        was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    open_taking_over();
    for (int fd = 3; fd < DESCRIPTORS_MAX; fd++)
        if (!was_open[fd] && fcntl(fd, F_GETFD) >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
            _exit(3);
    log_close();
}

static void check_none_is_left(void)
{
    int before = count_descriptors();
    for (int i = 0; i < 3; i++) {
        open_taking_over();
        log_event(LOG_INFO, "started");
        log_close();
    }
    if (count_descriptors() != before)
        _exit(4);
}

static void no_descriptor_is_inherited_or_left_open(void **state)
{
    (void)state;
    int before = count_descriptors();
    assert_int_equal(in_child(check_descriptors), 0);
    assert_int_equal(in_child(check_none_is_left), 0);
    assert_int_equal(count_descriptors(), before);
}

static void log_to_terminal(void)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        _exit(5);
    int side = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    int file = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(side, STDERR_FILENO);
    unsetenv("NO_COLOR");
    char error[256];
    struct log_options options = {.service = "auth", .level = LOG_INFO, .queue_max_bytes = 1 << 20};
    if (!log_open(&options, error, sizeof(error)))
        _exit(1);
    log_event(LOG_WARN, "started", LOG_NUMBER("port", 8282));
    log_close();
    char text[512];
    ssize_t count = read(terminal, text, sizeof(text));
    if (count <= 0 || write(file, text, (size_t)count) != count)
        _exit(6);
}

static void a_terminal_gets_text_with_colours(void **state)
{
    (void)state;
    assert_int_equal(in_child(log_to_terminal), 0);
    char *text = read_text(log_path);
    assert_string_equal(text + 12, " \x1b[33mWARN \x1b[0m auth     started  port=8282\r\n");
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_log_folder, remove_log_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output_of_libraries_is_limited_and_the_rest_counted),
        TEST(output_of_libraries_is_escaped_and_cut),
        TEST(a_flood_never_blocks_who_prints),
        TEST(no_descriptor_is_inherited_or_left_open),
        TEST(a_terminal_gets_text_with_colours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
