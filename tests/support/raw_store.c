// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include "tests/support/raw_store.h"

#include <string.h>

#include "storage/lmdb_session_record.h"

struct raw raw_open(const char *folder)
{
    struct raw raw;
    assert_int_equal(mdb_env_create(&raw.env), 0);
    assert_int_equal(mdb_env_set_mapsize(raw.env, RAW_MAP_BYTES), 0);
    assert_int_equal(mdb_env_set_maxdbs(raw.env, 16), 0);
    assert_int_equal(mdb_env_open(raw.env, folder, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(raw.env, NULL, 0, &raw.txn), 0);
    return raw;
}

void raw_close(struct raw *raw)
{
    assert_int_equal(mdb_txn_commit(raw->txn), 0);
    mdb_env_close(raw->env);
}

MDB_dbi raw_database(const struct raw *raw, const char *name, size_t *entries)
{
    MDB_dbi database;
    MDB_stat stat;
    assert_int_equal(mdb_dbi_open(raw->txn, name, 0, &database), 0);
    assert_int_equal(mdb_stat(raw->txn, database, &stat), 0);
    *entries = stat.ms_entries;
    return database;
}

size_t raw_count(const struct raw *raw, const char *name)
{
    size_t entries = 0;
    raw_database(raw, name, &entries);
    return entries;
}

void raw_assert_indexes_agree(const char *folder, size_t expected)
{
    struct raw raw = raw_open(folder);
    size_t counts[3];
    MDB_dbi sessions = raw_database(&raw, "sessions", &counts[0]);
    MDB_dbi places = raw_database(&raw, "user_sessions", &counts[1]);
    MDB_dbi ends = raw_database(&raw, "session_ends", &counts[2]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(counts[i], expected);
    MDB_cursor *cursor;
    MDB_val id;
    MDB_val record;
    assert_int_equal(mdb_cursor_open(raw.txn, sessions, &cursor), 0);
    while (mdb_cursor_get(cursor, &id, &record, MDB_NEXT) == 0) {
        struct session session;
        unsigned char bytes[16 + SESSION_ID_LENGTH];
        assert_int_equal(session_record_decode(record.mv_data, record.mv_size, id.mv_data, &session),
                         RECORD_OK);
        MDB_val key = {sizeof(bytes), bytes};
        MDB_val value;
        number_encode(session.user_id, bytes);
        number_encode((uint64_t)session.created_at_us, bytes + 8);
        memcpy(bytes + 16, session.id, SESSION_ID_LENGTH);
        assert_int_equal(mdb_get(raw.txn, places, &key, &value), 0);
        int64_t first_us =
            session.ends_at_us < session.idle_ends_at_us ? session.ends_at_us : session.idle_ends_at_us;
        number_encode((uint64_t)first_us, bytes);
        memcpy(bytes + 8, session.id, SESSION_ID_LENGTH);
        key.mv_size = 8 + SESSION_ID_LENGTH;
        assert_int_equal(mdb_get(raw.txn, ends, &key, &value), 0);
    }
    mdb_cursor_close(cursor);
    raw_close(&raw);
}
