/*
 * user_store_ops.h - private to storage/: what a store supplies to user_store.c, and what the stores share.
 *
 * A store embeds struct user_store first in its own struct. user_store.c has checked the arguments before it
 * calls an op: pointers are set, texts are closed, ids are not 0 and those of sessions whole.
 */
#ifndef STORAGE_USER_STORE_OPS_H
#define STORAGE_USER_STORE_OPS_H

#include "storage/user_store.h"

/* The texts that are unique among users. */
enum user_text { USER_TEXT_NAME, USER_TEXT_EMAIL };

/* A text in the spelling that decides whether two are the same: A-Z as a-z, all else as it is. */
struct folded_text {
    char text[USER_NAME_MAX_BYTES + 1];
    size_t length; /* never 0 */
};

_Static_assert(USER_NAME_MAX_BYTES >= USER_EMAIL_MAX_BYTES, "a folded text holds either");

struct method_count {
    char method[USER_METHOD_MAX_BYTES + 1];
    uint64_t users;
};

struct method_list {
    struct method_count *at;
    size_t count;
    size_t capacity;
};

/* A page of a listing: what is asked, and the answer. */
struct user_page {
    const struct user_filter *filter; /* of its flags; a username has been dealt with */
    uint64_t after;                   /* below UINT64_MAX */
    size_t limit;                     /* at least 1 */
    struct user *out;
    size_t count; /* 0 to begin with, as is next_after */
    uint64_t next_after;
};

struct user_store_ops {
    const char *scheme;
    bool blocking;
    struct user_store *(*open)(const char *place, const struct store_options *options, char *error,
                               size_t error_size);
    void (*close)(struct user_store *store);
    enum store_outcome (*find_by_id)(struct user_store *store, uint64_t id, struct user *out);
    enum store_outcome (*find_by_text)(struct user_store *store, enum user_text which,
                                       const struct folded_text *text, struct user *out);
    enum store_outcome (*list)(struct user_store *store, struct user_page *page);
    enum store_outcome (*methods)(struct user_store *store, struct method_list *list);
    enum store_outcome (*status)(struct user_store *store, struct store_status *out);
    enum store_outcome (*find_by_session)(struct user_store *store, const char *session_id, uint64_t user_id,
                                          struct user *out);
    enum store_outcome (*find_session)(struct user_store *store, const char *session_id, struct session *out);
    enum store_outcome (*list_sessions)(struct user_store *store, uint64_t user_id, size_t limit,
                                        struct session *out, size_t *count);
    enum store_outcome (*knows_network)(struct user_store *store, uint64_t user_id, const char *network);
    enum store_outcome (*read_blob)(struct user_store *store, const char *name, void *buffer, size_t size,
                                    size_t *length);
    bool (*write)(struct user_store *store, struct store_write *write);
};

struct user_store {
    const struct user_store_ops *ops;
};

extern const struct user_store_ops lmdb_store_ops;
extern const struct user_store_ops memory_store_ops;

/* store_write.c. False is a fault of the caller's. */
bool store_write_is_well_formed(const struct store_write *write);
bool blob_name_is_valid(const char *name);

/* False: the length is 0 or over what any user's text can have, so no user has it. */
bool folded_text_set(struct folded_text *folded, enum user_text which, const char *text, size_t length);
void folded_text_of(struct folded_text *folded, enum user_text which, const struct user *user);

/* Adds to the method's count. */
void method_list_add(struct method_list *list, const char *method, size_t length, uint64_t users);

/* Zeroed memory; exits when there is none. */
void *store_allocate(size_t count, size_t size);

/* The wall clock, in microseconds since the epoch. */
int64_t store_now_us(void);

#endif
