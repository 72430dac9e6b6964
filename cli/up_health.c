#include "cli/up_health.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/ask.h"
#include "core/log.h"
#include "core/memory.h"

#define INTERVAL_MS    10000
#define ASK_TIMEOUT_MS 600 /* three of them in less than two seconds */

struct health {
    pthread_t thread;
    int stop_fd;
    char gateway[HEALTH_BASE_MAX_BYTES];
    char auth[HEALTH_BASE_MAX_BYTES];
    char message[HEALTH_BASE_MAX_BYTES];
};

void health_base(const struct config_address *address, char base[HEALTH_BASE_MAX_BYTES])
{
    const char *host = address->host;

    if (address->socket_path[0] != '\0') {
        snprintf(base, HEALTH_BASE_MAX_BYTES, CONFIG_UNIX_SCHEME "%s", address->socket_path);
        return;
    }
    if (host[0] == '\0' || strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    const bool is_ipv6 = strchr(host, ':') != NULL;
    const int length = snprintf(base, HEALTH_BASE_MAX_BYTES, "http://%s%s%s:%u", is_ipv6 ? "[" : "", host,
                                is_ipv6 ? "]" : "", (unsigned)address->port);
    assert(length > 0 && length < HEALTH_BASE_MAX_BYTES);
}

static void ask(struct asker *asker, const char *base, uint64_t timeout_ms, struct asked *asked)
{
    const struct ask question = {
        .base = base, .method = "GET", .path = "/health/ready", .timeout_ms = timeout_ms};

    asker_ask(asker, &question, asked);
}

bool health_is_ready(struct asker *asker, const char *base, uint64_t timeout_ms)
{
    struct asked asked;

    ask(asker, base, timeout_ms, &asked);
    return asked.outcome == RELAY_ANSWERED && asked.status == 200;
}

static const char *state_of(struct asker *asker, const char *base, bool *all_ready)
{
    struct asked asked;

    ask(asker, base, ASK_TIMEOUT_MS, &asked);
    if (asked.outcome == RELAY_ANSWERED && asked.status == 200)
        return "ready";
    *all_ready = false;
    switch (asked.outcome) {
    case RELAY_ANSWERED:
        return "not ready";
    case RELAY_UNREACHABLE:
        return "down";
    case RELAY_TIMED_OUT:
        return "too slow";
    case RELAY_NO_ROOM: /* never: one question at a time */
    case RELAY_TOO_LARGE:
        return "answers rubbish";
    }
    abort();
}

static void report(const struct health *health, struct asker *asker)
{
    bool all_ready = true;
    const char *gateway = state_of(asker, health->gateway, &all_ready);
    const char *auth = state_of(asker, health->auth, &all_ready);
    const char *message = state_of(asker, health->message, &all_ready);

    log_event(all_ready ? LOG_INFO : LOG_WARN, "health", LOG_STRING("gateway", gateway),
              LOG_STRING("auth", auth), LOG_STRING("message", message));
}

static void *run(void *context)
{
    const struct health *health = context;
    struct pollfd stop = {.fd = health->stop_fd, .events = POLLIN};
    struct asker *asker = asker_open();

    while (poll(&stop, 1, INTERVAL_MS) != 1)
        report(health, asker);
    asker_close(asker);
    return NULL;
}

struct health *health_start(const struct config *config)
{
    struct health *health = memory_zeroed(sizeof *health);

    health_base(&config->gateway_listen, health->gateway);
    health_base(&config->auth_listen, health->auth);
    health_base(&config->message_listen, health->message);
    health->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (health->stop_fd < 0 || pthread_create(&health->thread, NULL, run, health) != 0) {
        fputs("token-relay up: no descriptor or thread is left for health checks.\n", stderr);
        abort();
    }
    return health;
}

void health_stop(struct health *health)
{
    const uint64_t one = 1;

    if (health == NULL)
        return;
    if (write(health->stop_fd, &one, sizeof one) != (ssize_t)sizeof one)
        abort();
    pthread_join(health->thread, NULL);
    close(health->stop_fd);
    free(health);
}
