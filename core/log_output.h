/*
 * log_output.h - where the log's lines go: a file, or standard error. Used by the writer's thread, and by
 * log_open and log_close while it does not run. Private to core/log*.c.
 */
#ifndef CORE_LOG_OUTPUT_H
#define CORE_LOG_OUTPUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/log.h"

#define LOG_OUTPUT_WRITE_MAX_BYTES 65536

struct log_output {
    char *file; /* NULL: standard error */
    int fd;
    size_t write_max_bytes;
    bool is_text;
    bool has_colours;
    bool has_taken_stderr;
    atomic_bool is_given_up; /* set by log_close: a write that is interrupted is not tried again */
};

/* False: error holds one sentence. */
bool log_output_open(struct log_output *output, const struct log_options *options, char *error,
                     size_t error_size);

/* Gives fd 2 back, if it was taken; the lines read from it are in the log when this returns. Before the
 * writer ends. */
void log_output_end_stderr(struct log_output *output);

void log_output_close(struct log_output *output);

/* Opens the file again. NULL: done; else the old one stays, and this says why. */
const char *log_output_reopen(struct log_output *output);

/*
 * Writes whole lines; may wait for the reader. Returns how many lines were lost because writing failed, or
 * was given up.
 */
size_t log_output_write(const struct log_output *output, const char *at, size_t length);

#endif
