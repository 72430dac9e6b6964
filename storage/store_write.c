/* store_write.c - what a write has to bring, whatever store it goes to. */
#include "storage/store_write.h"

#include <string.h>

#include "storage/session_rules.h"
#include "storage/user_store_ops.h"

bool blob_name_is_valid(const char *name)
{
    size_t length = strnlen(name, STORE_BLOB_NAME_MAX_BYTES + 1);
    return length > 0 && length <= STORE_BLOB_NAME_MAX_BYTES;
}

static bool is_closed(const char *text, size_t max_bytes)
{
    return strnlen(text, max_bytes + 1) <= max_bytes;
}

/* The texts that a write on a user brings: closed, and not empty where they are a key. */
static bool is_well_formed_for_user(const struct store_write *write)
{
    const struct user *user = &write->user;
    bool creates = write->kind == STORE_CREATE_USER;
    if (creates && !(is_closed(user->username, USER_NAME_MAX_BYTES) && user->username[0] != '\0'))
        return false;
    if (creates && !(is_closed(user->email, USER_EMAIL_MAX_BYTES) && user->email[0] != '\0'))
        return false;
    if (!is_closed(write->expected_hash, USER_HASH_MAX_BYTES) ||
        !is_closed(write->keep_session, SESSION_ID_LENGTH))
        return false;
    bool sets_password = creates || write->kind == STORE_RENEW_HASH ||
                         (write->kind == STORE_CHANGE_USER && (write->changes & STORE_SET_PASSWORD) != 0);
    return !sets_password || (is_closed(user->password_hash, USER_HASH_MAX_BYTES) &&
                              is_closed(user->password_method, USER_METHOD_MAX_BYTES));
}

static bool is_well_formed_session(const struct session *session)
{
    bool has_spent = session->spent_refresh_id[0] != '\0';
    return session_id_is_whole(session->id) && session_id_is_whole(session->access_id) &&
           session_id_is_whole(session->refresh_id) &&
           (!has_spent || session_id_is_whole(session->spent_refresh_id)) &&
           is_closed(session->client_address, SESSION_ADDRESS_MAX_BYTES) &&
           is_closed(session->user_agent, SESSION_USER_AGENT_MAX_BYTES) && session->created_at_us >= 0 &&
           session_end_us(session) >= 0;
}

/* Nobody's, or whole: an actor without a session would pass unjudged. */
static bool is_well_formed_actor(const struct store_actor *actor)
{
    if (actor->session_id[0] == '\0')
        return actor->user_id == 0 && !actor->must_be_admin;
    return is_closed(actor->session_id, SESSION_ID_LENGTH) && actor->user_id != 0;
}

/* Ids that come from a token may be anything that is closed: they name no session then. */
bool store_write_is_well_formed(const struct store_write *write)
{
    const struct session *session = &write->session;
    if (!is_well_formed_actor(&write->actor))
        return false;
    switch (write->kind) {
    case STORE_CREATE_USER:
    case STORE_CHANGE_USER:
    case STORE_RENEW_HASH:
    case STORE_DELETE_USER:
    case STORE_END_USER_SESSIONS:
        return is_well_formed_for_user(write);
    case STORE_OPEN_SESSION:
        return is_well_formed_session(session) && is_closed(write->network, NETWORK_MAX_BYTES) &&
               write->sessions_max > 0;
    case STORE_REFRESH_SESSION:
        return is_closed(session->id, SESSION_ID_LENGTH) && session_id_is_whole(session->access_id) &&
               session_id_is_whole(session->refresh_id) && session->idle_ends_at_us >= 0 &&
               is_closed(write->presented_refresh_id, SESSION_ID_LENGTH);
    case STORE_END_SESSION:
        return is_closed(session->id, SESSION_ID_LENGTH);
    case STORE_KEEP_BLOB:
        return write->blob_name != NULL && blob_name_is_valid(write->blob_name) &&
               write->blob_length <= STORE_BLOB_MAX_BYTES && (write->blob != NULL || write->blob_length == 0);
    }
    return false;
}
