#include "core/common_routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/buffer.h"
#include "core/log.h"
#include "core/metrics_table.h"
#include "core/reply.h"
#include "core/service.h"

static void greet(struct exchange *x)
{
    struct buffer body;

    buffer_open(&body);
    buffer_add_format(&body, "{\"message\":\"%s is up and running!\"}", x->loop->service->definition->title);
    reply_json(x, 200, body.at, body.length);
    buffer_close(&body);
}

static void tell_live(struct exchange *x)
{
    static const char live[] = "{\"status\":\"live\"}";
    reply_json(x, 200, live, sizeof live - 1);
}

static void tell_ready(struct exchange *x)
{
    struct service *service = x->loop->service;
    struct buffer members;
    struct buffer body;
    bool ready = true;

    buffer_open(&members);
    buffer_open(&body);
    if (service->definition->is_ready != NULL)
        ready = service->definition->is_ready(service, &members);
    const bool draining = atomic_load(&service->draining);
    const char *status = draining ? "draining" : ready ? "ready" : "not ready";

    buffer_add_format(&body, "{\"status\":\"%s\"%s}", status, members.at);
    reply_json(x, ready && !draining ? 200 : 503, body.at, body.length);
    buffer_close(&members);
    buffer_close(&body);
}

static uint64_t micros_of(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_nsec / 1000;
}

/* From the kernel's memory, not from a disk: it does not block. */
static uint64_t resident_bytes(void)
{
    char line[128] = "";
    char *resident = line;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file == NULL)
        return 0;
    if (fgets(line, sizeof line, file) != NULL)
        (void)strtoul(line, &resident, 10); /* the first number is the size of the address space */
    fclose(file);
    return strtoul(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void observe(struct service *service, struct metrics *metrics)
{
    struct timespec used = {0};

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    metrics_set(metrics, METRIC_BUILD_INFO, 0, 1);
    metrics_set(metrics, METRIC_CONNECTIONS, 0, atomic_load(&service->connection_count));
    metrics_set(metrics, METRIC_LOG_DROPPED, 0, log_dropped());
    metrics_set(metrics, METRIC_PROCESS_START, 0, service->started_us);
    metrics_set(metrics, METRIC_PROCESS_CPU, 0, micros_of(&used));
    metrics_set(metrics, METRIC_PROCESS_MEMORY, 0, resident_bytes());
    if (service->definition->observe != NULL)
        service->definition->observe(service, metrics);
}

static void tell_metrics(struct exchange *x)
{
    struct service *service = x->loop->service;
    struct metrics metrics = {0};
    struct buffer body;

    for (unsigned i = 0; i < service->loop_count; i++)
        metrics_sum(&metrics, &service->loops[i].metrics);
    observe(service, &metrics);
    buffer_open(&body);
    metrics_text(&body, &metrics, service->definition->name, service->definition->user);
    reply_text(x, METRICS_TEXT_TYPE, body.at, body.length);
    buffer_close(&body);
}

static const struct route on_every_address[] = {
    {"GET", "/", NULL, greet, ROUTE_NEEDS_NO_KEY},
    {"GET", "/health/live", NULL, tell_live, ROUTE_NEEDS_NO_KEY | ROUTE_IS_ROUTINE},
    {"GET", "/health/ready", NULL, tell_ready, ROUTE_NEEDS_NO_KEY | ROUTE_IS_ROUTINE},
};
const struct route_set common_routes = {on_every_address,
                                        sizeof on_every_address / sizeof on_every_address[0]};

static const struct route for_operators[] = {
    {"GET", "/metrics", NULL, tell_metrics, ROUTE_IS_ROUTINE},
};
const struct route_set metrics_routes = {for_operators, sizeof for_operators / sizeof for_operators[0]};
