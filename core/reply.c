#include "core/reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/service.h"

#define RETRY_AFTER_S "1"

/* Everything that an answer can carry; texts may be NULL or "". */
struct answer {
    unsigned status;
    const char *body;
    size_t body_length;
    const char *content_type; /* NULL: application/json */
    const char *error_code;
    const char *retry_after;
    const char *www_authenticate;
    const char *rate_limit;
    const char *rate_limit_policy;
    const char *allow;
    const char *location;
    size_t location_length;
    const struct reply_header *headers; /* further ones */
    size_t header_count;
};

static void add_header(h2o_req_t *req, const h2o_token_t *token, const char *value, size_t length)
{
    h2o_add_header(&req->pool, &req->res.headers, token, NULL, value, length);
}

/* Names without a token of H2O's; the value is copied, because the exchange may be gone before it is sent. */
static void add_named(h2o_req_t *req, const char *name, const char *value, size_t length)
{
    const h2o_iovec_t copy = h2o_strdup(&req->pool, value, length);

    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, NULL, copy.base, copy.len);
}

static void add_optional(h2o_req_t *req, const char *name, const char *value)
{
    if (value != NULL && *value != '\0')
        add_named(req, name, value, strlen(value));
}

static void add_headers(struct exchange *x, h2o_req_t *req, const struct answer *answer)
{
    if (answer->content_type != NULL)
        add_header(req, H2O_TOKEN_CONTENT_TYPE, answer->content_type, strlen(answer->content_type));
    else if (answer->body_length > 0)
        add_header(req, H2O_TOKEN_CONTENT_TYPE, H2O_STRLIT("application/json"));
    add_header(req, H2O_TOKEN_CACHE_CONTROL, H2O_STRLIT("no-store"));
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-content-type-options"), 0, NULL,
                          H2O_STRLIT("nosniff"));
    add_named(req, "x-request-id", x->id, strlen(x->id));
    add_optional(req, "error-code", answer->error_code);
    add_optional(req, "retry-after", answer->retry_after);
    add_optional(req, "www-authenticate", answer->www_authenticate);
    add_optional(req, "ratelimit", answer->rate_limit);
    add_optional(req, "ratelimit-policy", answer->rate_limit_policy);
    add_optional(req, "allow", answer->allow);
    for (size_t i = 0; i < answer->header_count; i++)
        add_named(req, answer->headers[i].name, answer->headers[i].value, strlen(answer->headers[i].value));
    if (answer->location != NULL)
        add_named(req, "location", answer->location, answer->location_length);
}

static void tell_answer(const struct exchange *x, const h2o_req_t *req, const struct answer *answer)
{
    const bool has_code = answer->error_code != NULL && *answer->error_code != '\0';
    const uint64_t duration_us = clock_monotonic_us() - x->arrived_us;
    struct metrics *metrics = &x->loop->metrics;

    metrics_count(metrics, METRIC_REQUESTS, metrics_series_of_status(answer->status));
    metrics_observe(metrics, HISTOGRAM_REQUEST_DURATION, 0, duration_us);

    log_request(&(struct log_request){
        .request_id = x->id,
        .method = req->method.base,
        .method_length = req->method.len,
        .path = req->path.base,
        .path_length = req->query_at == SIZE_MAX ? req->path.len : req->query_at,
        .status = answer->status,
        .duration_us = duration_us,
        .user_id = x->user_id,
        .error_code = has_code ? answer->error_code : NULL,
        .calls = x->calls[0] == '\0' ? NULL : x->calls,
        .is_routine = x->route != NULL && (x->route->flags & ROUTE_IS_ROUTINE),
    });
}

static void send_answer(struct exchange *x, const struct answer *answer)
{
    h2o_req_t *req = exchange_take_request(x);

    if (req == NULL)
        return; /* the client's hold went when it left */

    req->res.status = (int)answer->status;
    req->res.reason = status_reason(answer->status);
    req->res.content_length = answer->body_length;
    if (x->loop->draining)
        req->http1_is_persistent = 0;
    add_headers(x, req, answer);
    tell_answer(x, req, answer);
    h2o_send_inline(req, answer->body, answer->body_length);
    exchange_answered(x);
}

void reply_json(struct exchange *x, unsigned status, const char *json, size_t length)
{
    send_answer(x, &(struct answer){.status = status, .body = json, .body_length = length});
}

void reply_text(struct exchange *x, const char *content_type, const char *text, size_t length)
{
    send_answer(x, &(struct answer){
                       .status = 200, .body = text, .body_length = length, .content_type = content_type});
}

void reply_headers(struct exchange *x, unsigned status, const struct reply_header *headers, size_t count)
{
    send_answer(x, &(struct answer){.status = status, .body = "", .headers = headers, .header_count = count});
}

static void add_envelope(struct buffer *out, struct loop *loop, unsigned status, const char *detail,
                         size_t length)
{
    buffer_add_text(out, "{\"status_code\":");
    buffer_add_number(out, status);
    buffer_add_text(out, ",\"detail\":");
    buffer_add(out, detail, length);
    buffer_add_text(out, ",\"date_time\":\"");
    buffer_add(out, clock_local(&loop->clock), CLOCK_LOCAL_LENGTH);
    buffer_add_text(out, "\"}");
}

static void add_error(struct buffer *out, struct loop *loop, unsigned status, const char *detail,
                      size_t length)
{
    if (loop->service->definition->has_envelope) {
        add_envelope(out, loop, status, detail, length);
        return;
    }
    buffer_add_text(out, "{\"detail\":");
    buffer_add(out, detail, length);
    buffer_add_char(out, '}');
}

void reply_detail(struct exchange *x, unsigned status, const char *detail, size_t length)
{
    struct buffer body;

    assert(x->loop->service->definition->has_envelope);
    buffer_open(&body);
    add_envelope(&body, x->loop, status, detail, length);
    reply_json(x, status, body.at, body.length);
    buffer_close(&body);
}

/* Sends an error whose body is made here; the other members of `answer` are set. */
static void send_error(struct exchange *x, struct answer *answer, const char *detail, size_t length)
{
    struct buffer body;

    buffer_open(&body);
    add_error(&body, x->loop, answer->status, detail, length);
    answer->body = body.at;
    answer->body_length = body.length;
    send_answer(x, answer);
    buffer_close(&body);
}

static void set_fault(struct answer *answer, const struct fault_row *row)
{
    answer->status = row->status;
    answer->error_code = row->name;
    if (row->status == 503)
        answer->retry_after = RETRY_AFTER_S;
    if (row->status == 401 && answer->www_authenticate == NULL)
        answer->www_authenticate = "Bearer";
}

static void send_fault(struct exchange *x, enum fault fault, struct answer *answer, const char *detail,
                       size_t length)
{
    const struct fault_row *row = fault_row(fault);

    set_fault(answer, row);
    if (detail != NULL) {
        send_error(x, answer, detail, length);
        return;
    }

    struct buffer quoted;
    buffer_open(&quoted);
    buffer_add_json(&quoted, row->sentence, strlen(row->sentence));
    send_error(x, answer, quoted.at, quoted.length);
    buffer_close(&quoted);
}

void reply_fault(struct exchange *x, enum fault fault)
{
    send_fault(x, fault, &(struct answer){0}, NULL, 0);
}

void reply_fault_bare(struct exchange *x, enum fault fault)
{
    struct answer answer = {.body = ""};

    set_fault(&answer, fault_row(fault));
    send_answer(x, &answer);
}

void reply_fault_detail(struct exchange *x, enum fault fault, const char *detail, size_t length)
{
    send_fault(x, fault, &(struct answer){0}, detail, length);
}

void reply_token_refused(struct exchange *x, enum fault fault)
{
    assert(fault_row(fault)->status == 401);
    send_fault(x, fault, &(struct answer){.www_authenticate = "Bearer error=\"invalid_token\""}, NULL, 0);
}

void reply_passed_on(struct exchange *x, const struct passed_on *answer)
{
    struct answer copy = {
        .status = answer->status,
        .error_code = answer->error_code,
        .retry_after = answer->retry_after,
        .www_authenticate = answer->www_authenticate,
        .rate_limit = answer->rate_limit,
        .rate_limit_policy = answer->rate_limit_policy,
    };
    send_error(x, &copy, answer->detail, answer->detail_length);
}

void reply_method_not_allowed(struct exchange *x, const char *allow)
{
    send_fault(x, FAULT_METHOD_NOT_ALLOWED, &(struct answer){.allow = allow}, NULL, 0);
}

void reply_redirect(struct exchange *x, const char *location, size_t length)
{
    static const char detail[] = "\"Temporary Redirect\"";
    struct answer answer = {.status = 307, .location = location, .location_length = length};

    send_error(x, &answer, detail, sizeof detail - 1);
}

void reply_error_body(struct buffer *out, struct loop *loop, enum fault fault, const char *detail,
                      size_t length)
{
    const struct fault_row *row = fault_row(fault);
    struct buffer quoted;

    buffer_open(&quoted);
    if (detail != NULL)
        buffer_add(&quoted, detail, length);
    else
        buffer_add_json(&quoted, row->sentence, strlen(row->sentence));
    add_error(out, loop, row->status, quoted.at, quoted.length);
    buffer_close(&quoted);
}
