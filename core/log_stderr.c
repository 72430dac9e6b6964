#include "core/log_stderr.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"

#define OUTPUT_LINE_MAX_BYTES  256
#define OUTPUT_LINES_A_SECOND  10
#define OUTPUT_PAUSE_MS        200 /* an unfinished line, or a count of dropped ones, is passed on after it */
#define OUTPUT_CHUNK_BYTES     4096
#define OUTPUT_CHUNKS_A_TURN   64
#define CRASH_CHUNK_MAX_AGE_US 200000
#define CRASH_FLUSH_WAIT_NS                                                        \
    20000000 /* for the log's writer, which still runs while we are in the handler \
              */

static const int crash_signals[] = {SIGABRT, SIGSEGV, SIGBUS};
#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))

static struct {
    pthread_t thread;
    int old_fd;  /* what fd 2 was */
    int pipe_fd; /* where we read */
    int stop_fd;
    struct sigaction old_actions[CRASH_SIGNALS];

    /* The reader's thread; the handler looks at the chunk too, when nothing matters any more. */
    char chunk[OUTPUT_CHUNK_BYTES];
    size_t chunk_length;
    uint64_t chunk_at_us;

    char line[OUTPUT_LINE_MAX_BYTES + 3];
    size_t line_length; /* over OUTPUT_LINE_MAX_BYTES: cut */
    uint64_t second;
    unsigned lines_this_second;
    uint64_t dropped;
} output;

/* ---- After a crash: async-signal-safe calls only. ---- */

static void write_raw(const char *at, size_t length)
{
    while (length > 0) {
        ssize_t count = write(output.old_fd, at, length);
        if (count <= 0)
            return;
        at += count;
        length -= (size_t)count;
    }
}

static void on_crash(int number)
{
    struct timespec wait = {.tv_nsec = CRASH_FLUSH_WAIT_NS};
    nanosleep(&wait, NULL);
    if (output.chunk_length != 0 && clock_monotonic_us() - output.chunk_at_us < CRASH_CHUNK_MAX_AGE_US)
        write_raw(output.chunk, output.chunk_length);
    char left[512];
    for (int i = 0; i < 256; i++) {
        ssize_t count = read(output.pipe_fd, left, sizeof(left));
        if (count <= 0)
            break;
        write_raw(left, (size_t)count);
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void catch_crashes(void)
{
    struct sigaction action = {.sa_handler = on_crash};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < CRASH_SIGNALS; i++)
        sigaction(crash_signals[i], &action, &output.old_actions[i]);
}

static void leave_crashes(void)
{
    for (size_t i = 0; i < CRASH_SIGNALS; i++)
        sigaction(crash_signals[i], &output.old_actions[i], NULL);
}

/* ---- Lines. ---- */

static void pass_on_dropped(void)
{
    if (output.dropped == 0)
        return;
    log_event(LOG_WARN, "library_output_dropped", LOG_NUMBER("lines", output.dropped));
    output.dropped = 0;
}

static void start_second(void)
{
    uint64_t second = clock_monotonic_us() / 1000000;
    if (second == output.second)
        return;
    output.second = second;
    output.lines_this_second = 0;
    pass_on_dropped();
}

static void pass_on_line(void)
{
    size_t length = output.line_length;
    if (length > OUTPUT_LINE_MAX_BYTES) {
        memcpy(output.line + OUTPUT_LINE_MAX_BYTES, "...", 3);
        length = OUTPUT_LINE_MAX_BYTES + 3;
    }
    output.line_length = 0;
    if (length == 0)
        return;
    start_second();
    if (output.lines_this_second == OUTPUT_LINES_A_SECOND) {
        output.dropped++;
        return;
    }
    output.lines_this_second++;
    log_event(LOG_WARN, "library_output", LOG_TEXT_N("text", output.line, length));
}

static void take_chunk(const char *at, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (at[i] == '\n') {
            pass_on_line();
            continue;
        }
        if (output.line_length < OUTPUT_LINE_MAX_BYTES)
            output.line[output.line_length] = at[i];
        if (output.line_length <= OUTPUT_LINE_MAX_BYTES)
            output.line_length++;
    }
}

/* Reads what there is, but ends its turn after a while, so that it can be stopped under a flood. */
static void read_pipe(void)
{
    for (int i = 0; i < OUTPUT_CHUNKS_A_TURN; i++) {
        ssize_t count = read(output.pipe_fd, output.chunk, sizeof(output.chunk));
        if (count <= 0)
            return;
        output.chunk_length = (size_t)count;
        output.chunk_at_us = clock_monotonic_us();
        take_chunk(output.chunk, output.chunk_length);
    }
}

static void *read_output(void *unused)
{
    (void)unused;
    struct pollfd fds[] = {{.fd = output.pipe_fd, .events = POLLIN},
                           {.fd = output.stop_fd, .events = POLLIN}};
    while ((fds[1].revents & POLLIN) == 0) {
        bool has_more = output.line_length != 0 || output.dropped != 0;
        int ready = poll(fds, 2, has_more ? OUTPUT_PAUSE_MS : -1);
        if (ready > 0)
            read_pipe();
        else if (ready == 0)
            pass_on_line();
        start_second();
    }
    pass_on_line();
    pass_on_dropped();
    return NULL;
}

/* ---- Taking and giving back. ---- */

static void close_all(int write_fd)
{
    int error = errno;
    int fds[] = {output.old_fd, output.pipe_fd, output.stop_fd, write_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    errno = error;
}

/* The thread takes no signals: they belong to the main thread. */
static bool start_thread(void)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&output.thread, NULL, read_output, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return error == 0;
}

int log_stderr_take(void)
{
    memset(&output, 0, sizeof(output));
    int pipe_fds[2] = {-1, -1};
    output.old_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    output.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool has_pipe = pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == 0;
    output.pipe_fd = pipe_fds[0];
    if (output.old_fd < 0 || output.stop_fd < 0 || !has_pipe || dup2(pipe_fds[1], STDERR_FILENO) < 0) {
        close_all(pipe_fds[1]);
        return -1;
    }
    close(pipe_fds[1]);
    if (!start_thread()) {
        dup2(output.old_fd, STDERR_FILENO);
        close_all(-1);
        return -1;
    }
    catch_crashes();
    return output.old_fd;
}

void log_stderr_give_back(void)
{
    leave_crashes();
    dup2(output.old_fd, STDERR_FILENO);
    uint64_t one = 1;
    ssize_t written = write(output.stop_fd, &one, sizeof(one));
    assert(written == sizeof(one));
    (void)written;
    pthread_join(output.thread, NULL);
}

void log_stderr_close(void)
{
    close_all(-1);
}
