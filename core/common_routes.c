#include "core/common_routes.h"

#include "core/buffer.h"
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

const struct route common_routes[] = {
    {"GET", "/", NULL, greet, ROUTE_NEEDS_NO_KEY},
    {"GET", "/health/live", NULL, tell_live, ROUTE_NEEDS_NO_KEY | ROUTE_IS_ROUTINE},
    {"GET", "/health/ready", NULL, tell_ready, ROUTE_NEEDS_NO_KEY | ROUTE_IS_ROUTINE},
};
const size_t common_route_count = sizeof common_routes / sizeof common_routes[0];
