// links: core/authorization.c core/exchange.c core/loop.c core/clock.c core/memory.c core/metrics.c
// libs: h2o-evloop ssl crypto pthread
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/authorization.h"
#include "core/connection.h"
#include "core/log.h"
#include "core/router.h"

/* What an exchange meets on its way through a service, which these claims are not about. */
void log_request(const struct log_request *request)
{
    (void)request;
    fail();
}

const struct route *router_find(const struct entrance *entrance, const h2o_req_t *req)
{
    (void)entrance, (void)req;
    fail();
    return NULL;
}

void router_enter(struct exchange *x)
{
    (void)x;
    fail();
}

struct connection *connection_of(h2o_req_t *req)
{
    (void)req;
    return NULL;
}

void connection_request_started(struct connection *connection)
{
    (void)connection;
}

void connection_request_ended(struct connection *connection)
{
    (void)connection;
}

/* A request with nothing but headers. */
static h2o_req_t req;
static struct exchange x;

static int open_request(void **state)
{
    (void)state;
    memset(&req, 0, sizeof req);
    h2o_mem_init_pool(&req.pool);
    x = (struct exchange){.req = &req};
    return 0;
}

static int close_request(void **state)
{
    (void)state;
    h2o_mem_clear_pool(&req.pool);
    return 0;
}

static void send_header(const char *value, size_t length)
{
    h2o_add_header(&req.pool, &req.headers, H2O_TOKEN_AUTHORIZATION, NULL, value, length);
}

static void forget_headers(void)
{
    req.headers.size = 0;
}

static void what_a_value_means(void **state)
{
    static const struct {
        const char *value;
        enum authorization outcome;
        const char *token;
    } rows[] = {
        /* Bearer, in any case, then spaces or tabs. */
        {"Bearer a.b.c", AUTHORIZATION_TOKEN, "a.b.c"},
        {"bearer a.b.c", AUTHORIZATION_TOKEN, "a.b.c"},
        {"BEARER a.b.c", AUTHORIZATION_TOKEN, "a.b.c"},
        {"bEaReR a.b.c", AUTHORIZATION_TOKEN, "a.b.c"},
        {"Bearer    a.b.c", AUTHORIZATION_TOKEN, "a.b.c"},
        {"Bearer\ta.b.c", AUTHORIZATION_TOKEN, "a.b.c"},
        {"Bearer \t \ta.b.c", AUTHORIZATION_TOKEN, "a.b.c"},
        {"  Bearer a.b.c\t ", AUTHORIZATION_TOKEN, "a.b.c"},
        {"Bearer Bearer", AUTHORIZATION_TOKEN, "Bearer"},
        {"Bearer x", AUTHORIZATION_TOKEN, "x"},
        /* Without a scheme: the whole value. */
        {"a.b.c", AUTHORIZATION_TOKEN, "a.b.c"},
        {" \ta.b.c \t", AUTHORIZATION_TOKEN, "a.b.c"},
        {"Bearera.b.c", AUTHORIZATION_TOKEN, "Bearera.b.c"},
        {"Bearer:a.b.c", AUTHORIZATION_TOKEN, "Bearer:a.b.c"},
        {"Beare", AUTHORIZATION_TOKEN, "Beare"},
        {"Basic", AUTHORIZATION_TOKEN, "Basic"},
        /* No token at all. */
        {"", AUTHORIZATION_ABSENT, NULL},
        {" ", AUTHORIZATION_ABSENT, NULL},
        {" \t\t ", AUTHORIZATION_ABSENT, NULL},
        {"Bearer", AUTHORIZATION_ABSENT, NULL},
        {"bearer", AUTHORIZATION_ABSENT, NULL},
        {"Bearer ", AUTHORIZATION_ABSENT, NULL},
        {"  Bearer \t ", AUTHORIZATION_ABSENT, NULL},
        /* Another scheme. */
        {"Basic dXNlcjpwYXNz", AUTHORIZATION_OTHER, NULL},
        {"Digest username=\"x\"", AUTHORIZATION_OTHER, NULL},
        {"Token\ta.b.c", AUTHORIZATION_OTHER, NULL},
        {"Bearers a.b.c", AUTHORIZATION_OTHER, NULL},
        {"a.b.c Bearer", AUTHORIZATION_OTHER, NULL},
        /* Ours, but no token can look like that. */
        {"Bearer a b", AUTHORIZATION_UNUSABLE, NULL},
        {"Bearer a.b.c\tx", AUTHORIZATION_UNUSABLE, NULL},
        {"Bearer Bearer a.b.c", AUTHORIZATION_UNUSABLE, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        h2o_iovec_t token = {NULL, 0};
        /* A copy of the exact length, so that reading past its end is found out. */
        const size_t length = strlen(rows[i].value);
        char *value = malloc(length > 0 ? length : 1);
        assert_non_null(value);
        memcpy(value, rows[i].value, length);

        forget_headers();
        send_header(value, length);
        const enum authorization outcome = authorization_read(&x, &token);
        if (outcome != rows[i].outcome)
            print_error("Authorization: '%s'\n", rows[i].value);
        assert_int_equal(outcome, rows[i].outcome);
        assert_int_equal(token.len, rows[i].token == NULL ? 0 : strlen(rows[i].token));
        if (rows[i].token != NULL)
            assert_memory_equal(token.base, rows[i].token, token.len);
        free(value);
    }
}

static void no_header_is_no_token(void **state)
{
    h2o_iovec_t token = {NULL, 0};

    (void)state;
    assert_int_equal(authorization_read(&x, &token), AUTHORIZATION_ABSENT);
    h2o_add_header_by_str(&req.pool, &req.headers, H2O_STRLIT("x-authorization"), 0, NULL,
                          H2O_STRLIT("Bearer a.b.c"));
    assert_int_equal(authorization_read(&x, &token), AUTHORIZATION_ABSENT);
    assert_null(token.base);
}

static void a_client_that_left_brought_no_token(void **state)
{
    h2o_iovec_t token = {NULL, 0};
    const struct exchange gone = {.req = NULL};

    (void)state;
    assert_int_equal(authorization_read(&gone, &token), AUTHORIZATION_ABSENT);
    assert_null(token.base);
}

static void two_headers_are_unusable_whatever_they_say(void **state)
{
    static const char *const pairs[][2] = {
        {"Bearer a.b.c", "Bearer a.b.c"}, {"Bearer a.b.c", ""}, {"", "Bearer a.b.c"}, {"", ""},
        {"Basic x", "Bearer a.b.c"},      {"a.b.c", "d.e.f"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        h2o_iovec_t token = {NULL, 0};
        forget_headers();
        send_header(pairs[i][0], strlen(pairs[i][0]));
        send_header(pairs[i][1], strlen(pairs[i][1]));
        assert_int_equal(authorization_read(&x, &token), AUTHORIZATION_UNUSABLE);
        assert_null(token.base);
    }
}

static enum authorization outcome_of_length(const char *before, size_t token_bytes)
{
    static char value[64 + AUTHORIZATION_MAX_BYTES * 2];
    const size_t start = strlen(before);
    h2o_iovec_t token = {NULL, 0};

    memcpy(value, before, start);
    memset(value + start, 'x', token_bytes);
    forget_headers();
    send_header(value, start + token_bytes);
    const enum authorization outcome = authorization_read(&x, &token);
    assert_int_equal(token.len, outcome == AUTHORIZATION_TOKEN ? token_bytes : 0);
    return outcome;
}

static void a_token_has_at_most_4096_bytes(void **state)
{
    (void)state;
    assert_int_equal(outcome_of_length("Bearer ", 4096), AUTHORIZATION_TOKEN);
    assert_int_equal(outcome_of_length("Bearer ", 4097), AUTHORIZATION_UNUSABLE);
    assert_int_equal(outcome_of_length("Bearer        ", 4096), AUTHORIZATION_TOKEN);
    assert_int_equal(outcome_of_length("", 4096), AUTHORIZATION_TOKEN);
    assert_int_equal(outcome_of_length("", 4097), AUTHORIZATION_UNUSABLE);
    assert_int_equal(outcome_of_length("Bearer ", 8000), AUTHORIZATION_UNUSABLE);
}

#define REQUEST_TEST(name) cmocka_unit_test_setup_teardown(name, open_request, close_request)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REQUEST_TEST(what_a_value_means),
        REQUEST_TEST(no_header_is_no_token),
        REQUEST_TEST(a_client_that_left_brought_no_token),
        REQUEST_TEST(two_headers_are_unusable_whatever_they_say),
        REQUEST_TEST(a_token_has_at_most_4096_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
