/* lmdb_session_read.c - the reads of sessions; the first of them is part of every validation of a token. */
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "storage/lmdb_session.h"
#include "storage/session_rules.h"

int lmdb_session_user(const struct lmdb_store *store, MDB_txn *txn, const char *id, uint64_t user_id,
                      struct user *out)
{
    struct session session;
    int code = lmdb_session_glance(store, txn, id, &session);
    if (code == 0 && (session.user_id != user_id || !session_is_in_force(&session, store_now_us())))
        code = MDB_NOTFOUND;
    return code != 0 ? code : lmdb_user_get(store, txn, user_id, out);
}

enum store_outcome lmdb_find_by_session(struct user_store *base, const char *session_id, uint64_t user_id,
                                        struct user *out)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    MDB_txn *txn = NULL;
    int code = lmdb_read_begin(store, &txn);
    if (code == 0)
        code = lmdb_session_user(store, txn, session_id, user_id, out);
    return lmdb_read_end(store, txn, code);
}

enum store_outcome lmdb_find_session(struct user_store *base, const char *session_id, struct session *out)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    struct session session;
    MDB_txn *txn = NULL;
    int code = lmdb_read_begin(store, &txn);
    if (code == 0)
        code = lmdb_session_get(store, txn, session_id, &session);
    if (code == 0 && !session_is_in_force(&session, store_now_us()))
        code = MDB_NOTFOUND;
    if (code == 0)
        *out = session;
    return lmdb_read_end(store, txn, code);
}

static int list(const struct lmdb_store *store, MDB_txn *txn, struct session_place place, size_t limit,
                struct session *sessions, size_t *count)
{
    MDB_cursor *cursor;
    int64_t now_us = store_now_us();
    size_t n = 0;
    int code = mdb_cursor_open(txn, store->databases[LMDB_USER_SESSIONS], &cursor);
    if (code != 0)
        return code;
    while (code == 0 && n < limit) {
        code = lmdb_session_next(cursor, &place);
        if (code != 0)
            break;
        code = lmdb_session_get(store, txn, place.id, &sessions[n]);
        if (code == 0 && session_is_in_force(&sessions[n], now_us))
            n++;
        else if (code == MDB_NOTFOUND)
            code = LMDB_DAMAGED;
    }
    mdb_cursor_close(cursor);
    *count = n;
    return code == MDB_NOTFOUND ? 0 : code;
}

enum store_outcome lmdb_list_sessions(struct user_store *base, uint64_t user_id, size_t limit,
                                      struct session *out, size_t *count)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    MDB_txn *txn = NULL;
    size_t n = 0;
    struct session *sessions = store_allocate(limit, sizeof(*sessions)); /* as lmdb_list has them */
    int code = lmdb_read_begin(store, &txn);
    if (code == 0)
        code = list(store, txn, (struct session_place){.user_id = user_id}, limit, sessions, &n);
    if (code == 0 && n > 0)
        memcpy(out, sessions, n * sizeof(*sessions));
    if (code == 0)
        *count = n;
    free(sessions);
    return lmdb_read_end(store, txn, code);
}
