#include "core/loop.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/clock.h"

/* The loop wakes at least this often, so that a missed wake-up costs a moment and not for ever. */
#define TURN_MAX_MS 1000
#define SLICE_NS    100000 /* the least that Linux gives */

static void inbox_read(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        h2o_multithread_message_t *message =
            H2O_STRUCT_FROM_MEMBER(h2o_multithread_message_t, link, messages->next);
        struct task *task = H2O_STRUCT_FROM_MEMBER(struct task, message, message);

        h2o_linklist_unlink(&message->link);
        assert(task->run != NULL);
        task->run(task);
    }
}

/*
 * Fires what is due now. Timers that are started while others fire wait for the next turn, because a
 * zero_timeout entry linked again from its own callback would keep H2O from ever polling.
 */
static void timers_fire(h2o_timeout_entry_t *entry)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, due, entry);
    const uint64_t now_us = clock_monotonic_us();
    struct timer due = {.previous = &due, .next = &due};
    struct timer *last = &loop->timers;

    while (last->next != &loop->timers && last->next->due_us <= now_us)
        last = last->next;
    if (last == &loop->timers)
        return;

    due.next = loop->timers.next;
    due.previous = last;
    loop->timers.next = last->next;
    loop->timers.next->previous = &loop->timers;
    due.next->previous = &due;
    last->next = &due;

    loop->firing = true;
    while (due.next != &due) {
        struct timer *timer = due.next;
        loop_timer_stop(timer);
        timer->fire(timer);
    }
    loop->firing = false;
}

/*
 * A loop has little to do each time, and somebody waits for it; a hash worker computes for milliseconds.
 * Linux from 6.12 on lets a thread ask for short slices of time (sched_setattr(2), sched_runtime), in return
 * for which it may preempt those with long ones at once, also where a lower nice value would not. Older
 * kernels take no notice.
 */
static void ask_for_short_slices(void)
{
    struct {
        uint32_t size;
        uint32_t policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns;
        uint64_t deadline_ns;
        uint64_t period_ns;
    } wish = {.policy = SCHED_OTHER, .runtime_ns = SLICE_NS};

    wish.size = sizeof wish;
    wish.nice = getpriority(PRIO_PROCESS, 0);
    (void)syscall(SYS_sched_setattr, 0, &wish, 0);
}

void loop_open(struct loop *loop, struct service *service, unsigned index, h2o_globalconf_t *conf)
{
    assert(loop->evloop == NULL);
    ask_for_short_slices();

    loop->service = service;
    loop->index = index;
    loop->timers.previous = loop->timers.next = &loop->timers;
    loop->due.cb = timers_fire;
    loop->evloop = h2o_evloop_create();
    h2o_context_init(&loop->context, loop->evloop, conf);
    h2o_multithread_register_receiver(loop->context.queue, &loop->inbox, inbox_read);
    loop->listener.loop = loop->inside.loop = loop;
    loop->listener.accept.ctx = loop->inside.accept.ctx = &loop->context;
    loop->listener.accept.hosts = conf->hosts;
    loop->inside.is_inside = true;
}

static int32_t next_wait_ms(const struct loop *loop, uint64_t now_us)
{
    if (loop->timers.next == &loop->timers)
        return TURN_MAX_MS;

    const uint64_t due_us = loop->timers.next->due_us;
    const uint64_t wait_ms = due_us > now_us ? (due_us - now_us + 999) / 1000 : 0;
    return wait_ms < TURN_MAX_MS ? (int32_t)wait_ms : TURN_MAX_MS;
}

static void link_due(struct loop *loop)
{
    if (!h2o_timeout_is_linked(&loop->due))
        h2o_timeout_link(loop->evloop, &loop->context.zero_timeout, &loop->due);
}

void loop_turn(struct loop *loop)
{
    const int32_t wait_ms = next_wait_ms(loop, clock_monotonic_us());

    if (wait_ms == 0)
        link_due(loop);
    /* -1 is EINTR: the next turn polls again. */
    (void)h2o_evloop_run(loop->evloop, wait_ms);
}

void loop_close(struct loop *loop)
{
    assert(loop->work_count == 0);
    assert(loop->connections == NULL);

    while (atomic_load(&loop->posting) > 0)
        sched_yield(); /* a poster is about to return: a moment, and only at the end */

    /* H2O 2.2.5 forgets what its graceful shutdown left running, and the memory of the queue. */
    h2o_multithread_queue_t *queue = loop->context.queue;
    h2o_timeout_unlink(&loop->context.http2._graceful_shutdown_timeout);
    h2o_timeout_unlink(&loop->due);
    h2o_multithread_unregister_receiver(loop->context.queue, &loop->inbox);
    h2o_context_dispose(&loop->context);
    free(queue);
    h2o_evloop_destroy(loop->evloop);
    loop->evloop = NULL;
}

/* What is sent can be handled, and the loop be closed, before libh2o has written the byte that wakes it. */
static void inbox_send(struct loop *loop, h2o_multithread_message_t *message)
{
    atomic_fetch_add(&loop->posting, 1);
    h2o_multithread_send_message(&loop->inbox, message);
    atomic_fetch_sub(&loop->posting, 1);
}

void loop_post(struct loop *loop, struct task *task)
{
    assert(task->run != NULL);
    memset(&task->message, 0, sizeof task->message);
    inbox_send(loop, &task->message);
}

void loop_wake(struct loop *loop)
{
    inbox_send(loop, NULL);
}

void loop_timer_start(struct loop *loop, struct timer *timer, uint64_t delay_us,
                      void (*fire)(struct timer *timer))
{
    struct timer *after = loop->timers.previous;

    assert(!loop_timer_is_running(timer));
    timer->fire = fire;
    timer->due_us = clock_monotonic_us() + delay_us;
    /* What is due now goes to the front; else from the end: most of one kind wait equally long, a new one
     * longest. */
    if (delay_us == 0)
        after = &loop->timers;
    while (delay_us == 0 && after->next != &loop->timers && after->next->due_us <= timer->due_us)
        after = after->next;
    while (after != &loop->timers && after->due_us > timer->due_us)
        after = after->previous;
    timer->previous = after;
    timer->next = after->next;
    after->next->previous = timer;
    after->next = timer;

    /* In the same turn still, unless we are in the very callback (trap: H2O would never poll again). */
    if (delay_us == 0 && !loop->firing)
        link_due(loop);
}

void loop_timer_stop(struct timer *timer)
{
    if (timer->next == NULL)
        return;
    timer->next->previous = timer->previous;
    timer->previous->next = timer->next;
    timer->next = timer->previous = NULL;
}

bool loop_timer_is_running(const struct timer *timer)
{
    return timer->next != NULL;
}
