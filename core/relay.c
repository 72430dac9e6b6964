#include "core/relay.h"

#include <assert.h>
#include <curl/curl.h>
#include <h2o.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/buffer.h"
#include "core/clock.h"
#include "core/loop.h"
#include "core/memory.h"
#include "core/relay_head.h"

#define EVENTS_PER_WAIT 64
#define MAX_AGE_MIN_S   1
#define LINE_MAX_BYTES  1100 /* a service key has up to 1,024 bytes */

/* A reused easy handle and what it gathers. */
struct transfer {
    struct transfer *next; /* of the idle ones */
    struct relay *relay;
    struct call *call;
    CURL *easy;
    struct curl_slist *headers;
    struct buffer question; /* the body sent: ours, so that it can be wiped */
    struct buffer body;     /* the answer's */
    uint64_t started_us;
    bool too_large;
    bool head_is_whole; /* the empty line behind the answer's headers came */
};

struct relay {
    struct loop *loop;
    struct relay_options options;
    CURLM *multi;
    int epoll;
    h2o_socket_t *watch;
    struct timer timer;
    struct transfer *idle;
    uint64_t under_way;
};

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    const size_t length = size * count;

    if (transfer->body.length + length > transfer->relay->options.answer_max_bytes) {
        transfer->too_large = true;
        return 0;
    }
    buffer_add(&transfer->body, bytes, length);
    return length;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    const size_t length = size * count;

    if (length > 0 && (*line == '\r' || *line == '\n'))
        transfer->head_is_whole = true;
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
        relay_head_forget(transfer->call), transfer->head_is_whole = false; /* what came before was a 1xx */
    if (!transfer->head_is_whole)
        relay_head_take(transfer->call, line, length);
    return length;
}

static enum relay_outcome outcome_of(const struct transfer *transfer, CURLcode code)
{
    /* curl takes a head that breaks off for a whole answer without a body. */
    if (code == CURLE_OK)
        return transfer->head_is_whole ? RELAY_ANSWERED : RELAY_UNREACHABLE;
    if (transfer->too_large)
        return RELAY_TOO_LARGE;
    return code == CURLE_OPERATION_TIMEDOUT ? RELAY_TIMED_OUT : RELAY_UNREACHABLE;
}

/* Among them are tokens and the service key. */
static void wipe_headers(struct transfer *transfer)
{
    for (struct curl_slist *at = transfer->headers; at != NULL; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
}

/* Takes the transfer off curl and off its call; it keeps the body until transfer_rest. */
static void transfer_detach(struct transfer *transfer)
{
    curl_multi_remove_handle(transfer->relay->multi, transfer->easy);
    wipe_headers(transfer);
    buffer_clear(&transfer->question);
    transfer->call->transfer = NULL;
    transfer->call = NULL;
    transfer->relay->under_way--;
    metrics_set(&transfer->relay->loop->metrics, METRIC_RELAY_CALLS_IN_FLIGHT, 0, transfer->relay->under_way);
}

static void transfer_rest(struct transfer *transfer)
{
    buffer_clear(&transfer->body);
    transfer->next = transfer->relay->idle;
    transfer->relay->idle = transfer;
}

/* The values of metrics.def's label CALL are the outcomes, and behind them: cancelled. */
#define SERIES_CANCELLED (RELAY_NO_ROOM + 1)
_Static_assert((int)METRIC_VALUES_CALL == (int)SERIES_CANCELLED + 1, "metrics.def knows every outcome");

static void count(const struct transfer *transfer, unsigned series)
{
    struct metrics *metrics = &transfer->relay->loop->metrics;

    metrics_count(metrics, METRIC_RELAY_CALLS, series);
    metrics_observe(metrics, HISTOGRAM_RELAY_DURATION, 0, clock_monotonic_us() - transfer->started_us);
}

static void finish(struct transfer *transfer, CURLcode code)
{
    struct call *call = transfer->call;
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    call->outcome = outcome_of(transfer, code);
    call->answer.status = (unsigned)status;
    call->answer.body = transfer->body.at;
    call->answer.body_length = transfer->body.length;
    count(transfer, call->outcome);
    transfer_detach(transfer);
    call->on_reply(call); /* may free the call */
    transfer_rest(transfer);
}

/* After each action: reads what is complete to the end. on_reply may start further calls meanwhile. */
static void finish_all(struct relay *relay)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(relay->multi, &left)) != NULL) {
        struct transfer *transfer = NULL;
        const CURLcode code = message->data.result;

        assert(message->msg == CURLMSG_DONE);
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        finish(transfer, code);
    }
}

static void on_ready(h2o_socket_t *watch, const char *error)
{
    struct relay *relay = watch->data;
    struct epoll_event events[EVENTS_PER_WAIT];
    const int count = epoll_pwait(relay->epoll, events, EVENTS_PER_WAIT, 0, NULL); /* see parking.c */
    int running;

    (void)error;
    for (int i = 0; i < count; i++) {
        const int action = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                           (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                           (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(relay->multi, events[i].data.fd, action, &running);
    }
    finish_all(relay);
}

static void on_time(struct timer *timer)
{
    struct relay *relay = H2O_STRUCT_FROM_MEMBER(struct relay, timer, timer);
    int running;

    curl_multi_socket_action(relay->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_all(relay);
}

static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct relay *relay = context;

    (void)multi;
    loop_timer_stop(&relay->timer);
    if (timeout_ms >= 0)
        loop_timer_start(relay->loop, &relay->timer, (uint64_t)timeout_ms * 1000, on_time);
    return 0;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct relay *relay = context;
    struct epoll_event event = {.data.fd = fd};

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(relay->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    epoll_ctl(relay->epoll, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
    curl_multi_assign(relay->multi, fd, relay);
    return 0;
}

/* Connections are given up well before the other side's idle limit, or calls would meet closed ones. */
static long max_age_s(const struct relay_options *options)
{
    const long age_s = (long)(options->keepalive_timeout_ms / 2000);

    return age_s < MAX_AGE_MIN_S ? MAX_AGE_MIN_S : age_s;
}

/* What is the same for every call. Anew for each: curl counts the retries of a handle, not of a transfer, and
 * gives up at the sixth; only a reset clears that. PROXY "" because http_proxy in the environment would take
 * the calls elsewhere. QUICK_EXIT, or the loop would wait for a look-up that was given up. */
static void transfer_prepare(struct transfer *transfer)
{
    const struct relay_options *options = &transfer->relay->options;
    CURL *easy = transfer->easy;

    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, max_age_s(options));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
}

static struct transfer *transfer_open(struct relay *relay)
{
    struct transfer *transfer = memory_zeroed(sizeof *transfer);

    transfer->relay = relay;
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL)
        memory_exhausted();
    buffer_open(&transfer->question);
    buffer_open(&transfer->body);
    return transfer;
}

static void transfer_close(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    buffer_close(&transfer->question);
    buffer_close(&transfer->body);
    free(transfer);
}

struct relay *relay_open(struct loop *loop, const struct relay_options *options)
{
    struct relay *relay = memory_zeroed(sizeof *relay);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    relay->loop = loop;
    relay->options = *options;
    relay->multi = curl_multi_init();
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (relay->multi == NULL || relay->epoll < 0)
        memory_exhausted();
    curl_multi_setopt(relay->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(relay->multi, CURLMOPT_SOCKETDATA, relay);
    curl_multi_setopt(relay->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(relay->multi, CURLMOPT_TIMERDATA, relay);
    /* The default, four times the handles of the moment, would trim the pool whenever load dips. */
    curl_multi_setopt(relay->multi, CURLMOPT_MAXCONNECTS, (long)options->calls_max);
    relay->watch = h2o_evloop_socket_create(loop->evloop, relay->epoll, H2O_SOCKET_FLAG_DONT_READ);
    relay->watch->data = relay;
    h2o_socket_read_start(relay->watch, on_ready);
    return relay;
}

void relay_close(struct relay *relay)
{
    if (relay == NULL)
        return;

    assert(relay->under_way == 0);
    while (relay->idle != NULL) {
        struct transfer *transfer = relay->idle;
        relay->idle = transfer->next;
        transfer_close(transfer);
    }
    curl_multi_cleanup(relay->multi);
    loop_timer_stop(&relay->timer);
    h2o_socket_close(relay->watch); /* closes the epoll descriptor */
    free(relay);
}

static void add_header(struct transfer *transfer, const char *line)
{
    transfer->headers = curl_slist_append(transfer->headers, line);
    if (transfer->headers == NULL)
        memory_exhausted();
}

static void set_headers(struct transfer *transfer, const struct call *call)
{
    const char *key = transfer->relay->options.service_key;
    char line[LINE_MAX_BYTES];

    for (size_t i = 0; i < sizeof call->headers / sizeof call->headers[0] && call->headers[i] != NULL; i++)
        add_header(transfer, call->headers[i]);
    /* Empty, or curl would call no body a form. */
    add_header(transfer, call->body != NULL ? "Content-Type: application/json" : "Content-Type:");
    if (key != NULL && *key != '\0') {
        snprintf(line, sizeof line, "X-Service-Key: %s", key);
        add_header(transfer, line);
    }
    add_header(transfer, "Expect:");
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
}

static void set_method(struct transfer *transfer, const struct call *call)
{
    CURL *easy = transfer->easy;

    if (strcmp(call->method, "GET") == 0 && call->body == NULL)
        return;
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)call->body_length);
    if (call->body != NULL)
        buffer_add(&transfer->question, call->body, call->body_length);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->question.at);
    if (strcmp(call->method, "POST") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static void set_url(struct transfer *transfer, const struct call *call)
{
    const size_t scheme = strlen(RELAY_UNIX_SCHEME);
    const bool is_unix = strncmp(call->base, RELAY_UNIX_SCHEME, scheme) == 0;
    struct buffer url;

    /* curl keeps connections over different sockets apart, whatever the host. */
    curl_easy_setopt(transfer->easy, CURLOPT_UNIX_SOCKET_PATH, is_unix ? call->base + scheme : NULL);
    buffer_open(&url);
    buffer_add_text(&url, is_unix ? "http://localhost" : call->base);
    buffer_add_text(&url, call->path);
    if (call->query != NULL)
        buffer_add_text(&url, call->query);
    curl_easy_setopt(transfer->easy, CURLOPT_URL, url.at);
    buffer_close(&url);
}

bool call_start(struct relay *relay, struct call *call)
{
    const uint64_t timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : relay->options.timeout_ms;
    struct transfer *transfer = relay->idle;

    assert(call->transfer == NULL && call->on_reply != NULL);
    if (relay->under_way >= relay->options.calls_max) {
        metrics_count(&relay->loop->metrics, METRIC_RELAY_CALLS, RELAY_NO_ROOM);
        return false;
    }

    if (transfer != NULL)
        relay->idle = transfer->next;
    else
        transfer = transfer_open(relay);
    transfer->call = call;
    transfer->started_us = clock_monotonic_us();
    transfer->too_large = transfer->head_is_whole = false;
    call->transfer = transfer;
    relay_head_forget(call);
    transfer_prepare(transfer);
    set_url(transfer, call);
    set_method(transfer, call);
    set_headers(transfer, call);
    curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, call->fresh ? 1L : 0L);
    curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, call->fresh ? 1L : 0L);
    relay->under_way++;
    metrics_set(&relay->loop->metrics, METRIC_RELAY_CALLS_IN_FLIGHT, 0, relay->under_way);
    if (curl_multi_add_handle(relay->multi, transfer->easy) != CURLM_OK)
        memory_exhausted();
    return true;
}

void call_cancel(struct call *call)
{
    struct transfer *transfer = call->transfer;

    if (transfer == NULL)
        return;
    count(transfer, SERIES_CANCELLED);
    transfer_detach(transfer);
    transfer_rest(transfer);
}
