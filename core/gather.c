#include "core/gather.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "core/clock.h"
#include "core/memory.h"

/* One call and those who wait for it. */
struct gathered {
    struct gathered *next; /* of the idle ones, or of those under way */
    struct gather *gather;
    struct call call;
    struct question askers; /* head of the list */
    size_t question_count;
    const char *texts[GATHER_QUESTIONS_MAX]; /* for merging, while the call is put together */
    size_t lengths[GATHER_QUESTIONS_MAX];
    struct buffer body;
    char id[REQUEST_ID_MAX_BYTES + 1];
    bool sound[GATHER_QUESTIONS_MAX];
    char *entries; /* GATHER_QUESTIONS_MAX structs of the answer's form */
};

struct gather {
    struct loop *loop;
    struct gather_options options;
    struct list_form results;
    struct question queue; /* head of the list */
    /* Head of the list by older and newer: all wait equally long, so the oldest is due first. One timer for
     * all. */
    struct question deadlines;
    struct timer deadline;
    size_t queued;
    size_t calls;
    struct timer flush;
    struct gathered *idle;
    struct gathered *under_way;
};

static void list_open(struct question *head)
{
    head->previous = head->next = head;
}

static void list_append(struct question *head, struct question *question)
{
    question->previous = head->previous;
    question->next = head;
    head->previous->next = question;
    head->previous = question;
}

static void list_remove(struct question *question)
{
    question->previous->next = question->next;
    question->next->previous = question->previous;
    question->previous = question->next = NULL;
}

/* The values of metrics.def's label GATHERED are the outcomes, and behind them: not_as_wanted. */
#define SERIES_NOT_AS_WANTED (RELAY_NO_ROOM + 1)
_Static_assert((int)METRIC_VALUES_GATHERED == (int)SERIES_NOT_AS_WANTED + 1,
               "metrics.def knows every outcome");
_Static_assert((int)METRIC_VALUES_TARGET == (int)GATHER_MESSAGES + 1, "metrics.def knows every target");

static void change_queued(struct gather *gather, int by)
{
    assert(by > 0 || gather->queued > 0);
    gather->queued += (size_t)by;
    metrics_add(&gather->loop->metrics, METRIC_GATHER_QUEUE, gather->options.target, by);
}

static void change_calls(struct gather *gather, int by)
{
    assert(by > 0 || gather->calls > 0);
    gather->calls += (size_t)by;
    metrics_add(&gather->loop->metrics, METRIC_GATHER_CALLS_IN_FLIGHT, gather->options.target, by);
}

static void count_outcome(const struct gather *gather, unsigned outcome)
{
    const unsigned series = gather->options.target * METRIC_VALUES_GATHERED + outcome;

    metrics_count(&gather->loop->metrics, METRIC_GATHER_CALLS, series);
}

static void take_out(struct question *question)
{
    question->newer->older = question->older;
    question->older->newer = question->newer;
    if (question->is_queued) {
        change_queued(question->gather, -1);
        question->is_queued = false;
    }
    list_remove(question);
}

static void answer(struct question *question, enum relay_outcome outcome, const void *entry,
                   const struct call *call)
{
    take_out(question);
    question->outcome = outcome;
    question->entry = entry;
    question->call = call;
    question->on_answer(question); /* may free the question */
}

static void on_deadline(struct timer *timer)
{
    struct gather *gather = H2O_STRUCT_FROM_MEMBER(struct gather, deadline, timer);
    const uint64_t now_us = clock_monotonic_us();

    while (gather->deadlines.newer != &gather->deadlines && gather->deadlines.newer->due_us <= now_us)
        answer(gather->deadlines.newer, RELAY_TIMED_OUT, NULL, NULL);
    loop_timer_stop(timer); /* one that asked anew meanwhile started it, for its own deadline */
    if (gather->deadlines.newer != &gather->deadlines)
        loop_timer_start(gather->loop, timer, gather->deadlines.newer->due_us - now_us, on_deadline);
}

/* The timer may be set for one that has been answered since: then it fires for nothing, and is set anew. */
static void start_deadline(struct gather *gather, struct question *question)
{
    question->due_us = clock_monotonic_us() + gather->options.timeout_ms * 1000;
    question->newer = &gather->deadlines;
    question->older = gather->deadlines.older;
    question->older->newer = question;
    gather->deadlines.older = question;
    if (!loop_timer_is_running(&gather->deadline))
        loop_timer_start(gather->loop, &gather->deadline, gather->options.timeout_ms * 1000, on_deadline);
}

/* --- putting a call together --- */

static struct gathered *gathered_open(struct gather *gather)
{
    struct gathered *gathered = gather->idle;

    if (gathered != NULL) {
        gather->idle = gathered->next;
    } else {
        gathered = memory_zeroed(sizeof *gathered);
        gathered->gather = gather;
        gathered->entries = memory_zeroed(GATHER_QUESTIONS_MAX * gather->options.entry->size);
        list_open(&gathered->askers);
        buffer_open(&gathered->body);
    }
    gathered->question_count = 0;
    return gathered;
}

static void gathered_rest(struct gathered *gathered)
{
    assert(gathered->askers.next == &gathered->askers);
    buffer_clear(&gathered->body);
    gathered->next = gathered->gather->idle;
    gathered->gather->idle = gathered;
}

/* The place of an equal question in this call, or question_count. */
static size_t find_equal(const struct gathered *gathered, const struct question *question)
{
    size_t i = gathered->gather->options.merges ? 0 : gathered->question_count;

    while (i < gathered->question_count &&
           (gathered->lengths[i] != question->length ||
            memcmp(gathered->texts[i], question->text, question->length) != 0))
        i++;
    return i;
}

static void add_question(struct gathered *gathered, const struct question *question)
{
    const bool quotes = gathered->gather->options.quotes;

    if (gathered->question_count > 0)
        buffer_add_char(&gathered->body, ',');
    if (quotes)
        buffer_add_char(&gathered->body, '"');
    buffer_add(&gathered->body, question->text, question->length);
    if (quotes)
        buffer_add_char(&gathered->body, '"');
    gathered->texts[gathered->question_count] = question->text;
    gathered->lengths[gathered->question_count] = question->length;
    gathered->question_count++;
}

/* Moves an asker from the queue into the call. False: the call is full. */
static bool take_in(struct gathered *gathered, struct question *question)
{
    const struct gather_options *options = &gathered->gather->options;
    const size_t place = find_equal(gathered, question);

    if (place == gathered->question_count) {
        const bool fits = gathered->body.length + question->length + 3 <= options->bytes_max;
        if (gathered->question_count == options->questions_max || (!fits && gathered->question_count > 0))
            return false;
        add_question(gathered, question);
    }
    question->index = place;
    question->is_queued = false;
    change_queued(gathered->gather, -1);
    list_remove(question);
    list_append(&gathered->askers, question);
    memcpy(question->call_id, gathered->id, sizeof question->call_id);
    return true;
}

static void on_reply(struct call *call);

static void deal_failure(struct gathered *gathered, enum relay_outcome outcome, const struct call *call)
{
    while (gathered->askers.next != &gathered->askers)
        answer(gathered->askers.next, outcome, NULL, call);
}

static void observe_call(const struct gathered *gathered)
{
    struct metrics *metrics = &gathered->gather->loop->metrics;
    const enum gather_target target = gathered->gather->options.target;

    metrics_observe(metrics, HISTOGRAM_GATHER_QUESTIONS, target, gathered->question_count);
    metrics_observe(metrics, HISTOGRAM_GATHER_BYTES, target, gathered->body.length);
}

static void send_call(struct gather *gather)
{
    struct gathered *gathered = gathered_open(gather);
    char id_header[sizeof "X-Request-Id: " + REQUEST_ID_MAX_BYTES];

    exchange_make_id(gathered->id);
    snprintf(id_header, sizeof id_header, "X-Request-Id: %s", gathered->id);
    buffer_add_format(&gathered->body, "{\"%s\":[", gather->options.list_name);
    while (gather->queue.next != &gather->queue && take_in(gathered, gather->queue.next))
        ;
    buffer_add_text(&gathered->body, "]}");
    gathered->call = (struct call){
        .base = gather->options.base,
        .method = "POST",
        .path = gather->options.path,
        .body = gathered->body.at,
        .body_length = gathered->body.length,
        .headers = {id_header},
        .timeout_ms = gather->options.timeout_ms,
        .on_reply = on_reply,
    };
    change_calls(gather, 1);
    if (call_start(gather->loop->relay, &gathered->call)) {
        gathered->next = gather->under_way;
        gather->under_way = gathered;
        observe_call(gathered);
        return;
    }
    change_calls(gather, -1);
    count_outcome(gather, RELAY_NO_ROOM);
    deal_failure(gathered, RELAY_NO_ROOM, NULL);
    gathered_rest(gathered);
}

static void send_calls(struct gather *gather)
{
    while (gather->queue.next != &gather->queue && gather->calls < gather->options.calls_max)
        send_call(gather);
}

static void on_flush(struct timer *timer)
{
    send_calls(H2O_STRUCT_FROM_MEMBER(struct gather, flush, timer));
}

/* --- dealing the answers --- */

/* From the head each time: an on_answer may cancel others of this call. */
static void deal(struct gathered *gathered)
{
    const struct gather *gather = gathered->gather;

    while (gathered->askers.next != &gathered->askers) {
        struct question *question = gathered->askers.next;
        const char *entry = gathered->entries + question->index * gather->options.entry->size;
        answer(question, RELAY_ANSWERED, gathered->sound[question->index] ? entry : NULL, &gathered->call);
    }
}

static void remove_from_under_way(struct gathered *gathered)
{
    struct gathered **at = &gathered->gather->under_way;

    while (*at != gathered)
        at = &(*at)->next;
    *at = gathered->next;
    change_calls(gathered->gather, -1);
}

static void on_reply(struct call *call)
{
    struct gathered *gathered = H2O_STRUCT_FROM_MEMBER(struct gathered, call, call);
    struct gather *gather = gathered->gather;
    struct reading *reading = NULL;
    struct buffer faults;
    size_t count = 0;

    remove_from_under_way(gathered);
    buffer_open(&faults);
    if (call->outcome == RELAY_ANSWERED && call->answer.status == 200)
        reading = schema_read_list(&gather->results, call->answer.body, call->answer.body_length,
                                   gathered->entries, gathered->sound, &count, &faults);
    const bool is_as_wanted = reading != NULL && count == gathered->question_count;
    count_outcome(gather, !is_as_wanted && call->outcome == RELAY_ANSWERED ? SERIES_NOT_AS_WANTED
                                                                           : (unsigned)call->outcome);
    if (is_as_wanted)
        deal(gathered);
    else
        deal_failure(gathered, call->outcome, call);
    reading_close(reading);
    buffer_close(&faults);
    gathered_rest(gathered);
    send_calls(gather);
}

/* --- asking --- */

struct gather *gather_open(struct loop *loop, const struct gather_options *options)
{
    struct gather *gather = memory_zeroed(sizeof *gather);

    assert(options->questions_max > 0 && options->questions_max <= GATHER_QUESTIONS_MAX);
    assert(options->queue_max > 0 && options->calls_max > 0);
    gather->loop = loop;
    gather->options = *options;
    gather->results = (struct list_form){"results", options->entry, GATHER_QUESTIONS_MAX};
    list_open(&gather->queue);
    gather->deadlines.older = gather->deadlines.newer = &gather->deadlines;
    return gather;
}

void gather_close(struct gather *gather)
{
    if (gather == NULL)
        return;
    assert(gather->queued == 0);
    while (gather->under_way != NULL) {
        struct gathered *gathered = gather->under_way;
        call_cancel(&gathered->call);
        remove_from_under_way(gathered);
        gathered_rest(gathered);
    }
    loop_timer_stop(&gather->flush);
    loop_timer_stop(&gather->deadline);
    while (gather->idle != NULL) {
        struct gathered *gathered = gather->idle;
        gather->idle = gathered->next;
        buffer_close(&gathered->body);
        free(gathered->entries);
        free(gathered);
    }
    free(gather);
}

bool gather_ask(struct gather *gather, struct question *question)
{
    assert(question->next == NULL && question->on_answer != NULL && question->length > 0);
    if (gather->queued >= gather->options.queue_max) {
        metrics_count(&gather->loop->metrics, METRIC_GATHER_REFUSED, gather->options.target);
        return false;
    }

    question->gather = gather;
    question->is_queued = true;
    change_queued(gather, 1);
    list_append(&gather->queue, question);
    start_deadline(gather, question);
    if (gather->calls < gather->options.calls_max && !loop_timer_is_running(&gather->flush))
        loop_timer_start(gather->loop, &gather->flush, 0, on_flush);
    return true;
}

void question_cancel(struct question *question)
{
    if (question->next != NULL)
        take_out(question);
}
