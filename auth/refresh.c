/*
 * refresh.c - POST /refresh: the pair is replaced, and the refresh token that was shown is spent. One
 * transaction of the store decides which of several uses was the first; those that come a moment later (a
 * lost answer, two tabs) get the same pair, and one that comes later still ends the session: somebody else
 * has a copy of the token.
 *
 *   refresh_handle ──▶ (store) refresh_committed ──▶ reply
 *   the client leaves: the token is spent all the same, and shown again brings the same pair
 */
#include <string.h>

#include "auth/answer.h"
#include "auth/audit.h"
#include "auth/caller.h"
#include "auth/client.h"
#include "auth/state.h"
#include "auth/store_call.h"
#include "auth/token_pair.h"
#include "core/clock.h"
#include "core/reply.h"
#include "core/schema.h"

struct refresh_form {
    struct text refresh_token;
};

struct refresh {
    struct exchange x;
    struct client client;
    struct store_call call;
    struct token_pair pair;
};

const size_t refresh_size = sizeof(struct refresh);

static const struct field refresh_fields[] = {
    {.name = "refresh_token",
     .kind = FIELD_TEXT,
     .at = offsetof(struct refresh_form, refresh_token),
     .required = true},
};
static const struct form refresh_form = {refresh_fields, 1, sizeof(struct refresh_form)};

static void refresh_committed(struct store_call *call);

static void refresh_free(struct exchange *x)
{
    struct refresh *refresh = (struct refresh *)x;

    token_pair_wipe(&refresh->pair);
    store_call_close(&refresh->call);
}

static void refresh_start(struct refresh *refresh, const struct text *token)
{
    struct exchange *x = &refresh->x;
    const struct config *config = auth_of(x)->config;
    struct store_write *write = &refresh->call.write;
    struct token_claims claims;
    const enum verdict verdict =
        judge_token(x->loop, TOKEN_REFRESH, token->at, token->length, &write->user, &claims);

    if (verdict != VERDICT_VALID) {
        caller_refuse(x, verdict);
        return;
    }
    x->user_id = claims.user_id;
    write->kind = STORE_REFRESH_SESSION;
    write->session.user_id = claims.user_id;
    write->replay_window_us = (int64_t)config->refresh_replay_seconds * 1000000;
    strcpy(write->session.id, claims.session_id);
    strcpy(write->presented_refresh_id, claims.token_id);
    if (token_pair_name(&write->session, config, clock_wall_us()))
        store_call_start(&refresh->call, x, refresh_committed);
    else
        reply_fault(x, FAULT_INTERNAL);
}

void refresh_handle(struct exchange *x)
{
    struct refresh *refresh = (struct refresh *)x;
    struct refresh_form form;
    struct buffer faults;

    x->done = refresh_free;
    client_read(&refresh->client, x);
    buffer_open(&faults);
    struct reading *reading =
        schema_read(&refresh_form, x->req->entity.base, x->req->entity.len, &form, &faults);
    if (faults.length > 0)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else
        refresh_start(refresh, &form.refresh_token);
    reading_close(reading);
    buffer_close(&faults);
}

/* --- committed --- */

static void refresh_audit(struct refresh *refresh, enum audit_event event)
{
    const struct store_write *write = &refresh->call.write;

    audit_log(event, &(struct audit){.x = &refresh->x,
                                     .client = &refresh->client,
                                     .actor_id = event == AUDIT_REFRESH_THEFT ? 0 : write->session.user_id,
                                     .subject_id = write->session.user_id,
                                     .subject = write->user.username,
                                     .session_id = write->session.id});
}

/* The pair that the session's record names. Of one told again, the time has gone on. */
static void refresh_answer(struct refresh *refresh, bool is_replay)
{
    struct exchange *x = &refresh->x;
    const struct store_write *write = &refresh->call.write;
    struct buffer detail;

    if (!token_pair_make(&refresh->pair, auth_of(x), &write->user, &write->session)) {
        reply_fault(x, FAULT_INTERNAL);
        return;
    }
    buffer_open(&detail);
    token_pair_add(&detail, &refresh->pair,
                   is_replay ? clock_wall_us() / 1000000 : write->session.issued_at_s);
    answer_detail(x, detail.at, detail.length);
    buffer_close(&detail);
}

static void refresh_committed(struct store_call *call)
{
    struct refresh *refresh = H2O_STRUCT_FROM_MEMBER(struct refresh, call, call);
    const enum store_outcome outcome = call->write.outcome;

    if (outcome == STORE_OK || outcome == STORE_REPLAYED) {
        refresh_audit(refresh, outcome == STORE_OK ? AUDIT_REFRESH : AUDIT_REFRESH_REPLAY);
        refresh_answer(refresh, outcome == STORE_REPLAYED);
    } else if (outcome == STORE_REUSED) {
        refresh_audit(refresh, AUDIT_REFRESH_THEFT);
        caller_refuse(&refresh->x, VERDICT_INVALID);
    } else if (outcome == STORE_NOT_FOUND) {
        caller_refuse(&refresh->x, VERDICT_INVALID); /* ended since it was judged */
    } else {
        store_call_fail(call);
    }
}
