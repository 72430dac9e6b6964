// links: tests/support/upstream.c core/relay.c core/relay_head.c core/loop.c core/clock.c
// links: core/memory.c core/buffer.c
// libs: h2o-evloop curl ssl crypto pthread
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/relay.h"
#include "tests/support/test_loop.h"
#include "tests/support/upstream.h"

#define ANSWER_MAX_BYTES 4096
#define PATIENT_MS       60000

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define HUNDRED \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define VALUE255 HUNDRED HUNDRED "0123456789012345678901234567890123456789012345678901234"

#define ODD_QUERY "?a=%00+%zz&b=/../x?\"<>\\^`{|}~!$'()*,:;@[]"

static const char nul_in_a_header[] = OK_HEAD "Error-Code: A\0B\r\nContent-Length: 2\r\n\r\nok";

static const struct upstream_line script[] = {
    {.path = "/ok", .answer = OK_HEAD "Content-Length: 2\r\n\r\nok"},
    {.path = "/ok" ODD_QUERY, .answer = OK_HEAD "Content-Length: 2\r\n\r\nok"},
    {.path = "/until-close", .answer = OK_HEAD "\r\nall of it", .then = UPSTREAM_CLOSE},
    {.path = "/chunked",
     .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"},
    {.path = "/no-content", .answer = "HTTP/1.1 204 No Content\r\n\r\n"},
    {.path = "/refusal",
     .answer =
         "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\nWWW-Authenticate:   Bearer error=\"x\"  \r\n"
         "ERROR-CODE:TOO_MANY_ATTEMPTS\r\nRateLimit: \"logins\";r=0;t=7\r\n"
         "ratelimit-policy: \"logins\";q=10;w=60\r\nX-Role: admin\r\nContent-Length: "
         "13\r\n\r\n{\"detail\":\"\"}"},
    {.path = "/redirect", .answer = "HTTP/1.1 307 Moved\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n"},
    {.path = "/early-hints",
     .answer = "HTTP/1.1 103 Early Hints\r\nRetry-After: 99\r\nError-Code: EARLY\r\n\r\n" OK_HEAD
               "Error-Code: LATE\r\nContent-Length: 2\r\n\r\nok"},
    {.path = "/continue", .answer = "HTTP/1.1 100 Continue\r\n\r\n" OK_HEAD "Content-Length: 2\r\n\r\nok"},

    {.path = "/silent", .answer = ""},
    {.path = "/head-only", .answer = OK_HEAD "Content-Length: 10\r\n\r\n"},
    {.path = "/closes", .answer = "", .then = UPSTREAM_CLOSE},
    {.path = "/resets", .answer = "", .then = UPSTREAM_RESET},
    {.path = "/breaks-in-head", .answer = "HTTP/1.1 200 OK\r\nContent-Le", .then = UPSTREAM_CLOSE},
    {.path = "/breaks-between-headers", .answer = OK_HEAD "Error-Code: X\r\n", .then = UPSTREAM_CLOSE},
    {.path = "/breaks-in-status", .answer = "HTTP/1.1 2", .then = UPSTREAM_CLOSE},
    {.path = "/resets-in-head", .answer = OK_HEAD "Content-Le", .then = UPSTREAM_RESET},
    {.path = "/breaks-after-continue", .answer = "HTTP/1.1 100 Continue\r\n\r\n", .then = UPSTREAM_CLOSE},
    {.path = "/breaks-in-body", .answer = OK_HEAD "Content-Length: 10\r\n\r\nabc", .then = UPSTREAM_CLOSE},
    {.path = "/resets-in-body", .answer = OK_HEAD "Content-Length: 10\r\n\r\nabc", .then = UPSTREAM_RESET},
    {.path = "/breaks-in-chunk",
     .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
     .then = UPSTREAM_CLOSE},
    {.path = "/breaks-before-last-chunk",
     .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
     .then = UPSTREAM_CLOSE},
    {.path = "/bad-chunk", .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n"},
    {.path = "/more-than-told", .answer = OK_HEAD "Content-Length: 2\r\n\r\nokHTTP/1.1 500 Smuggled\r\n\r\n"},
    {.path = "/negative-length", .answer = OK_HEAD "Content-Length: -5\r\n\r\nabcde"},
    {.path = "/length-of-letters", .answer = OK_HEAD "Content-Length: five\r\n\r\nabcde"},

    {.path = "/garbage", .answer = "\x16\x03\x01\x02rubbish\r\n\r\n", .then = UPSTREAM_CLOSE},
    {.path = "/other-protocol", .answer = "SSH-2.0-OpenSSH_9.2\r\n", .then = UPSTREAM_CLOSE},
    {.path = "/json-without-http", .answer = "{\"is_valid\":true}", .then = UPSTREAM_CLOSE},
    {.path = "/no-status", .answer = "HTTP/1.1 \r\n\r\n", .then = UPSTREAM_CLOSE},
    {.path = "/nul", .answer = nul_in_a_header, .length = sizeof nul_in_a_header - 1},

    {.path = "/control",
     .answer = OK_HEAD "Error-Code: A\x01"
                       "B\r\nRetry-After: 1\x7f\r\n"
                       "WWW-Authenticate: B\xc3\xa4r\r\nContent-Length: 2\r\n\r\nok"},
    {.path = "/tab", .answer = OK_HEAD "Error-Code: A\tB\r\nContent-Length: 2\r\n\r\nok"},
    {.path = "/value-255", .answer = OK_HEAD "Error-Code: " VALUE255 "\r\nContent-Length: 2\r\n\r\nok"},
    {.path = "/value-256", .answer = OK_HEAD "Error-Code: " VALUE255 "x\r\nContent-Length: 2\r\n\r\nok"},
};

/* A call and the traces of its reply: what points into it is gone afterwards. */
struct asked {
    struct call call;
    unsigned replies;
    unsigned status;
    size_t body_length;
    char body[ANSWER_MAX_BYTES + 1];
    bool was_free; /* on_reply: the call was no longer under way */
};

static struct test_loop own;
static struct relay *relay;
static struct upstream upstream;

static struct relay_options options(void)
{
    return (struct relay_options){.timeout_ms = PATIENT_MS,
                                  .connect_timeout_ms = PATIENT_MS,
                                  .calls_max = 8,
                                  .answer_max_bytes = ANSWER_MAX_BYTES,
                                  .keepalive_timeout_ms = 75000};
}

static int open_relay(void **state)
{
    const struct relay_options common = options();

    (void)state;
    test_loop_open(&own);
    upstream_open(&upstream, script, sizeof script / sizeof script[0]);
    relay = relay_open(&own.loop, &common);
    return 0;
}

static void reopen_relay(const struct relay_options *others)
{
    relay_close(relay);
    relay = relay_open(&own.loop, others);
}

static int close_relay(void **state)
{
    (void)state;
    relay_close(relay);
    upstream_close(&upstream);
    test_loop_close(&own);
    return 0;
}

static void on_reply(struct call *call)
{
    struct asked *asked = H2O_STRUCT_FROM_MEMBER(struct asked, call, call);

    asked->replies++;
    asked->was_free = call->transfer == NULL;
    asked->status = call->answer.status;
    asked->body_length = call->answer.body_length;
    assert_true(asked->body_length <= ANSWER_MAX_BYTES);
    assert_int_equal(call->answer.body[asked->body_length], '\0');
    memcpy(asked->body, call->answer.body, asked->body_length + 1);
}

static struct call call_of(const char *method, const char *path, const char *body)
{
    return (struct call){.base = upstream.base,
                         .method = method,
                         .path = path,
                         .body = body,
                         .body_length = body == NULL ? 0 : strlen(body),
                         .on_reply = on_reply};
}

static struct asked asking(const char *method, const char *path, const char *body)
{
    return (struct asked){.call = call_of(method, path, body)};
}

static void start(struct asked *asked)
{
    assert_true(call_start(relay, &asked->call));
    assert_int_equal(asked->replies, 0);
}

static void turn_until_replied(const struct asked *asked)
{
    while (asked->replies == 0)
        loop_turn(&own.loop);
    assert_int_equal(asked->replies, 1);
    assert_true(asked->was_free);
}

static struct asked ask(const char *method, const char *path, const char *body)
{
    struct asked asked = asking(method, path, body);

    start(&asked);
    turn_until_replied(&asked);
    return asked;
}

static unsigned requests(void)
{
    return atomic_load(&upstream.request_count);
}

static const struct upstream_request *last_request(void)
{
    assert_true(requests() > 0);
    return &upstream.requests[requests() - 1];
}

static void assert_answered(const struct asked *asked, unsigned status, const char *body)
{
    assert_int_equal(asked->call.outcome, RELAY_ANSWERED);
    assert_int_equal(asked->status, status);
    assert_string_equal(asked->body, body);
    assert_int_equal(asked->body_length, strlen(body));
}

static void assert_last_says(const char *text)
{
    if (strstr(last_request()->text, text) == NULL)
        print_error("not in what was asked: '%s'\n%s\n", text, last_request()->text);
    assert_non_null(strstr(last_request()->text, text));
}

/* --- what is asked --- */

static void a_get_has_neither_body_nor_content_type(void **state)
{
    (void)state;
    const struct asked asked = ask("GET", "/ok", NULL);
    assert_answered(&asked, 200, "ok");
    assert_memory_equal(last_request()->text, "GET /ok HTTP/1.1\r\n", 18);
    assert_null(strcasestr(last_request()->text, "content-"));
    assert_null(strcasestr(last_request()->text, "x-service-key"));
}

static void a_post_carries_its_body_as_json_and_its_headers(void **state)
{
    struct asked asked = asking("POST", "/ok", "{\"a\":1}");

    (void)state;
    asked.call.headers[0] = "X-Request-Id: abc";
    asked.call.headers[1] = "token: t";
    start(&asked);
    turn_until_replied(&asked);
    assert_answered(&asked, 200, "ok");
    assert_memory_equal(last_request()->text, "POST /ok HTTP/1.1\r\n", 19);
    assert_last_says("\r\nContent-Type: application/json\r\n");
    assert_last_says("\r\nContent-Length: 7\r\n");
    assert_last_says("\r\nX-Request-Id: abc\r\n");
    assert_last_says("\r\ntoken: t\r\n");
    assert_last_says("\r\n\r\n{\"a\":1}");
}

static void a_post_without_body_says_so(void **state)
{
    (void)state;
    const struct asked asked = ask("POST", "/ok", NULL);
    assert_answered(&asked, 200, "ok");
    assert_last_says("\r\nContent-Length: 0\r\n");
}

static void methods_do_not_stick_to_what_is_reused(void **state)
{
    static const char *const methods[] = {"POST", "GET", "PUT", "GET", "DELETE", "PATCH", "GET", "POST"};

    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        const bool is_get = strcmp(methods[i], "GET") == 0;
        const struct asked asked = ask(methods[i], "/ok", is_get ? NULL : "{}");
        assert_answered(&asked, 200, "ok");
        assert_memory_equal(last_request()->text, methods[i], strlen(methods[i]));
        assert_int_equal(strstr(last_request()->text, "Content-Length: 2") == NULL, is_get);
    }
}

static void the_question_is_copied(void **state)
{
    char path[] = "/ok";
    char body[] = "{\"a\":1}";
    char base[sizeof upstream.base];
    char header[] = "token: t";

    (void)state;
    strcpy(base, upstream.base);
    struct asked asked = asking("POST", path, body);
    asked.call.base = base;
    asked.call.headers[0] = header;
    start(&asked);
    memset(path, 'x', sizeof path);
    memset(body, 'x', sizeof body);
    memset(base, 'x', sizeof base);
    memset(header, 'x', sizeof header);
    turn_until_replied(&asked);
    assert_answered(&asked, 200, "ok");
    assert_last_says("\r\ntoken: t\r\n");
    assert_last_says("\r\n\r\n{\"a\":1}");
}

static void a_large_body_is_sent_whole_without_asking_first(void **state)
{
    const size_t length = 2 * 1024 * 1024;
    char *body = malloc(length + 1);

    (void)state;
    assert_non_null(body);
    memset(body, 'x', length);
    body[length] = '\0';
    const struct asked asked = ask("POST", "/ok", body);
    free(body);
    assert_answered(&asked, 200, "ok");
    assert_null(strcasestr(last_request()->text, "\r\nexpect:"));
    assert_true(last_request()->length > length);
}

static void the_service_key_is_sent_with_every_call(void **state)
{
    char key[1024 + 1]; /* the longest that is allowed */
    char line[1100];
    struct relay_options with_key = options();

    (void)state;
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    snprintf(line, sizeof line, "\r\nX-Service-Key: %s\r\n", key);
    with_key.service_key = key;
    reopen_relay(&with_key);
    for (int i = 0; i < 2; i++) {
        ask(i == 0 ? "GET" : "POST", "/ok", i == 0 ? NULL : "{}");
        assert_last_says(line);
    }
    with_key.service_key = "";
    reopen_relay(&with_key);
    ask("GET", "/ok", NULL);
    assert_null(strcasestr(last_request()->text, "x-service-key"));
}

/* The environment's proxy is a port on which nobody listens. */
static void a_proxy_in_the_environment_is_not_used(void **state)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    const struct relay_options common = options();

    (void)state;
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        setenv(names[i], "http://127.0.0.1:1/", 1);
    reopen_relay(&common);
    const struct asked asked = ask("GET", "/ok", NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    assert_answered(&asked, 200, "ok");
    assert_memory_equal(last_request()->text, "GET /ok HTTP/1.1\r\n", 18);
}

/* --- what is answered --- */

static void every_way_to_end_a_body_is_understood(void **state)
{
    (void)state;
    struct asked asked = ask("GET", "/until-close", NULL);
    assert_answered(&asked, 200, "all of it");
    asked = ask("GET", "/chunked", NULL);
    assert_answered(&asked, 200, "abcde");
    asked = ask("GET", "/no-content", NULL);
    assert_answered(&asked, 204, "");
}

static void the_headers_that_are_passed_on_are_taken_trimmed(void **state)
{
    (void)state;
    const struct asked asked = ask("POST", "/refusal", "{}");
    assert_answered(&asked, 429, "{\"detail\":\"\"}");
    assert_string_equal(asked.call.answer.retry_after, "7");
    assert_string_equal(asked.call.answer.www_authenticate, "Bearer error=\"x\"");
    assert_string_equal(asked.call.answer.error_code, "TOO_MANY_ATTEMPTS");
    assert_string_equal(asked.call.answer.rate_limit, "\"logins\";r=0;t=7");
    assert_string_equal(asked.call.answer.rate_limit_policy, "\"logins\";q=10;w=60");
}

static void headers_of_an_answer_do_not_stick_to_the_next(void **state)
{
    static const char *const paths[] = {"/ok", "/closes"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct asked asked = ask("POST", "/refusal", "{}");
        asked.call.path = paths[i];
        asked.replies = 0;
        start(&asked);
        turn_until_replied(&asked);
        assert_string_equal(asked.call.answer.retry_after, "");
        assert_string_equal(asked.call.answer.www_authenticate, "");
        assert_string_equal(asked.call.answer.error_code, "");
        assert_string_equal(asked.call.answer.rate_limit, "");
        assert_string_equal(asked.call.answer.rate_limit_policy, "");
    }
}

/* Whatever the caller left in its texts, afterwards they hold what this answer said. */
static void what_one_call_wants_besides_is_taken_too(void **state)
{
    static const char *const paths[] = {"/refusal", "/ok", "/closes"};
    static const char *const wanted[] = {"admin", "", ""};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char role[] = "admin";
        char no_room[] = "admi";
        struct asked asked = asking("GET", paths[i], NULL);
        asked.call.wanted[0] = (struct relay_wanted){"x-role:", role, sizeof role};
        asked.call.wanted[1] = (struct relay_wanted){"x-role:", no_room, sizeof no_room};
        start(&asked);
        turn_until_replied(&asked);
        assert_string_equal(role, wanted[i]);
        assert_string_equal(no_room, "");
    }
}

/* curl cuts and encodes nothing of it. */
static void a_query_follows_the_path_as_it_is(void **state)
{
    struct asked asked = asking("GET", "/ok", NULL);

    (void)state;
    asked.call.query = ODD_QUERY;
    start(&asked);
    turn_until_replied(&asked);
    assert_last_says("GET /ok" ODD_QUERY " HTTP/1.1\r\n");
}

static void a_method_without_body_says_so(void **state)
{
    (void)state;
    ask("DELETE", "/ok", NULL);
    assert_memory_equal(last_request()->text, "DELETE /ok HTTP/1.1\r\n", 21);
    assert_null(strcasestr(last_request()->text, "content-type"));
}

static void a_redirect_is_not_followed(void **state)
{
    (void)state;
    const struct asked asked = ask("GET", "/redirect", NULL);
    assert_answered(&asked, 307, "");
    assert_int_equal(requests(), 1);
}

static void what_comes_before_the_answer_is_not_the_answer(void **state)
{
    (void)state;
    struct asked asked = ask("GET", "/early-hints", NULL);
    assert_answered(&asked, 200, "ok");
    assert_string_equal(asked.call.answer.retry_after, "");
    assert_string_equal(asked.call.answer.error_code, "LATE");
    asked = ask("POST", "/continue", "{}");
    assert_answered(&asked, 200, "ok");
}

static void header_values_that_could_not_be_sent_on_are_not_taken(void **state)
{
    (void)state;
    struct asked asked = ask("GET", "/control", NULL);
    assert_answered(&asked, 200, "ok");
    assert_string_equal(asked.call.answer.error_code, "");
    assert_string_equal(asked.call.answer.retry_after, "");
    assert_string_equal(asked.call.answer.www_authenticate, "");
    asked = ask("GET", "/tab", NULL);
    assert_string_equal(asked.call.answer.error_code, "");
    asked = ask("GET", "/value-256", NULL);
    assert_string_equal(asked.call.answer.error_code, "");
    asked = ask("GET", "/value-255", NULL);
    assert_string_equal(asked.call.answer.error_code, VALUE255);
}

/* --- what is no answer --- */

static void assert_unreachable(const char *path)
{
    struct asked asked = ask("POST", path, "{}");

    if (asked.call.outcome != RELAY_UNREACHABLE)
        print_error("%s is taken for an answer: %u '%s'\n", path, asked.status, asked.body);
    assert_int_equal(asked.call.outcome, RELAY_UNREACHABLE);
    asked = ask("GET", "/ok", NULL); /* and the relay works on */
    assert_answered(&asked, 200, "ok");
}

static void what_breaks_off_or_is_not_http_is_unreachable(void **state)
{
    static const char *const paths[] = {
        "/closes",
        "/resets",
        "/breaks-in-status",
        "/resets-in-head",
        "/breaks-in-body",
        "/resets-in-body",
        "/breaks-in-chunk",
        "/breaks-before-last-chunk",
        "/bad-chunk",
        "/negative-length",
        "/length-of-letters",
        "/breaks-after-continue",
        "/garbage",
        "/other-protocol",
        "/json-without-http",
        "/no-status",
        "/nul",
    };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_unreachable(paths[i]);
}

/* Nor is it one without a body: its length may have been still to come. */
static void an_answer_whose_head_breaks_off_is_no_answer(void **state)
{
    (void)state;
    assert_unreachable("/breaks-in-head");
    assert_unreachable("/breaks-between-headers");
}

static void bytes_behind_an_answer_are_not_the_next_ones(void **state)
{
    (void)state;
    struct asked asked = ask("GET", "/more-than-told", NULL);
    assert_answered(&asked, 200, "ok");
    asked = ask("GET", "/ok", NULL);
    assert_answered(&asked, 200, "ok");
    assert_int_equal(last_request()->connection, 2);
}

/* A port of our own that nobody listens on, until `fd` is closed. */
static void make_address(int *fd, bool listening, char base[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &length), 0);
    if (listening)
        assert_int_equal(listen(*fd, 0), 0);
    snprintf(base, 64, "http://127.0.0.1:%u", ntohs(address.sin_port));
}

static void a_refused_connection_is_unreachable(void **state)
{
    struct asked asked = asking("GET", "/ok", NULL);
    char base[64];
    int fd;

    (void)state;
    make_address(&fd, false, base);
    asked.call.base = base;
    start(&asked);
    turn_until_replied(&asked);
    assert_int_equal(asked.call.outcome, RELAY_UNREACHABLE);
    assert_int_equal(asked.status, 0);
    assert_string_equal(asked.body, "");
    close(fd);
}

static void a_silent_peer_is_given_up_at_the_deadline_and_not_before(void **state)
{
    static const char *const paths[] = {"/silent", "/head-only"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct asked asked = asking("GET", paths[i], NULL);
        asked.call.timeout_ms = 50;
        const uint64_t started_us = clock_monotonic_us();
        start(&asked);
        turn_until_replied(&asked);
        assert_int_equal(asked.call.outcome, RELAY_TIMED_OUT);
        assert_in_range(clock_monotonic_us() - started_us, 50000, PATIENT_MS * 1000 / 2);
    }
}

static void without_a_deadline_of_its_own_a_call_has_the_relays(void **state)
{
    struct relay_options hasty = options();

    (void)state;
    hasty.timeout_ms = 40;
    reopen_relay(&hasty);
    const struct asked asked = ask("GET", "/silent", NULL);
    assert_int_equal(asked.call.outcome, RELAY_TIMED_OUT);
}

/* A listener whose queue is full: further connections are neither taken nor refused. */
static void a_connection_that_never_stands_times_out(void **state)
{
    struct asked asked = asking("GET", "/ok", NULL);
    struct relay_options hasty = options();
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    char base[64];
    int listener, fillers[4];

    (void)state;
    hasty.connect_timeout_ms = 60;
    reopen_relay(&hasty);
    make_address(&listener, true, base);
    getsockname(listener, (struct sockaddr *)&address, &length);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    asked.call.base = base;
    start(&asked);
    turn_until_replied(&asked);
    assert_int_equal(asked.call.outcome, RELAY_TIMED_OUT);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(listener);
}

static void an_answer_may_be_as_large_as_allowed_and_no_larger(void **state)
{
    static char largest[64 + ANSWER_MAX_BYTES + 1], chunked[64 + ANSWER_MAX_BYTES + 2 + 16];
    static char body[ANSWER_MAX_BYTES + 2];
    static char larger[sizeof largest + 1];
    const struct upstream_line lines[] = {{.path = "/largest", .answer = largest},
                                          {.path = "/larger", .answer = larger},
                                          {.path = "/chunked", .answer = chunked},
                                          {.path = "/ok", .answer = OK_HEAD "Content-Length: 2\r\n\r\nok"}};

    (void)state;
    memset(body, 'x', ANSWER_MAX_BYTES + 1);
    snprintf(larger, sizeof larger, OK_HEAD "Content-Length: %d\r\n\r\n%s", ANSWER_MAX_BYTES + 1, body);
    snprintf(chunked, sizeof chunked, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
             ANSWER_MAX_BYTES + 1, body);
    body[ANSWER_MAX_BYTES] = '\0';
    snprintf(largest, sizeof largest, OK_HEAD "Content-Length: %d\r\n\r\n%s", ANSWER_MAX_BYTES, body);
    upstream_close(&upstream);
    upstream_open(&upstream, lines, 4);

    struct asked asked = ask("GET", "/largest", NULL);
    assert_answered(&asked, 200, body);
    asked = ask("GET", "/larger", NULL);
    assert_int_equal(asked.call.outcome, RELAY_TOO_LARGE);
    asked = ask("GET", "/chunked", NULL);
    assert_int_equal(asked.call.outcome, RELAY_TOO_LARGE);
    asked = ask("GET", "/ok", NULL);
    assert_answered(&asked, 200, "ok");
    upstream_close(&upstream);
    upstream_open(&upstream, script, 0);
}

/* --- connections --- */

static void calls_one_after_another_share_a_connection(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        ask(i % 2 == 0 ? "POST" : "GET", "/ok", i % 2 == 0 ? "{}" : NULL);
    assert_int_equal(requests(), 5);
    assert_int_equal(atomic_load(&upstream.connection_count), 1);
}

static struct asked ask_fresh(const char *path)
{
    struct asked asked = asking("POST", path, "{}");

    asked.call.fresh = true;
    start(&asked);
    turn_until_replied(&asked);
    return asked;
}

static void a_fresh_call_has_a_connection_to_itself(void **state)
{
    (void)state;
    ask("GET", "/ok", NULL);
    for (unsigned i = 2; i <= 3; i++) {
        const struct asked asked = ask_fresh("/ok");
        assert_answered(&asked, 200, "ok");
        assert_int_equal(last_request()->connection, i);
    }
    ask("GET", "/ok", NULL);
    assert_int_equal(last_request()->connection, 1);
}

static void nobody_uses_the_connection_of_a_fresh_call_after_it(void **state)
{
    (void)state;
    ask_fresh("/ok");
    ask("GET", "/ok", NULL);
    assert_int_equal(last_request()->connection, 2);
}

static void a_fresh_post_is_sent_once_even_if_nobody_answers(void **state)
{
    static const char *const paths[] = {"/closes", "/resets", "/breaks-in-body", "/garbage"};

    (void)state;
    ask("GET", "/ok", NULL); /* there is a connection that could be used */
    for (unsigned i = 0; i < 4; i++) {
        const struct asked asked = ask_fresh(paths[i]);
        assert_int_equal(asked.call.outcome, RELAY_UNREACHABLE);
        assert_int_equal(requests(), 2 + i);
    }
    upstream_close(&upstream); /* nothing more is on its way */
    assert_int_equal(requests(), 5);
    upstream_open(&upstream, script, 0);
}

static void a_kept_connection_that_the_peer_closed_costs_no_call(void **state)
{
    static const struct upstream_line closing[] = {
        {.path = "/ok", .answer = OK_HEAD "Content-Length: 2\r\n\r\nok", .then = UPSTREAM_CLOSE}};

    (void)state;
    upstream_close(&upstream);
    upstream_open(&upstream, closing, 1);
    for (int i = 0; i < 5; i++) {
        const struct asked asked = ask("GET", "/ok", NULL);
        assert_answered(&asked, 200, "ok");
    }
}

/* --- calls --- */

static void calls_are_worked_on_side_by_side(void **state)
{
    struct asked silent = asking("GET", "/silent", NULL);
    struct asked many[5];

    (void)state;
    start(&silent);
    for (int i = 0; i < 5; i++) {
        many[i] = asking("POST", "/ok", "{}");
        start(&many[i]);
    }
    for (int i = 0; i < 5; i++) {
        turn_until_replied(&many[i]);
        assert_answered(&many[i], 200, "ok");
    }
    assert_int_equal(silent.replies, 0);
    call_cancel(&silent.call);
}

static void no_more_calls_than_allowed_are_started(void **state)
{
    struct asked calls[3] = {asking("GET", "/silent", NULL), asking("GET", "/silent", NULL),
                             asking("GET", "/ok", NULL)};
    struct relay_options two = options();

    (void)state;
    two.calls_max = 2;
    reopen_relay(&two);
    start(&calls[0]);
    start(&calls[1]);
    assert_false(call_start(relay, &calls[2].call));
    assert_null(calls[2].call.transfer);
    call_cancel(&calls[0].call);
    start(&calls[2]); /* there is room again */
    turn_until_replied(&calls[2]);
    assert_answered(&calls[2], 200, "ok");
    start(&calls[0]); /* a call that ended makes room as well */
    call_cancel(&calls[0].call);
    call_cancel(&calls[1].call);
}

static void a_cancelled_call_never_calls_back(void **state)
{
    struct asked cancelled[3] = {asking("GET", "/ok", NULL), asking("GET", "/ok", NULL),
                                 asking("GET", "/silent", NULL)};

    (void)state;
    start(&cancelled[0]);
    call_cancel(&cancelled[0].call); /* before anything was sent */
    call_cancel(&cancelled[0].call);
    assert_null(cancelled[0].call.transfer);

    start(&cancelled[1]);
    start(&cancelled[2]);
    while (requests() < 2)
        loop_turn(&own.loop);
    const unsigned replies = cancelled[1].replies; /* its answer may be here or may be on its way */
    call_cancel(&cancelled[1].call);
    call_cancel(&cancelled[2].call);

    for (int i = 0; i < 3; i++)
        ask("GET", "/ok", NULL);
    assert_int_equal(cancelled[0].replies, 0);
    assert_int_equal(cancelled[1].replies, replies);
    assert_int_equal(cancelled[2].replies, 0);
}

static struct asked second;

static void start_second(struct call *call)
{
    on_reply(call);
    start(&second);
    assert_string_equal(call->answer.body, "ok"); /* still what it was */
}

static void a_second_call_can_be_started_in_on_reply(void **state)
{
    struct asked first = asking("GET", "/ok", NULL);

    (void)state;
    second = asking("POST", "/refusal", "{}");
    first.call.on_reply = start_second;
    start(&first);
    turn_until_replied(&first);
    turn_until_replied(&second);
    assert_answered(&first, 200, "ok");
    assert_answered(&second, 429, "{\"detail\":\"\"}");
}

static void ask_again(struct call *call)
{
    struct asked *asked = H2O_STRUCT_FROM_MEMBER(struct asked, call, call);

    on_reply(call);
    if (asked->replies < 3) {
        *call = call_of("POST", "/ok", "{}");
        call->on_reply = ask_again;
        assert_true(call_start(relay, call));
    }
}

static void a_call_can_be_used_again_in_its_own_on_reply(void **state)
{
    struct asked asked = asking("GET", "/ok", NULL);

    (void)state;
    asked.call.on_reply = ask_again;
    start(&asked);
    while (asked.replies < 3)
        loop_turn(&own.loop);
    assert_answered(&asked, 200, "ok");
    assert_int_equal(requests(), 3);
}

static void cancel_second(struct call *call)
{
    on_reply(call);
    call_cancel(&second.call);
}

static void a_call_can_be_cancelled_in_on_reply_of_another(void **state)
{
    struct asked first = asking("GET", "/ok", NULL);

    (void)state;
    for (int i = 0; i < 3; i++) {
        second = asking("GET", i == 0 ? "/silent" : "/ok", NULL);
        first.call = call_of("GET", "/ok", NULL);
        first.call.on_reply = cancel_second;
        first.replies = 0;
        start(&first);
        start(&second);
        turn_until_replied(&first);
        const unsigned replies = second.replies;
        assert_null(second.call.transfer);
        ask("GET", "/ok", NULL);
        assert_int_equal(second.replies, replies);
    }
}

static unsigned freed;

static void free_call(struct call *call)
{
    free(H2O_STRUCT_FROM_MEMBER(struct asked, call, call));
    freed++;
}

static void a_call_may_be_freed_in_on_reply(void **state)
{
    static const char *const paths[] = {"/ok", "/closes", "/garbage", "/refusal"};

    (void)state;
    freed = 0;
    for (unsigned i = 0; i < 4; i++) {
        struct asked *asked = calloc(1, sizeof *asked);
        assert_non_null(asked);
        asked->call = call_of("POST", paths[i], "{}");
        asked->call.on_reply = free_call;
        start(asked);
    }
    while (freed < 4)
        loop_turn(&own.loop);
}

#define RELAY_TEST(name) cmocka_unit_test_setup_teardown(name, open_relay, close_relay)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELAY_TEST(a_get_has_neither_body_nor_content_type),
        RELAY_TEST(a_post_carries_its_body_as_json_and_its_headers),
        RELAY_TEST(a_post_without_body_says_so),
        RELAY_TEST(a_method_without_body_says_so),
        RELAY_TEST(a_query_follows_the_path_as_it_is),
        RELAY_TEST(methods_do_not_stick_to_what_is_reused),
        RELAY_TEST(the_question_is_copied),
        RELAY_TEST(a_large_body_is_sent_whole_without_asking_first),
        RELAY_TEST(the_service_key_is_sent_with_every_call),
        RELAY_TEST(a_proxy_in_the_environment_is_not_used),
        RELAY_TEST(every_way_to_end_a_body_is_understood),
        RELAY_TEST(the_headers_that_are_passed_on_are_taken_trimmed),
        RELAY_TEST(headers_of_an_answer_do_not_stick_to_the_next),
        RELAY_TEST(what_one_call_wants_besides_is_taken_too),
        RELAY_TEST(a_redirect_is_not_followed),
        RELAY_TEST(what_comes_before_the_answer_is_not_the_answer),
        RELAY_TEST(header_values_that_could_not_be_sent_on_are_not_taken),
        RELAY_TEST(what_breaks_off_or_is_not_http_is_unreachable),
        RELAY_TEST(an_answer_whose_head_breaks_off_is_no_answer),
        RELAY_TEST(bytes_behind_an_answer_are_not_the_next_ones),
        RELAY_TEST(a_refused_connection_is_unreachable),
        RELAY_TEST(a_silent_peer_is_given_up_at_the_deadline_and_not_before),
        RELAY_TEST(without_a_deadline_of_its_own_a_call_has_the_relays),
        RELAY_TEST(a_connection_that_never_stands_times_out),
        RELAY_TEST(an_answer_may_be_as_large_as_allowed_and_no_larger),
        RELAY_TEST(calls_one_after_another_share_a_connection),
        RELAY_TEST(a_fresh_call_has_a_connection_to_itself),
        RELAY_TEST(nobody_uses_the_connection_of_a_fresh_call_after_it),
        RELAY_TEST(a_fresh_post_is_sent_once_even_if_nobody_answers),
        RELAY_TEST(a_kept_connection_that_the_peer_closed_costs_no_call),
        RELAY_TEST(calls_are_worked_on_side_by_side),
        RELAY_TEST(no_more_calls_than_allowed_are_started),
        RELAY_TEST(a_cancelled_call_never_calls_back),
        RELAY_TEST(a_second_call_can_be_started_in_on_reply),
        RELAY_TEST(a_call_can_be_used_again_in_its_own_on_reply),
        RELAY_TEST(a_call_can_be_cancelled_in_on_reply_of_another),
        RELAY_TEST(a_call_may_be_freed_in_on_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
