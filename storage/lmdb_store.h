/*
 * lmdb_store.h - private to storage/: the store on LMDB, in parts. lmdb_session.h declares those of sessions.
 *
 *   lmdb_store.c   open, close          lmdb_write.c   one write, inside a transaction
 *   lmdb_folder.c  whose folder it is   lmdb_writer.c  the queue, the writer thread, group commit
 *   lmdb_read.c    the reads            lmdb_meta.c    counters, marks, and how full the map is
 *   lmdb_record.c  bytes of a record    lmdb_fault.c   the writing calls, which tests can make fail
 *   lmdb_files.c   are its files there  lmdb_layout.h  the databases
 */
#ifndef STORAGE_LMDB_STORE_H
#define STORAGE_LMDB_STORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "storage/lmdb_files.h"
#include "storage/lmdb_layout.h"
#include "storage/user_store_ops.h"

struct MDB_env;
struct MDB_txn;

/* Codes of ours among LMDB's (below -30000) and errno's (above 0). */
enum { LMDB_DAMAGED = -1, LMDB_NEWER = -2, LMDB_GONE = -3 };

/* What a write came to, while its transaction may still be lost. */
enum { RESULT_USER = 1, RESULT_SESSION = 2, RESULT_CHANGES = 4 };
struct lmdb_result {
    enum store_outcome outcome;
    unsigned has; /* user, session: to be handed over; changes: the transaction has to be committed */
    struct user user;
    struct session session;
    uint64_t ended_count;
};

/*
 * How many pages of the map nothing of a kind may grow into. Accounts stop first, so that whoever fills the
 * store with them keeps nobody from logging in; and deletions, which stop never, find the pages they need.
 */
enum lmdb_reserve {
    LMDB_RESERVE_ACCOUNTS, /* and blobs */
    LMDB_RESERVE_SESSIONS,
    LMDB_RESERVE_COUNT,
};

/* Which folder a store is in, whatever its path's spelling. */
struct lmdb_place {
    dev_t device;
    ino_t inode;
    struct lmdb_place *next;
};

struct lmdb_store {
    struct user_store base; /* first */
    struct lmdb_place place;
    struct lmdb_files files;
    struct MDB_env *env;
    unsigned databases[LMDB_DATABASE_COUNT];
    uint64_t pages_max; /* of the map */
    void (*on_problem)(const char *sentence);
    atomic_bool healthy;

    pthread_key_t reader_key; /* a thread's struct lmdb_reader */
    pthread_mutex_t readers_lock;
    struct lmdb_reader *readers;

    pthread_t writer;
    pthread_mutex_t queue_lock; /* guards the five below */
    pthread_cond_t queue_changed;
    struct store_write *queue_first;
    struct store_write **queue_end;
    size_t queue_length;
    bool is_closing;

    size_t queue_max;
    size_t batch_max;
    struct lmdb_result *results; /* of one batch, the writer's own, as are those below */
    uint64_t reader_check_due_ms;
    uint64_t sweep_due_ms; /* at the next commit, or when the writer has nothing to do */
    size_t sweep_max;
    bool sweep_is_behind;
};

/* lmdb_store.c: tells on_problem "The user store failed while DOING: WHY." */
void lmdb_problem(const struct lmdb_store *store, const char *doing, int code);

/* lmdb_folder.c: makes the folder if absent, checks that it is ours and not open here. False: error is set.
 */
bool lmdb_folder_claim(struct lmdb_place *place, const char *path, char *error, size_t error_size);
int lmdb_folder_sync(const char *path); /* so that a crash of the machine takes no entry away; 0 or errno */
void lmdb_folder_release(struct lmdb_place *place);

/* lmdb_read.c */
int lmdb_readers_open(struct lmdb_store *store);
void lmdb_readers_close(struct lmdb_store *store); /* threads that have read may be alive, but not reading */
int lmdb_read_begin(struct lmdb_store *store, struct MDB_txn **txn);
/* The end of every read, begun or not: a code of LMDB or ours becomes an outcome. */
enum store_outcome lmdb_read_end(struct lmdb_store *store, struct MDB_txn *txn, int code);
int lmdb_user_get(const struct lmdb_store *store, struct MDB_txn *txn, uint64_t id, struct user *out);
enum store_outcome lmdb_find_by_id(struct user_store *base, uint64_t id, struct user *out);
enum store_outcome lmdb_find_by_text(struct user_store *base, enum user_text which,
                                     const struct folded_text *text, struct user *out);
enum store_outcome lmdb_list(struct user_store *base, struct user_page *page);
enum store_outcome lmdb_methods(struct user_store *base, struct method_list *list);
enum store_outcome lmdb_status(struct user_store *base, struct store_status *out);

/*
 * lmdb_write.c: decides one write inside `txn` and makes its changes. 0: *result is set, and without
 * RESULT_CHANGES nothing has changed. Else the database failed and the transaction is lost.
 */
int lmdb_write_apply(const struct lmdb_store *store, struct MDB_txn *txn, const struct store_write *write,
                     struct lmdb_result *result);

/* lmdb_writer.c */
int lmdb_writer_start(struct lmdb_store *store, const struct store_options *options);
void lmdb_writer_stop(struct lmdb_store *store); /* after the last queued write */
bool lmdb_write(struct user_store *base, struct store_write *write);

#endif
