#include "storage/lmdb_session_record.h"

#include <assert.h>
#include <string.h>

enum {
    AT_USER = 1,
    AT_CREATED = 9,
    AT_REFRESHED = 17,
    AT_ENDS = 25,
    AT_IDLE_ENDS = 33,
    AT_ISSUED = 41,
    AT_SPENT = 49,
    AT_ACCESS_ID = 57,
    AT_REFRESH_ID = AT_ACCESS_ID + SESSION_ID_LENGTH,
    AT_SPENT_ID = AT_REFRESH_ID + SESSION_ID_LENGTH,
};

_Static_assert(AT_SPENT_ID + SESSION_ID_LENGTH == SESSION_RECORD_FIXED_BYTES, "the fixed part is these");

static void put_time(unsigned char *at, int64_t time)
{
    number_encode((uint64_t)time, at);
}

static int64_t time_at(const unsigned char *at)
{
    return (int64_t)number_decode(at);
}

static void put_id(unsigned char *at, const char *id)
{
    assert(strlen(id) == SESSION_ID_LENGTH);
    memcpy(at, id, SESSION_ID_LENGTH);
}

size_t session_record_encode(const struct session *session, unsigned char out[SESSION_RECORD_MAX_BYTES])
{
    out[0] = SESSION_RECORD_VERSION;
    number_encode(session->user_id, out + AT_USER);
    put_time(out + AT_CREATED, session->created_at_us);
    put_time(out + AT_REFRESHED, session->refreshed_at_us);
    put_time(out + AT_ENDS, session->ends_at_us);
    put_time(out + AT_IDLE_ENDS, session->idle_ends_at_us);
    put_time(out + AT_ISSUED, session->issued_at_s);
    put_time(out + AT_SPENT, session->spent_at_us);
    put_id(out + AT_ACCESS_ID, session->access_id);
    put_id(out + AT_REFRESH_ID, session->refresh_id);
    memset(out + AT_SPENT_ID, 0, SESSION_ID_LENGTH);
    if (session->spent_refresh_id[0] != '\0')
        put_id(out + AT_SPENT_ID, session->spent_refresh_id);
    unsigned char *at = out + SESSION_RECORD_FIXED_BYTES;
    at = record_put_text(at, session->client_address, SESSION_ADDRESS_MAX_BYTES);
    at = record_put_text(at, session->user_agent, SESSION_USER_AGENT_MAX_BYTES);
    size_t length = (size_t)(at - out);
    assert(length <= SESSION_RECORD_MAX_BYTES);
    return length;
}

static enum record_outcome check_fixed_part(const unsigned char *bytes, size_t length)
{
    if (length == 0 || bytes[0] == 0)
        return RECORD_DAMAGED;
    if (bytes[0] > SESSION_RECORD_VERSION)
        return RECORD_NEWER;
    if (length < SESSION_RECORD_FIXED_BYTES || number_decode(bytes + AT_USER) == 0)
        return RECORD_DAMAGED;
    return RECORD_OK;
}

enum record_outcome session_record_glance(const unsigned char *bytes, size_t length, struct session *out)
{
    enum record_outcome outcome = check_fixed_part(bytes, length);
    if (outcome != RECORD_OK)
        return outcome;
    out->user_id = number_decode(bytes + AT_USER);
    out->ends_at_us = time_at(bytes + AT_ENDS);
    out->idle_ends_at_us = time_at(bytes + AT_IDLE_ENDS);
    return RECORD_OK;
}

static bool is_id(const unsigned char *at)
{
    return memchr(at, '\0', SESSION_ID_LENGTH) == NULL;
}

/* No id, or a whole one. */
static bool is_spent_id(const unsigned char *at)
{
    static const unsigned char none[SESSION_ID_LENGTH];
    return memcmp(at, none, sizeof(none)) == 0 || is_id(at);
}

static void copy_id(char out[SESSION_ID_LENGTH + 1], const unsigned char *at)
{
    memcpy(out, at, SESSION_ID_LENGTH);
    out[SESSION_ID_LENGTH] = '\0';
}

enum record_outcome session_record_decode(const unsigned char *bytes, size_t length, const char *id,
                                          struct session *out)
{
    enum record_outcome outcome = check_fixed_part(bytes, length);
    if (outcome != RECORD_OK)
        return outcome;
    struct span rest = {bytes + SESSION_RECORD_FIXED_BYTES, length - SESSION_RECORD_FIXED_BYTES};
    struct span address;
    struct span agent;
    if (!record_take_text(&rest, &address, SESSION_ADDRESS_MAX_BYTES) ||
        !record_take_text(&rest, &agent, SESSION_USER_AGENT_MAX_BYTES) || rest.length != 0)
        return RECORD_DAMAGED;
    if (!is_id(bytes + AT_ACCESS_ID) || !is_id(bytes + AT_REFRESH_ID) || !is_spent_id(bytes + AT_SPENT_ID))
        return RECORD_DAMAGED;
    if (time_at(bytes + AT_CREATED) < 0 || time_at(bytes + AT_ENDS) < 0 || time_at(bytes + AT_IDLE_ENDS) < 0)
        return RECORD_DAMAGED;
    copy_id(out->id, (const unsigned char *)id);
    out->user_id = number_decode(bytes + AT_USER);
    out->created_at_us = time_at(bytes + AT_CREATED);
    out->refreshed_at_us = time_at(bytes + AT_REFRESHED);
    out->ends_at_us = time_at(bytes + AT_ENDS);
    out->idle_ends_at_us = time_at(bytes + AT_IDLE_ENDS);
    out->issued_at_s = time_at(bytes + AT_ISSUED);
    out->spent_at_us = time_at(bytes + AT_SPENT);
    copy_id(out->access_id, bytes + AT_ACCESS_ID);
    copy_id(out->refresh_id, bytes + AT_REFRESH_ID);
    copy_id(out->spent_refresh_id, bytes + AT_SPENT_ID);
    record_copy_text(out->client_address, &address);
    record_copy_text(out->user_agent, &agent);
    return RECORD_OK;
}
