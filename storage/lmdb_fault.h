/*
 * lmdb_fault.h - private to storage/: the writing calls of LMDB, each of which a test can make fail.
 * Unarmed, each call costs one predictable branch; reads do not come by here.
 */
#ifndef STORAGE_LMDB_FAULT_H
#define STORAGE_LMDB_FAULT_H

struct MDB_env;
struct MDB_txn;
struct MDB_val;

enum lmdb_fault_point { LMDB_FAULT_BEGIN, LMDB_FAULT_PUT, LMDB_FAULT_DELETE, LMDB_FAULT_COMMIT };

/* Lets `passes` calls at this point go well, then makes `times` calls fail with `code`. One fault at a time.
 */
void lmdb_fault_arm(enum lmdb_fault_point point, unsigned passes, unsigned times, int code);
void lmdb_fault_clear(void);

/* As mdb_txn_begin, mdb_put, mdb_del and mdb_txn_commit; a failed commit has ended the transaction, as LMDB's
 * has. */
int lmdb_write_begin(struct MDB_env *env, struct MDB_txn **txn);
int lmdb_write_put(struct MDB_txn *txn, unsigned database, struct MDB_val *key, struct MDB_val *value,
                   unsigned flags);
int lmdb_write_delete(struct MDB_txn *txn, unsigned database, struct MDB_val *key);
int lmdb_write_commit(struct MDB_txn *txn);

#endif
