#include "storage/session_rules.h"

#include <assert.h>
#include <string.h>

#define NETWORK_STALE_US INT64_C(86400000000) /* a day */

bool session_id_is_whole(const char *id)
{
    return strnlen(id, SESSION_ID_LENGTH + 1) == SESSION_ID_LENGTH;
}

int64_t session_end_us(const struct session *session)
{
    return session->ends_at_us < session->idle_ends_at_us ? session->ends_at_us : session->idle_ends_at_us;
}

bool session_is_in_force(const struct session *session, int64_t now_us)
{
    return now_us < session_end_us(session);
}

bool network_is_stale(int64_t seen_us, int64_t now_us)
{
    return now_us - seen_us > NETWORK_STALE_US || seen_us > now_us;
}

enum store_outcome session_rules_open(const struct store_write *write, const struct user *user,
                                      bool id_is_taken)
{
    if (user == NULL || !user->is_active)
        return STORE_NOT_FOUND;
    /* Changed since its password was verified: maybe that very password. A renewed hash is no change. */
    const int64_t verified_us = write->user.updated_at_us;
    const bool has_changed = verified_us != 0 && verified_us != user->updated_at_us;
    return id_is_taken || has_changed ? STORE_CONFLICT : STORE_OK;
}

static void rotate(const struct store_write *write, int64_t now_us, struct session *session)
{
    const struct session *with = &write->session;
    memcpy(session->spent_refresh_id, session->refresh_id, sizeof(session->spent_refresh_id));
    session->spent_at_us = now_us;
    memcpy(session->access_id, with->access_id, sizeof(session->access_id));
    memcpy(session->refresh_id, with->refresh_id, sizeof(session->refresh_id));
    session->issued_at_s = with->issued_at_s;
    session->refreshed_at_us = now_us;
    session->idle_ends_at_us = with->idle_ends_at_us;
}

enum store_outcome session_rules_refresh(const struct store_write *write, const struct session *before,
                                         const struct user *user, int64_t now_us, struct session *after)
{
    const char *presented = write->presented_refresh_id;
    assert(write->kind == STORE_REFRESH_SESSION);
    if (before == NULL || before->user_id != write->session.user_id || !session_is_in_force(before, now_us))
        return STORE_NOT_FOUND;
    if (user == NULL || !user->is_active)
        return STORE_NOT_FOUND;
    assert(user->id == before->user_id);
    if (strcmp(presented, before->refresh_id) == 0) {
        *after = *before;
        rotate(write, now_us, after);
        return STORE_OK;
    }
    bool is_last_spent =
        before->spent_refresh_id[0] != '\0' && strcmp(presented, before->spent_refresh_id) == 0;
    const int64_t since_us = now_us - before->spent_at_us; /* negative: the clock was set back */
    if (is_last_spent && since_us < write->replay_window_us && since_us > -write->replay_window_us)
        return STORE_REPLAYED;
    return STORE_REUSED;
}

enum store_outcome session_rules_end(const struct store_write *write, const struct session *before,
                                     int64_t now_us)
{
    if (before == NULL || !session_is_in_force(before, now_us))
        return STORE_NOT_FOUND;
    if (write->session.user_id != 0 && write->session.user_id != before->user_id)
        return STORE_NOT_FOUND;
    return STORE_OK;
}

bool session_rules_cut(const struct store_write *write, const struct user *before, const struct user *after,
                       const char **keep)
{
    *keep = "";
    if (write->kind == STORE_CREATE_USER || write->kind == STORE_RENEW_HASH)
        return false;
    assert(before != NULL);
    if (after == NULL || (before->is_active && !after->is_active))
        return true;
    *keep = write->keep_session;
    bool sets_password = write->kind == STORE_CHANGE_USER && (write->changes & STORE_SET_PASSWORD) != 0;
    return sets_password || write->kind == STORE_END_USER_SESSIONS;
}
