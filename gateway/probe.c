/*
 * probe.c - asks the other services whether they are ready, in the background, so that GET /health/ready
 * waits for nobody. At a start quickly, with growing pauses (it should not take a second to be ready), then
 * once a second.
 */
#include <stdlib.h>

#include "core/loop.h"
#include "core/memory.h"
#include "core/relay.h"
#include "core/service.h"
#include "gateway/state.h"

#define PROBE_PAUSE_US       1000000
#define PROBE_FIRST_PAUSE_US 2500
#define PROBE_TIMEOUT_MS     1000

struct probe_target {
    struct call call;
    struct probe *probe;
    const char *base;
    atomic_bool *is_ready;
};

struct probe {
    struct loop *loop;
    struct timer timer;
    uint64_t pause_us;
    struct probe_target targets[2]; /* auth, message */
};

static void on_reply(struct call *call)
{
    struct probe_target *target = H2O_STRUCT_FROM_MEMBER(struct probe_target, call, call);

    atomic_store(target->is_ready, call->outcome == RELAY_ANSWERED && call->answer.status == 200);
}

static void ask(struct probe_target *target)
{
    if (target->call.transfer != NULL)
        return; /* still waiting for the last answer */
    target->call = (struct call){
        .base = target->base,
        .method = "GET",
        .path = "/health/ready",
        .timeout_ms = PROBE_TIMEOUT_MS,
        .on_reply = on_reply,
    };
    (void)call_start(target->probe->loop->relay, &target->call); /* too busy to ask: then next time */
}

static void on_time(struct timer *timer)
{
    struct probe *probe = H2O_STRUCT_FROM_MEMBER(struct probe, timer, timer);

    ask(&probe->targets[0]);
    ask(&probe->targets[1]);
    const bool slowly = atomic_load(probe->targets[0].is_ready) || probe->pause_us > PROBE_PAUSE_US / 2;
    probe->pause_us = slowly ? PROBE_PAUSE_US : probe->pause_us * 2;
    loop_timer_start(probe->loop, timer, probe->pause_us, on_time);
}

struct probe *probe_open(struct loop *loop)
{
    struct probe *probe = memory_zeroed(sizeof *probe);
    struct gateway *gateway = gateway_of(loop->service);
    const struct config *config = loop->service->config;

    probe->loop = loop;
    probe->pause_us = PROBE_FIRST_PAUSE_US;
    probe->targets[0] = (struct probe_target){
        .probe = probe, .base = config->auth_service_url.base, .is_ready = &gateway->auth_is_ready};
    probe->targets[1] = (struct probe_target){
        .probe = probe, .base = config->message_service_url.base, .is_ready = &gateway->message_is_ready};
    loop_timer_start(loop, &probe->timer, 0, on_time);
    return probe;
}

void probe_close(struct probe *probe)
{
    if (probe == NULL)
        return;
    loop_timer_stop(&probe->timer);
    call_cancel(&probe->targets[0].call);
    call_cancel(&probe->targets[1].call);
    free(probe);
}
