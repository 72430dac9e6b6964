/*
 * lmdb_session.h - private to storage/: sessions, networks and blobs in the databases.
 * Codes: 0, MDB_NOTFOUND, LMDB_DAMAGED, LMDB_NEWER, or LMDB's. What a function takes out of a database may be
 * missing there already: after damage a removal still removes what is left.
 */
#ifndef STORAGE_LMDB_SESSION_H
#define STORAGE_LMDB_SESSION_H

#include "storage/lmdb_store.h"

struct MDB_cursor;

/* A session's place among those of its user, which are in the order of their logins. */
struct session_place {
    uint64_t user_id;
    int64_t created_at_us;
    char id[SESSION_ID_LENGTH + 1];
};

/* lmdb_session.c. `id` is whole, or LMDB_SESSIONS has no such key: MDB_NOTFOUND. */
int lmdb_session_get(const struct lmdb_store *store, struct MDB_txn *txn, const char *id,
                     struct session *out);
/* The user and the two ends only. */
int lmdb_session_glance(const struct lmdb_store *store, struct MDB_txn *txn, const char *id,
                        struct session *out);
/* The user of a session in force. */
int lmdb_session_user(const struct lmdb_store *store, struct MDB_txn *txn, const char *id, uint64_t user_id,
                      struct user *out);
int lmdb_session_add(const struct lmdb_store *store, struct MDB_txn *txn, const struct session *session);
int lmdb_session_replace(const struct lmdb_store *store, struct MDB_txn *txn, const struct session *before,
                         const struct session *after);
int lmdb_session_remove(const struct lmdb_store *store, struct MDB_txn *txn,
                        const struct session_place *place);
struct session_place session_place_of(const struct session *session);

/* Goes to the first place behind *place (an id of "" is before all of a user's at that time), of the same
 * user. */
int lmdb_session_next(struct MDB_cursor *cursor, struct session_place *place);

/* How many sessions the user has, expired ones too; no more than `max` are counted. */
int lmdb_sessions_count(const struct lmdb_store *store, struct MDB_txn *txn, uint64_t user_id, uint64_t max,
                        uint64_t *count);

/* Removes what has expired, at most `max`; *more: that was not all. */
int lmdb_sessions_sweep(const struct lmdb_store *store, struct MDB_txn *txn, size_t max, bool *more);

/* lmdb_session_write.c. As lmdb_write_apply, for writes on sessions. */
int lmdb_session_apply(const struct lmdb_store *store, struct MDB_txn *txn, const struct store_write *write,
                       struct lmdb_result *result);
/* Ends a user's sessions, all but `keep`; *ended counts those in force. */
int lmdb_sessions_end(const struct lmdb_store *store, struct MDB_txn *txn, uint64_t user_id, const char *keep,
                      uint64_t *ended);

/* lmdb_network.c */
int lmdb_network_remember(const struct lmdb_store *store, struct MDB_txn *txn, uint64_t user_id,
                          const char *network, int64_t now_us);
int lmdb_networks_forget(const struct lmdb_store *store, struct MDB_txn *txn, uint64_t user_id);
enum store_outcome lmdb_knows_network(struct user_store *base, uint64_t user_id, const char *network);

/* lmdb_blob.c */
int lmdb_blob_keep(const struct lmdb_store *store, struct MDB_txn *txn, const struct store_write *write,
                   struct lmdb_result *result);
enum store_outcome lmdb_read_blob(struct user_store *base, const char *name, void *buffer, size_t size,
                                  size_t *length);

/* lmdb_session_read.c */
enum store_outcome lmdb_find_by_session(struct user_store *base, const char *session_id, uint64_t user_id,
                                        struct user *out);
enum store_outcome lmdb_find_session(struct user_store *base, const char *session_id, struct session *out);
enum store_outcome lmdb_list_sessions(struct user_store *base, uint64_t user_id, size_t limit,
                                      struct session *out, size_t *count);

#endif
