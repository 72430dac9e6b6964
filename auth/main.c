#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/contract.h"
#include "auth/floor_watch.h"
#include "auth/old_database.h"
#include "auth/state.h"
#include "auth/throttle_watch.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/reply.h"

#define WORKER_NICE     10
#define STORE_BATCH_MAX 256
/* A login verifies one hash and may renew it, a changed password takes two as well. */
#define HASHES_PER_LOGIN 2

static const struct route routes[] = {
    {"POST", AUTH_PATH_SIGNUP, &signup_size, signup_handle, ROUTE_TAKES_JSON},
    {"POST", AUTH_PATH_LOGIN, &login_size, login_handle, ROUTE_TAKES_JSON},
    {"POST", AUTH_PATH_REFRESH, &refresh_size, refresh_handle, ROUTE_TAKES_JSON},
    {"POST", AUTH_PATH_LOGOUT, &logout_size, logout_handle, ROUTE_TAKES_JSON},
    {"GET", AUTH_PATH_ME, NULL, me_handle, 0},
    {"PUT", AUTH_PATH_PASSWORD, &change_password_size, change_password_handle, ROUTE_TAKES_JSON},
    {"GET", AUTH_PATH_SESSIONS, NULL, sessions_list_handle, 0},
    {"DELETE", AUTH_PATH_SESSION, &session_end_size, session_end_handle, 0},
    {"GET", AUTH_PATH_ADMIN_USERS, NULL, admin_list_handle, 0},
    {"GET", AUTH_PATH_ADMIN_USER, &admin_user_size, admin_show_handle, 0},
    {"PATCH", AUTH_PATH_ADMIN_USER, &admin_user_size, admin_change_handle, ROUTE_TAKES_JSON},
    {"DELETE", AUTH_PATH_ADMIN_USER, &admin_user_size, admin_delete_handle, 0},
    {"DELETE", AUTH_PATH_ADMIN_SESSIONS, &admin_user_size, admin_end_sessions_handle, 0},
    {"POST", AUTH_PATH_VALIDATE_TOKEN, NULL, validate_handle, 0},
    {"POST", AUTH_PATH_VALIDATE_TOKENS, NULL, validate_many_handle, ROUTE_TAKES_JSON | ROUTE_LARGE_BODY},
    {"GET", AUTH_PATH_VERIFY, NULL, verify_handle, 0},
};

static const struct config_address *address(const struct config *config)
{
    return &config->auth_listen;
}

static bool open_keys(struct auth *auth, char *error, size_t error_size)
{
    if (*auth->config->secret_key == '\0') {
        snprintf(error, error_size,
                 "SECRET_KEY is not set; put one into .env or the environment (make one with: openssl rand "
                 "-base64 "
                 "48), or start with `token-relay up`, which makes one");
        return false;
    }
    return token_keys_set(&auth->keys, auth->config->secret_key, auth->config->secret_key_previous, error,
                          error_size);
}

/* A login must be answered, or refused, before the gateway stops waiting for it. */
static bool open_policy(struct auth *auth, char *error, size_t error_size)
{
    const struct config *config = auth->config;
    const uint64_t started_us = clock_monotonic_us();

    if (!password_policy_set(&auth->policy, config_choice_word("PASSWORD_METHOD", config->password_method),
                             config->password_cost, error, error_size))
        return false;
    signup_set_up(&auth->policy);
    change_password_set_up(&auth->policy);
    const uint64_t hash_ms = (clock_monotonic_us() - started_us) / 1000 + 1;
    if (config->password_queue_age_ms + HASHES_PER_LOGIN * hash_ms < config->relay_timeout_ms)
        return true;
    snprintf(error, error_size,
             "PASSWORD_QUEUE_AGE_MS (%llu) and %d hashes (%llu ms each here) must together stay under "
             "RELAY_TIMEOUT_MS (%llu), or the gateway gives up on logins that wait",
             (unsigned long long)config->password_queue_age_ms, HASHES_PER_LOGIN, (unsigned long long)hash_ms,
             (unsigned long long)config->relay_timeout_ms);
    return false;
}

static void tell_problem(const char *sentence)
{
    log_event(LOG_ERROR, "store_problem", LOG_STRING("problem", sentence));
}

static bool open_store(struct auth *auth, char *error, size_t error_size)
{
    const struct store_options options = {
        .map_size_bytes = auth->config->lmdb_map_size,
        .queue_max = auth->config->store_queue_max,
        .batch_max = STORE_BATCH_MAX,
        .on_problem = tell_problem,
    };

    if (!old_database_check(auth->config, error, error_size))
        return false;
    auth->store = user_store_open(auth->config->database_url, &options, error, error_size);
    return auth->store != NULL;
}

static bool throttling_is_on(const struct auth *auth)
{
    return auth->config->throttle == CONFIG_THROTTLE_ON;
}

static void open_throttle(struct auth *auth)
{
    const struct throttle_options options = throttle_options_of(auth->config);

    auth->throttle = throttle_open(&options);
    if (throttling_is_on(auth))
        throttle_watch_restore(auth);
}

static void close_throttle(struct auth *auth)
{
    if (auth->throttle == NULL)
        return;
    if (throttling_is_on(auth))
        throttle_watch_keep(auth);
    throttle_close(auth->throttle);
}

static void *open_hasher(void *context)
{
    (void)context;
    return password_hasher_open();
}

static void close_hasher(void *state)
{
    password_hasher_close(state);
}

static void rest_hasher(void *state)
{
    password_hasher_rest(state);
}

static struct workers *open_workers(const struct config *config)
{
    const size_t cores = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    const struct workers_options options = {
        .count = config->password_workers > 0 ? config->password_workers : cores,
        .queue_max = config->password_queue_max,
        .age_max_ms = config->password_queue_age_ms,
        .nice = WORKER_NICE,
        .open_state = open_hasher,
        .close_state = close_hasher,
        .rest = rest_hasher,
    };
    return workers_open(&options);
}

static void auth_close(struct service *service)
{
    struct auth *auth = service->state;

    workers_close(auth->workers);
    close_throttle(auth);
    user_store_close(auth->store);
    refusal_floor_close(&auth->floor);
    token_keys_wipe(&auth->keys);
    free(auth);
}

static bool auth_open(struct service *service, char *error, size_t error_size)
{
    struct auth *auth = memory_zeroed(sizeof *auth);

    auth->config = service->config;
    service->state = auth;
    refusal_floor_open(&auth->floor);
    if (!open_keys(auth, error, error_size) || !open_policy(auth, error, error_size) ||
        !open_store(auth, error, error_size)) {
        auth_close(service);
        return false;
    }
    open_throttle(auth);
    auth->workers = open_workers(auth->config);
    return true;
}

static void open_loop(struct loop *loop)
{
    struct auth *auth = loop->service->state;

    struct auth_loop *state = memory_zeroed(sizeof *state);

    state->memory = token_memory_open(auth->config->token_memory_max);
    loop->state = state;
    if (loop->index == 0)
        state->floor_watch = floor_watch_open(loop);
    if (loop->index == 0 && throttling_is_on(auth))
        state->throttle_watch = throttle_watch_open(loop);
}

static void close_loop(struct loop *loop)
{
    struct auth_loop *state = auth_loop_of(loop);

    throttle_watch_close(state->throttle_watch);
    floor_watch_close(state->floor_watch);
    token_memory_close(state->memory);
    free(state);
}

static bool is_ready(struct service *service, struct buffer *members)
{
    struct auth *auth = service->state;
    struct store_status status;
    const bool healthy = user_store_status(auth->store, &status) == STORE_OK && status.healthy;

    buffer_add_format(members, ",\"store\":\"%s\"", healthy ? "ready" : "failing");
    return healthy;
}

static void observe(struct service *service, struct metrics *metrics)
{
    struct auth *auth = service->state;
    struct store_status status = {0};

    (void)user_store_status(auth->store, &status); /* else it is untouched: not healthy */
    metrics_set(metrics, METRIC_WORKERS_QUEUE, 0, workers_queued(auth->workers));
    metrics_set(metrics, METRIC_STORE_USERS, 0, status.user_count);
    metrics_set(metrics, METRIC_STORE_USED, 0, (uint64_t)(status.used_fraction * 1e6));
    metrics_set(metrics, METRIC_STORE_HEALTHY, 0, status.healthy);
}

int auth_main(const struct config *config)
{
    static const struct service_definition definition = {
        .name = "auth",
        .title = "Auth Service",
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .address = address,
        .user = CONFIG_AUTH,
        .open = auth_open,
        .open_loop = open_loop,
        .close_loop = close_loop,
        .close = auth_close,
        .is_ready = is_ready,
        .observe = observe,
    };
    return service_main(&definition, config);
}
