#include "gateway/forward.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/reply.h"
#include "core/schema.h"
#include "gateway/client.h"

const struct peer peer_auth = {FAULT_AUTH_UNAVAILABLE, FAULT_AUTH_TIMEOUT};
const struct peer peer_message = {FAULT_MESSAGE_UNAVAILABLE, FAULT_MESSAGE_TIMEOUT};

void forward_fill(struct forward *forward, const struct exchange *x)
{
    char address[EXCHANGE_ADDRESS_MAX_BYTES + 1];

    client_write(x, address);
    snprintf(forward->request_id, sizeof forward->request_id, "X-Request-Id: %s", x->id);
    snprintf(forward->client_address, sizeof forward->client_address, "X-Client-Address: %s", address);
    forward->forwarded = client_is_forwarded(x) ? "Forwarded: for=unknown" : "";
}

void forward_agent(char line[sizeof "User-Agent: " + FORWARD_AGENT_MAX_BYTES], const struct exchange *x)
{
    size_t count;
    const h2o_iovec_t agent = exchange_header(x, "user-agent", &count);

    line[0] = '\0';
    if (count != 1 || agent.len == 0 || agent.len > FORWARD_AGENT_MAX_BYTES)
        return;
    for (size_t i = 0; i < agent.len; i++)
        if (agent.base[i] < ' ' || agent.base[i] > '~')
            return;
    snprintf(line, sizeof "User-Agent: " + FORWARD_AGENT_MAX_BYTES, "User-Agent: %.*s", (int)agent.len,
             agent.base);
}

void forward_query(struct buffer *out, h2o_iovec_t query)
{
    if (query.len > 0)
        buffer_add_char(out, '?');
    for (size_t i = 0; i < query.len; i++) {
        const char c = query.base[i];
        if (c > ' ' && c <= '~' && c != '#')
            buffer_add_char(out, c);
        else
            buffer_add_format(out, "%%%02X", (unsigned char)c);
    }
}

static const char *outcome_word(enum relay_outcome outcome)
{
    switch (outcome) {
    case RELAY_ANSWERED:
        return "unexpected answer";
    case RELAY_UNREACHABLE:
        return "unreachable";
    case RELAY_TIMED_OUT:
        return "timed out";
    case RELAY_TOO_LARGE:
        return "answer too large";
    case RELAY_NO_ROOM:
        return "too many calls under way";
    }
    return "?";
}

static enum fault fault_of(enum relay_outcome outcome, const struct peer *peer)
{
    if (outcome == RELAY_NO_ROOM)
        return FAULT_BUSY;
    return outcome == RELAY_TIMED_OUT ? peer->timeout : peer->unavailable;
}

enum fault forward_fault(const struct exchange *x, const struct peer *peer, const struct call *call)
{
    log_event(LOG_WARN, "relay_failed", LOG_STRING("request_id", x->id), LOG_STRING("path", call->path),
              LOG_STRING("outcome", outcome_word(call->outcome)), LOG_NUMBER("status", call->answer.status));
    return fault_of(call->outcome, peer);
}

void forward_reply_failed(struct exchange *x, const struct peer *peer, const struct call *call)
{
    reply_fault(x, forward_fault(x, peer, call));
}

static bool is_busy(const struct relay_answer *answer)
{
    return answer->status == 429 || answer->status == 503;
}

void forward_reply_unanswered(struct exchange *x, const struct peer *peer, const struct question *question)
{
    const struct call *call = question->call;

    if (call != NULL && question->outcome == RELAY_ANSWERED && peer == &peer_auth && is_busy(&call->answer)) {
        forward_reply_refused(x, call);
        return;
    }
    log_event(LOG_WARN, "relay_failed", LOG_STRING("request_id", x->id),
              LOG_STRING("calls", question->call_id), LOG_STRING("outcome", outcome_word(question->outcome)),
              LOG_NUMBER("status", call == NULL ? 0 : call->answer.status));
    reply_fault(x, fault_of(question->outcome, peer));
}

struct refusal_form {
    struct text detail;
};

static const struct field refusal_fields[] = {
    {.name = "detail", .kind = FIELD_RAW, .at = offsetof(struct refusal_form, detail), .required = true},
};
static const struct form refusal = {refusal_fields, 1, sizeof(struct refusal_form)};

static bool may_be_passed_on(const struct relay_answer *answer)
{
    static const unsigned statuses[] = {400, 401, 403, 404, 409, 422, 429, 503};

    if (strcmp(answer->error_code, fault_row(FAULT_SERVICE_KEY_REFUSED)->name) == 0)
        return false;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (answer->status == statuses[i])
            return true;
    return false;
}

void forward_reply_refused(struct exchange *x, const struct call *call)
{
    const struct relay_answer *answer = &call->answer;
    struct refusal_form form;
    struct buffer faults;

    if (!may_be_passed_on(answer)) {
        forward_reply_failed(x, &peer_auth, call);
        return;
    }
    buffer_open(&faults);
    struct reading *reading = schema_read(&refusal, answer->body, answer->body_length, &form, &faults);
    if (faults.length > 0)
        forward_reply_failed(x, &peer_auth, call);
    else
        reply_passed_on(x, &(struct passed_on){.status = answer->status,
                                               .detail = form.detail.at,
                                               .detail_length = form.detail.length,
                                               .error_code = answer->error_code,
                                               .retry_after = answer->retry_after,
                                               .www_authenticate = answer->www_authenticate,
                                               .rate_limit = answer->rate_limit,
                                               .rate_limit_policy = answer->rate_limit_policy});
    reading_close(reading);
    buffer_close(&faults);
}
