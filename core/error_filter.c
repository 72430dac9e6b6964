#include "core/error_filter.h"

#include <string.h>

#include "core/buffer.h"
#include "core/exchange.h"
#include "core/log.h"
#include "core/reply.h"
#include "core/router.h"
#include "core/service.h"

/* An output stream that swallows libh2o's text and sends ours once. */
struct replacement {
    h2o_ostream_t super;
    h2o_iovec_t body;
};

static void replacement_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t count,
                             h2o_send_state_t state)
{
    struct replacement *replacement = (struct replacement *)self;
    const bool with_body = replacement->body.len > 0 &&
                           !h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));

    (void)bufs, (void)count;
    h2o_ostream_send_next(self, req, &replacement->body, with_body ? 1 : 0, state);
    replacement->body.len = 0;
}

/* Path and method come first in the contract's order, also for a body that libh2o would not take. */
static enum fault fault_of(const h2o_req_t *req, char allow[ROUTER_ALLOW_MAX_BYTES])
{
    enum fault early = FAULT_COUNT;

    *allow = '\0';
    switch (req->res.status) {
    case 404:
        return FAULT_NOT_FOUND;
    case 413:
        early = router_judge_early(req, allow);
        return early != FAULT_COUNT ? early : FAULT_BODY_TOO_LARGE;
    case 417:
        return FAULT_EXPECTATION_FAILED;
    default:
        return req->res.status < 500 ? FAULT_BAD_REQUEST : FAULT_INTERNAL;
    }
}

static bool is_libh2os_own(const h2o_req_t *req)
{
    const ssize_t type = h2o_find_header(&req->res.headers, H2O_TOKEN_CONTENT_TYPE, -1);

    if (req->res.status < 400 || type == -1)
        return false;
    const h2o_iovec_t value = req->res.headers.entries[type].value;
    return value.len >= 10 && memcmp(value.base, "text/plain", 10) == 0;
}

static void add_header(h2o_req_t *req, const char *name, const char *value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value, strlen(value));
}

static void set_headers(h2o_req_t *req, const struct fault_row *row, const char *id, const char *allow)
{
    memset(&req->res.headers, 0, sizeof req->res.headers);
    add_header(req, "content-type", "application/json");
    add_header(req, "cache-control", "no-store");
    add_header(req, "x-content-type-options", "nosniff");
    add_header(req, "error-code", row->name);
    add_header(req, "x-request-id", id);
    if (*allow != '\0')
        add_header(req, "allow", allow);
}

static void tell_refusal(struct loop *loop, const h2o_req_t *req, const struct fault_row *row, const char *id)
{
    metrics_count(&loop->metrics, METRIC_REQUESTS, metrics_series_of_status(row->status));
    log_request(&(struct log_request){
        .request_id = id,
        .method = req->input.method.base,
        .method_length = req->input.method.len,
        .path = req->input.path.base,
        .path_length = req->input.query_at < req->input.path.len ? req->input.query_at : req->input.path.len,
        .status = row->status,
        .error_code = row->name,
    });
}

static void replace(h2o_req_t *req, h2o_ostream_t ***slot)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, context, req->conn->ctx);
    char *allow = h2o_mem_alloc_pool(&req->pool, ROUTER_ALLOW_MAX_BYTES);
    const enum fault fault = fault_of(req, allow);
    const struct fault_row *row = fault_row(fault);
    char *id = h2o_mem_alloc_pool(&req->pool, REQUEST_ID_MAX_BYTES + 1);
    struct buffer body;

    exchange_make_id(id);
    buffer_open(&body);
    reply_error_body(&body, loop, fault, NULL, 0);
    req->res.status = (int)row->status;
    req->res.reason = status_reason(row->status);
    req->res.content_length = body.length;
    set_headers(req, row, id, allow);
    tell_refusal(loop, req, row, id);

    struct replacement *replacement = (struct replacement *)h2o_add_ostream(req, sizeof *replacement, *slot);
    replacement->super.do_send = replacement_send;
    replacement->body = h2o_strdup(&req->pool, body.at, body.length);
    *slot = &replacement->super.next;
    buffer_close(&body);
}

static void on_setup_ostream(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    (void)self;
    if (is_libh2os_own(req))
        replace(req, &slot);
    h2o_setup_next_ostream(req, slot);
}

void error_filter_register(h2o_pathconf_t *path)
{
    h2o_filter_t *filter = h2o_create_filter(path, sizeof *filter);

    filter->on_setup_ostream = on_setup_ostream;
}
