#include "core/ask.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "core/loop.h"
#include "core/memory.h"

#define ANSWER_MAX_BYTES (4u * 1024 * 1024)

struct asker {
    h2o_globalconf_t conf;
    struct loop loop;
    struct call call;
    struct buffer body;
    bool answered;
};

struct asker *asker_open(void)
{
    static const struct relay_options options = {
        .timeout_ms = 30000,
        .connect_timeout_ms = 5000,
        .calls_max = 1,
        .answer_max_bytes = ANSWER_MAX_BYTES,
        .keepalive_timeout_ms = 10000,
    };
    struct asker *asker = memory_zeroed(sizeof *asker);

    h2o_config_init(&asker->conf);
    h2o_config_register_host(&asker->conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    loop_open(&asker->loop, NULL, 0, &asker->conf);
    asker->loop.relay = relay_open(&asker->loop, &options);
    buffer_open(&asker->body);
    return asker;
}

void asker_close(struct asker *asker)
{
    if (asker == NULL)
        return;
    relay_close(asker->loop.relay);
    loop_close(&asker->loop);
    h2o_config_dispose(&asker->conf);
    buffer_close(&asker->body);
    free(asker);
}

static void on_reply(struct call *call)
{
    struct asker *asker = H2O_STRUCT_FROM_MEMBER(struct asker, call, call);

    buffer_clear(&asker->body);
    if (call->outcome == RELAY_ANSWERED)
        buffer_add(&asker->body, call->answer.body, call->answer.body_length);
    asker->answered = true;
}

void asker_ask(struct asker *asker, const struct ask *ask, struct asked *asked)
{
    asker->call = (struct call){
        .base = ask->base,
        .method = ask->method,
        .path = ask->path,
        .body = ask->body,
        .body_length = ask->body == NULL ? 0 : strlen(ask->body),
        .timeout_ms = ask->timeout_ms,
        .on_reply = on_reply,
    };
    static_assert(sizeof asker->call.headers == sizeof ask->headers, "a call takes what a question has");
    memcpy(asker->call.headers, ask->headers, sizeof ask->headers);
    asker->answered = false;

    const bool started = call_start(asker->loop.relay, &asker->call);
    assert(started);
    (void)started;
    while (!asker->answered)
        loop_turn(&asker->loop);

    *asked = (struct asked){
        .outcome = asker->call.outcome,
        .status = asker->call.answer.status,
        .body = asker->body.at,
        .body_length = asker->body.length,
    };
}
