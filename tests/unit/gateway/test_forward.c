// links: gateway/forward.c core/schema.c core/json_arena.c core/json_scan.c core/buffer.c core/memory.c
// links: core/fault.c core/key_set.c
// libs: cjson
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/reply.h"
#include "gateway/client.h"
#include "gateway/forward.h"

/* The request: who sent it, and with what. */
static const char *client_address;
static const char *agent; /* NULL: no User-Agent */
static size_t agent_count;

h2o_iovec_t exchange_header(const struct exchange *x, const char *name, size_t *count)
{
    (void)x;
    assert_string_equal(name, "user-agent");
    *count = agent == NULL ? 0 : agent_count;
    return h2o_iovec_init(agent, agent == NULL ? 0 : strlen(agent));
}

void client_write(const struct exchange *x, char out[EXCHANGE_ADDRESS_MAX_BYTES + 1])
{
    (void)x;
    snprintf(out, EXCHANGE_ADDRESS_MAX_BYTES + 1, "%s", client_address);
}

static bool is_forwarded;

bool client_is_forwarded(const struct exchange *x)
{
    (void)x;
    return is_forwarded;
}

/* The answer: one, of one of two kinds. */
static struct {
    unsigned count;
    enum fault fault; /* FAULT_COUNT: passed on */
    unsigned status;
    char detail[512];
    char error_code[64];
    char retry_after[64];
    char www_authenticate[64];
    char rate_limit[64];
    char rate_limit_policy[64];
} reply;

void reply_fault(struct exchange *x, enum fault fault)
{
    (void)x;
    reply.count++;
    reply.fault = fault;
}

void reply_passed_on(struct exchange *x, const struct passed_on *answer)
{
    (void)x;
    reply.count++;
    reply.fault = FAULT_COUNT;
    reply.status = answer->status;
    snprintf(reply.detail, sizeof reply.detail, "%.*s", (int)answer->detail_length, answer->detail);
    snprintf(reply.error_code, sizeof reply.error_code, "%s", answer->error_code);
    snprintf(reply.retry_after, sizeof reply.retry_after, "%s", answer->retry_after);
    snprintf(reply.www_authenticate, sizeof reply.www_authenticate, "%s", answer->www_authenticate);
    snprintf(reply.rate_limit, sizeof reply.rate_limit, "%s", answer->rate_limit);
    snprintf(reply.rate_limit_policy, sizeof reply.rate_limit_policy, "%s", answer->rate_limit_policy);
}

static unsigned lines;
static char logged_outcome[64];

void log_event_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    assert_int_equal(level, LOG_WARN);
    assert_string_equal(event, "relay_failed");
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].key, "outcome") == 0)
            snprintf(logged_outcome, sizeof logged_outcome, "%.*s", (int)fields[i].length, fields[i].text);
    lines++;
}

static struct exchange x = {.id = "an-id"};

static int forget(void **state)
{
    (void)state;
    memset(&reply, 0, sizeof reply);
    lines = 0;
    client_address = "127.0.0.1";
    is_forwarded = false;
    return 0;
}

static struct call answered(unsigned status, const char *body)
{
    return (struct call){
        .path = "/login",
        .outcome = RELAY_ANSWERED,
        .answer = {.status = status, .body = body, .body_length = strlen(body)},
    };
}

static void refuse(const struct call *call)
{
    forget(NULL);
    forward_reply_refused(&x, call);
    assert_int_equal(reply.count, 1);
}

static void who_asks_and_for_whom_is_carried_on(void **state)
{
    struct forward forward;

    (void)state;
    client_address = "2001:db8::1";
    forward_fill(&forward, &x);
    assert_string_equal(forward.request_id, "X-Request-Id: an-id");
    assert_string_equal(forward.client_address, "X-Client-Address: 2001:db8::1");
    assert_string_equal(forward.forwarded, "");
}

/* Or auth would take a client behind a proxy on this machine for one on it. */
static void that_a_request_was_forwarded_is_carried_on(void **state)
{
    struct forward forward;

    (void)state;
    is_forwarded = true;
    forward_fill(&forward, &x);
    assert_string_equal(forward.forwarded, "Forwarded: for=unknown");
}

static void the_longest_id_and_address_fit(void **state)
{
    char address[EXCHANGE_ADDRESS_MAX_BYTES + 1] = "";
    struct exchange longest = {0};
    struct forward forward;

    (void)state;
    memset(longest.id, 'i', REQUEST_ID_MAX_BYTES);
    memset(address, 'a', EXCHANGE_ADDRESS_MAX_BYTES);
    client_address = address;
    forward_fill(&forward, &longest);
    assert_string_equal(forward.request_id + strlen("X-Request-Id: "), longest.id);
    assert_string_equal(forward.client_address + strlen("X-Client-Address: "), address);
}

static void assert_agent(const char *sent, size_t count, const char *line)
{
    char written[sizeof "User-Agent: " + FORWARD_AGENT_MAX_BYTES];

    agent = sent;
    agent_count = count;
    memset(written, '#', sizeof written);
    forward_agent(written, &x);
    assert_string_equal(written, line);
}

static void the_agent_is_told_if_it_can_be(void **state)
{
    char longest[FORWARD_AGENT_MAX_BYTES + 2];
    char line[sizeof "User-Agent: " + FORWARD_AGENT_MAX_BYTES];

    (void)state;
    assert_agent("curl/7.88 (x; ~)", 1, "User-Agent: curl/7.88 (x; ~)");
    assert_agent(NULL, 0, "");
    assert_agent("", 1, "");
    assert_agent("a", 2, "");
    assert_agent("a\tb", 1, "");
    assert_agent("a\r\nX: b", 1, "");
    assert_agent("b\xc3\xa4", 1, "");
    assert_agent("a\x7f", 1, "");
    memset(longest, 'a', sizeof longest);
    longest[FORWARD_AGENT_MAX_BYTES + 1] = '\0';
    assert_agent(longest, 1, "");
    longest[FORWARD_AGENT_MAX_BYTES] = '\0';
    strcpy(line, "User-Agent: ");
    strcat(line, longest);
    assert_agent(longest, 1, line);
}

static void assert_query(const char *query, size_t length, const char *written)
{
    struct buffer out;

    buffer_open(&out);
    forward_query(&out, h2o_iovec_init(query, length));
    assert_string_equal(out.at, written);
    buffer_close(&out);
}

static void a_query_is_carried_on_and_means_the_same(void **state)
{
    static const char odd[] = "a=#\xc3\xa4 \t\r\n\0\x7f";

    (void)state;
    assert_query(NULL, 0, "");
    assert_query("a=b+c%20%zz&d", 13, "?a=b+c%20%zz&d");
    assert_query(odd, sizeof odd - 1, "?a=%23%C3%A4%20%09%0D%0A%00%7F");
}

static void a_service_that_fails_is_502_and_one_that_is_slow_504(void **state)
{
    static const struct {
        enum relay_outcome outcome;
        enum fault of_auth;
        enum fault of_message;
        const char *word;
    } rows[] = {
        {RELAY_UNREACHABLE, FAULT_AUTH_UNAVAILABLE, FAULT_MESSAGE_UNAVAILABLE, "unreachable"},
        {RELAY_TOO_LARGE, FAULT_AUTH_UNAVAILABLE, FAULT_MESSAGE_UNAVAILABLE, "answer too large"},
        {RELAY_ANSWERED, FAULT_AUTH_UNAVAILABLE, FAULT_MESSAGE_UNAVAILABLE, "unexpected answer"},
        {RELAY_TIMED_OUT, FAULT_AUTH_TIMEOUT, FAULT_MESSAGE_TIMEOUT, "timed out"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct call call = {.path = "/login", .outcome = rows[i].outcome};
        forget(NULL);
        forward_reply_failed(&x, &peer_auth, &call);
        assert_int_equal(reply.fault, rows[i].of_auth);
        forward_reply_failed(&x, &peer_message, &call);
        assert_int_equal(reply.fault, rows[i].of_message);
        assert_int_equal(lines, 2);
        assert_string_equal(logged_outcome, rows[i].word);
    }
}

static void what_auth_refuses_is_passed_on(void **state)
{
    static const unsigned statuses[] = {400, 401, 403, 404, 409, 422, 429, 503};

    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct call call = answered(statuses[i], "{\"detail\":\"No, \\\"never\\\"\"}");
        strcpy(call.answer.error_code, "A_CODE");
        strcpy(call.answer.retry_after, "7");
        strcpy(call.answer.www_authenticate, "Bearer");
        strcpy(call.answer.rate_limit, "\"a\";r=0;t=7");
        strcpy(call.answer.rate_limit_policy, "\"a\";q=9");
        refuse(&call);
        assert_int_equal(reply.fault, FAULT_COUNT);
        assert_int_equal(reply.status, statuses[i]);
        assert_string_equal(reply.detail, "\"No, \\\"never\\\"\"");
        assert_string_equal(reply.error_code, "A_CODE");
        assert_string_equal(reply.retry_after, "7");
        assert_string_equal(reply.www_authenticate, "Bearer");
        assert_string_equal(reply.rate_limit, "\"a\";r=0;t=7");
        assert_string_equal(reply.rate_limit_policy, "\"a\";q=9");
        assert_int_equal(lines, 0);
    }
}

static void a_list_of_faults_is_passed_on_as_it_is(void **state)
{
    static const char detail[] =
        "[{\"loc\":[\"body\",\"password\"],\"msg\":\"Field required\",\"type\":\"missing\"}]";
    char body[256];

    (void)state;
    snprintf(body, sizeof body, "{\"detail\":%s}", detail);
    const struct call call = answered(422, body);
    refuse(&call);
    assert_int_equal(reply.fault, FAULT_COUNT);
    assert_string_equal(reply.detail, detail);
}

static void any_other_status_is_502(void **state)
{
    static const unsigned statuses[] = {100, 200, 204, 301, 307, 402, 405, 413,
                                        415, 417, 418, 500, 502, 504, 0};

    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        const struct call call = answered(statuses[i], "{\"detail\":\"x\"}");
        refuse(&call);
        assert_int_equal(reply.fault, FAULT_AUTH_UNAVAILABLE);
        assert_int_equal(lines, 1);
    }
}

static void a_refusal_without_detail_is_502(void **state)
{
    static const char *const bodies[] = {
        "", "{}", "[]", "null", "<html>", "{\"detail\":\"x\"", "\"x\"", "{\"Detail\":1}"};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        const struct call call = answered(409, bodies[i]);
        refuse(&call);
        assert_int_equal(reply.fault, FAULT_AUTH_UNAVAILABLE);
    }
}

/* It is the gateway that was refused, not its client. */
static void a_refused_service_key_is_502(void **state)
{
    struct call call = answered(401, "{\"detail\":\"Service key is missing or wrong\"}");

    (void)state;
    strcpy(call.answer.error_code, "SERVICE_KEY_REFUSED");
    refuse(&call);
    assert_int_equal(reply.fault, FAULT_AUTH_UNAVAILABLE);
}

#define FORWARD_TEST(name) cmocka_unit_test_setup(name, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FORWARD_TEST(who_asks_and_for_whom_is_carried_on),
        FORWARD_TEST(that_a_request_was_forwarded_is_carried_on),
        FORWARD_TEST(the_longest_id_and_address_fit),
        FORWARD_TEST(the_agent_is_told_if_it_can_be),
        FORWARD_TEST(a_query_is_carried_on_and_means_the_same),
        FORWARD_TEST(a_service_that_fails_is_502_and_one_that_is_slow_504),
        FORWARD_TEST(what_auth_refuses_is_passed_on),
        FORWARD_TEST(a_list_of_faults_is_passed_on_as_it_is),
        FORWARD_TEST(any_other_status_is_502),
        FORWARD_TEST(a_refusal_without_detail_is_502),
        FORWARD_TEST(a_refused_service_key_is_502),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
