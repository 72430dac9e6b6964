/* lmdb_session.c - a session in its three databases: by id, by user and login, by end. */
#include <assert.h>
#include <lmdb.h>
#include <string.h>

#include "storage/lmdb_fault.h"
#include "storage/lmdb_session.h"
#include "storage/lmdb_session_record.h"
#include "storage/session_rules.h"

/* By user: user, time of login, id; no value. By end: time of the end, id; the value is user and login. */
#define PLACE_KEY_BYTES (8 + 8 + SESSION_ID_LENGTH)
#define END_KEY_BYTES   (8 + SESSION_ID_LENGTH)
#define END_VALUE_BYTES (8 + 8)

static MDB_val id_key(const char *id)
{
    return (MDB_val){SESSION_ID_LENGTH, (void *)(uintptr_t)id};
}

static int code_of(enum record_outcome outcome)
{
    switch (outcome) {
    case RECORD_OK:
        return 0;
    case RECORD_NEWER:
        return LMDB_NEWER;
    case RECORD_DAMAGED:
        break;
    }
    return LMDB_DAMAGED;
}

static int get_bytes(const struct lmdb_store *store, MDB_txn *txn, const char *id, MDB_val *value)
{
    if (!session_id_is_whole(id))
        return MDB_NOTFOUND;
    MDB_val key = id_key(id);
    return mdb_get(txn, store->databases[LMDB_SESSIONS], &key, value);
}

int lmdb_session_get(const struct lmdb_store *store, MDB_txn *txn, const char *id, struct session *out)
{
    MDB_val value;
    int code = get_bytes(store, txn, id, &value);
    return code != 0 ? code : code_of(session_record_decode(value.mv_data, value.mv_size, id, out));
}

int lmdb_session_glance(const struct lmdb_store *store, MDB_txn *txn, const char *id, struct session *out)
{
    MDB_val value;
    int code = get_bytes(store, txn, id, &value);
    return code != 0 ? code : code_of(session_record_glance(value.mv_data, value.mv_size, out));
}

struct session_place session_place_of(const struct session *session)
{
    struct session_place place = {.user_id = session->user_id, .created_at_us = session->created_at_us};
    memcpy(place.id, session->id, sizeof(place.id));
    return place;
}

/* A shorter id is filled up with zeros, which sort first. */
static void encode_place(const struct session_place *place, unsigned char key[PLACE_KEY_BYTES])
{
    memset(key, 0, PLACE_KEY_BYTES);
    number_encode(place->user_id, key);
    number_encode((uint64_t)place->created_at_us, key + 8);
    memcpy(key + 16, place->id, strlen(place->id));
}

static void encode_end(int64_t end_us, const char *id, unsigned char key[END_KEY_BYTES])
{
    assert(end_us >= 0);
    number_encode((uint64_t)end_us, key);
    memcpy(key + 8, id, SESSION_ID_LENGTH);
}

static int put_record(const struct lmdb_store *store, MDB_txn *txn, const struct session *session,
                      unsigned flags)
{
    unsigned char bytes[SESSION_RECORD_MAX_BYTES];
    MDB_val key = id_key(session->id);
    MDB_val value = {session_record_encode(session, bytes), bytes};
    return lmdb_write_put(txn, store->databases[LMDB_SESSIONS], &key, &value, flags);
}

static int put_end(const struct lmdb_store *store, MDB_txn *txn, const struct session *session)
{
    unsigned char end[END_KEY_BYTES];
    unsigned char whose[END_VALUE_BYTES];
    encode_end(session_end_us(session), session->id, end);
    number_encode(session->user_id, whose);
    number_encode((uint64_t)session->created_at_us, whose + 8);
    MDB_val key = {sizeof(end), end};
    MDB_val value = {sizeof(whose), whose};
    return lmdb_write_put(txn, store->databases[LMDB_SESSION_ENDS], &key, &value, 0);
}

static int delete_key(const struct lmdb_store *store, MDB_txn *txn, enum lmdb_database database, void *at,
                      size_t length)
{
    MDB_val key = {length, at};
    int code = lmdb_write_delete(txn, store->databases[database], &key);
    return code == MDB_NOTFOUND ? 0 : code;
}

static int delete_end(const struct lmdb_store *store, MDB_txn *txn, int64_t end_us, const char *id)
{
    unsigned char end[END_KEY_BYTES];
    if (end_us < 0)
        return 0; /* of a damaged record: no key has such a time */
    encode_end(end_us, id, end);
    return delete_key(store, txn, LMDB_SESSION_ENDS, end, sizeof(end));
}

int lmdb_session_add(const struct lmdb_store *store, MDB_txn *txn, const struct session *session)
{
    unsigned char bytes[PLACE_KEY_BYTES];
    struct session_place place = session_place_of(session);
    encode_place(&place, bytes);
    int code = put_record(store, txn, session, MDB_NOOVERWRITE);
    MDB_val key = {sizeof(bytes), bytes};
    MDB_val nothing = {0, bytes};
    if (code == 0)
        code = lmdb_write_put(txn, store->databases[LMDB_USER_SESSIONS], &key, &nothing, 0);
    return code != 0 ? code : put_end(store, txn, session);
}

int lmdb_session_replace(const struct lmdb_store *store, MDB_txn *txn, const struct session *before,
                         const struct session *after)
{
    assert(strcmp(before->id, after->id) == 0 && before->user_id == after->user_id);
    int code = put_record(store, txn, after, 0);
    if (code != 0 || session_end_us(before) == session_end_us(after))
        return code;
    code = delete_end(store, txn, session_end_us(before), before->id);
    return code != 0 ? code : put_end(store, txn, after);
}

int lmdb_session_remove(const struct lmdb_store *store, MDB_txn *txn, const struct session_place *place)
{
    unsigned char key[PLACE_KEY_BYTES];
    char id[SESSION_ID_LENGTH + 1];
    struct session session;
    int code = lmdb_session_glance(store, txn, place->id, &session);
    if (code == 0)
        code = delete_end(store, txn, session_end_us(&session), place->id);
    else if (code == MDB_NOTFOUND || code == LMDB_DAMAGED || code == LMDB_NEWER)
        code = 0; /* the sweep finds its end */
    if (code != 0)
        return code;
    encode_place(place, key);
    memcpy(id, place->id, sizeof(id));
    code = delete_key(store, txn, LMDB_USER_SESSIONS, key, sizeof(key));
    return code != 0 ? code : delete_key(store, txn, LMDB_SESSIONS, id, SESSION_ID_LENGTH);
}

int lmdb_session_next(MDB_cursor *cursor, struct session_place *place)
{
    unsigned char from[PLACE_KEY_BYTES];
    encode_place(place, from);
    MDB_val key = {sizeof(from), from};
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (code == 0 && key.mv_size == sizeof(from) && memcmp(key.mv_data, from, sizeof(from)) == 0)
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    if (code != 0)
        return code;
    const unsigned char *bytes = key.mv_data;
    if (key.mv_size != PLACE_KEY_BYTES)
        return LMDB_DAMAGED;
    if (number_decode(bytes) != place->user_id)
        return MDB_NOTFOUND;
    place->created_at_us = (int64_t)number_decode(bytes + 8);
    memcpy(place->id, bytes + 16, SESSION_ID_LENGTH);
    place->id[SESSION_ID_LENGTH] = '\0';
    return session_id_is_whole(place->id) ? 0 : LMDB_DAMAGED;
}

int lmdb_sessions_count(const struct lmdb_store *store, MDB_txn *txn, uint64_t user_id, uint64_t max,
                        uint64_t *count)
{
    MDB_cursor *cursor;
    unsigned char prefix[8];
    number_encode(user_id, prefix);
    MDB_val key = {sizeof(prefix), prefix};
    MDB_val value;
    uint64_t n = 0;
    int code = mdb_cursor_open(txn, store->databases[LMDB_USER_SESSIONS], &cursor);
    if (code != 0)
        return code;
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && n < max && key.mv_size >= 8 && memcmp(key.mv_data, prefix, 8) == 0) {
        n++;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    *count = n;
    return code == MDB_NOTFOUND ? 0 : code;
}

/* An entry by end, copied: what a cursor shows does not outlive a change. */
struct end_entry {
    unsigned char key[END_KEY_BYTES];
    int64_t end_us;
    struct session_place place;
};

static int first_end(MDB_cursor *cursor, struct end_entry *entry)
{
    MDB_val key;
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    if (code != 0)
        return code;
    if (key.mv_size != END_KEY_BYTES || value.mv_size != END_VALUE_BYTES)
        return LMDB_DAMAGED;
    memcpy(entry->key, key.mv_data, END_KEY_BYTES);
    const unsigned char *whose = value.mv_data;
    entry->end_us = (int64_t)number_decode(entry->key);
    entry->place.user_id = number_decode(whose);
    entry->place.created_at_us = (int64_t)number_decode(whose + 8);
    memcpy(entry->place.id, entry->key + 8, SESSION_ID_LENGTH);
    entry->place.id[SESSION_ID_LENGTH] = '\0';
    return 0;
}

/* A session in force under an end that has passed is not possible, unless something is damaged: it stays. */
static int sweep_one(const struct lmdb_store *store, MDB_txn *txn, struct end_entry *entry, int64_t now_us)
{
    struct session session;
    int code = lmdb_session_glance(store, txn, entry->place.id, &session);
    bool stays = code == 0 && session_is_in_force(&session, now_us);
    bool is_unreadable = code == MDB_NOTFOUND || code == LMDB_DAMAGED || code == LMDB_NEWER;
    if (code != 0 && !is_unreadable)
        return code;
    code = stays ? 0 : lmdb_session_remove(store, txn, &entry->place);
    return code != 0 ? code : delete_key(store, txn, LMDB_SESSION_ENDS, entry->key, sizeof(entry->key));
}

int lmdb_sessions_sweep(const struct lmdb_store *store, MDB_txn *txn, size_t max, bool *more)
{
    MDB_cursor *cursor;
    struct end_entry entry;
    int64_t now_us = store_now_us();
    int code = mdb_cursor_open(txn, store->databases[LMDB_SESSION_ENDS], &cursor);
    if (code != 0)
        return code;
    size_t count = 0;
    while (code == 0 && count < max) {
        code = first_end(cursor, &entry);
        if (code == 0 && entry.end_us > now_us)
            break;
        if (code == 0)
            code = sweep_one(store, txn, &entry, now_us);
        count++;
    }
    mdb_cursor_close(cursor);
    *more = code == 0 && count == max;
    return code == MDB_NOTFOUND ? 0 : code;
}
