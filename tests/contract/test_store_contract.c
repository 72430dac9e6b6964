// links: tests/contract/store_contract.c tests/contract/session_contract.c
// links: tests/contract/account_contract.c tests/support/store_support.c
// links: storage/user_store.c storage/user_rules.c storage/memory_store.c
// links: storage/lmdb_files.c
// links: storage/lmdb_store.c storage/lmdb_folder.c storage/lmdb_read.c storage/lmdb_write.c
// links: storage/lmdb_writer.c storage/lmdb_meta.c storage/lmdb_record.c storage/lmdb_fault.c
// links: storage/memory_sessions.c storage/store_write.c storage/session_rules.c
// links: storage/lmdb_session.c storage/lmdb_session_record.c storage/lmdb_session_read.c
// links: storage/lmdb_session_write.c storage/lmdb_network.c storage/lmdb_blob.c
// libs: lmdb pthread
#include "tests/contract/store_contract.h"
#include "tests/support/store_support.h"

static char folder[FOLDER_MAX_BYTES];

static struct user_store *make_memory(void)
{
    return store_open("memory:", 0);
}

static struct user_store *make_lmdb(void)
{
    folder_make(folder);
    return store_open_in(folder, 16 * 1024 * 1024);
}

static void unmake_lmdb(struct user_store *store)
{
    user_store_close(store);
    folder_remove(folder);
}

int main(void)
{
    const struct store_maker memory = {"memory store", make_memory, user_store_close};
    const struct store_maker lmdb = {"lmdb store", make_lmdb, unmake_lmdb};
    int failed = store_contract_run(&memory);
    failed += session_contract_run(&memory);
    failed += account_contract_run(&memory);
    failed += store_contract_run(&lmdb);
    failed += session_contract_run(&lmdb);
    return failed + account_contract_run(&lmdb);
}
