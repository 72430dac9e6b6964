/*
 * sweeper.c - H2O bounds how long an HTTP/1 request may take to arrive, and nothing else: a trickled HTTP/2
 * body, an answer that nobody takes, a connection kept alive by PINGs last for ever. Once a second each loop
 * looks at its own.
 *
 *   by request      arriving longer than REQUEST_TIMEOUT_MS, leaving longer than RESPONSE_TIMEOUT_MS: cut.
 *                   Being worked on: never cut, that is the service's own time. In a drain at most half of
 *                   DRAIN_TIMEOUT_MS each.
 *   by connection   no first request within REQUEST_TIMEOUT_MS, quiet longer than KEEPALIVE_TIMEOUT_MS: cut.
 *   under pressure  over 90 % of CONNECTIONS_MAX: what has no request open, quiet longest first, down to 90
 * %.
 */
#include "core/connection.h"

#include <assert.h>

#include "core/clock.h"
#include "core/loop.h"
#include "core/service.h"

#define SWEEP_US         1000000
#define PRESSURE_PERCENT 90
#define QUIET_MIN_S      1  /* even under pressure a client gets that long */
#define QUIET_AGES       64 /* seconds told apart; what is quiet longer is all alike */

struct sweep {
    const struct config *config;
    struct timeval now; /* H2O's clock, of which its timestamps are */
    uint64_t now_ms;    /* the connections' clock */
    uint64_t request_timeout_ms;
    uint64_t response_timeout_ms;
};

static uint64_t age_ms(const struct sweep *sweep, const struct timeval *since)
{
    const int64_t ms = (int64_t)(sweep->now.tv_sec - since->tv_sec) * 1000 +
                       (int64_t)(sweep->now.tv_usec - since->tv_usec) / 1000;
    return ms > 0 ? (uint64_t)ms : 0; /* the clock may have been set back */
}

/* HTTP/2: a whole request may wait for its turn, behind others of its connection that are being worked on. */
static bool waits_for_its_turn(const h2o_req_t *req, const struct connection *connection)
{
    const bool has_head = req->input.method.len != 0;
    const bool has_body = req->timestamps.request_body_begin_at.tv_sec == 0 || req->entity.base != NULL;

    return has_head && has_body && connection->requests_open > 0;
}

static int sweep_request(h2o_req_t *req, void *data)
{
    const struct sweep *sweep = data;
    struct connection *connection = connection_of(req);
    const struct timeval *arrives = &req->timestamps.request_begin_at;
    const struct timeval *leaves = &req->timestamps.response_start_at;

    if (connection == NULL)
        return 0;
    if (leaves->tv_sec != 0) {
        connection->busy = true;
        if (age_ms(sweep, leaves) > sweep->response_timeout_ms)
            connection_cut(connection, CUT_ANSWER_SLOW);
    } else if (req->processed_at.at.tv_sec == 0 && arrives->tv_sec != 0 &&
               !waits_for_its_turn(req, connection)) {
        connection->busy = true;
        if (age_ms(sweep, arrives) > sweep->request_timeout_ms)
            connection_cut(connection, CUT_REQUEST_SLOW);
    }
    return 0;
}

static void sweep_connection(const struct sweep *sweep, struct connection *connection)
{
    assert(sweep->now_ms >= connection->accepted_ms);
    if (connection->requests_started == 0) {
        if (sweep->now_ms - connection->accepted_ms > sweep->request_timeout_ms)
            connection_cut(connection, CUT_NO_REQUEST);
    } else if (connection->requests_open == 0 && !connection->busy) {
        if (sweep->now_ms - connection->quiet_since_ms > sweep->config->keepalive_timeout_ms)
            connection_cut(connection, CUT_IDLE);
    }
}

/* How long it has been quiet, in seconds up to QUIET_AGES - 1; 0: not at all, or not to be closed. */
static unsigned quiet_s(const struct sweep *sweep, const struct connection *connection)
{
    if (connection->requests_open > 0 || connection->cut)
        return 0;
    const uint64_t seconds = (sweep->now_ms - connection->quiet_since_ms) / 1000;
    return seconds < QUIET_AGES ? (unsigned)seconds : QUIET_AGES - 1;
}

static void relieve_pressure(const struct sweep *sweep, struct loop *loop)
{
    const struct service *service = loop->service;
    const uint64_t open = atomic_load(&service->connection_count);
    const uint64_t wanted = service->connections_max * PRESSURE_PERCENT / 100;
    uint64_t by_age[QUIET_AGES] = {0};

    if (open <= wanted || service->connections_max < 2)
        return;
    uint64_t left = (open - wanted + service->loop_count - 1) / service->loop_count; /* this loop's share */
    for (struct connection *each = loop->connections; each != NULL; each = each->next)
        by_age[quiet_s(sweep, each)]++;
    for (unsigned age = QUIET_AGES - 1; age >= QUIET_MIN_S && left > 0; age--) {
        if (by_age[age] == 0)
            continue;
        for (struct connection *each = loop->connections; each != NULL && left > 0; each = each->next) {
            if (quiet_s(sweep, each) != age)
                continue;
            connection_cut(each, CUT_PRESSURE);
            left--;
        }
    }
}

/* A drain waits for the requests under way, but not for a client that does not go on with them. */
static uint64_t timeout_ms(const struct loop *loop, uint64_t configured_ms)
{
    const uint64_t half_drain_ms = loop->service->config->drain_timeout_ms / 2;

    return loop->draining && half_drain_ms < configured_ms ? half_drain_ms : configured_ms;
}

static void sweep_loop(struct timer *timer)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, sweep, timer);
    h2o_context_t *context = &loop->context;
    h2o_globalconf_t *conf = context->globalconf;
    const struct config *config = loop->service->config;
    struct sweep sweep = {.config = config,
                          .request_timeout_ms = timeout_ms(loop, config->request_timeout_ms),
                          .response_timeout_ms = timeout_ms(loop, config->response_timeout_ms),
                          .now = *h2o_get_timestamp(context, NULL, NULL),
                          .now_ms = clock_monotonic_us() / 1000};

    for (struct connection *each = loop->connections; each != NULL; each = each->next)
        each->busy = false;
    (void)conf->http1.callbacks.foreach_request(context, sweep_request, &sweep);
    (void)conf->http2.callbacks.foreach_request(context, sweep_request, &sweep);
    for (struct connection *each = loop->connections; each != NULL; each = each->next)
        sweep_connection(&sweep, each);
    relieve_pressure(&sweep, loop);
    if (loop->draining)
        connections_close_idle(loop); /* those that have had their answer since the drain began */
    loop_timer_start(loop, &loop->sweep, SWEEP_US, sweep_loop);
}

void sweeper_start(struct loop *loop)
{
    assert(loop->service != NULL);
    loop_timer_start(loop, &loop->sweep, SWEEP_US, sweep_loop);
}

void sweeper_stop(struct loop *loop)
{
    loop_timer_stop(&loop->sweep);
}
