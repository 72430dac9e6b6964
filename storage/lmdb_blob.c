/*
 * lmdb_blob.c - blobs, in pieces that fit into a leaf page: one value of a megabyte would need as many free
 * pages in a row each time it is replaced, and the file would grow where there are none.
 */
#include <assert.h>
#include <lmdb.h>
#include <string.h>

#include "storage/lmdb_fault.h"
#include "storage/lmdb_meta.h"
#include "storage/lmdb_record.h"
#include "storage/lmdb_session.h"

#define PIECE_BYTES   1900 /* two of them, with their keys, fill a page */
#define KEY_MAX_BYTES (STORE_BLOB_NAME_MAX_BYTES + 1 + 8)

struct piece_key {
    unsigned char bytes[KEY_MAX_BYTES];
    size_t length;
};

/* The NUL keeps a name apart from one that begins with it. */
static struct piece_key key_of(const char *name, uint64_t number)
{
    struct piece_key key;
    size_t name_bytes = strlen(name) + 1;
    key.length = name_bytes + 8;
    assert(key.length <= sizeof(key.bytes));
    memcpy(key.bytes, name, name_bytes);
    number_encode(number, key.bytes + name_bytes);
    return key;
}

static int get_piece(const struct lmdb_store *store, MDB_txn *txn, const char *name, uint64_t number,
                     MDB_val *piece)
{
    struct piece_key at = key_of(name, number);
    MDB_val key = {at.length, at.bytes};
    int code = mdb_get(txn, store->databases[LMDB_BLOBS], &key, piece);
    return code == 0 && (piece->mv_size == 0 || piece->mv_size > PIECE_BYTES) ? LMDB_DAMAGED : code;
}

static uint64_t piece_count(size_t length)
{
    return (length + PIECE_BYTES - 1) / PIECE_BYTES;
}

static int put_pieces(const struct lmdb_store *store, MDB_txn *txn, const struct store_write *write)
{
    uint64_t count = piece_count(write->blob_length);
    int code = 0;
    for (uint64_t i = 0; code == 0 && i < count; i++) {
        struct piece_key at = key_of(write->blob_name, i);
        const unsigned char *from = (const unsigned char *)write->blob + i * PIECE_BYTES;
        size_t left = write->blob_length - i * PIECE_BYTES;
        MDB_val key = {at.length, at.bytes};
        MDB_val value = {left < PIECE_BYTES ? left : PIECE_BYTES, (void *)(uintptr_t)from};
        code = lmdb_write_put(txn, store->databases[LMDB_BLOBS], &key, &value, 0);
    }
    return code;
}

/* From the number `from` on, as far as there are any. */
static int delete_pieces(const struct lmdb_store *store, MDB_txn *txn, const char *name, uint64_t from)
{
    int code = 0;
    for (uint64_t i = from; code == 0; i++) {
        struct piece_key at = key_of(name, i);
        MDB_val key = {at.length, at.bytes};
        code = lmdb_write_delete(txn, store->databases[LMDB_BLOBS], &key);
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

/* Whether the blob may need more pages than the one there has. */
static int grows(const struct lmdb_store *store, MDB_txn *txn, const struct store_write *write, bool *out)
{
    uint64_t count = piece_count(write->blob_length);
    MDB_val piece;
    *out = false;
    if (count == 0)
        return 0;
    int code = get_piece(store, txn, write->blob_name, count - 1, &piece);
    *out = code != 0;
    return code == MDB_NOTFOUND || code == LMDB_DAMAGED ? 0 : code;
}

int lmdb_blob_keep(const struct lmdb_store *store, MDB_txn *txn, const struct store_write *write,
                   struct lmdb_result *result)
{
    bool has_room = true;
    bool more = false;
    int code = grows(store, txn, write, &more);
    if (code == 0 && more)
        code = lmdb_has_room(store, txn, LMDB_RESERVE_ACCOUNTS, piece_count(write->blob_length), &has_room);
    if (code == 0 && !has_room) {
        result->outcome = STORE_FULL;
        return 0;
    }
    if (code == 0)
        code = put_pieces(store, txn, write);
    if (code == 0)
        code = delete_pieces(store, txn, write->blob_name, piece_count(write->blob_length));
    result->outcome = STORE_OK;
    result->has = RESULT_CHANGES;
    return code;
}

/* Two walks, so that the buffer stays as it is when the blob does not fit. */
static int read_pieces(const struct lmdb_store *store, MDB_txn *txn, const char *name, unsigned char *buffer,
                       size_t *length)
{
    size_t sum = 0;
    int code = 0;
    for (uint64_t i = 0; code == 0; i++) {
        MDB_val piece;
        code = get_piece(store, txn, name, i, &piece);
        if (code != 0)
            break;
        if (buffer != NULL)
            memcpy(buffer + sum, piece.mv_data, piece.mv_size);
        sum += piece.mv_size;
        if (sum > STORE_BLOB_MAX_BYTES)
            code = LMDB_DAMAGED;
    }
    *length = sum;
    return code == MDB_NOTFOUND && sum > 0 ? 0 : code;
}

enum store_outcome lmdb_read_blob(struct user_store *base, const char *name, void *buffer, size_t size,
                                  size_t *length)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    MDB_txn *txn = NULL;
    size_t sum = 0;
    int code = lmdb_read_begin(store, &txn);
    if (code == 0)
        code = read_pieces(store, txn, name, NULL, &sum);
    bool fits = sum <= size;
    if (code == 0 && fits)
        code = read_pieces(store, txn, name, buffer, &sum);
    enum store_outcome outcome = lmdb_read_end(store, txn, code);
    if (outcome == STORE_OK)
        *length = sum;
    return outcome == STORE_OK && !fits ? STORE_FULL : outcome;
}
