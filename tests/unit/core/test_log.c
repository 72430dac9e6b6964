// links: core/log.c core/log_line.c core/log_output.c core/log_record.c core/log_stderr.c
// links: core/clock.c core/buffer.c
// libs: cjson pthread
// tsan
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "tests/support/log_lines.h"

#define WRITERS      4
#define WRITER_LINES 2000

static struct log_request request_of(const char *path)
{
    return (struct log_request){.request_id = "id-1",
                                .method = "GET",
                                .method_length = 3,
                                .path = path,
                                .path_length = strlen(path),
                                .status = 200,
                                .duration_us = 1234};
}

/* Opens, lets `write_it` log, closes; the text of the file, to be freed. */
static char *logged(struct log_options options, void (*write_it)(void))
{
    options.file = log_path;
    open_log_with(options);
    write_it();
    log_close();
    return read_text(log_path);
}

/* ---- Lines. ---- */

static void log_known_request(void)
{
    struct log_request request = request_of("/user/message");
    request.user_id = 17;
    log_request(&request);
}

static void log_unknown_request(void)
{
    struct log_request request = request_of("/x");
    request.status = 404;
    request.error_code = "not_found";
    log_request(&request);
}

static void a_request_has_its_keys_in_order(void **state)
{
    (void)state;
    static const char end[] =
        ",\"level\":\"info\",\"service\":\"gateway\",\"event\":\"request\",\"request_id\":\"id-1\","
        "\"method\":\"GET\",\"path\":\"/user/message\",\"status\":200,\"duration_us\":1234,"
        "\"user_id\":17}\n";
    char *text = logged((struct log_options){.level = LOG_INFO, .format = LOG_JSON}, log_known_request);
    assert_memory_equal(text, "{\"time\":\"2", 10);
    assert_int_equal(strlen(text), 9 + CLOCK_RFC3339_LENGTH + 1 + strlen(end));
    assert_string_equal(text + 9 + CLOCK_RFC3339_LENGTH + 1, end);
    free(text);
}

static void an_error_code_is_there_and_an_unknown_user_is_not(void **state)
{
    (void)state;
    char *text = logged((struct log_options){.level = LOG_INFO}, log_unknown_request);
    assert_non_null(strstr(text, "\"status\":404,\"duration_us\":1234,\"error_code\":\"not_found\"}\n"));
    free(text);
}

static void log_statuses(void)
{
    static const unsigned statuses[] = {200, 499, 500, 502, 503};
    for (size_t i = 0; i < 5; i++) {
        struct log_request request = request_of("/");
        request.status = statuses[i];
        log_request(&request);
    }
}

static void statuses_have_levels(void **state)
{
    (void)state;
    static const char *const levels[] = {"info", "info", "error", "warn", "warn"};
    free(logged((struct log_options){.level = LOG_DEBUG}, log_statuses));
    cJSON *lines = read_lines(log_path);
    assert_int_equal(cJSON_GetArraySize(lines), 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(text_of(cJSON_GetArrayItem(lines, i), "level"), levels[i]);
    cJSON_Delete(lines);
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    free(logged((struct log_options){.level = LOG_ERROR}, log_statuses));
    cJSON *lines = read_lines(log_path);
    assert_int_equal(cJSON_GetArraySize(lines), 1);
    cJSON_Delete(lines);
}

static void log_an_event(void)
{
    log_event(LOG_WARN, "odd_thing", LOG_STRING("reason", "a \"b\""), LOG_NUMBER("least", INT64_MIN),
              LOG_TEXT_N("part", "abcdef", 3), LOG_NUMBER("zero", 0));
    log_event(LOG_INFO, "bare");
}

static void events_have_their_fields_in_order(void **state)
{
    (void)state;
    char *text = logged((struct log_options){.level = LOG_INFO}, log_an_event);
    assert_non_null(
        strstr(text, "\"level\":\"warn\",\"service\":\"gateway\",\"event\":\"odd_thing\",\"reason\":\"a "
                     "\\\"b\\\"\",\"least\":-9223372036854775808,\"part\":\"abc\",\"zero\":0}\n"));
    assert_non_null(strstr(text, "\"event\":\"bare\"}\n"));
    free(text);
}

static void log_odd_bytes(void)
{
    struct log_request request = request_of("/\x01\x1b[2J\x7f\xff\xc3\xa9\xf0\x9f\x98\x80\n\"\\");
    request.method = "G\r\nT";
    request.method_length = 4;
    log_request(&request);
    log_event(LOG_INFO, "odd",
              LOG_TEXT_N("text",
                         "a\0\x9b"
                         "b",
                         4));
}

static void assert_printable(const char *text)
{
    for (; *text != '\0'; text++)
        assert_true((*text >= ' ' && *text <= '~') || *text == '\n');
}

static void bytes_of_clients_come_out_as_ascii(void **state)
{
    (void)state;
    static const enum log_format formats[] = {LOG_JSON, LOG_TEXT};
    for (size_t i = 0; i < 2; i++) {
        char *text = logged((struct log_options){.level = LOG_INFO, .format = formats[i]}, log_odd_bytes);
        assert_printable(text);
        const char *second = strchr(text, '\n') + 1;
        assert_int_equal(strcspn(second, "\n") + 1, strlen(second)); /* two lines, no more */
        if (formats[i] == LOG_JSON)
            cJSON_Delete(parse_lines(text));
        free(text);
        unlink(log_path);
    }
}

static void log_long_texts(void)
{
    static char path[5000];
    memset(path, 'p', sizeof(path) - 1);
    struct log_request request = request_of(path);
    log_request(&request);
    request.path_length = 512;
    log_request(&request);
    log_event(LOG_INFO, "long", LOG_STRING("text", path));
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    free(logged((struct log_options){.level = LOG_INFO}, log_long_texts));
    cJSON *lines = read_lines(log_path);
    assert_int_equal(strlen(text_of(cJSON_GetArrayItem(lines, 0), "path")), 515);
    assert_string_equal(text_of(cJSON_GetArrayItem(lines, 0), "path") + 510, "pp...");
    assert_int_equal(strlen(text_of(cJSON_GetArrayItem(lines, 1), "path")), 512);
    assert_int_equal(strlen(text_of(cJSON_GetArrayItem(lines, 2), "text")), 1027);
    cJSON_Delete(lines);
}

static void text_is_for_people(void **state)
{
    (void)state;
    char *text = logged((struct log_options){.level = LOG_INFO, .format = LOG_TEXT}, log_known_request);
    assert_string_equal(text + 12, " INFO  gateway  GET /user/message 200 1.2 ms  user 17  id id-1\n");
    free(text);
    unlink(log_path);
    text = logged((struct log_options){.level = LOG_INFO, .format = LOG_TEXT}, log_an_event);
    assert_non_null(
        strstr(text, " WARN  gateway  odd_thing  reason=\"a \"b\"\" least=-9223372036854775808 part=abc "
                     "zero=0\n"));
    free(text);
}

/* ---- Opening. ---- */

static void nothing_happens_before_open_and_after_close(void **state)
{
    (void)state;
    log_known_request();
    log_an_event();
    log_reopen();
    assert_false(log_is_on(LOG_ERROR));
    free(logged((struct log_options){.level = LOG_INFO}, log_known_request));
    log_an_event();
    log_close();
    assert_false(log_is_on(LOG_ERROR));
    cJSON *lines = read_lines(log_path);
    assert_int_equal(cJSON_GetArraySize(lines), 1);
    cJSON_Delete(lines);
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    char error[256] = "";
    struct log_options options = {.service = "gateway", .file = "/nowhere/log", .queue_max_bytes = 1 << 20};
    assert_false(log_open(&options, error, sizeof(error)));
    assert_string_equal(error, "cannot open LOG_FILE /nowhere/log: No such file or directory");
}

static void a_file_is_appended_to_and_closed_to_others(void **state)
{
    (void)state;
    mode_t before = umask(0);
    free(logged((struct log_options){.level = LOG_INFO}, log_known_request));
    free(logged((struct log_options){.level = LOG_INFO}, log_known_request));
    umask(before);
    struct stat status;
    assert_int_equal(stat(log_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    cJSON *lines = read_lines(log_path);
    assert_int_equal(cJSON_GetArraySize(lines), 2);
    cJSON_Delete(lines);
}

/* The writer's thread reopens: the new file is there as soon as it did. */
static void await_file(const char *path)
{
    for (uint64_t start = clock_monotonic_us(); access(path, F_OK) != 0;)
        assert_true(clock_monotonic_us() - start < 10000000);
}

static void a_renamed_file_is_left_on_reopen(void **state)
{
    (void)state;
    char old_path[128];
    snprintf(old_path, sizeof(old_path), "%s.old", log_path);
    open_log_with((struct log_options){.level = LOG_INFO, .file = log_path});
    log_event(LOG_INFO, "before");
    assert_int_equal(rename(log_path, old_path), 0);
    log_reopen();
    await_file(log_path);
    log_event(LOG_INFO, "after");
    log_close();
    cJSON *old_lines = read_lines(old_path);
    cJSON *lines = read_lines(log_path);
    assert_int_equal(cJSON_GetArraySize(old_lines), 1);
    assert_string_equal(text_of(cJSON_GetArrayItem(old_lines, 0), "event"), "before");
    assert_int_equal(cJSON_GetArraySize(lines), 1);
    assert_string_equal(text_of(cJSON_GetArrayItem(lines, 0), "event"), "after");
    cJSON_Delete(old_lines);
    cJSON_Delete(lines);
    unlink(old_path);
}

static void a_reopen_that_fails_keeps_the_old_file_and_says_so(void **state)
{
    (void)state;
    char moved[80];
    snprintf(moved, sizeof(moved), "%s.moved", log_folder);
    open_log_with((struct log_options){.level = LOG_INFO, .file = log_path});
    assert_int_equal(rename(log_folder, moved), 0);
    log_reopen();
    log_close();
    assert_int_equal(rename(moved, log_folder), 0);
    cJSON *lines = read_lines(log_path);
    assert_int_equal(cJSON_GetArraySize(lines), 1);
    assert_string_equal(text_of(cJSON_GetArrayItem(lines, 0), "event"), "log_reopen_failed");
    assert_string_equal(text_of(cJSON_GetArrayItem(lines, 0), "reason"), "No such file or directory");
    cJSON_Delete(lines);
}

/* ---- Many writers, slow readers. ---- */

static void *write_many(void *argument)
{
    int64_t writer = *(const int64_t *)argument;
    for (int64_t i = 0; i < WRITER_LINES; i++) {
        if (i % 2 == 0)
            log_event(LOG_INFO, "line", LOG_NUMBER("writer", writer), LOG_NUMBER("line", i));
        else
            log_known_request();
    }
    return NULL;
}

static void lines_of_many_writers_are_whole_and_in_each_writers_order(void **state)
{
    (void)state;
    open_log_with((struct log_options){.level = LOG_INFO, .file = log_path, .queue_max_bytes = 8 << 20});
    uint64_t dropped_before = log_dropped();
    pthread_t threads[WRITERS];
    int64_t numbers[WRITERS];
    for (int64_t i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, write_many, &numbers[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    log_close();
    assert_int_equal(log_dropped(), dropped_before);
    cJSON *lines = read_lines(log_path);
    assert_int_equal(cJSON_GetArraySize(lines), WRITERS * WRITER_LINES);
    int next[WRITERS] = {0};
    const cJSON *line = NULL;
    cJSON_ArrayForEach(line, lines)
    {
        if (strcmp(text_of(line, "event"), "line") != 0)
            continue;
        int writer = (int)number_of(line, "writer");
        assert_in_range(writer, 0, WRITERS - 1);
        assert_int_equal((int)number_of(line, "line"), next[writer]);
        next[writer] += 2;
    }
    cJSON_Delete(lines);
}

/* A pipe as LOG_FILE, with a reader that does not read. */
static int open_stuck_log(void)
{
    assert_int_equal(mkfifo(log_path, 0600), 0);
    int reader = open(log_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    open_log_with((struct log_options){.level = LOG_INFO, .file = log_path, .queue_max_bytes = 65536});
    return reader;
}

static void a_stuck_reader_never_blocks_a_caller_nor_the_end(void **state)
{
    (void)state;
    int reader = open_stuck_log();
    uint64_t dropped_before = log_dropped();
    for (int i = 0; i < 20000; i++)
        log_known_request();
    assert_true(log_dropped() - dropped_before > 10000);
    uint64_t start = clock_monotonic_us();
    log_close();
    assert_true(clock_monotonic_us() - start < 5000000);
    close(reader);
}

struct drain {
    int fd;
    char *text;
    size_t length;
};

static void *drain_pipe(void *argument)
{
    struct drain *drain = argument;
    fcntl(drain->fd, F_SETFL, 0);
    drain->text = calloc(1, 16 << 20);
    ssize_t count;
    while ((count = read(drain->fd, drain->text + drain->length, 65536)) > 0)
        drain->length += (size_t)count;
    return NULL;
}

static void what_a_stuck_reader_missed_is_counted_in_a_line(void **state)
{
    (void)state;
    int sent = 20000;
    struct drain drain = {.fd = open_stuck_log()};
    uint64_t dropped_before = log_dropped();
    for (int i = 0; i < sent; i++)
        log_known_request();
    uint64_t dropped = log_dropped() - dropped_before;
    pthread_t thread;
    pthread_create(&thread, NULL, drain_pipe, &drain);
    log_close();
    pthread_join(thread, NULL);
    close(drain.fd);

    cJSON *lines = parse_lines(drain.text);
    int requests = 0;
    double told = 0;
    const cJSON *line = NULL;
    cJSON_ArrayForEach(line, lines)
    {
        bool is_request = strcmp(text_of(line, "event"), "request") == 0;
        requests += is_request;
        if (!is_request) {
            assert_string_equal(text_of(line, "event"), "log_lines_dropped");
            told += number_of(line, "lines");
        }
    }
    assert_int_equal((uint64_t)told, dropped);
    assert_int_equal(requests, sent - (int)dropped);
    cJSON_Delete(lines);
    free(drain.text);
}

static void a_full_disk_loses_lines_and_counts_them(void **state)
{
    (void)state;
    uint64_t dropped_before = log_dropped();
    open_log_with((struct log_options){.level = LOG_INFO, .file = "/dev/full"});
    log_known_request();
    log_an_event();
    log_close();
    assert_int_equal(log_dropped() - dropped_before, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_log_folder, remove_log_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_happens_before_open_and_after_close),
        TEST(a_request_has_its_keys_in_order),
        TEST(an_error_code_is_there_and_an_unknown_user_is_not),
        TEST(statuses_have_levels),
        TEST(lines_below_the_level_are_not_written),
        TEST(events_have_their_fields_in_order),
        TEST(bytes_of_clients_come_out_as_ascii),
        TEST(long_texts_are_cut),
        TEST(text_is_for_people),
        TEST(a_file_that_cannot_be_opened_is_named),
        TEST(a_file_is_appended_to_and_closed_to_others),
        TEST(a_renamed_file_is_left_on_reopen),
        TEST(a_reopen_that_fails_keeps_the_old_file_and_says_so),
        TEST(lines_of_many_writers_are_whole_and_in_each_writers_order),
        TEST(a_stuck_reader_never_blocks_a_caller_nor_the_end),
        TEST(what_a_stuck_reader_missed_is_counted_in_a_line),
        TEST(a_full_disk_loses_lines_and_counts_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
