/*
 * lmdb_layout.h - private to storage/: what a store on LMDB consists of.
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
#ifndef STORAGE_LMDB_LAYOUT_H
#define STORAGE_LMDB_LAYOUT_H

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

#endif
