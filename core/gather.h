/*
 * gather.h - many askers, one call. A plain relay pays libcurl's cost for each request; under load hot
 * questions share it: askers queue, and what has queued by the end of the loop's turn goes out together,
 * while fewer than calls_max calls are under way. With few askers a call carries one question and nobody
 * waits.
 *
 *   gather_ask ──▶ queue ──(end of the turn)──▶ call ──▶ answers dealt by index ──▶ on_answer, each asker's
 * own │            └ its deadline passes: on_answer with RELAY_TIMED_OUT, the others stay └ the asker leaves
 * at any time: question_cancel
 *
 * The body is {"NAME": [question, ...]}, the answer {"results": [entry, ...]} of as many entries. A call that
 * fails, or brings rubbish or another number of entries, fails those in it and nobody else; an entry that is
 * not as wanted fails its own askers alone. No answer is remembered.
 */
#ifndef CORE_GATHER_H
#define CORE_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/exchange.h"
#include "core/loop.h"
#include "core/relay.h"
#include "core/schema.h"

#define GATHER_QUESTIONS_MAX 64

struct gather;
struct gathered; /* one call and those in it: private */

/* The values of metrics.def's label TARGET, in their order. */
enum gather_target { GATHER_TOKENS, GATHER_MESSAGES };

struct gather_options {
    const char *base; /* whom to call: "http://host:port" */
    const char *path;
    const char *list_name; /* of the questions in the body */
    bool quotes; /* questions are bare texts without anything to escape: they go out as JSON strings */
    bool merges; /* equal questions of one call are asked once */
    const struct form *entry;  /* of an answer */
    size_t questions_max;      /* in one call, at most GATHER_QUESTIONS_MAX */
    size_t bytes_max;          /* of questions in one call */
    size_t queue_max;          /* askers that wait for a call */
    size_t calls_max;          /* under way at once */
    uint64_t timeout_ms;       /* from gather_ask to the answer */
    enum gather_target target; /* what its metrics are called */
};

/* One asker's question; embedded in the struct of its request, zero-initialised. */
struct question {
    /* Set by the asker; the text stays until the answer or question_cancel. */
    const char *text;
    size_t length;
    void (*on_answer)(struct question *question);

    /* The answer. entry is of the options' form; NULL where it was not as wanted, or the call failed: see
     * call. */
    enum relay_outcome outcome;
    const void *entry;       /* valid until on_answer returns */
    const struct call *call; /* the one that carried it, valid as long; NULL where none did */
    char call_id[REQUEST_ID_MAX_BYTES + 1];

    struct question *previous; /* private from here: of the queue, or of the call */
    struct question *next;
    struct question *older; /* of all that are under way, in the order of their deadlines */
    struct question *newer;
    uint64_t due_us;
    struct gather *gather;
    size_t index;
    bool is_queued;
};

/*
 * On the loop's thread; the loop's relay makes the calls. Close with no question under way; a call whose
 * askers have all left is given up.
 */
struct gather *gather_open(struct loop *loop, const struct gather_options *options);
void gather_close(struct gather *gather);

/*
 * Asks. on_answer is called exactly once, never from within this call. False: the queue is full, nothing
 * happened.
 */
bool gather_ask(struct gather *gather, struct question *question);

/* The asker left: on_answer will not be called. Does nothing to a question that is not under way. */
void question_cancel(struct question *question);

#endif
