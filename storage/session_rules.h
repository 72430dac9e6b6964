/*
 * session_rules.h - private to storage/: when a session is in force, and what a write does to it. Pure; each
 * store calls it inside its transaction with what that transaction sees.
 */
#ifndef STORAGE_SESSION_RULES_H
#define STORAGE_SESSION_RULES_H

#include "storage/user_store.h"

/* The right length, so that it can be a session's. */
bool session_id_is_whole(const char *id);

/* The end that comes first. */
int64_t session_end_us(const struct session *session);
bool session_is_in_force(const struct session *session, int64_t now_us);

/* Whether the time at which a network was used is to be written anew: not at every login. */
bool network_is_stale(int64_t seen_us, int64_t now_us);

/* STORE_OPEN_SESSION. `user` is the session's, NULL if there is none. */
enum store_outcome session_rules_open(const struct store_write *write, const struct user *user,
                                      bool id_is_taken);

/*
 * STORE_REFRESH_SESSION. `before` is the session that the write names, NULL if there is none, and `user` its
 * user. With STORE_OK *after is the session to keep; otherwise it is untouched.
 */
enum store_outcome session_rules_refresh(const struct store_write *write, const struct session *before,
                                         const struct user *user, int64_t now_us, struct session *after);

/* STORE_END_SESSION. */
enum store_outcome session_rules_end(const struct store_write *write, const struct session *before,
                                     int64_t now_us);

/*
 * Whether a write on a user ends sessions of it, and which one stays: *keep ("": none). Before and after are
 * the user's records; after is NULL if it is deleted.
 */
bool session_rules_cut(const struct store_write *write, const struct user *before, const struct user *after,
                       const char **keep);

#endif
