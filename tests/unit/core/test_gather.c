// clang-format off
// links: tests/support/upstream.c core/gather.c core/relay.c core/relay_head.c core/loop.c core/clock.c
// links: core/schema.c core/json_arena.c core/json_scan.c core/key_set.c core/buffer.c core/memory.c core/metrics.c
// libs: h2o-evloop curl cjson ssl crypto pthread m
// clang-format on
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/gather.h"
#include "tests/support/test_loop.h"
#include "tests/support/upstream.h"

#define PATIENT_MS  60000
#define TEXT_BYTES  300
#define ASKERS_MAX  64
#define ANSWER_HEAD "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s"

/* --- the other side: gives each question back; some words make it misbehave --- */

static sem_t gate;            /* a call that says "gate" is answered once this was posted */
static char bad_answer[4096]; /* what a call that says "bad" is answered: a whole body, status 200 */

static const char *body_of(const char *request)
{
    return strstr(request, "\r\n\r\n") + 4;
}

static size_t say(char *out, size_t size, const char *body)
{
    return (size_t)snprintf(out, size, ANSWER_HEAD, strlen(body), body);
}

/* {"list":["a","b"]} -> {"results":[{"status":200,"text":"a"},{"status":200,"text":"b"}]} */
static size_t echo(const char *request, char *out, size_t size)
{
    char body[32768] = "{\"results\":[";
    size_t length = strlen(body);

    for (const char *at = strchr(body_of(request), '[') + 1; *at == '"' || *at == ',';) {
        const char *text = *at == ',' ? at + 2 : at + 1;
        const size_t text_length = strcspn(text, "\"");
        const char *status = strncmp(text, "odd", 3) == 0 ? "\"200\"" : "200";
        length += (size_t)snprintf(body + length, sizeof body - length, "%s{\"status\":%s,\"text\":\"%.*s\"}",
                                   *at == ',' ? "," : "", status, (int)text_length, text);
        at = text + text_length + 1;
    }
    snprintf(body + length, sizeof body - length, "]}");
    return say(out, size, body);
}

static size_t answer_by_words(const char *request, char *out, size_t size)
{
    const char *body = body_of(request);

    if (strstr(body, "gate") != NULL)
        sem_wait(&gate);
    if (strstr(body, "silence") != NULL)
        return 0;
    if (strstr(body, "500") != NULL)
        return (size_t)snprintf(out, size, "HTTP/1.1 500 X\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}");
    if (strstr(body, "garbage") != NULL)
        return (size_t)snprintf(out, size, "garbage\r\n\r\n");
    if (strstr(body, "bad") != NULL)
        return say(out, size, bad_answer);
    return echo(request, out, size);
}

static const struct upstream_line script[] = {
    {.path = "/ask", .make = answer_by_words},
    {.path = "/other", .make = answer_by_words},
};

static unsigned ids;

void exchange_make_id(char id[REQUEST_ID_MAX_BYTES + 1])
{
    snprintf(id, REQUEST_ID_MAX_BYTES + 1, "call-%u", ++ids);
}

/* --- askers --- */

struct entry {
    uint64_t status;
    struct text text;
};

static const struct field entry_fields[] = {
    {.name = "status", .kind = FIELD_ID, .at = offsetof(struct entry, status), .required = true},
    {.name = "text", .kind = FIELD_TEXT, .at = offsetof(struct entry, text), .required = true},
};
static const struct form entry_form = {entry_fields, 2, sizeof(struct entry)};

struct asker {
    struct question question;
    char text[TEXT_BYTES];
    unsigned answers;
    bool had_entry;
    bool had_call;
    unsigned status; /* of the call */
    char got[TEXT_BYTES];
    struct asker *cancels[4]; /* in on_answer */
    unsigned asks_again;      /* so many times more */
};

static struct test_loop own;
static struct upstream upstream;
static struct gather *gather;
static struct asker askers[ASKERS_MAX];
static struct timer *deadline; /* the gather's own */
static unsigned answers;       /* of all askers */

static struct gather_options options(void)
{
    return (struct gather_options){.base = upstream.base,
                                   .path = "/ask",
                                   .list_name = "list",
                                   .quotes = true,
                                   .entry = &entry_form,
                                   .questions_max = 64,
                                   .bytes_max = 8192,
                                   .queue_max = ASKERS_MAX,
                                   .calls_max = 8,
                                   .timeout_ms = PATIENT_MS};
}

static void open_with(const struct gather_options *others)
{
    gather_close(gather);
    gather = gather_open(&own.loop, others);
    deadline = NULL;
}

static struct relay *open_relay(uint64_t calls_max)
{
    return relay_open(&own.loop, &(struct relay_options){.timeout_ms = PATIENT_MS,
                                                         .connect_timeout_ms = PATIENT_MS,
                                                         .calls_max = calls_max,
                                                         .answer_max_bytes = 65536,
                                                         .keepalive_timeout_ms = 75000});
}

static int open_all(void **state)
{
    (void)state;
    ids = answers = 0;
    memset(askers, 0, sizeof askers);
    sem_init(&gate, 0, 0);
    test_loop_open(&own);
    upstream_open(&upstream, script, sizeof script / sizeof script[0]);
    own.loop.relay = open_relay(16);
    const struct gather_options common = options();
    gather = gather_open(&own.loop, &common);
    deadline = NULL;
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    gather_close(gather);
    gather = NULL;
    relay_close(own.loop.relay);
    upstream_close(&upstream);
    test_loop_close(&own);
    sem_destroy(&gate);
    return 0;
}

static bool ask_at(struct gather *whom, struct asker *asker);

static void on_answer(struct question *question)
{
    struct asker *asker = H2O_STRUCT_FROM_MEMBER(struct asker, question, question);
    const struct entry *entry = question->entry;

    assert_false(question->is_queued);
    answers++;
    asker->answers++;
    asker->had_entry = entry != NULL;
    asker->had_call = question->call != NULL;
    asker->status = question->call == NULL ? 0 : question->call->answer.status;
    snprintf(asker->got, sizeof asker->got, "%s", entry == NULL ? "" : entry->text.at);
    for (size_t i = 0; i < 4 && asker->cancels[i] != NULL; i++)
        question_cancel(&asker->cancels[i]->question);
    if (asker->asks_again > 0) {
        asker->asks_again--;
        snprintf(asker->text, sizeof asker->text, "again %u", asker->asks_again);
        assert_true(ask_at(question->gather, asker));
    }
}

static bool ask_at(struct gather *whom, struct asker *asker)
{
    const unsigned before = asker->answers;

    asker->question.text = asker->text;
    asker->question.length = strlen(asker->text);
    asker->question.on_answer = on_answer;
    const bool is_taken = gather_ask(whom, &asker->question);
    assert_int_equal(asker->answers, before); /* never from within */
    return is_taken;
}

static struct asker *ask(unsigned index, const char *text)
{
    struct asker *asker = &askers[index];

    snprintf(asker->text, sizeof asker->text, "%s", text);
    assert_true(ask_at(gather, asker));
    if (deadline == NULL)
        deadline = own.loop.timers.previous; /* it has just been started, and is due last of all */
    return asker;
}

/* Asks "PREFIX 0", "PREFIX 1", ... */
static void ask_many(const char *prefix, unsigned count)
{
    char text[TEXT_BYTES];

    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%s %u", prefix, i);
        ask(i, text);
    }
}

static void turn_until_answers(unsigned count)
{
    while (answers < count)
        loop_turn(&own.loop);
    assert_int_equal(answers, count);
}

static unsigned requests(void)
{
    return atomic_load(&upstream.request_count);
}

static void turn_until_requests(unsigned count)
{
    while (requests() < count)
        loop_turn(&own.loop);
    assert_int_equal(requests(), count);
}

static void assert_got_own(const struct asker *asker)
{
    assert_int_equal(asker->answers, 1);
    assert_int_equal(asker->question.outcome, RELAY_ANSWERED);
    assert_true(asker->had_entry && asker->had_call);
    assert_string_equal(asker->got, asker->text);
}

static void assert_failed(const struct asker *asker, enum relay_outcome outcome)
{
    assert_int_equal(asker->answers, 1);
    assert_false(asker->had_entry);
    assert_int_equal(asker->question.outcome, outcome);
}

/* Deadlines pass in the order of the asking: these are due now, the gather's one timer with the next turn. */
static void hasten(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        askers[i].question.due_us = 0;
    assert_true(loop_timer_is_running(deadline));
    loop_timer_stop(deadline);
    loop_timer_start(&own.loop, deadline, 0, deadline->fire);
}

static unsigned questions_in(const struct upstream_request *request)
{
    unsigned quotes = 0;

    for (const char *at = strchr(body_of(request->text), '['); *at != '\0'; at++)
        quotes += *at == '"';
    return quotes / 2;
}

static void assert_body(unsigned index, const char *body)
{
    assert_true(index < requests());
    assert_string_equal(body_of(upstream.requests[index].text), body);
}

/* --- how questions go out --- */

static void a_lone_asker_goes_in_its_own_turn_with_one_question(void **state)
{
    (void)state;
    struct asker *lone = ask(0, "lone");
    assert_true(lone->question.is_queued);
    loop_turn(&own.loop);
    assert_false(lone->question.is_queued);
    turn_until_answers(1);
    assert_got_own(lone);
    assert_int_equal(requests(), 1);
    assert_memory_equal(upstream.requests[0].text, "POST /ask HTTP/1.1\r\n", 20);
    assert_non_null(strstr(upstream.requests[0].text, "\r\nContent-Type: application/json\r\n"));
    assert_body(0, "{\"list\":[\"lone\"]}");
}

static void many_of_one_turn_share_one_call_in_their_order(void **state)
{
    (void)state;
    ask_many("q", 3);
    turn_until_answers(3);
    assert_int_equal(requests(), 1);
    assert_body(0, "{\"list\":[\"q 0\",\"q 1\",\"q 2\"]}");
    for (unsigned i = 0; i < 3; i++)
        assert_got_own(&askers[i]);
}

static void a_call_carries_at_most_questions_max(void **state)
{
    struct gather_options few = options();
    unsigned sizes[5] = {0};

    (void)state;
    few.questions_max = 4;
    open_with(&few);
    ask_many("q", 10);
    turn_until_answers(10);
    assert_int_equal(requests(), 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(questions_in(&upstream.requests[i]), 1, 4);
        sizes[questions_in(&upstream.requests[i])]++;
    }
    assert_int_equal(sizes[4], 2);
    assert_int_equal(sizes[2], 1);
    for (unsigned i = 0; i < 10; i++)
        assert_got_own(&askers[i]);
}

static void a_call_carries_at_most_sixty_four(void **state)
{
    (void)state;
    ask_many("q", ASKERS_MAX);
    turn_until_answers(ASKERS_MAX);
    assert_int_equal(requests(), 1);
    assert_int_equal(questions_in(&upstream.requests[0]), 64);
    for (unsigned i = 0; i < ASKERS_MAX; i++)
        assert_got_own(&askers[i]);
}

static void a_call_carries_at_most_bytes_max(void **state)
{
    struct gather_options few = options();
    char text[120];

    (void)state;
    few.bytes_max = 480;
    open_with(&few);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    for (unsigned i = 0; i < 12; i++) {
        text[0] = (char)('a' + i);
        ask(i, text);
    }
    turn_until_answers(12);
    assert_int_equal(requests(), 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(questions_in(&upstream.requests[i]), 3);
        assert_in_range(strlen(body_of(upstream.requests[i].text)), 300, 482);
    }
    for (unsigned i = 0; i < 12; i++)
        assert_got_own(&askers[i]);
}

static void a_question_larger_than_bytes_max_goes_alone(void **state)
{
    struct gather_options few = options();
    char text[200];

    (void)state;
    few.bytes_max = 100;
    open_with(&few);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    ask(0, "before");
    ask(1, text);
    ask(2, "behind");
    turn_until_answers(3);
    assert_int_equal(requests(), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_got_own(&askers[i]);
}

static void no_more_than_calls_max_are_under_way(void **state)
{
    struct gather_options few = options();

    (void)state;
    few.questions_max = 1;
    few.calls_max = 2;
    open_with(&few);
    for (unsigned i = 0; i < 8; i++)
        ask(i, "gate");
    loop_turn(&own.loop);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(askers[i].question.is_queued, i >= 2);
    for (unsigned i = 0; i < 8; i++)
        sem_post(&gate);
    turn_until_answers(8);
    assert_int_equal(requests(), 8);
    assert_in_range(atomic_load(&upstream.connection_count), 1, 2); /* a third call would need a third */
    for (unsigned i = 0; i < 8; i++)
        assert_got_own(&askers[i]);
}

static void what_queued_behind_a_call_goes_out_together(void **state)
{
    struct gather_options one = options();

    (void)state;
    one.calls_max = 1;
    open_with(&one);
    ask(0, "gate");
    turn_until_requests(1);
    for (unsigned i = 1; i < 6; i++) {
        ask(i, "waits");
        loop_turn(&own.loop);
        assert_true(askers[i].question.is_queued);
    }
    sem_post(&gate);
    turn_until_answers(6);
    assert_int_equal(requests(), 2);
    assert_int_equal(questions_in(&upstream.requests[1]), 5);
    for (unsigned i = 0; i < 6; i++)
        assert_got_own(&askers[i]);
}

static void a_full_queue_refuses_and_nothing_happens(void **state)
{
    struct gather_options few = options();

    (void)state;
    few.queue_max = 3;
    open_with(&few);
    ask_many("q", 3);
    struct asker *refused = &askers[3];
    snprintf(refused->text, sizeof refused->text, "refused");
    assert_false(ask_at(gather, refused));
    assert_null(refused->question.next);
    question_cancel(&askers[1].question);
    ask(4, "in its place");
    assert_false(ask_at(gather, refused));
    turn_until_answers(3);
    assert_int_equal(refused->answers, 0);
    assert_got_own(&askers[0]);
    assert_got_own(&askers[2]);
    assert_got_own(&askers[4]);
    assert_true(ask_at(gather, refused));
    turn_until_answers(4);
    assert_got_own(refused);
    assert_body(0, "{\"list\":[\"q 0\",\"q 2\",\"in its place\"]}");
}

static void askers_know_the_id_of_the_call_that_carried_them(void **state)
{
    struct gather_options few = options();
    char line[2 * REQUEST_ID_MAX_BYTES];
    char text[TEXT_BYTES];

    (void)state;
    few.questions_max = 2;
    open_with(&few);
    ask_many("q", 6);
    turn_until_answers(6);
    assert_int_equal(requests(), 3);
    for (unsigned i = 0; i < 6; i++) {
        unsigned carriers = 0;
        snprintf(line, sizeof line, "\r\nX-Request-Id: %s\r\n", askers[i].question.call_id);
        snprintf(text, sizeof text, "\"%s\"", askers[i].text);
        for (unsigned j = 0; j < 3; j++)
            if (strstr(upstream.requests[j].text, text) != NULL) {
                assert_non_null(strstr(upstream.requests[j].text, line));
                carriers++;
            }
        assert_int_equal(carriers, 1);
    }
}

/* --- merging --- */

static void equal_questions_of_a_call_are_asked_once_where_that_is_wanted(void **state)
{
    struct gather_options merging = options();

    (void)state;
    merging.merges = true;
    merging.quotes = false;
    open_with(&merging);
    for (unsigned i = 0; i < 10; i++)
        ask(i, i % 3 == 0 ? "\"a\"" : "\"ab\"");
    turn_until_answers(10);
    assert_int_equal(requests(), 1);
    assert_body(0, "{\"list\":[\"a\",\"ab\"]}");
    for (unsigned i = 0; i < 10; i++) {
        assert_true(askers[i].had_entry);
        assert_string_equal(askers[i].got, i % 3 == 0 ? "a" : "ab");
    }
}

static void a_full_call_still_takes_equal_questions_in(void **state)
{
    struct gather_options merging = options();

    (void)state;
    merging.merges = true;
    merging.questions_max = 1;
    open_with(&merging);
    for (unsigned i = 0; i < 10; i++)
        ask(i, "same");
    turn_until_answers(10);
    assert_int_equal(requests(), 1);
    assert_body(0, "{\"list\":[\"same\"]}");
    for (unsigned i = 0; i < 10; i++)
        assert_got_own(&askers[i]);
}

static void equal_questions_are_asked_each_where_it_is_not(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        ask(i, "same");
    turn_until_answers(3);
    assert_body(0, "{\"list\":[\"same\",\"same\",\"same\"]}");
}

/* A merged question that one of its askers gives up is still the others'. */
static void one_of_several_equal_askers_may_leave(void **state)
{
    struct gather_options merging = options();

    (void)state;
    merging.merges = true;
    open_with(&merging);
    for (unsigned i = 0; i < 3; i++)
        ask(i, "gate");
    turn_until_requests(1);
    question_cancel(&askers[0].question);
    sem_post(&gate);
    turn_until_answers(2);
    assert_int_equal(askers[0].answers, 0);
    assert_got_own(&askers[1]);
    assert_got_own(&askers[2]);
}

/* --- deadlines --- */

static void a_deadline_in_a_call_touches_nobody_else_in_it(void **state)
{
    (void)state;
    ask_many("gate", 3);
    turn_until_requests(1);
    hasten(1);
    turn_until_answers(1);
    assert_failed(&askers[0], RELAY_TIMED_OUT);
    assert_false(askers[0].had_call);
    sem_post(&gate);
    turn_until_answers(3);
    assert_got_own(&askers[1]);
    assert_got_own(&askers[2]);
    assert_int_equal(askers[0].answers, 1);
}

static void a_deadline_in_the_queue_touches_nobody_else_in_it(void **state)
{
    struct gather_options one = options();

    (void)state;
    one.calls_max = 1;
    open_with(&one);
    ask(0, "gate");
    turn_until_requests(1);
    ask(1, "late");
    ask(2, "patient");
    ask(3, "last");
    hasten(2);
    turn_until_answers(2);
    assert_failed(&askers[0], RELAY_TIMED_OUT);
    assert_failed(&askers[1], RELAY_TIMED_OUT);
    assert_true(askers[2].question.is_queued && askers[3].question.is_queued);
    sem_post(&gate);
    turn_until_answers(4);
    assert_body(1, "{\"list\":[\"patient\",\"last\"]}");
    assert_int_equal(askers[0].answers, 1);
    assert_got_own(&askers[2]);
    assert_got_own(&askers[3]);
}

/* There is one timer for all deadlines. */
static void a_deadline_that_asks_anew_does_not_put_off_the_next_one(void **state)
{
    (void)state;
    askers[0].asks_again = 1;
    ask_many("gate", 3);
    turn_until_requests(1);
    hasten(1);
    askers[1].question.due_us = clock_monotonic_us() + 50 * 1000;
    const uint64_t start_us = clock_monotonic_us();
    while (answers < 2 && clock_monotonic_us() - start_us < 10 * 1000 * 1000)
        loop_turn(&own.loop);
    assert_int_equal(askers[1].answers, 1);
    assert_failed(&askers[1], RELAY_TIMED_OUT);
    sem_post(&gate);
    turn_until_answers(4);
    assert_int_equal(askers[0].answers, 2);
    assert_string_equal(askers[0].got, "again 0");
    assert_got_own(&askers[2]);
}

static void deadlines_pass_although_the_oldest_asker_left(void **state)
{
    (void)state;
    ask_many("gate", 3);
    turn_until_requests(1);
    question_cancel(&askers[0].question);
    hasten(2);
    turn_until_answers(1);
    assert_failed(&askers[1], RELAY_TIMED_OUT);
    sem_post(&gate);
    turn_until_answers(2);
    assert_int_equal(askers[0].answers, 0);
    assert_got_own(&askers[2]);
}

static void a_silent_service_is_given_up_at_the_deadline_and_not_before(void **state)
{
    struct gather_options hasty = options();

    (void)state;
    hasty.timeout_ms = 150;
    open_with(&hasty);
    const uint64_t before_us = clock_monotonic_us();
    ask_many("silence", 2);
    turn_until_answers(2);
    assert_true(clock_monotonic_us() - before_us >= 150 * 1000);
    assert_failed(&askers[0], RELAY_TIMED_OUT);
    assert_failed(&askers[1], RELAY_TIMED_OUT);
}

/* --- leaving --- */

static void an_asker_may_leave_the_queue(void **state)
{
    struct gather_options one = options();

    (void)state;
    one.calls_max = 1;
    open_with(&one);
    ask(0, "gate");
    turn_until_requests(1);
    ask(1, "leaves");
    ask(2, "stays");
    question_cancel(&askers[1].question);
    question_cancel(&askers[1].question); /* twice is once */
    sem_post(&gate);
    turn_until_answers(2);
    assert_body(1, "{\"list\":[\"stays\"]}");
    assert_int_equal(askers[1].answers, 0);
    assert_got_own(&askers[0]);
    assert_got_own(&askers[2]);
}

static void when_all_leave_the_queue_nothing_is_asked(void **state)
{
    (void)state;
    ask_many("leaves", 3);
    for (unsigned i = 0; i < 3; i++)
        question_cancel(&askers[i].question);
    loop_turn(&own.loop);
    ask(3, "stays");
    turn_until_answers(1);
    assert_int_equal(requests(), 1);
    assert_body(0, "{\"list\":[\"stays\"]}");
}

static void an_asker_may_leave_a_call_and_the_others_get_their_own(void **state)
{
    (void)state;
    ask_many("gate", 4);
    turn_until_requests(1);
    question_cancel(&askers[0].question);
    question_cancel(&askers[2].question);
    sem_post(&gate);
    turn_until_answers(2);
    assert_int_equal(askers[0].answers + askers[2].answers, 0);
    assert_got_own(&askers[1]);
    assert_got_own(&askers[3]);
}

static void an_asker_that_left_may_ask_anew_meanwhile(void **state)
{
    (void)state;
    ask_many("gate", 2);
    turn_until_requests(1);
    question_cancel(&askers[0].question);
    ask(0, "anew");
    sem_post(&gate);
    turn_until_answers(2);
    assert_got_own(&askers[0]);
    assert_string_equal(askers[0].got, "anew");
    assert_got_own(&askers[1]);
}

static void a_call_that_everyone_left_gives_its_place_back(void **state)
{
    struct gather_options one = options();

    (void)state;
    one.calls_max = 1;
    open_with(&one);
    ask_many("gate", 3);
    turn_until_requests(1);
    for (unsigned i = 0; i < 3; i++)
        question_cancel(&askers[i].question);
    ask(3, "next");
    sem_post(&gate);
    turn_until_answers(1);
    assert_got_own(&askers[3]);
    assert_int_equal(askers[0].answers + askers[1].answers + askers[2].answers, 0);
}

static void a_call_that_everyone_left_is_given_up_when_the_gather_closes(void **state)
{
    (void)state;
    ask_many("gate", 3);
    turn_until_requests(1);
    ask(3, "gate");
    turn_until_requests(1); /* the other side is at the first one still */
    for (unsigned i = 0; i < 4; i++)
        question_cancel(&askers[i].question);
    gather_close(gather);
    gather = NULL;
    sem_post(&gate);
    sem_post(&gate);
    loop_turn(&own.loop);
    assert_int_equal(answers, 0);
}

static void leaving_without_having_asked_does_nothing(void **state)
{
    struct question none = {0};

    (void)state;
    question_cancel(&none);
    ask(0, "once");
    turn_until_answers(1);
    question_cancel(&askers[0].question);
    assert_got_own(&askers[0]);
}

static unsigned freed;

static void free_asker(struct question *question)
{
    freed++;
    free(H2O_STRUCT_FROM_MEMBER(struct asker, question, question));
}

static void an_asker_may_free_itself_in_its_answer(void **state)
{
    (void)state;
    freed = 0;
    for (unsigned i = 0; i < 5; i++) {
        struct asker *asker = calloc(1, sizeof *asker);
        assert_non_null(asker);
        asker->question.text = i % 2 == 0 ? "odd" : "even";
        asker->question.length = strlen(asker->question.text);
        asker->question.on_answer = free_asker;
        assert_true(gather_ask(gather, &asker->question));
    }
    while (freed < 5)
        loop_turn(&own.loop);
}

/* --- failures --- */

/* Asks four in two calls, the first of which says `word`. */
static void ask_two_calls(const char *word)
{
    struct gather_options two = options();

    two.questions_max = 2;
    open_with(&two);
    answers = 0;
    memset(askers, 0, sizeof askers);
    ask(0, word);
    ask(1, "with it");
    ask(2, "elsewhere");
    ask(3, "elsewhere too");
    turn_until_answers(4);
    assert_got_own(&askers[2]);
    assert_got_own(&askers[3]);
}

static void a_failing_call_fails_only_those_in_it(void **state)
{
    (void)state;
    ask_two_calls("500");
    for (unsigned i = 0; i < 2; i++) {
        assert_failed(&askers[i], RELAY_ANSWERED);
        assert_int_equal(askers[i].status, 500);
        assert_true(askers[i].had_call);
    }
    ask_two_calls("garbage");
    assert_failed(&askers[0], RELAY_UNREACHABLE);
    assert_failed(&askers[1], RELAY_UNREACHABLE);
}

#define GOOD "{\"status\":200,\"text\":\"x\"}"

static void an_answer_that_is_not_as_wanted_fails_only_those_in_it(void **state)
{
    static const char *const bodies[] = {
        "",
        "{}",
        "[]",
        "null",
        "rubbish",
        "{\"results\":null}",
        "{\"results\":{}}",
        "{\"results\":[]}",
        "{\"results\":[" GOOD "]}",                   /* too few */
        "{\"results\":[" GOOD "," GOOD "," GOOD "]}", /* too many */
        "{\"results\":[" GOOD "," GOOD "]",
        "{\"results\":[" GOOD "," GOOD "]}}",
        "{\"result\":[" GOOD "," GOOD "]}",
        "[" GOOD "," GOOD "]",
        "{\"results\":[" GOOD "," GOOD "],\"results\":[" GOOD "," GOOD "]}",
        "{\"results\":[[" GOOD "," GOOD "]]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        snprintf(bad_answer, sizeof bad_answer, "%s", bodies[i]);
        ask_two_calls("bad");
        assert_failed(&askers[0], RELAY_ANSWERED);
        assert_failed(&askers[1], RELAY_ANSWERED);
    }
}

/* Sixty-five are more than any call has: the reader's own limit. */
static void more_results_than_any_call_has_fail_those_in_it(void **state)
{
    size_t length = (size_t)snprintf(bad_answer, sizeof bad_answer, "{\"results\":[" GOOD);

    (void)state;
    for (unsigned i = 0; i < 64; i++)
        length += (size_t)snprintf(bad_answer + length, sizeof bad_answer - length, "," GOOD);
    snprintf(bad_answer + length, sizeof bad_answer - length, "]}");
    ask_two_calls("bad");
    assert_failed(&askers[0], RELAY_ANSWERED);
    assert_failed(&askers[1], RELAY_ANSWERED);
}

static void an_unsound_entry_fails_only_its_own_asker(void **state)
{
    static const char *const entries[] = {
        "null",
        "5",
        "true",
        "\"text\"",
        "[]",
        "{}",
        "{\"status\":200}",
        "{\"text\":\"x\"}",
        "{\"status\":200,\"text\":5}",
        "{\"status\":\"200\",\"text\":\"x\"}",
        "{\"status\":0,\"text\":\"x\"}",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        snprintf(bad_answer, sizeof bad_answer, "{\"results\":[" GOOD ",%s," GOOD "]}", entries[i]);
        answers = 0;
        memset(askers, 0, sizeof askers);
        ask_many("bad", 3);
        turn_until_answers(3);
        assert_failed(&askers[1], RELAY_ANSWERED);
        assert_int_equal(askers[1].status, 200);
        assert_true(askers[0].had_entry && askers[2].had_entry);
    }
}

static void unsound_entries_do_not_shift_the_others(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        char text[TEXT_BYTES];
        snprintf(text, sizeof text, "%s %u", i % 3 == 0 ? "odd" : "even", i);
        ask(i, text);
    }
    turn_until_answers(20);
    assert_int_equal(requests(), 1);
    for (unsigned i = 0; i < 20; i++)
        if (i % 3 == 0)
            assert_failed(&askers[i], RELAY_ANSWERED);
        else
            assert_got_own(&askers[i]);
}

/* Structs are used again from call to call. */
static void an_entry_of_an_earlier_call_is_nobodys_answer(void **state)
{
    (void)state;
    ask_many("q", 4);
    turn_until_answers(4);
    answers = 0;
    memset(askers, 0, sizeof askers);
    ask_many("odd", 4);
    turn_until_answers(4);
    for (unsigned i = 0; i < 4; i++)
        assert_failed(&askers[i], RELAY_ANSWERED);
}

static void nobody_there_is_unreachable(void **state)
{
    struct gather_options nobody = options();

    (void)state;
    nobody.base = "http://127.0.0.1:1"; /* nobody listens on it */
    open_with(&nobody);
    ask_many("q", 3);
    turn_until_answers(3);
    for (unsigned i = 0; i < 3; i++)
        assert_failed(&askers[i], RELAY_UNREACHABLE);
}

static void ignore_reply(struct call *call)
{
    (void)call;
}

static void without_room_for_a_call_its_askers_are_told_so(void **state)
{
    struct call other = {.base = upstream.base,
                         .method = "POST",
                         .path = "/other",
                         .body = "silence",
                         .body_length = 7,
                         .on_reply = ignore_reply};

    (void)state;
    relay_close(own.loop.relay);
    own.loop.relay = open_relay(1);
    assert_true(call_start(own.loop.relay, &other));
    ask_many("q", 3);
    turn_until_answers(3);
    for (unsigned i = 0; i < 3; i++) {
        assert_failed(&askers[i], RELAY_NO_ROOM);
        assert_false(askers[i].had_call);
    }
    call_cancel(&other);
    answers = 0;
    memset(askers, 0, sizeof askers);
    ask(0, "now there is");
    turn_until_answers(1);
    assert_got_own(&askers[0]);
}

/* --- within on_answer --- */

static void an_asker_may_ask_again_in_its_answer(void **state)
{
    struct gather_options one = options();

    (void)state;
    one.calls_max = 1;
    open_with(&one);
    askers[0].asks_again = 3;
    ask(0, "first");
    ask(1, "beside");
    turn_until_answers(5);
    assert_int_equal(askers[0].answers, 4);
    assert_string_equal(askers[0].got, "again 0");
    assert_int_equal(requests(), 4);
    assert_body(3, "{\"list\":[\"again 0\"]}");
    assert_got_own(&askers[1]);
}

static void an_asker_may_ask_another_gather_in_its_answer(void **state)
{
    struct gather_options others = options();

    (void)state;
    others.path = "/other";
    struct gather *other = gather_open(&own.loop, &others);
    ask_many("q", 2);
    turn_until_answers(2);
    snprintf(askers[2].text, sizeof askers[2].text, "elsewhere");
    assert_true(ask_at(other, &askers[2]));
    turn_until_answers(3);
    assert_got_own(&askers[2]);
    assert_memory_equal(upstream.requests[1].text, "POST /other ", 12);
    gather_close(other);
}

static void an_answer_may_make_others_of_its_call_and_of_the_queue_leave(void **state)
{
    struct gather_options one = options();

    (void)state;
    one.calls_max = 1;
    one.questions_max = 3;
    open_with(&one);
    ask_many("q", 6);                  /* 0, 1 and 2 in the first call */
    askers[1].cancels[0] = &askers[0]; /* has its answer */
    askers[1].cancels[1] = &askers[1];
    askers[1].cancels[2] = &askers[2];
    askers[1].cancels[3] = &askers[4];
    turn_until_answers(4);
    assert_got_own(&askers[0]);
    assert_got_own(&askers[1]);
    assert_int_equal(askers[2].answers, 0);
    assert_got_own(&askers[3]);
    assert_int_equal(askers[4].answers, 0);
    assert_got_own(&askers[5]);
    assert_body(1, "{\"list\":[\"q 3\",\"q 5\"]}");
}

static void a_failure_may_make_others_of_its_call_leave(void **state)
{
    (void)state;
    ask_many("500", 4);
    askers[0].cancels[0] = &askers[1];
    askers[0].cancels[1] = &askers[3];
    turn_until_answers(2);
    assert_failed(&askers[0], RELAY_ANSWERED);
    assert_failed(&askers[2], RELAY_ANSWERED);
    assert_int_equal(askers[1].answers + askers[3].answers, 0);
}

static void a_deadline_may_make_others_leave_and_ask_again(void **state)
{
    (void)state;
    ask_many("gate", 3);
    turn_until_requests(1);
    askers[0].cancels[0] = &askers[1];
    askers[0].asks_again = 1;
    hasten(2); /* due in the same moment */
    turn_until_answers(1);
    sem_post(&gate);
    turn_until_answers(3);
    assert_int_equal(askers[0].answers, 2);
    assert_string_equal(askers[0].got, "again 0");
    assert_int_equal(askers[1].answers, 0);
    assert_got_own(&askers[2]);
}

#define GATHER_TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATHER_TEST(a_lone_asker_goes_in_its_own_turn_with_one_question),
        GATHER_TEST(many_of_one_turn_share_one_call_in_their_order),
        GATHER_TEST(a_call_carries_at_most_questions_max),
        GATHER_TEST(a_call_carries_at_most_sixty_four),
        GATHER_TEST(a_call_carries_at_most_bytes_max),
        GATHER_TEST(a_question_larger_than_bytes_max_goes_alone),
        GATHER_TEST(no_more_than_calls_max_are_under_way),
        GATHER_TEST(what_queued_behind_a_call_goes_out_together),
        GATHER_TEST(a_full_queue_refuses_and_nothing_happens),
        GATHER_TEST(askers_know_the_id_of_the_call_that_carried_them),
        GATHER_TEST(equal_questions_of_a_call_are_asked_once_where_that_is_wanted),
        GATHER_TEST(a_full_call_still_takes_equal_questions_in),
        GATHER_TEST(equal_questions_are_asked_each_where_it_is_not),
        GATHER_TEST(one_of_several_equal_askers_may_leave),
        GATHER_TEST(a_deadline_in_a_call_touches_nobody_else_in_it),
        GATHER_TEST(a_deadline_in_the_queue_touches_nobody_else_in_it),
        GATHER_TEST(a_deadline_that_asks_anew_does_not_put_off_the_next_one),
        GATHER_TEST(deadlines_pass_although_the_oldest_asker_left),
        GATHER_TEST(a_silent_service_is_given_up_at_the_deadline_and_not_before),
        GATHER_TEST(an_asker_may_leave_the_queue),
        GATHER_TEST(when_all_leave_the_queue_nothing_is_asked),
        GATHER_TEST(an_asker_may_leave_a_call_and_the_others_get_their_own),
        GATHER_TEST(an_asker_that_left_may_ask_anew_meanwhile),
        GATHER_TEST(a_call_that_everyone_left_gives_its_place_back),
        GATHER_TEST(a_call_that_everyone_left_is_given_up_when_the_gather_closes),
        GATHER_TEST(leaving_without_having_asked_does_nothing),
        GATHER_TEST(an_asker_may_free_itself_in_its_answer),
        GATHER_TEST(a_failing_call_fails_only_those_in_it),
        GATHER_TEST(an_answer_that_is_not_as_wanted_fails_only_those_in_it),
        GATHER_TEST(more_results_than_any_call_has_fail_those_in_it),
        GATHER_TEST(an_unsound_entry_fails_only_its_own_asker),
        GATHER_TEST(unsound_entries_do_not_shift_the_others),
        GATHER_TEST(an_entry_of_an_earlier_call_is_nobodys_answer),
        GATHER_TEST(nobody_there_is_unreachable),
        GATHER_TEST(without_room_for_a_call_its_askers_are_told_so),
        GATHER_TEST(an_asker_may_ask_again_in_its_answer),
        GATHER_TEST(an_asker_may_ask_another_gather_in_its_answer),
        GATHER_TEST(an_answer_may_make_others_of_its_call_and_of_the_queue_leave),
        GATHER_TEST(a_failure_may_make_others_of_its_call_leave),
        GATHER_TEST(a_deadline_may_make_others_leave_and_ask_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
