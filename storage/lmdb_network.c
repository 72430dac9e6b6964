/* lmdb_network.c - the networks from which users have opened sessions. */
#include <assert.h>
#include <lmdb.h>
#include <string.h>

#include "storage/lmdb_fault.h"
#include "storage/lmdb_record.h"
#include "storage/lmdb_session.h"
#include "storage/session_rules.h"

#define KEY_MAX_BYTES (8 + NETWORK_MAX_BYTES)

struct network_key {
    unsigned char bytes[KEY_MAX_BYTES];
    size_t length;
};

static struct network_key key_of(uint64_t user_id, const char *network)
{
    struct network_key key = {.length = 8 + strlen(network)};
    assert(key.length <= sizeof(key.bytes));
    number_encode(user_id, key.bytes);
    memcpy(key.bytes + 8, network, key.length - 8);
    return key;
}

static int get(const struct lmdb_store *store, MDB_txn *txn, struct network_key *at, int64_t *seen_us)
{
    MDB_val key = {at->length, at->bytes};
    MDB_val value;
    int code = mdb_get(txn, store->databases[LMDB_USER_NETWORKS], &key, &value);
    if (code != 0)
        return code;
    /* A time that cannot be read is long ago: the next login mends it. */
    *seen_us = value.mv_size == 8 ? (int64_t)number_decode(value.mv_data) : 0;
    return 0;
}

/* A user's networks: how many, and the one that was used least recently. */
struct tally {
    size_t count;
    struct network_key oldest;
    int64_t oldest_us;
};

static int tally(const struct lmdb_store *store, MDB_txn *txn, uint64_t user_id, struct tally *out)
{
    MDB_cursor *cursor;
    struct network_key first = key_of(user_id, "");
    MDB_val key = {first.length, first.bytes};
    MDB_val value;
    *out = (struct tally){0};
    int code = mdb_cursor_open(txn, store->databases[LMDB_USER_NETWORKS], &cursor);
    if (code != 0)
        return code;
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && key.mv_size >= 8 && memcmp(key.mv_data, first.bytes, 8) == 0) {
        int64_t seen_us = value.mv_size == 8 ? (int64_t)number_decode(value.mv_data) : 0;
        if (key.mv_size <= KEY_MAX_BYTES && (out->count == 0 || seen_us < out->oldest_us)) {
            out->oldest_us = seen_us;
            out->oldest.length = key.mv_size;
            memcpy(out->oldest.bytes, key.mv_data, key.mv_size);
        }
        out->count++;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

static int forget(const struct lmdb_store *store, MDB_txn *txn, struct network_key *at)
{
    MDB_val key = {at->length, at->bytes};
    int code = lmdb_write_delete(txn, store->databases[LMDB_USER_NETWORKS], &key);
    return code == MDB_NOTFOUND ? 0 : code;
}

int lmdb_network_remember(const struct lmdb_store *store, MDB_txn *txn, uint64_t user_id, const char *network,
                          int64_t now_us)
{
    struct network_key at = key_of(user_id, network);
    struct tally known;
    int64_t seen_us = 0;
    int found = get(store, txn, &at, &seen_us);
    if (found != 0 && found != MDB_NOTFOUND)
        return found;
    if (found == 0 && !network_is_stale(seen_us, now_us))
        return 0;
    int code = found == 0 ? 0 : tally(store, txn, user_id, &known);
    if (code == 0 && found != 0 && known.count >= STORE_USER_NETWORKS_MAX)
        code = forget(store, txn, &known.oldest);
    if (code != 0)
        return code;
    unsigned char now[8];
    number_encode((uint64_t)now_us, now);
    MDB_val key = {at.length, at.bytes};
    MDB_val value = {sizeof(now), now};
    return lmdb_write_put(txn, store->databases[LMDB_USER_NETWORKS], &key, &value, 0);
}

int lmdb_networks_forget(const struct lmdb_store *store, MDB_txn *txn, uint64_t user_id)
{
    struct tally known;
    for (;;) {
        int code = tally(store, txn, user_id, &known);
        if (code != 0 || known.count == 0)
            return code;
        code = forget(store, txn, &known.oldest);
        if (code != 0)
            return code;
    }
}

enum store_outcome lmdb_knows_network(struct user_store *base, uint64_t user_id, const char *network)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    struct network_key at = key_of(user_id, network);
    int64_t seen_us = 0;
    MDB_txn *txn = NULL;
    int code = lmdb_read_begin(store, &txn);
    if (code == 0)
        code = get(store, txn, &at, &seen_us);
    return lmdb_read_end(store, txn, code);
}
