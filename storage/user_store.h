/*
 * user_store.h - where users live: one interface, several stores.
 *
 * Reads are synchronous and may be called from any thread. Writes are handed over: user_store_write() queues
 * the write and returns; the store's writer decides it and every rule between users inside one transaction,
 * makes it durable, and then calls write->done on the writer's thread (memory store: on the caller's thread,
 * before user_store_write() returns). An answer that reports a write may be sent only from, or after, done.
 *
 * This folder knows neither HTTP nor JSON nor core/: settings come in as plain values.
 */
#ifndef STORAGE_USER_STORE_H
#define STORAGE_USER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/user.h"

/* Every way a call on a store can end. */
enum store_outcome {
    STORE_OK,
    STORE_NOT_FOUND,       /* no such user */
    STORE_USERNAME_TAKEN,  /* another user has this name, compared without regard to ASCII case */
    STORE_EMAIL_TAKEN,     /* another user has this e-mail address, compared likewise */
    STORE_NOT_FIRST_ADMIN, /* first_admin_only was set, but this store has had an administrator */
    STORE_LAST_ADMIN,      /* the change would leave no active administrator */
    STORE_CONFLICT,        /* the record is no longer what the write expected (STORE_RENEW_HASH) */
    STORE_FULL,            /* map above its high-water mark, or disk full: deletions still work */
    STORE_FAILED,          /* the database failed; the reason was handed to on_problem */
};

enum store_write_kind {
    STORE_CREATE_USER, /* user: username, email, password_hash, password_method, is_admin, is_active */
    STORE_CHANGE_USER, /* user.id, and the fields that `changes` names */
    STORE_RENEW_HASH,  /* user.id, password_hash, password_method; only while the hash is expected_hash */
    STORE_DELETE_USER, /* user.id */
};

/* Which fields a STORE_CHANGE_USER sets. */
enum store_change {
    STORE_SET_ADMIN = 1,
    STORE_SET_ACTIVE = 2,
    STORE_SET_PASSWORD = 4, /* password_hash and password_method */
};

/* One write. The caller owns it, keeps it still until done, and may reuse or free it from then on, in done.
 */
struct store_write {
    enum store_write_kind kind;
    unsigned changes;
    bool first_admin_only; /* STORE_CREATE_USER of an administrator: only while the store has never had one */
    char expected_hash[USER_HASH_MAX_BYTES + 1];
    struct user user; /* after STORE_OK: the record as committed (deleted: as it was) */
    enum store_outcome outcome;
    void (*done)(struct store_write *write);
    struct store_write *next; /* the store's */
};

struct store_options {
    uint64_t map_size_bytes; /* lmdb: size of the map, fixed while open */
    size_t queue_max;        /* writes that may wait for the writer */
    size_t batch_max;        /* writes in one transaction */
    /* Told what went wrong inside (one sentence, no path), on any thread; may be NULL. */
    void (*on_problem)(const char *sentence);
};

struct store_status {
    bool healthy; /* the last commit succeeded, or failed only for want of room */
    uint64_t user_count;
    uint64_t active_admin_count;
    bool had_admin;       /* the mark: an administrator was made here, by whatever way */
    double used_fraction; /* of the map, 0..1; 0 for a store without a bound */
};

struct user_store;

/*
 * Opens the store that `url` names: "lmdb:PATH" (PATH is a folder, made with mode 0700 if absent) or
 * "memory:". One open per process and path. Returns NULL, with one sentence in error, for an unknown scheme,
 * a folder that is not ours, a format newer than this program, a database that cannot be read.
 */
struct user_store *user_store_open(const char *url, const struct store_options *options, char *error,
                                   size_t error_size);

/* Finishes every queued write, then closes. NULL is allowed. No other call may be running. */
void user_store_close(struct user_store *store);

/* True where reads may wait for a disk or a network, so that a loop thread must not call them. */
bool user_store_is_blocking(const struct user_store *store);

/* Reads. `out` is untouched unless STORE_OK is returned. STORE_OK, STORE_NOT_FOUND or STORE_FAILED. */
enum store_outcome user_store_find_by_id(struct user_store *store, uint64_t id, struct user *out);
enum store_outcome user_store_find_by_username(struct user_store *store, const char *username, size_t length,
                                               struct user *out);
enum store_outcome user_store_find_by_email(struct user_store *store, const char *email, size_t length,
                                            struct user *out);

/* Copies up to `limit` users with ids greater than `after`, ascending; their number goes to *count. */
enum store_outcome user_store_list(struct user_store *store, uint64_t after, size_t limit, struct user *out,
                                   size_t *count);

/* Calls `each` once for every password method that any user's hash has, with the number of such users. */
enum store_outcome user_store_methods(struct user_store *store,
                                      void (*each)(void *context, const char *method, uint64_t users),
                                      void *context);

enum store_outcome user_store_status(struct user_store *store, struct store_status *out);

/* Hands a write over. True: done is called exactly once, with write->outcome set. False: the queue is full;
 * nothing was taken and done will not be called. */
bool user_store_write(struct user_store *store, struct store_write *write);

/* The same, waiting for the outcome: for tools, never on a loop. STORE_FAILED when the queue is full. */
enum store_outcome user_store_write_and_wait(struct user_store *store, struct store_write *write);

/* The sentence for an outcome, for tools and logs; static. */
const char *store_outcome_sentence(enum store_outcome outcome);

#endif
