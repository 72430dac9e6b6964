/*
 * service.h - what every service is: threads, a listener, signals, readiness, drain.
 */
#ifndef CORE_SERVICE_H
#define CORE_SERVICE_H

#include <h2o.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/config.h"
#include "core/loop.h"

struct route;
struct buffer;

/* What a service is made of; one static const per service. */
struct service_definition {
    const char *name;  /* "gateway": in logs */
    const char *title; /* "User Service": in GET / */
    bool has_envelope; /* answers wear the public envelope; otherwise {"detail": ...} */
    const struct route *routes;
    size_t route_count;
    const struct config_address *(*address)(const struct config *config);
    /* Makes service->state before any loop runs. False: error holds one sentence. May be NULL. */
    bool (*open)(struct service *service, char *error, size_t error_size);
    /* On each loop's thread, when it starts and when it ends. May be NULL. */
    void (*open_loop)(struct loop *loop);
    void (*close_loop)(struct loop *loop);
    /* After all loops have ended. May be NULL. */
    void (*close)(struct service *service);
    /* Is everything here that it needs? Appends members for GET /health/ready (`,"auth":"up"`). Any loop. May
     * be NULL. */
    bool (*is_ready)(struct service *service, struct buffer *members);
};

struct service {
    const struct service_definition *definition;
    const struct config *config;
    void *state; /* the service's own, made by open */
    h2o_globalconf_t conf;
    int listener_fd;
    unsigned loop_count;
    struct loop *loops;
    uint64_t connections_max; /* what fits the descriptor limit */
    atomic_uint_fast64_t connection_count;
    atomic_bool draining;
};

/*
 * Runs a service until SIGTERM or SIGINT has drained it: 0; 1 when it could not start (one sentence was
 * printed) or when the drain had to be cut short. Writes one byte to the descriptor that TOKEN_RELAY_READY_FD
 * names once it listens. Blocks; the main thread.
 */
int service_main(const struct service_definition *definition, const struct config *config);

#endif
