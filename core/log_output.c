#include "core/log_output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log_stderr.h"

#define FILE_PERMISSIONS 0640

static int open_file(const char *file)
{
    return open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, FILE_PERMISSIONS);
}

/* A pipe may have several services as writers: what is more than PIPE_BUF could come out mixed with theirs.
 */
static void choose_form(struct log_output *output, enum log_format format)
{
    struct stat status;
    bool is_pipe = fstat(output->fd, &status) == 0 && S_ISFIFO(status.st_mode);
    output->write_max_bytes = is_pipe ? PIPE_BUF : LOG_OUTPUT_WRITE_MAX_BYTES;
    bool is_terminal = isatty(output->fd) == 1;
    output->is_text = format == LOG_TEXT || (format == LOG_AUTO && is_terminal);
    output->has_colours = is_terminal && getenv("NO_COLOR") == NULL;
}

static bool take_stderr(struct log_output *output, char *error, size_t error_size)
{
    int old_stderr = log_stderr_take();
    if (old_stderr < 0) {
        snprintf(error, error_size, "cannot take over standard error: %s", strerror(errno));
        return false;
    }
    output->has_taken_stderr = true;
    if (output->file == NULL)
        output->fd = old_stderr;
    return true;
}

bool log_output_open(struct log_output *output, const struct log_options *options, char *error,
                     size_t error_size)
{
    *output = (struct log_output){.fd = STDERR_FILENO};
    atomic_init(&output->is_given_up, false);
    if (options->file != NULL && *options->file != '\0') {
        output->fd = open_file(options->file);
        if (output->fd < 0) {
            snprintf(error, error_size, "cannot open LOG_FILE %s: %s", options->file, strerror(errno));
            return false;
        }
        output->file = strdup(options->file);
        if (output->file == NULL)
            abort();
    }
    if (options->take_over_stderr && !take_stderr(output, error, error_size)) {
        log_output_close(output);
        return false;
    }
    choose_form(output, options->format);
    return true;
}

void log_output_end_stderr(struct log_output *output)
{
    if (output->has_taken_stderr)
        log_stderr_give_back();
}

void log_output_close(struct log_output *output)
{
    if (output->has_taken_stderr)
        log_stderr_close();
    if (output->file != NULL)
        close(output->fd);
    free(output->file);
    *output = (struct log_output){.fd = -1};
}

const char *log_output_reopen(struct log_output *output)
{
    assert(output->file != NULL);
    int fd = open_file(output->file);
    if (fd < 0)
        return strerror(errno);
    close(output->fd);
    output->fd = fd;
    return NULL;
}

static ssize_t write_some(const struct log_output *output, const char *at, size_t length)
{
    struct pollfd fd = {.fd = output->fd, .events = POLLOUT};
    ssize_t count = write(output->fd, at, length);
    if (count < 0 && errno == EAGAIN) { /* somebody made it non-blocking */
        poll(&fd, 1, -1);
        errno = EINTR;
    }
    return count;
}

/* The length of the next write: whole lines, as many as fit into write_max_bytes. */
static size_t next_write(const struct log_output *output, const char *at, size_t length)
{
    if (length <= output->write_max_bytes)
        return length;
    const char *newline = memrchr(at, '\n', output->write_max_bytes);
    return newline == NULL ? output->write_max_bytes : (size_t)(newline + 1 - at);
}

static size_t count_lines(const char *at, size_t length)
{
    size_t lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += at[i] == '\n';
    return lines;
}

size_t log_output_write(const struct log_output *output, const char *at, size_t length)
{
    while (length > 0) {
        if (atomic_load(&output->is_given_up))
            return count_lines(at, length);
        ssize_t count = write_some(output, at, next_write(output, at, length));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return count_lines(at, length);
        at += count;
        length -= (size_t)count;
    }
    return 0;
}
