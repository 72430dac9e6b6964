/*
 * lmdb_meta.h - private to storage/: the numbers of the meta database, and how full the map is.
 * Codes: 0, LMDB_DAMAGED (also for a number that should be there and is not), or LMDB's.
 */
#ifndef STORAGE_LMDB_META_H
#define STORAGE_LMDB_META_H

#include "storage/lmdb_store.h"

#define META_FORMAT        "format"
#define META_NEXT_ID       "next_id"
#define META_ACTIVE_ADMINS "active_admins"
#define META_HAD_ADMIN     "had_admin"
#define META_METHOD_PREFIX "method:"
int lmdb_meta_get(const struct lmdb_store *store, struct MDB_txn *txn, const char *name, uint64_t *out);
int lmdb_meta_put(const struct lmdb_store *store, struct MDB_txn *txn, const char *name, uint64_t number);
int lmdb_meta_had_admin(const struct lmdb_store *store, struct MDB_txn *txn, bool *out);
/* Adds `step` (1 or -1) to a method's count; a count of 0 is removed. */
int lmdb_meta_count_method(const struct lmdb_store *store, struct MDB_txn *txn, const char *method, int step);
/* Pages in use as this transaction sees it; what the free list holds is not in use. */
int lmdb_pages_used(const struct lmdb_store *store, struct MDB_txn *txn, uint64_t *out);
/* *out: whether `pages` more would leave the reserve alone. */
int lmdb_has_room(const struct lmdb_store *store, struct MDB_txn *txn, enum lmdb_reserve reserve,
                  uint64_t pages, bool *out);

#endif
