/*
 * lmdb_read.c - the reads. Each thread has one read transaction of its own, renewed for a call and reset at
 * its end: some nanoseconds instead of a begin, and no old pages are held between calls.
 */
#include <assert.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "storage/lmdb_meta.h"
#include "storage/lmdb_record.h"
#include "storage/lmdb_store.h"
#include "storage/user_rules.h"

struct lmdb_reader {
    struct lmdb_store *store;
    MDB_txn *txn; /* reset, except during a call */
    struct lmdb_reader *previous;
    struct lmdb_reader *next;
};

/* The environment is open with MDB_NOTLS, so the abort gives the reader's slot back. */
static void reader_free(struct lmdb_reader *reader)
{
    mdb_txn_abort(reader->txn);
    free(reader);
}

/* When its thread ends. */
static void reader_leave(void *value)
{
    struct lmdb_reader *reader = value;
    struct lmdb_store *store = reader->store;
    pthread_mutex_lock(&store->readers_lock);
    if (reader->next != NULL)
        reader->next->previous = reader->previous;
    if (reader->previous != NULL)
        reader->previous->next = reader->next;
    else
        store->readers = reader->next;
    reader_free(reader);
    pthread_mutex_unlock(&store->readers_lock);
}

int lmdb_readers_open(struct lmdb_store *store)
{
    pthread_mutex_init(&store->readers_lock, NULL);
    return pthread_key_create(&store->reader_key, reader_leave);
}

void lmdb_readers_close(struct lmdb_store *store)
{
    pthread_key_delete(store->reader_key);
    pthread_mutex_lock(&store->readers_lock);
    while (store->readers != NULL) {
        struct lmdb_reader *reader = store->readers;
        store->readers = reader->next;
        reader_free(reader);
    }
    pthread_mutex_unlock(&store->readers_lock);
    pthread_mutex_destroy(&store->readers_lock);
}

/* This thread's first read: begins the transaction that later reads renew. */
static int reader_enter(struct lmdb_store *store, struct lmdb_reader **out)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return code;
    struct lmdb_reader *reader = store_allocate(1, sizeof(*reader));
    *reader = (struct lmdb_reader){.store = store, .txn = txn};
    code = pthread_setspecific(store->reader_key, reader);
    if (code != 0) {
        reader_free(reader);
        return code;
    }
    pthread_mutex_lock(&store->readers_lock);
    reader->next = store->readers;
    if (reader->next != NULL)
        reader->next->previous = reader;
    store->readers = reader;
    pthread_mutex_unlock(&store->readers_lock);
    *out = reader;
    return 0;
}

int lmdb_read_begin(struct lmdb_store *store, MDB_txn **txn)
{
    struct lmdb_reader *reader = pthread_getspecific(store->reader_key);
    int code = reader == NULL ? reader_enter(store, &reader) : mdb_txn_renew(reader->txn);
    if (code != 0)
        return code;
    assert(reader->store == store);
    *txn = reader->txn;
    return 0;
}

enum store_outcome lmdb_read_end(struct lmdb_store *store, MDB_txn *txn, int code)
{
    if (txn != NULL)
        mdb_txn_reset(txn);
    if (code == 0)
        return STORE_OK;
    if (code == MDB_NOTFOUND)
        return STORE_NOT_FOUND;
    lmdb_problem(store, "reading", code);
    return STORE_FAILED;
}

static int decode(const MDB_val *value, uint64_t id, struct user *out)
{
    switch (record_decode(value->mv_data, value->mv_size, id, out)) {
    case RECORD_OK:
        return 0;
    case RECORD_DAMAGED:
        return LMDB_DAMAGED;
    case RECORD_NEWER:
        return LMDB_NEWER;
    }
    return LMDB_DAMAGED;
}

int lmdb_user_get(const struct lmdb_store *store, MDB_txn *txn, uint64_t id, struct user *out)
{
    unsigned char bytes[8];
    number_encode(id, bytes);
    MDB_val key = {sizeof(bytes), bytes};
    MDB_val value;
    int code = mdb_get(txn, store->databases[LMDB_USERS], &key, &value);
    return code != 0 ? code : decode(&value, id, out);
}

enum store_outcome lmdb_find_by_id(struct user_store *base, uint64_t id, struct user *out)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    MDB_txn *txn = NULL;
    int code = lmdb_read_begin(store, &txn);
    if (code == 0)
        code = lmdb_user_get(store, txn, id, out);
    return lmdb_read_end(store, txn, code);
}

static int get_by_text(const struct lmdb_store *store, MDB_txn *txn, enum user_text which,
                       const struct folded_text *text, struct user *out)
{
    MDB_val key = {text->length, (void *)(uintptr_t)text->text};
    MDB_val value;
    enum lmdb_database index = which == USER_TEXT_NAME ? LMDB_USERNAMES : LMDB_EMAILS;
    int code = mdb_get(txn, store->databases[index], &key, &value);
    if (code != 0)
        return code;
    if (value.mv_size != 8)
        return LMDB_DAMAGED;
    code = lmdb_user_get(store, txn, number_decode(value.mv_data), out);
    return code == MDB_NOTFOUND ? LMDB_DAMAGED : code;
}

enum store_outcome lmdb_find_by_text(struct user_store *base, enum user_text which,
                                     const struct folded_text *text, struct user *out)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    MDB_txn *txn = NULL;
    int code = lmdb_read_begin(store, &txn);
    if (code == 0)
        code = get_by_text(store, txn, which, text, out);
    return lmdb_read_end(store, txn, code);
}

/* Fills the page from the cursor's first key behind page->after. */
static int walk_users(MDB_cursor *cursor, struct user_page *page, struct user *users)
{
    unsigned char bytes[8];
    number_encode(page->after + 1, bytes);
    MDB_val key = {sizeof(bytes), bytes};
    MDB_val value;
    uint64_t last = page->after;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (size_t looks = 0; code == 0 && page->count < page->limit && looks < USER_LIST_LOOKS_MAX; looks++) {
        struct user *user = &users[page->count];
        if (key.mv_size != 8)
            return LMDB_DAMAGED;
        last = number_decode(key.mv_data);
        code = decode(&value, last, user);
        if (code != 0)
            return code;
        page->count += user_passes(user, page->filter) ? 1 : 0;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    page->next_after = code == 0 ? last : 0;
    return code == MDB_NOTFOUND ? 0 : code;
}

enum store_outcome lmdb_list(struct user_store *base, struct user_page *page)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    /* So that a failure leaves page->out as it is. */
    struct user *users = store_allocate(page->limit, sizeof(*users));
    int code = lmdb_read_begin(store, &txn);
    if (code == 0)
        code = mdb_cursor_open(txn, store->databases[LMDB_USERS], &cursor);
    if (code == 0)
        code = walk_users(cursor, page, users);
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    if (code == 0 && page->count > 0)
        memcpy(page->out, users, page->count * sizeof(*users));
    explicit_bzero(users, page->limit * sizeof(*users));
    free(users);
    return lmdb_read_end(store, txn, code);
}

static int walk_methods(MDB_cursor *cursor, struct method_list *list)
{
    static const char prefix[] = META_METHOD_PREFIX;
    const size_t prefix_length = sizeof(prefix) - 1;
    MDB_val key = {prefix_length, (void *)(uintptr_t)prefix};
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && key.mv_size >= prefix_length && memcmp(key.mv_data, prefix, prefix_length) == 0) {
        size_t length = key.mv_size - prefix_length;
        const char *method = (const char *)key.mv_data + prefix_length;
        if (length == 0 || length > USER_METHOD_MAX_BYTES || value.mv_size != 8)
            return LMDB_DAMAGED;
        method_list_add(list, method, length, number_decode(value.mv_data));
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

enum store_outcome lmdb_methods(struct user_store *base, struct method_list *list)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    int code = lmdb_read_begin(store, &txn);
    if (code == 0)
        code = mdb_cursor_open(txn, store->databases[LMDB_META], &cursor);
    if (code == 0)
        code = walk_methods(cursor, list);
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    return lmdb_read_end(store, txn, code);
}

static int read_status(const struct lmdb_store *store, MDB_txn *txn, struct store_status *status)
{
    MDB_stat users;
    MDB_stat sessions;
    uint64_t pages = 0;
    int code = mdb_stat(txn, store->databases[LMDB_USERS], &users);
    if (code == 0)
        code = mdb_stat(txn, store->databases[LMDB_SESSIONS], &sessions);
    if (code == 0)
        code = lmdb_meta_get(store, txn, META_ACTIVE_ADMINS, &status->active_admin_count);
    if (code == 0)
        code = lmdb_meta_had_admin(store, txn, &status->had_admin);
    if (code == 0)
        code = lmdb_pages_used(store, txn, &pages);
    if (code != 0)
        return code;
    status->user_count = users.ms_entries;
    status->session_count = sessions.ms_entries;
    status->used_fraction = (double)pages / (double)store->pages_max;
    status->healthy = atomic_load(&store->healthy);
    return 0;
}

enum store_outcome lmdb_status(struct user_store *base, struct store_status *out)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    struct store_status status = {0};
    MDB_txn *txn = NULL;
    int code = lmdb_read_begin(store, &txn);
    if (code == 0)
        code = read_status(store, txn, &status);
    if (code == 0)
        *out = status;
    return lmdb_read_end(store, txn, code);
}
