/*
 * up_health.h - asks the services every ten seconds how they are, and logs it; by a thread of its own, so
 * that a service that does not answer never keeps `up` from a signal.
 */
#ifndef CLI_UP_HEALTH_H
#define CLI_UP_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/config.h"

struct asker;
struct health;

#define HEALTH_BASE_MAX_BYTES 300

/* How to reach, from this machine, who listens at an address: "http://127.0.0.1:8181" for all addresses,
 * "unix:PATH" for a socket. */
void health_base(const struct config_address *address, char base[HEALTH_BASE_MAX_BYTES]);

/* True if GET /health/ready is answered with 200 within timeout_ms. */
bool health_is_ready(struct asker *asker, const char *base, uint64_t timeout_ms);

/* Starts the thread; stop ends it within two seconds, and takes NULL. */
struct health *health_start(const struct config *config);
void health_stop(struct health *health);

#endif
