/*
 * bare_handler.c - the ceiling of a message: libh2o answering at once what the gateway answers, byte for byte
 * as long and under the same headers, with as many loops, on one listener handed to each loop as a duplicate.
 *
 *   bare_handler PORT LOOPS     listens on 127.0.0.1 until SIGTERM
 */
#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <h2o.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPS_MAX        64
#define ACCEPTS_PER_TURN 16
#define KEEPALIVE_MS     75000
#define STREAMS_MAX      32

static h2o_globalconf_t conf;
static int listener_fd;

struct loop {
    h2o_context_t context;
    h2o_accept_ctx_t accept;
};

static const char body[] = "{\"status_code\":200,\"detail\":\"Welcome, Authenticated user! Limited access.\","
                           "\"date_time\":\"2024-11-21 14:31:34\"}";

static int answer(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = sizeof body - 1;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("application/json"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL, H2O_STRLIT("no-store"));
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-content-type-options"), 0, NULL,
                          H2O_STRLIT("nosniff"));
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-request-id"), 0, NULL,
                          H2O_STRLIT("5f0c3b1e9a7d2c44-12345678"));
    h2o_send_inline(req, body, sizeof body - 1);
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *fault)
{
    struct loop *loop = listener->data;

    (void)fault;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        h2o_socket_t *socket = h2o_evloop_socket_accept(listener);
        if (socket == NULL)
            return;
        h2o_accept(&loop->accept, socket);
    }
}

static void *run(void *argument)
{
    struct loop *loop = argument;
    const int own = fcntl(listener_fd, F_DUPFD_CLOEXEC, 0);

    assert(own != -1);
    h2o_context_init(&loop->context, h2o_evloop_create(), &conf);
    loop->accept = (h2o_accept_ctx_t){.ctx = &loop->context, .hosts = conf.hosts};
    h2o_socket_t *listener = h2o_evloop_socket_create(loop->context.loop, own, H2O_SOCKET_FLAG_DONT_READ);
    listener->data = loop;
    h2o_socket_read_start(listener, on_accept);
    for (;;)
        (void)h2o_evloop_run(loop->context.loop, INT32_MAX); /* -1 is EINTR */
    return NULL;
}

static void configure(void)
{
    h2o_config_init(&conf);
    conf.server_name = h2o_iovec_init(NULL, 0);
    conf.http1.req_timeout = KEEPALIVE_MS;
    conf.http2.idle_timeout = KEEPALIVE_MS;
    conf.http2.max_concurrent_requests_per_connection = STREAMS_MAX;
    h2o_hostconf_t *host = h2o_config_register_host(&conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_handler_t *handler = h2o_create_handler(path, sizeof *handler);
    handler->on_req = answer;
}

static int bind_to(unsigned port)
{
    const int on = 1;
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, SOMAXCONN) != 0) {
        perror("bare_handler: cannot listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static struct loop loops[LOOPS_MAX];
    const unsigned long port = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    const unsigned long loop_count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    pthread_t thread;

    if (port == 0 || port > 65535 || loop_count == 0 || loop_count > LOOPS_MAX) {
        fputs("usage: bare_handler PORT LOOPS\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    configure();
    listener_fd = bind_to((unsigned)port);
    for (unsigned long i = 0; i < loop_count; i++)
        if (pthread_create(&thread, NULL, run, &loops[i]) != 0) {
            fputs("bare_handler: cannot start a thread\n", stderr);
            return 1;
        }
    while (pause() != 0) /* SIGTERM ends us */
        ;
    return 0;
}
