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
#include "core/socket_file.h"

struct route;
struct buffer;

/* What a service is made of; one static const per service. */
struct service_definition {
    const char *name;  /* "gateway": in logs */
    const char *title; /* "User Service": in GET / */
    bool has_envelope; /* answers wear the public envelope; otherwise {"detail": ...} */
    const struct route *routes;
    size_t route_count;
    bool calls_others; /* its loops have a relay */
    const struct config_address *(*address)(const struct config *config);
    /* Where /metrics is served apart from the rest (host "": nowhere). NULL: where the service listens. */
    const struct config_address *(*metrics_address)(const struct config *config);
    enum config_user user; /* whose settings and metrics it has */
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
    /* Sets the figures that are looked up rather than counted, for /metrics. Any loop. May be NULL. */
    void (*observe)(struct service *service, struct metrics *metrics);
};

struct service {
    const struct service_definition *definition;
    const struct config *config;
    void *state; /* the service's own, made by open */
    h2o_globalconf_t conf;
    h2o_hostconf_t *hosts[2];        /* of the service's address; ends with NULL */
    h2o_hostconf_t *inside_hosts[2]; /* of metrics_address; apart, so that no Host header leads there */
    int listener_fd;
    int inside_fd;                    /* -1: none */
    struct socket_file listener_file; /* where they are Unix sockets */
    struct socket_file inside_file;
    unsigned loop_count;
    struct loop *loops;
    uint64_t started_us;      /* since 1970 */
    uint64_t connections_max; /* what fits the descriptor limit */
    uint64_t calls_max;       /* likewise, of each loop, where the service calls others */
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
