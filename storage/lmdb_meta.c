/* lmdb_meta.c - the numbers of the meta database, and how full the map is. */
#include <assert.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>

#include "storage/lmdb_fault.h"
#include "storage/lmdb_meta.h"
#include "storage/lmdb_record.h"
#include "storage/lmdb_store.h"

#define METHOD_KEY_BYTES (sizeof(META_METHOD_PREFIX) + USER_METHOD_MAX_BYTES)

static MDB_val key_of(const char *name)
{
    assert(name[0] != '\0');
    return (MDB_val){strlen(name), (void *)(uintptr_t)name};
}

int lmdb_meta_get(const struct lmdb_store *store, MDB_txn *txn, const char *name, uint64_t *out)
{
    MDB_val key = key_of(name);
    MDB_val value;
    int code = mdb_get(txn, store->databases[LMDB_META], &key, &value);
    if (code != 0)
        return code == MDB_NOTFOUND ? LMDB_DAMAGED : code;
    if (value.mv_size != 8)
        return LMDB_DAMAGED;
    *out = number_decode(value.mv_data);
    return 0;
}

int lmdb_meta_put(const struct lmdb_store *store, MDB_txn *txn, const char *name, uint64_t number)
{
    unsigned char bytes[8];
    number_encode(number, bytes);
    MDB_val key = key_of(name);
    MDB_val value = {sizeof(bytes), bytes};
    return lmdb_write_put(txn, store->databases[LMDB_META], &key, &value, 0);
}

int lmdb_meta_had_admin(const struct lmdb_store *store, MDB_txn *txn, bool *out)
{
    MDB_val key = key_of(META_HAD_ADMIN);
    MDB_val value;
    int code = mdb_get(txn, store->databases[LMDB_META], &key, &value);
    if (code != 0 && code != MDB_NOTFOUND)
        return code;
    *out = code == 0;
    return 0;
}

int lmdb_meta_count_method(const struct lmdb_store *store, MDB_txn *txn, const char *method, int step)
{
    assert(step == 1 || step == -1);
    if (method[0] == '\0')
        return 0;
    char name[METHOD_KEY_BYTES];
    int length = snprintf(name, sizeof(name), "%s%s", META_METHOD_PREFIX, method);
    assert(length > 0 && (size_t)length < sizeof(name));
    (void)length;
    uint64_t count = 0;
    int code = lmdb_meta_get(store, txn, name, &count);
    if (code == LMDB_DAMAGED && step == 1)
        count = 0;
    else if (code != 0)
        return code;
    if (count == 0 && step == -1)
        return LMDB_DAMAGED;
    count = step == 1 ? count + 1 : count - 1;
    if (count > 0)
        return lmdb_meta_put(store, txn, name, count);
    MDB_val key = key_of(name);
    return lmdb_write_delete(txn, store->databases[LMDB_META], &key);
}

/*
 * The trees' own page counts, LMDB's two (0, the free list, and 1, the names of databases) among them. Pages
 * that were freed are in no tree, so this falls when users are deleted, while the last page number never
 * does.
 */
int lmdb_pages_used(const struct lmdb_store *store, MDB_txn *txn, uint64_t *out)
{
    uint64_t pages = 2; /* the meta pages */
    for (unsigned i = 0; i < LMDB_DATABASE_COUNT + 2; i++) {
        MDB_stat stat;
        int code = mdb_stat(txn, i < 2 ? i : store->databases[i - 2], &stat);
        if (code != 0)
            return code;
        pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    }
    *out = pages;
    return 0;
}

/* A share of the map, and in a small map what deletions may need; the first above the second by some logins.
 */
static const struct {
    uint64_t divisor;
    uint64_t pages_min;
} reserves[LMDB_RESERVE_COUNT] = {
    [LMDB_RESERVE_ACCOUNTS] = {20, 64},
    [LMDB_RESERVE_SESSIONS] = {40, 48},
};

int lmdb_has_room(const struct lmdb_store *store, MDB_txn *txn, enum lmdb_reserve reserve, uint64_t pages,
                  bool *out)
{
    uint64_t used = 0;
    uint64_t kept = store->pages_max / reserves[reserve].divisor;
    if (kept < reserves[reserve].pages_min)
        kept = reserves[reserve].pages_min;
    int code = lmdb_pages_used(store, txn, &used);
    *out = used + pages + kept < store->pages_max;
    return code;
}
