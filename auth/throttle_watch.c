#include "auth/throttle_watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/state.h"
#include "auth/throttle.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"

#define PAUSE_US 5000000

_Static_assert(THROTTLE_BLOB_MAX_BYTES <= STORE_BLOB_MAX_BYTES, "the store takes it whole");
_Static_assert(sizeof THROTTLE_BLOB_NAME - 1 <= STORE_BLOB_NAME_MAX_BYTES, "the store takes its name");

struct throttle_watch {
    struct auth *auth;
    struct loop *loop;
    struct timer timer;
    uint64_t kept_changes; /* throttle_changes of what the store has */
    uint64_t written_changes;
    uint8_t *blob;
    struct store_write write;
    struct task back;
};

void throttle_watch_restore(struct auth *auth)
{
    uint8_t *blob = memory_zeroed(THROTTLE_BLOB_MAX_BYTES);
    size_t length = 0;

    const enum store_outcome outcome =
        user_store_read_blob(auth->store, THROTTLE_BLOB_NAME, blob, THROTTLE_BLOB_MAX_BYTES, &length);
    if (outcome == STORE_OK && !throttle_restore(auth->throttle, blob, length, clock_wall_us()))
        log_event(LOG_WARN, "throttle_not_restored", LOG_NUMBER("bytes", length));
    free(blob);
}

static void fill(struct store_write *write, const uint8_t *blob, size_t length)
{
    memset(write, 0, sizeof *write);
    write->kind = STORE_KEEP_BLOB;
    write->blob_name = THROTTLE_BLOB_NAME;
    write->blob = blob;
    write->blob_length = length;
}

static void on_time(struct timer *timer);

static void written(struct task *task)
{
    struct throttle_watch *watch = H2O_STRUCT_FROM_MEMBER(struct throttle_watch, back, task);

    if (watch->write.outcome == STORE_OK)
        watch->kept_changes = watch->written_changes;
    watch->loop->work_count--;
    loop_timer_start(watch->loop, &watch->timer, PAUSE_US, on_time);
}

/* On the writer's thread. */
static void on_commit(struct store_write *write)
{
    struct throttle_watch *watch = H2O_STRUCT_FROM_MEMBER(struct throttle_watch, write, write);

    watch->back.run = written;
    loop_post(watch->loop, &watch->back);
}

/* True: the store has it, and written follows. */
static bool keep(struct throttle_watch *watch)
{
    struct throttle *throttle = watch->auth->throttle;

    watch->written_changes = throttle_changes(throttle);
    if (watch->loop->draining || watch->written_changes == watch->kept_changes)
        return false;
    const size_t length = throttle_save(throttle, watch->blob, THROTTLE_BLOB_MAX_BYTES, clock_wall_us());
    fill(&watch->write, watch->blob, length);
    watch->write.done = on_commit;
    watch->loop->work_count++; /* the loop stays until the write is back */
    if (user_store_write(watch->auth->store, &watch->write))
        return true;
    watch->loop->work_count--;
    return false;
}

static void on_time(struct timer *timer)
{
    struct throttle_watch *watch = H2O_STRUCT_FROM_MEMBER(struct throttle_watch, timer, timer);

    if (!keep(watch))
        loop_timer_start(watch->loop, timer, PAUSE_US, on_time);
}

struct throttle_watch *throttle_watch_open(struct loop *loop)
{
    struct throttle_watch *watch = memory_zeroed(sizeof *watch);

    watch->auth = loop->service->state;
    watch->loop = loop;
    watch->blob = memory_zeroed(THROTTLE_BLOB_MAX_BYTES);
    watch->kept_changes = throttle_changes(watch->auth->throttle);
    loop_timer_start(loop, &watch->timer, PAUSE_US, on_time);
    return watch;
}

void throttle_watch_close(struct throttle_watch *watch)
{
    if (watch == NULL)
        return;
    loop_timer_stop(&watch->timer);
    free(watch->blob);
    free(watch);
}

void throttle_watch_keep(struct auth *auth)
{
    uint8_t *blob = memory_zeroed(THROTTLE_BLOB_MAX_BYTES);
    struct store_write write;

    const size_t length = throttle_save(auth->throttle, blob, THROTTLE_BLOB_MAX_BYTES, clock_wall_us());
    assert(length <= THROTTLE_BLOB_MAX_BYTES);
    fill(&write, blob, length);
    if (user_store_write_and_wait(auth->store, &write) != STORE_OK)
        log_event(LOG_WARN, "throttle_not_kept", LOG_NUMBER("bytes", length));
    free(blob);
}
