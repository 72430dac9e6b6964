#include "core/service.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "core/common_routes.h"
#include "core/connection.h"
#include "core/descriptors.h"
#include "core/error_filter.h"
#include "core/exchange.h"
#include "core/guard.h"
#include "core/listener.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/relay.h"
#include "core/router.h"
#include "core/socket_file.h"

/* A larger HTTP/2 body is reset by libh2o without an answer, so its limit lies above the one we answer 413
 * for. */
#define ENTITY_MAX_BYTES         (64u * 1024)
#define ENTITY_MAX_BYTES_INSIDE  (512u * 1024)
#define GRACEFUL_SHUTDOWN_MS_MAX 5000
#define SENTENCE_MAX_BYTES       512

/* Sanitizers report on standard error, which must then stay what it is. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TAKE_OVER_STDERR false
#else
#define TAKE_OVER_STDERR true
#endif

struct loop_thread {
    pthread_t thread;
    struct loop *loop;
    struct task drain;
    sem_t *started;
    sem_t ended;
    atomic_bool
        has_ended; /* what the semaphore says, for ThreadSanitizer, which does not know sem_clockwait */
};

static bool refuse_open_inside(const struct service *service, char *error, size_t error_size)
{
    const struct config_address *address = service->definition->address(service->config);

    if (service->definition->has_envelope || config_address_is_loopback(address) ||
        *service->config->service_key != '\0')
        return true;
    snprintf(error, error_size,
             "%s would listen on %s, beyond loopback: that needs a SERVICE_KEY of at least 32 bytes, the "
             "same for all "
             "services (make one with: openssl rand -base64 48)",
             service->definition->name, *address->host == '\0' ? "all addresses" : address->host);
    return false;
}

static h2o_hostconf_t *make_entrance(h2o_globalconf_t *conf, const char *name, struct route_set first,
                                     struct route_set last)
{
    h2o_hostconf_t *host = h2o_config_register_host(conf, h2o_iovec_init(name, strlen(name)), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    struct entrance *entrance = (struct entrance *)h2o_create_handler(path, sizeof *entrance);

    host->http2.push_preload = 0;
    entrance->handler.on_req = exchange_on_request;
    entrance->sets[0] = first;
    entrance->sets[1] = common_routes;
    entrance->sets[2] = last;
    error_filter_register(path);
    error_filter_register(&host->fallback_path);
    return host;
}

static void configure_h2o(struct service *service)
{
    const struct config *config = service->config;
    const bool outside = service->definition->has_envelope;
    h2o_globalconf_t *conf = &service->conf;

    h2o_config_init(conf);
    conf->server_name = h2o_iovec_init(NULL, 0);
    conf->max_request_entity_size = outside ? ENTITY_MAX_BYTES : ENTITY_MAX_BYTES_INSIDE;
    conf->http1.req_timeout = config->keepalive_timeout_ms;
    conf->http2.idle_timeout = config->keepalive_timeout_ms;
    conf->http2.max_concurrent_requests_per_connection = config->http2_streams_max;
    conf->http2.graceful_shutdown_timeout = config->drain_timeout_ms / 2 < GRACEFUL_SHUTDOWN_MS_MAX
                                                ? config->drain_timeout_ms / 2
                                                : GRACEFUL_SHUTDOWN_MS_MAX;

    const struct route_set own = {service->definition->routes, service->definition->route_count};
    const struct route_set none = {NULL, 0};
    const bool apart = service->definition->metrics_address != NULL;
    service->hosts[0] = make_entrance(conf, "default", own, apart ? none : metrics_routes);
    service->inside_hosts[0] = make_entrance(conf, "inside", none, metrics_routes);
}

/* On the loop's thread: no new connections, idle ones closed, those with requests told to end. */
static void drain_loop(struct task *task)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop_thread, drain, task)->loop;

    loop->draining = true;
    listener_stop(&loop->listener);
    listener_stop(&loop->inside);
    h2o_context_request_shutdown(&loop->context);
    connections_close_idle(loop);
}

static bool loop_is_drained(const struct loop *loop)
{
    return loop->draining && loop->connections == NULL && loop->work_count == 0;
}

static void *run_loop(void *argument)
{
    struct loop_thread *self = argument;
    struct loop *loop = self->loop;
    struct service *service = loop->service;

    loop_open(loop, service, loop->index, &service->conf);
    if (service->definition->open_loop != NULL)
        service->definition->open_loop(loop);
    loop->listener.accept.hosts = service->hosts;
    loop->inside.accept.hosts = service->inside_hosts;
    listener_start(&loop->listener, service->listener_fd);
    if (loop->index == 0 && service->inside_fd >= 0)
        listener_start(&loop->inside, service->inside_fd);
    sweeper_start(loop);
    sem_post(self->started);

    while (!loop_is_drained(loop))
        loop_turn(loop);

    sweeper_stop(loop);
    if (service->definition->close_loop != NULL)
        service->definition->close_loop(loop);
    loop_close(loop);
    atomic_store(&self->has_ended, true);
    sem_post(&self->ended);
    /* libh2o keeps recycled memory by thread and cannot give it back: the thread stays until the process
     * ends. */
    while (pause() != 0)
        ;
    return NULL;
}

static struct loop_thread *start_loops(struct service *service)
{
    struct loop_thread *threads = memory_zeroed(service->loop_count * sizeof *threads);
    sem_t started;

    sem_init(&started, 0, 0);
    service->loops = memory_zeroed(service->loop_count * sizeof *service->loops);
    for (unsigned i = 0; i < service->loop_count; i++) {
        struct loop *loop = &service->loops[i];
        loop->service = service;
        loop->index = i;
        threads[i].loop = loop;
        threads[i].started = &started;
        threads[i].drain.run = drain_loop;
        sem_init(&threads[i].ended, 0, 0);
        if (pthread_create(&threads[i].thread, NULL, run_loop, &threads[i]) != 0) {
            fputs("token-relay: cannot start a thread\n", stderr);
            abort();
        }
    }
    for (unsigned i = 0; i < service->loop_count; i++)
        while (sem_wait(&started) != 0)
            assert(errno == EINTR);
    sem_destroy(&started);
    return threads;
}

/* The descriptor to tell who started us that we listen, or -1. Before any thread: it changes the environment.
 */
static int take_ready_fd(void)
{
    const char *name = getenv("TOKEN_RELAY_READY_FD");
    const long fd = name == NULL ? -1 : strtol(name, NULL, 10);

    unsetenv("TOKEN_RELAY_READY_FD");
    return fd > STDERR_FILENO && fd <= INT_MAX ? (int)fd : -1;
}

static void tell_ready(int fd)
{
    if (fd < 0)
        return;
    const ssize_t written = write(fd, "1", 1);
    (void)written; /* nobody waits any more */
    close(fd);
}

static void set_of_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
}

/* Blocked before any thread is made, so that all of them inherit it and sigwait gets every signal. */
static void block_signals(void)
{
    sigset_t signals;

    set_of_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void wait_for_end(void)
{
    sigset_t signals;
    int signal_number = 0;

    set_of_signals(&signals);
    while (signal_number != SIGTERM && signal_number != SIGINT)
        if (sigwait(&signals, &signal_number) == 0 && signal_number == SIGHUP)
            log_reopen();
    /* A second one ends us at once. */
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

/* True if all loops ended within DRAIN_TIMEOUT_MS. */
static bool drain(struct service *service, struct loop_thread *threads)
{
    struct timespec until;
    bool ended = true;

    log_event(LOG_INFO, "draining", LOG_NUMBER("connections", atomic_load(&service->connection_count)));
    atomic_store(&service->draining, true);
    guard_drain();
    for (unsigned i = 0; i < service->loop_count; i++)
        loop_post(threads[i].loop, &threads[i].drain);

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(service->config->drain_timeout_ms / 1000);
    until.tv_nsec += (long)(service->config->drain_timeout_ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    for (unsigned i = 0; i < service->loop_count && ended; i++)
        while (!(ended = sem_clockwait(&threads[i].ended, CLOCK_MONOTONIC, &until) == 0) && errno == EINTR)
            ;
    for (unsigned i = 0; i < service->loop_count && ended; i++)
        ended = atomic_load(&threads[i].has_ended);
    return ended;
}

static void remove_socket_files(struct service *service)
{
    socket_file_remove(&service->listener_file);
    socket_file_remove(&service->inside_file);
}

static int run(struct service *service)
{
    const int ready_fd = take_ready_fd();
    struct timespec now = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    service->started_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    struct loop_thread *threads = start_loops(service);

    log_event(LOG_INFO, "started", listener_place(service->listener_fd, &service->listener_file),
              LOG_NUMBER("loops", service->loop_count));
    if (service->inside_fd >= 0)
        log_event(LOG_INFO, "metrics_served", listener_place(service->inside_fd, &service->inside_file));
    tell_ready(ready_fd);
    wait_for_end();
    remove_socket_files(service); /* from here on a successor may listen there */
    close(service->listener_fd);
    if (service->inside_fd >= 0)
        close(service->inside_fd);
    if (!drain(service, threads)) {
        /* Loops still run on what we would free: the one clean way out is the end of the process. */
        log_event(LOG_ERROR, "drain_cut_short",
                  LOG_NUMBER("connections", atomic_load(&service->connection_count)));
        log_close();
        _exit(1);
    }
    if (service->definition->close != NULL)
        service->definition->close(service);
    log_event(LOG_INFO, "stopped", LOG_STRING("reason", "drained"));
    free(service->loops);
    free(threads);
    return 0;
}

/* How many connections and calls fit the descriptors this process may have. */
static bool share_descriptors(struct service *service, char *error, size_t error_size)
{
    const struct config *config = service->config;
    struct descriptor_share share = {
        .connections = config->connections_max,
        .calls = service->definition->calls_others ? config->relay_calls_max : 0,
    };
    const struct descriptor_share wanted = share;

    if (!descriptors_share(service->loop_count, &share, error, error_size))
        return false;
    service->connections_max = share.connections;
    service->calls_max = share.calls;
    if (share.connections < wanted.connections || share.calls < wanted.calls)
        log_event(LOG_WARN, "connections_limited", LOG_NUMBER("connections_max", share.connections),
                  LOG_NUMBER("relay_calls_max", share.calls));
    return true;
}

static bool bind_listeners(struct service *service, char *error, size_t error_size)
{
    const struct service_definition *definition = service->definition;
    const struct config *config = service->config;
    const uint64_t timeout_ms = config->tcp_user_timeout_ms;

    service->listener_fd = listener_bind(definition->address(config), timeout_ms, error, error_size);
    if (service->listener_fd < 0)
        return false;
    socket_file_note(service->listener_fd, &service->listener_file);
    if (definition->metrics_address == NULL)
        return true;
    const struct config_address *apart = definition->metrics_address(config);
    if (*apart->host == '\0')
        return true;
    service->inside_fd = listener_bind(apart, timeout_ms, error, error_size);
    if (service->inside_fd >= 0)
        socket_file_note(service->inside_fd, &service->inside_file);
    if (service->inside_fd >= 0 && !config_address_is_loopback(apart))
        log_event(LOG_WARN, "metrics_beyond_loopback", LOG_STRING("host", apart->host));
    return service->inside_fd >= 0;
}

static bool set_up(struct service *service, char *error, size_t error_size)
{
    const struct config *config = service->config;

    if (!refuse_open_inside(service, error, error_size))
        return false;
    guard_configure(config);
    if (!guard_self_test(error, error_size))
        return false;
    if (!bind_listeners(service, error, error_size))
        return false;
    service->loop_count =
        config->loops > 0 ? (unsigned)config->loops : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    if (!share_descriptors(service, error, error_size))
        return false;
    configure_h2o(service);
    return service->definition->open == NULL || service->definition->open(service, error, error_size);
}

static bool open_log(const struct service_definition *definition, const struct config *config, char *error,
                     size_t error_size)
{
    const struct log_options options = {
        .service = definition->name,
        .level = (enum log_level)config->log_level,
        .format = (enum log_format)config->log_format,
        .file = config->log_file,
        .queue_max_bytes = config->log_queue_max,
        .take_over_stderr = TAKE_OVER_STDERR,
    };
    return log_open(&options, error, error_size);
}

int service_main(const struct service_definition *definition, const struct config *config)
{
    struct service service = {.definition = definition, .config = config, .listener_fd = -1, .inside_fd = -1};
    char error[SENTENCE_MAX_BYTES] = "";
    int code = 1;

    (void)prctl(PR_SET_NAME, definition->name); /* what ps and top show; `up` runs us as "exe" */
    block_signals();
    if (!open_log(definition, config, error, sizeof error)) {
        fprintf(stderr, "token-relay %s: %s\n", definition->name, error);
        return 1;
    }
    const bool is_set_up = set_up(&service, error, sizeof error);
    if (is_set_up)
        code = run(&service);
    remove_socket_files(&service);
    log_close();
    if (!is_set_up)
        fprintf(stderr, "token-relay %s: %s\n", definition->name, error);
    if (service.conf.hosts != NULL)
        h2o_config_dispose(&service.conf);
    return code;
}
