/*
 * lmdb_store.h - private to storage/: the store on LMDB, in parts. lmdb_session.h declares those of sessions.
 *
 *   lmdb_store.c   open, close          lmdb_write.c   one write, inside a transaction
 *   lmdb_folder.c  whose folder it is   lmdb_writer.c  the queue, the writer thread, group commit
 *   lmdb_read.c    the reads            lmdb_meta.c    counters, marks, and how full the map is
 *   lmdb_record.c  bytes of a record    lmdb_fault.c   the writing calls, which tests can make fail
 *
 * The databases, all changed in one transaction:
 *
 *   meta       "format" -> version; "next_id", "active_admins" -> number; "had_admin" once there was one;
 *              "method:LABEL" -> number of users whose hash has this method
 *   users      id, 8 bytes big-endian -> record (lmdb_record.h)
 *   usernames  username in lower-case ASCII -> id      emails  likewise
 *
 * and since format 2, which a store of format 1 becomes when it is opened:
 *
 *   sessions       id, 22 characters -> record (lmdb_session_record.h)
 *   user_sessions  user id, time of login, session id -> nothing: a user's sessions, oldest first
 *   session_ends   time of the end, session id -> user id, time of login: what is to be swept
 *   user_networks  user id, network as text -> when a session was opened from there last
 *   blobs          name, NUL, number of the piece -> piece
 *
 * Another process may have the store open too (an operator's tool): no number is kept from one transaction to
 * the next. A new database takes a line in enum lmdb_database and its name in lmdb_store.c: it is made at
 * open.
 */
#ifndef STORAGE_LMDB_STORE_H
#define STORAGE_LMDB_STORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "storage/user_store_ops.h"

struct MDB_env;
struct MDB_txn;

#define STORE_FORMAT               2
#define LMDB_DATABASES_MAX         16  /* room for later versions' */
#define LMDB_READERS_MAX           512 /* threads that read, in all processes */
#define LMDB_READER_CHECK_MS       60000
#define LMDB_SWEEP_MS              60000
#define LMDB_SWEEP_MAX             512 /* sessions in one transaction */
#define LMDB_SWEEP_MAX_IN_FULL_MAP 8
#define LMDB_PROBE_MS              1000 /* how often an unhealthy store tries a commit of its own */
#define LMDB_FILE_DATA             "data.mdb"
#define LMDB_FILE_LOCK             "lock.mdb"

enum lmdb_database {
    LMDB_META,
    LMDB_USERS,
    LMDB_USERNAMES,
    LMDB_EMAILS,
    LMDB_SESSIONS,
    LMDB_USER_SESSIONS,
    LMDB_SESSION_ENDS,
    LMDB_USER_NETWORKS,
    LMDB_BLOBS,
    LMDB_DATABASE_COUNT
};

_Static_assert((int)LMDB_DATABASE_COUNT <= LMDB_DATABASES_MAX, "raise LMDB_DATABASES_MAX");

/* Codes of ours among LMDB's (below -30000) and errno's (above 0). */
enum { LMDB_DAMAGED = -1, LMDB_NEWER = -2 };

/* What a write came to, while its transaction may still be lost. */
enum { RESULT_USER = 1, RESULT_SESSION = 2, RESULT_CHANGES = 4 };
struct lmdb_result {
    enum store_outcome outcome;
    unsigned has; /* user, session: to be handed over; changes: the transaction has to be committed */
    struct user user;
    struct session session;
    uint64_t ended_count;
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
    struct MDB_env *env;
    unsigned databases[LMDB_DATABASE_COUNT];
    uint64_t pages_max;  /* of the map */
    uint64_t pages_mark; /* from here on nothing may grow */
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
