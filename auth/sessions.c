/*
 * sessions.c - one's own sessions: GET /sessions lists them, DELETE /sessions/{sid} ends one.
 *
 *   session_end_handle ──▶ (store) session_ended ──▶ reply
 */
#include <stdlib.h>
#include <string.h>

#include "auth/answer.h"
#include "auth/audit.h"
#include "auth/caller.h"
#include "auth/client.h"
#include "auth/state.h"
#include "auth/store_call.h"
#include "core/memory.h"
#include "core/reply.h"

#define SHOWN_MAX 1000 /* the newest; an answer has a limit */

static void add_session(struct buffer *out, const struct session *session, const char *own_id)
{
    buffer_add_char(out, '{');
    answer_add_text(out, "sid", session->id);
    buffer_add_char(out, ',');
    answer_add_time(out, "created_at", session->created_at_us);
    buffer_add_char(out, ',');
    answer_add_time(out, "refreshed_at", session->refreshed_at_us);
    buffer_add_char(out, ',');
    answer_add_time(out, "ends_at", session->ends_at_us); /* at the latest */
    buffer_add_char(out, ',');
    answer_add_text(out, "client_address", session->client_address);
    buffer_add_char(out, ',');
    answer_add_text(out, "user_agent", session->user_agent);
    buffer_add_char(out, ',');
    answer_add_bool(out, "current", strcmp(session->id, own_id) == 0);
    buffer_add_char(out, '}');
}

static void answer_sessions(struct exchange *x, const struct session *sessions, size_t count,
                            const char *own_id)
{
    struct buffer detail;

    buffer_open(&detail);
    buffer_add_text(&detail, "{\"sessions\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_char(&detail, ',');
        add_session(&detail, &sessions[i], own_id);
    }
    buffer_add_text(&detail, "]}");
    answer_detail(x, detail.at, detail.length);
    buffer_close(&detail);
}

/* All of a user's sessions, to be freed by the caller; NULL: the store failed. */
static struct session *list_all(struct exchange *x, uint64_t user_id, size_t *count)
{
    struct user_store *store = auth_of(x)->store;
    size_t limit = auth_of(x)->config->sessions_per_user_max;

    for (;; limit *= 2) { /* more than the setting allows are only where it was lowered since */
        struct session *sessions = memory_zeroed((limit + 1) * sizeof *sessions);
        const bool found = user_store_list_sessions(store, user_id, limit + 1, sessions, count) == STORE_OK;
        if (found && *count <= limit)
            return sessions;
        free(sessions);
        if (!found)
            return NULL;
    }
}

void sessions_list_handle(struct exchange *x)
{
    struct caller caller;
    size_t count = 0;

    if (!caller_read(&caller, x))
        return;
    struct session *sessions = list_all(x, caller.user.id, &count);
    if (sessions != NULL) {
        const size_t hidden = count > SHOWN_MAX ? count - SHOWN_MAX : 0; /* they come oldest first */
        answer_sessions(x, sessions + hidden, count - hidden, caller.session_id);
    } else {
        reply_fault(x, FAULT_INTERNAL);
    }
    free(sessions);
}

/* --- ending one --- */

struct session_end {
    struct exchange x;
    struct client client;
    struct caller caller;
    struct store_call call;
};

const size_t session_end_size = sizeof(struct session_end);

static void session_ended(struct store_call *call)
{
    struct session_end *end = H2O_STRUCT_FROM_MEMBER(struct session_end, call, call);

    if (call->write.outcome == STORE_OK) {
        audit_log(AUDIT_SESSION_ENDED, &(struct audit){.x = call->x,
                                                       .client = &end->client,
                                                       .actor_id = end->caller.user.id,
                                                       .subject_id = end->caller.user.id,
                                                       .subject = end->caller.user.username,
                                                       .session_id = call->write.session.id});
        answer_sentence(call->x, "Session ended");
    } else if (call->write.outcome == STORE_NOT_FOUND) {
        reply_fault(call->x, FAULT_SESSION_NOT_FOUND);
    } else {
        store_call_fail(call);
    }
}

static void session_end_free(struct exchange *x)
{
    store_call_close(&((struct session_end *)x)->call);
}

void session_end_handle(struct exchange *x)
{
    struct session_end *end = (struct session_end *)x;
    struct store_write *write = &end->call.write;

    x->done = session_end_free;
    client_read(&end->client, x);
    if (!caller_read(&end->caller, x))
        return;
    if (x->segment.len != SESSION_ID_LENGTH) {
        reply_fault(x, FAULT_SESSION_NOT_FOUND);
        return;
    }
    write->kind = STORE_END_SESSION;
    caller_sign(&end->caller, write);
    write->session.user_id = end->caller.user.id;
    memcpy(write->session.id, x->segment.base, x->segment.len);
    store_call_start(&end->call, x, session_ended);
}
