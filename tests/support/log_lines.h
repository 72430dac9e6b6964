/* log_lines.h - a folder of a test's own with a log file in it, and its lines, parsed. For the tests of the
 * log. */
#ifndef TESTS_SUPPORT_LOG_LINES_H
#define TESTS_SUPPORT_LOG_LINES_H

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"

static char log_folder[64];
static char log_path[96];

static inline int make_log_folder(void **state)
{
    (void)state;
    strcpy(log_folder, "/tmp/test_log.XXXXXX");
    if (mkdtemp(log_folder) == NULL)
        return -1;
    snprintf(log_path, sizeof(log_path), "%s/log", log_folder);
    return 0;
}

static inline int remove_log_folder(void **state)
{
    (void)state;
    log_close(); /* of a test that failed */
    unlink(log_path);
    return rmdir(log_folder);
}

static inline void open_log_with(struct log_options options)
{
    char error[256] = "";
    if (options.queue_max_bytes == 0)
        options.queue_max_bytes = 1 << 20;
    options.service = "gateway";
    if (!log_open(&options, error, sizeof(error)))
        fail_msg("%s", error);
}

/* Everything in a file, NUL-terminated; to be freed. */
static inline char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    char *text = calloc((size_t)size + 1, 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

/* Every line of `text`, which must end with a newline, as an array of objects; to be deleted. */
static inline cJSON *parse_lines(const char *text)
{
    cJSON *lines = cJSON_CreateArray();
    while (*text != '\0') {
        const char *newline = strchr(text, '\n');
        assert_non_null(newline);
        cJSON *line = cJSON_ParseWithLength(text, (size_t)(newline - text));
        if (!cJSON_IsObject(line))
            fail_msg("not an object: %.*s", (int)(newline - text), text);
        cJSON_AddItemToArray(lines, line);
        text = newline + 1;
    }
    return lines;
}

static inline cJSON *read_lines(const char *path)
{
    char *text = read_text(path);
    cJSON *lines = parse_lines(text);
    free(text);
    return lines;
}

static inline const char *text_of(const cJSON *line, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, key));
    return text == NULL ? "" : text;
}

static inline double number_of(const cJSON *line, const char *key)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(line, key);
    return cJSON_IsNumber(number) ? number->valuedouble : -1;
}

#endif
