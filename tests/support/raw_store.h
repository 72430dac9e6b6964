/* raw_store.h - for tests: the databases of a closed store, past all its rules. */
#ifndef TESTS_SUPPORT_RAW_STORE_H
#define TESTS_SUPPORT_RAW_STORE_H

#include <lmdb.h>

#define RAW_MAP_BYTES (256 * 1024 * 1024)

struct raw {
    MDB_env *env;
    MDB_txn *txn;
};

struct raw raw_open(const char *folder);
void raw_close(struct raw *raw); /* commits */
MDB_dbi raw_database(const struct raw *raw, const char *name, size_t *entries);
size_t raw_count(const struct raw *raw, const char *name);

/* Each session is in both indexes under its own user and times, and nothing else is in them. */
void raw_assert_indexes_agree(const char *folder, size_t expected);

#endif
