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

#include "storage/store_write.h"

/* What a listing is narrowed to; all zero is everybody. */
enum user_wanted { USER_WANTED_ANY, USER_WANTED_YES, USER_WANTED_NO };

struct user_filter {
    const char *username; /* the whole name, compared without regard to ASCII case; NULL: any */
    enum user_wanted is_admin;
    enum user_wanted is_active;
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
    uint64_t session_count; /* with expired ones not yet taken out */
    bool had_admin;         /* the mark: an administrator was made here, by whatever way */
    double used_fraction;   /* of the map, 0..1; 0 for a store without a bound */
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

/*
 * Copies up to `limit` users with ids greater than `after` who pass `filter` (NULL: all do), ascending; their
 * number goes to *count. *next_after is where to go on, 0 at the end. One call looks at no more than
 * USER_LIST_LOOKS_MAX records, so that a narrow filter can give a short or empty page before the end.
 */
#define USER_LIST_LOOKS_MAX 10000
enum store_outcome user_store_list(struct user_store *store, const struct user_filter *filter, uint64_t after,
                                   size_t limit, struct user *out, size_t *count, uint64_t *next_after);

/* The user of a session in force: STORE_NOT_FOUND if there is no such session of this user, if it has
 * expired, or if the user is gone. The user may be inactive. */
enum store_outcome user_store_find_by_session(struct user_store *store, const char *session_id,
                                              uint64_t user_id, struct user *out);
/* A session in force. */
enum store_outcome user_store_find_session(struct user_store *store, const char *session_id,
                                           struct session *out);
/* Copies up to `limit` sessions in force of a user, oldest first. A user without any, or no user, has 0. */
enum store_outcome user_store_list_sessions(struct user_store *store, uint64_t user_id, size_t limit,
                                            struct session *out, size_t *count);
/* STORE_OK: the user opened a session from this network, and it is among those remembered. */
enum store_outcome user_store_knows_network(struct user_store *store, uint64_t user_id, const char *network);
/* Copies what STORE_KEEP_BLOB kept. Its length goes to *length; STORE_FULL: that is more than `size`. */
enum store_outcome user_store_read_blob(struct user_store *store, const char *name, void *buffer, size_t size,
                                        size_t *length);

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
