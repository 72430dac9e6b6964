/*
 * store_write.h - one write to a store: what it asks, what it carries, how it ended.
 *
 * A session that ends, by whatever way, is taken out of the store in the transaction that ends it; one that
 * has expired counts as gone from that moment on, and is taken out some time later.
 */
#ifndef STORAGE_STORE_WRITE_H
#define STORAGE_STORE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/session.h"
#include "storage/user.h"

#define STORE_BLOB_NAME_MAX_BYTES 31
#define STORE_BLOB_MAX_BYTES      (1024 * 1024)
#define STORE_USER_NETWORKS_MAX   32 /* the networks remembered of a user: those used last */

/* Every way a call on a store can end. */
enum store_outcome {
    STORE_OK,
    STORE_NOT_FOUND,       /* no such user, session, network or blob */
    STORE_USERNAME_TAKEN,  /* another user has this name, compared without regard to ASCII case */
    STORE_EMAIL_TAKEN,     /* another user has this e-mail address, compared likewise */
    STORE_NOT_FIRST_ADMIN, /* first_admin_only was set, but this store has had an administrator */
    STORE_LAST_ADMIN,      /* the change would leave no active administrator */
    STORE_CONFLICT,        /* the record is no longer what the write expected; a new session's id is in use */
    STORE_REPLAYED,        /* the refresh token was spent a moment ago: its pair is told again */
    STORE_REUSED,          /* the refresh token was spent long ago: the session has been ended */
    STORE_ACTOR_GONE,      /* the actor's session has ended, or its user is gone or inactive */
    STORE_ACTOR_NO_ADMIN,  /* must_be_admin was set, but the actor is no administrator */
    STORE_FULL,            /* the map up to its reserve, or the disk, is full: deletions still work */
    STORE_FAILED,          /* the database failed; the reason was handed to on_problem */
};

enum store_write_kind {
    STORE_CREATE_USER, /* user: username, email, password_hash, password_method, is_admin, is_active */

    /* user.id, and the fields that `changes` names. A user who is made inactive has no sessions afterwards;
     * one whose password is set has at most keep_session. STORE_CONFLICT: the hash is not expected_hash (""
     * expects none). */
    STORE_CHANGE_USER,
    STORE_RENEW_HASH,  /* user.id, password_hash, password_method; only while the hash is expected_hash */
    STORE_DELETE_USER, /* user.id; all sessions of it end */

    /* session, complete; network ("": not told), which is remembered for the user; sessions_max: the user's
     * oldest sessions beyond it are ended (ended_count). STORE_NOT_FOUND: the user is gone or inactive.
     * STORE_CONFLICT: the user was changed since user.updated_at_us (0: not asked), maybe in the password. */
    STORE_OPEN_SESSION,

    /*
     * session.id and session.user_id; presented_refresh_id; replay_window_us; and the successor pair in
     * session: access_id, refresh_id, issued_at_s, idle_ends_at_us. STORE_OK: the presented one was in force,
     * and is spent now; `session` is as committed. STORE_REPLAYED: it is the one spent last, less than
     * replay_window_us ago: nothing changes, `session` is as it is, with the pair that replaced it, unspent.
     * STORE_REUSED: it is neither: theft. The session has been ended; `session` is as it was.
     * STORE_NOT_FOUND: no such session of this user (ended, expired), or the user is gone or inactive.
     */
    STORE_REFRESH_SESSION,
    STORE_END_SESSION, /* session.id; session.user_id, if not 0, has to be its user. `session` is as it was */
    STORE_END_USER_SESSIONS, /* user.id; all but keep_session. STORE_NOT_FOUND: no such user */
    STORE_KEEP_BLOB, /* blob_name, blob, blob_length (0 forgets it): kept in place of what was there */
};

/* Which fields a STORE_CHANGE_USER sets. */
enum store_change {
    STORE_SET_ADMIN = 1,
    STORE_SET_ACTIVE = 2,
    STORE_SET_PASSWORD = 4, /* password_hash and password_method */
};

/* In whose name a write is made, judged anew in the write's own transaction: between the judgement of a
 * token and this moment another write may have ended the session, or taken the rights away. */
struct store_actor {
    char session_id[SESSION_ID_LENGTH + 1]; /* "": in nobody's (a tool, a signup, a login), and not judged */
    uint64_t user_id;                       /* the session has to be this user's */
    bool must_be_admin;
};

/* One write. The caller owns it, keeps it still until done, and may reuse or free it from then on, in done.
 */
struct store_write {
    enum store_write_kind kind;
    struct store_actor actor;
    unsigned changes;
    bool first_admin_only; /* STORE_CREATE_USER of an administrator: only while the store has never had one */
    char expected_hash[USER_HASH_MAX_BYTES + 1];

    /* After STORE_OK the record as committed (deleted: as it was). Of OPEN_, REFRESH_ (STORE_REPLAYED too)
     * and END_USER_SESSIONS: the user as this transaction saw it. Untouched by END_SESSION and KEEP_BLOB. */
    struct user user;

    struct session session;
    char keep_session[SESSION_ID_LENGTH + 1]; /* the one session that stays; "" is none */
    char presented_refresh_id[SESSION_ID_LENGTH + 1];
    int64_t replay_window_us;            /* 0: no replay */
    uint64_t sessions_max;               /* per user, at least 1 */
    char network[NETWORK_MAX_BYTES + 1]; /* the client's */
    uint64_t ended_count;                /* after STORE_OK: sessions in force that this write ended */
    const char *blob_name;
    const void *blob; /* kept still until done, like the write */
    size_t blob_length;

    enum store_outcome outcome;
    void (*done)(struct store_write *write);
    struct store_write *next; /* the store's */
};

#endif
