#include "auth/floor_watch.h"

#include <stdlib.h>
#include <string.h>

#include "auth/state.h"
#include "core/memory.h"

#define PAUSE_US 60000000

struct floor_watch {
    struct auth *auth;
    struct loop *loop;
    struct timer timer;
    struct job job;
};

static void refresh(struct job *job, void *hasher)
{
    struct auth *auth = H2O_STRUCT_FROM_MEMBER(struct floor_watch, job, job)->auth;

    refusal_floor_refresh(&auth->floor, auth->store, hasher, auth->policy.label);
}

static void on_time(struct timer *timer);

static void refreshed(struct job *job)
{
    struct floor_watch *watch = H2O_STRUCT_FROM_MEMBER(struct floor_watch, job, job);

    watch->loop->work_count--;
    loop_timer_start(watch->loop, &watch->timer, PAUSE_US, on_time);
}

static void on_time(struct timer *timer)
{
    struct floor_watch *watch = H2O_STRUCT_FROM_MEMBER(struct floor_watch, timer, timer);

    memset(&watch->job, 0, sizeof watch->job);
    watch->job.run = refresh;
    watch->job.done = refreshed;
    if (!watch->loop->draining && workers_submit(watch->auth->workers, watch->loop, &watch->job))
        watch->loop->work_count++; /* the loop stays until the job is back */
    else
        loop_timer_start(watch->loop, timer, PAUSE_US, on_time);
}

struct floor_watch *floor_watch_open(struct loop *loop)
{
    struct floor_watch *watch = memory_zeroed(sizeof *watch);

    watch->auth = loop->service->state;
    watch->loop = loop;
    loop_timer_start(loop, &watch->timer, 0, on_time);
    return watch;
}

void floor_watch_close(struct floor_watch *watch)
{
    if (watch == NULL)
        return;
    loop_timer_stop(&watch->timer);
    free(watch);
}
