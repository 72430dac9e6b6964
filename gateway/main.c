#include <stdlib.h>
#include <string.h>

#include "core/client_address.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/relay.h"
#include "core/service.h"
#include "gateway/contract.h"
#include "gateway/gateway.h"
#include "gateway/state.h"

/* The one that is asked most comes first: the table is walked for each request. */
static const struct route routes[] = {
    {"GET", GATEWAY_PATH_MESSAGE, &message_size, message_handle, 0},
    {"POST", GATEWAY_PATH_SIGNUP, &account_size, account_signup_handle, ROUTE_TAKES_JSON},
    {"POST", GATEWAY_PATH_LOGIN, &account_size, account_login_handle, ROUTE_TAKES_JSON},
    {"POST", GATEWAY_PATH_REFRESH, &account_size, account_refresh_handle, ROUTE_TAKES_JSON},
    {"POST", GATEWAY_PATH_LOGOUT, &account_size, account_logout_handle, ROUTE_TAKES_JSON},
    {"GET", GATEWAY_PATH_ME, &account_size, account_token_handle, 0},
    {"PUT", GATEWAY_PATH_PASSWORD, &account_size, account_token_handle, ROUTE_TAKES_JSON},
    {"GET", GATEWAY_PATH_SESSIONS, &account_size, account_token_handle, 0},
    {"DELETE", GATEWAY_PATH_SESSION, &account_size, account_token_handle, 0},
    {"GET", GATEWAY_PATH_ADMIN_USERS, &account_size, account_list_handle, 0},
    {"GET", GATEWAY_PATH_ADMIN_USER, &account_size, account_token_handle, 0},
    {"PATCH", GATEWAY_PATH_ADMIN_USER, &account_size, account_token_handle, ROUTE_TAKES_JSON},
    {"DELETE", GATEWAY_PATH_ADMIN_USER, &account_size, account_token_handle, 0},
    {"DELETE", GATEWAY_PATH_ADMIN_SESSIONS, &account_size, account_token_handle, 0},
    {"GET", GATEWAY_PATH_VERIFY, &verify_size, verify_relay_handle, 0},
};

static const struct config_address *address(const struct config *config)
{
    return &config->gateway_listen;
}

static const struct config_address *metrics_address(const struct config *config)
{
    return &config->gateway_metrics_listen;
}

static bool gateway_open(struct service *service, char *error, size_t error_size)
{
    const struct config *config = service->config;
    struct client_address_rule *rule =
        client_address_open(config->trusted_proxies, config->client_address_header, error, error_size);

    if (rule == NULL)
        return false;
    struct gateway *gateway = memory_zeroed(sizeof *gateway);
    gateway->client_rule = rule;
    service->state = gateway;
    if (*config->trusted_proxies != '\0' && *config->client_address_header == '\0')
        log_event(LOG_WARN, "trusted_proxies_unused",
                  LOG_STRING("reason", "CLIENT_ADDRESS_HEADER names no header to believe"));
    return true;
}

static void open_loop(struct loop *loop)
{
    const struct config *config = loop->service->config;
    const struct relay_options options = {
        .timeout_ms = config->relay_timeout_ms,
        .connect_timeout_ms = config->relay_connect_timeout_ms,
        .calls_max = loop->service->calls_max,
        .answer_max_bytes = config->relay_answer_max,
        .keepalive_timeout_ms = config->keepalive_timeout_ms,
        .service_key = config->service_key,
    };

    struct gateway_loop *state = memory_zeroed(sizeof *state);

    loop->relay = relay_open(loop, &options);
    loop->state = state;
    message_gathers_open(loop);
    if (loop->index == 0)
        state->probe = probe_open(loop);
}

static void close_loop(struct loop *loop)
{
    probe_close(gateway_loop_of(loop)->probe);
    message_gathers_close(loop);
    free(loop->state);
    relay_close(loop->relay);
}

static void gateway_close(struct service *service)
{
    client_address_close(gateway_of(service)->client_rule);
    free(service->state);
}

static const char *word(bool is_ready)
{
    return is_ready ? "ready" : "unavailable";
}

/* Without auth nothing works; message is reported, not required. */
static bool is_ready(struct service *service, struct buffer *members)
{
    struct gateway *gateway = gateway_of(service);
    const bool auth_is_ready = atomic_load(&gateway->auth_is_ready);

    buffer_add_format(members, ",\"auth\":\"%s\",\"message\":\"%s\"", word(auth_is_ready),
                      word(atomic_load(&gateway->message_is_ready)));
    return auth_is_ready;
}

static void observe(struct service *service, struct metrics *metrics)
{
    struct gateway *gateway = gateway_of(service);

    metrics_set(metrics, METRIC_PEER_READY, 0, atomic_load(&gateway->auth_is_ready));
    metrics_set(metrics, METRIC_PEER_READY, 1, atomic_load(&gateway->message_is_ready));
}

int gateway_main(const struct config *config)
{
    static const struct service_definition definition = {
        .name = "gateway",
        .title = "User Service",
        .has_envelope = true,
        .calls_others = true,
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .address = address,
        .metrics_address = metrics_address,
        .user = CONFIG_GATEWAY,
        .open = gateway_open,
        .open_loop = open_loop,
        .close_loop = close_loop,
        .close = gateway_close,
        .is_ready = is_ready,
        .observe = observe,
    };
    return service_main(&definition, config);
}
