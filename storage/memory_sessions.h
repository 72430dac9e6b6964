/*
 * memory_sessions.h - private to storage/: sessions, networks and blobs of the store in memory. The store
 * holds its lock during each call.
 */
#ifndef STORAGE_MEMORY_SESSIONS_H
#define STORAGE_MEMORY_SESSIONS_H

#include "storage/user_store.h"

struct memory_network;
struct memory_blob;

struct memory_sessions {
    struct session *at; /* by user, then by login */
    size_t count;
    size_t capacity;
    struct memory_network *networks;
    struct memory_blob *blobs;
};

void memory_sessions_free(struct memory_sessions *sessions);

/* NULL if there is none in force. */
const struct session *memory_session_of(const struct memory_sessions *sessions, const char *id);
size_t memory_sessions_list(const struct memory_sessions *sessions, uint64_t user_id, size_t limit,
                            struct session *out);
bool memory_network_is_known(const struct memory_sessions *sessions, uint64_t user_id, const char *network);
enum store_outcome memory_blob_read(const struct memory_sessions *sessions, const char *name, void *buffer,
                                    size_t size, size_t *length);

/* Writes on sessions and blobs. `user` is the session's, NULL if there is none. */
enum store_outcome memory_sessions_apply(struct memory_sessions *sessions, struct store_write *write,
                                         const struct user *user);
/* Ends a user's sessions, all but `keep`; returns how many of them were in force. */
uint64_t memory_sessions_end(struct memory_sessions *sessions, uint64_t user_id, const char *keep);
void memory_networks_forget(struct memory_sessions *sessions, uint64_t user_id);

#endif
