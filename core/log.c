#include "core/log.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/buffer.h"
#include "core/log_line.h"
#include "core/log_output.h"
#include "core/log_record.h"

/*
 * Callers copy a record into the ring under a mutex, which nobody holds for longer than a copy. The writer
 * sleeps while the ring is empty; woken, it gathers for GATHER_MS, formats what is there in place and writes
 * it in few calls. Only a sleeping writer is signalled (or a gathering one, when the ring is half full), so
 * that a busy caller makes no system call. A stuck reader blocks the writer in write(2); the ring fills up,
 * and lines are dropped and counted.
 */
#define GATHER_MS         4
#define WRITE_MAX_BYTES   LOG_OUTPUT_WRITE_MAX_BYTES
#define CLOSE_WAIT_MS     1000
#define LOG_OFF           (LOG_ERROR + 1)
#define CLOSE_SIGNAL      SIGRTMAX
#define INTERRUPT_EACH_MS 10
#define RING_MIN_BYTES    65536

static atomic_int level_on = LOG_OFF; /* what is below it is not logged */
static atomic_uint_fast64_t dropped_total;

static struct {
    pthread_mutex_t mutex; /* guards the members up to the blank line */
    pthread_cond_t wake;   /* of the writer */
    pthread_cond_t ended;
    struct log_ring ring; /* bytes NULL: closed */
    uint64_t dropped;     /* not told of yet */
    bool is_sleeping;
    bool is_gathering;
    bool is_closing;
    bool is_reopening;
    bool has_ended;

    /* The writer's own, and of log_open and log_close while it does not run. */
    pthread_t writer;
    struct buffer lines;
    const char *service;
    struct log_output output;
} log_state = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- Callers. ---- */

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&level_on, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
    return atomic_load_explicit(&dropped_total, memory_order_relaxed);
}

/* With the mutex held: a place for a record, or NULL after counting it as dropped. */
static void *reserve(size_t size)
{
    if (log_state.ring.bytes == NULL || log_state.is_closing)
        return NULL;
    void *at = log_ring_reserve(&log_state.ring, size);
    if (at == NULL) {
        log_state.dropped++;
        atomic_fetch_add_explicit(&dropped_total, 1, memory_order_relaxed);
    }
    return at;
}

/* With the mutex held: true if the writer must be signalled. */
static bool must_wake(void)
{
    bool is_half_full = log_state.ring.tail - log_state.ring.head >= log_state.ring.capacity / 2;
    bool must = log_state.is_sleeping || (log_state.is_gathering && is_half_full);
    if (must)
        log_state.is_sleeping = log_state.is_gathering = false; /* once is enough */
    return must;
}

static void unlock_and_wake(void)
{
    bool must = must_wake();
    pthread_mutex_unlock(&log_state.mutex);
    if (must)
        pthread_cond_signal(&log_state.wake);
}

void log_event_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    if (!log_is_on(level))
        return;
    size_t size = log_record_event_size(fields, count);
    pthread_mutex_lock(&log_state.mutex);
    void *at = reserve(size);
    if (at != NULL)
        log_record_put_event(at, size, level, event, fields, count);
    unlock_and_wake();
}

static enum log_level level_of(unsigned status)
{
    if (status < 500)
        return LOG_INFO;
    return status == 500 ? LOG_ERROR : LOG_WARN;
}

void log_request(const struct log_request *request)
{
    assert(request != NULL);
    const bool is_quiet = request->is_routine && request->status < 400;
    const enum log_level level = is_quiet ? LOG_DEBUG : level_of(request->status);
    if (!log_is_on(level))
        return;
    size_t size = log_record_request_size(request);
    pthread_mutex_lock(&log_state.mutex);
    void *at = reserve(size);
    if (at != NULL)
        log_record_put_request(at, size, level, request);
    unlock_and_wake();
}

void log_reopen(void)
{
    pthread_mutex_lock(&log_state.mutex);
    log_state.is_reopening = log_state.ring.bytes != NULL && log_state.output.file != NULL;
    if (log_state.is_reopening)
        pthread_cond_signal(&log_state.wake);
    pthread_mutex_unlock(&log_state.mutex);
}

/* ---- The writer's thread. ---- */

/* Time CLOSE_WAIT_MS and GATHER_MS are counted by: CLOCK_MONOTONIC, the clock of the conditions. */
static struct timespec in_ms(long wait_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += wait_ms / 1000;
    at.tv_nsec += wait_ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* A line that cannot be written (disk full, reader gone) is lost and counted. */
static void write_lines(void)
{
    size_t lost = log_output_write(&log_state.output, log_state.lines.at, log_state.lines.length);
    atomic_fetch_add_explicit(&dropped_total, lost, memory_order_relaxed);
    buffer_clear(&log_state.lines);
}

static void format(const struct log_record *record)
{
    if (log_state.output.is_text)
        log_line_text(&log_state.lines, record, log_state.service, log_state.output.has_colours);
    else
        log_line_json(&log_state.lines, record, log_state.service);
}

/* A line of the writer's own, past the ring. */
static void format_own(enum log_level level, const char *event, const struct log_field *field)
{
    _Alignas(8) char record[sizeof(struct log_record_event) + sizeof(struct log_record_field) + 1032];
    size_t size = log_record_event_size(field, 1);
    assert(size <= sizeof(record));
    log_record_put_event(record, size, level, event, field, 1);
    format((const struct log_record *)(const void *)record);
}

static void release(uint64_t head)
{
    pthread_mutex_lock(&log_state.mutex);
    assert(head <= log_state.ring.tail);
    log_state.ring.head = head;
    pthread_mutex_unlock(&log_state.mutex);
}

/* Formats and writes the records from head to tail, giving room back as it goes. */
static void write_records(uint64_t head, uint64_t tail)
{
    while (head != tail) {
        const struct log_record *record = log_ring_at(&log_state.ring, head);
        if (record->kind != LOG_RECORD_PADDING)
            format(record);
        head += record->size;
        if (log_state.lines.length >= WRITE_MAX_BYTES || head == tail) {
            release(head);
            write_lines();
        }
    }
}

static void reopen(void)
{
    const char *reason = log_output_reopen(&log_state.output);
    if (reason != NULL)
        format_own(LOG_ERROR, "log_reopen_failed", &LOG_STRING("reason", reason));
    write_lines();
}

/* What the writer found to do. */
struct work {
    uint64_t head;
    uint64_t tail;
    uint64_t dropped;
    bool is_reopening;
    bool is_last;
};

static bool is_idle(void)
{
    return log_state.ring.head == log_state.ring.tail && log_state.dropped == 0 && !log_state.is_closing &&
           !log_state.is_reopening;
}

static void wait_for_work(struct work *work)
{
    pthread_mutex_lock(&log_state.mutex);
    while (is_idle()) {
        log_state.is_sleeping = true;
        pthread_cond_wait(&log_state.wake, &log_state.mutex);
    }
    log_state.is_sleeping = false;
    struct timespec until = in_ms(GATHER_MS);
    log_state.is_gathering = true;
    while (log_state.is_gathering && !log_state.is_closing && !log_state.is_reopening)
        if (pthread_cond_timedwait(&log_state.wake, &log_state.mutex, &until) == ETIMEDOUT)
            break;
    log_state.is_gathering = false;
    *work = (struct work){.head = log_state.ring.head,
                          .tail = log_state.ring.tail,
                          .dropped = log_state.dropped,
                          .is_reopening = log_state.is_reopening,
                          .is_last = log_state.is_closing};
    log_state.dropped = 0;
    log_state.is_reopening = false;
    pthread_mutex_unlock(&log_state.mutex);
}

static void *run_writer(void *unused)
{
    (void)unused;
    struct work work = {0};
    while (!work.is_last) {
        wait_for_work(&work);
        if (work.dropped != 0)
            format_own(LOG_WARN, "log_lines_dropped", &LOG_NUMBER("lines", work.dropped));
        write_records(work.head, work.tail);
        write_lines();
        if (work.is_reopening)
            reopen();
    }
    pthread_mutex_lock(&log_state.mutex);
    log_state.has_ended = true;
    pthread_cond_signal(&log_state.ended);
    pthread_mutex_unlock(&log_state.mutex);
    return NULL;
}

/* ---- Opening and closing. ---- */

static void make_conditions(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&log_state.wake, &attributes);
    pthread_cond_init(&log_state.ended, &attributes);
    pthread_condattr_destroy(&attributes);
}

/*
 * It takes no signals: they belong to the main thread, and SIGPIPE becomes an error of write(2). All but one,
 * which interrupts it when the log closes.
 */
static int start_writer(void)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigdelset(&all, CLOSE_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&log_state.writer, NULL, run_writer, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

bool log_open(const struct log_options *options, char *error, size_t error_size)
{
    assert(options != NULL && options->service != NULL && error != NULL);
    assert(log_state.ring.bytes == NULL);
    if (!log_output_open(&log_state.output, options, error, error_size))
        return false;
    /* Never destroyed: a caller may still be about to signal. */
    static pthread_once_t conditions_made = PTHREAD_ONCE_INIT;
    pthread_once(&conditions_made, make_conditions);
    size_t size = options->queue_max_bytes;
    pthread_mutex_lock(&log_state.mutex);
    log_ring_open(&log_state.ring, size < RING_MIN_BYTES ? RING_MIN_BYTES : size);
    log_state.service = options->service;
    log_state.dropped = 0;
    log_state.is_closing = log_state.is_reopening = log_state.has_ended = false;
    buffer_open(&log_state.lines);
    pthread_mutex_unlock(&log_state.mutex);
    if (start_writer() != 0) {
        fputs("cannot start the log's thread\n", stderr);
        abort();
    }
    atomic_store(&level_on, (int)options->level);
    return true;
}

/* With the mutex held: true if the writer ended within the time. */
static bool await_end(long wait_ms)
{
    struct timespec until = in_ms(wait_ms);
    int outcome = 0;
    while (!log_state.has_ended && outcome == 0)
        outcome = pthread_cond_timedwait(&log_state.ended, &log_state.mutex, &until);
    return log_state.has_ended;
}

static void do_nothing(int number)
{
    (void)number;
}

/*
 * The writer hangs in write(2): it is interrupted until it sees that writing is given up. (Not
 * pthread_cancel, which leaves sanitizers confused.)
 */
static void interrupt_writer(void)
{
    struct sigaction action = {.sa_handler = do_nothing}; /* without SA_RESTART */
    struct sigaction before;
    sigemptyset(&action.sa_mask);
    sigaction(CLOSE_SIGNAL, &action, &before);
    atomic_store(&log_state.output.is_given_up, true);
    do
        pthread_kill(log_state.writer, CLOSE_SIGNAL);
    while (!await_end(INTERRUPT_EACH_MS));
    sigaction(CLOSE_SIGNAL, &before, NULL);
}

static void end_writer(void)
{
    pthread_mutex_lock(&log_state.mutex);
    log_state.is_closing = true;
    pthread_cond_signal(&log_state.wake);
    if (!await_end(CLOSE_WAIT_MS))
        interrupt_writer();
    pthread_mutex_unlock(&log_state.mutex);
    pthread_join(log_state.writer, NULL);
}

void log_close(void)
{
    if (log_state.ring.bytes == NULL)
        return;
    log_output_end_stderr(&log_state.output);
    end_writer();
    atomic_store(&level_on, LOG_OFF);
    pthread_mutex_lock(&log_state.mutex);
    log_ring_close(&log_state.ring);
    pthread_mutex_unlock(&log_state.mutex);
    buffer_close(&log_state.lines);
    log_output_close(&log_state.output);
}
