/* lmdb_store.c - opening and closing the store on LMDB. */
#include "storage/lmdb_store.h"

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/lmdb_fault.h"
#include "storage/lmdb_meta.h"
#include "storage/lmdb_record.h"
#include "storage/lmdb_session.h"

static const char *const database_names[LMDB_DATABASE_COUNT] = {
    [LMDB_META] = "meta",
    [LMDB_USERS] = "users",
    [LMDB_USERNAMES] = "usernames",
    [LMDB_EMAILS] = "emails",
    [LMDB_SESSIONS] = "sessions",
    [LMDB_USER_SESSIONS] = "user_sessions",
    [LMDB_SESSION_ENDS] = "session_ends",
    [LMDB_USER_NETWORKS] = "user_networks",
    [LMDB_BLOBS] = "blobs",
};

static const char *error_text(int code)
{
    if (code == LMDB_DAMAGED)
        return "a record is damaged";
    if (code == LMDB_NEWER)
        return "a record was written by a newer version of this program";
    if (code == LMDB_GONE)
        return "its files were removed or replaced while it was open; start again when they are back";
    return code > 0 ? strerrordesc_np(code) : mdb_strerror(code);
}

void lmdb_problem(const struct lmdb_store *store, const char *doing, int code)
{
    assert(code != 0);
    if (store->on_problem == NULL)
        return;
    char sentence[256];
    const char *why = error_text(code);
    snprintf(sentence, sizeof(sentence), "The user store failed while %s: %s.", doing,
             why != NULL ? why : "an unknown error");
    store->on_problem(sentence);
}

static int write_first_meta(const struct lmdb_store *store, MDB_txn *txn)
{
    int code = lmdb_meta_put(store, txn, META_FORMAT, STORE_FORMAT);
    if (code == 0)
        code = lmdb_meta_put(store, txn, META_NEXT_ID, 1);
    if (code == 0)
        code = lmdb_meta_put(store, txn, META_ACTIVE_ADMINS, 0);
    return code;
}

/*
 * A file that was cut short would kill the process with SIGBUS at the first page that is missing. Made as
 * long as LMDB expects it, such a page reads as zeros, which LMDB reports. (A whole file may lack its last
 * pages too, if they are free.) Only in a write transaction: no other process is writing then.
 */
static int restore_length(const struct lmdb_store *store, size_t expected_bytes)
{
    struct stat status;
    int fd = -1;
    int code = mdb_env_get_fd(store->env, &fd);
    if (code != 0)
        return code;
    if (fstat(fd, &status) != 0)
        return errno;
    if (status.st_size < (off_t)expected_bytes && ftruncate(fd, (off_t)expected_bytes) != 0)
        return errno;
    return 0;
}

static int measure_file(struct lmdb_store *store)
{
    MDB_envinfo info;
    MDB_stat stat;
    int code = mdb_env_info(store->env, &info);
    if (code == 0)
        code = mdb_env_stat(store->env, &stat);
    if (code != 0)
        return code;
    store->pages_max = info.me_mapsize / stat.ms_psize;
    return restore_length(store, (info.me_last_pgno + 1) * stat.ms_psize);
}

/* Whose format it is, before anything else of it is looked at. `*format` is 0 if there is nothing in it yet.
 */
static int check_format(struct lmdb_store *store, MDB_txn *txn, uint64_t *format)
{
    MDB_dbi names;
    MDB_stat stat;
    int code = mdb_dbi_open(txn, NULL, 0, &names);
    if (code == 0)
        code = mdb_stat(txn, names, &stat);
    if (code != 0)
        return code;
    *format = 0;
    if (stat.ms_entries == 0)
        return 0;
    code = mdb_dbi_open(txn, database_names[LMDB_META], 0, &store->databases[LMDB_META]);
    if (code == 0)
        code = lmdb_meta_get(store, txn, META_FORMAT, format);
    if (code != 0)
        return code == MDB_NOTFOUND ? LMDB_DAMAGED : code;
    if (*format > STORE_FORMAT)
        return LMDB_NEWER;
    return *format > 0 ? 0 : LMDB_DAMAGED;
}

static int open_databases(struct lmdb_store *store, MDB_txn *txn)
{
    uint64_t format = 0;
    int code = measure_file(store);
    if (code == 0)
        code = check_format(store, txn, &format);
    for (int i = 0; code == 0 && i < LMDB_DATABASE_COUNT; i++)
        code = mdb_dbi_open(txn, database_names[i], MDB_CREATE, &store->databases[i]);
    if (code == 0 && format == 0)
        code = write_first_meta(store, txn);
    /* Format 2 only adds databases to format 1, and they have just been made. */
    if (code == 0 && format > 0 && format < STORE_FORMAT)
        code = lmdb_meta_put(store, txn, META_FORMAT, STORE_FORMAT);
    return code;
}

static int open_environment(struct lmdb_store *store, const char *path, uint64_t map_size_bytes)
{
    int code = mdb_env_create(&store->env);
    if (code != 0)
        return code;
    code = mdb_env_set_mapsize(store->env, map_size_bytes);
    if (code == 0)
        code = mdb_env_set_maxdbs(store->env, LMDB_DATABASES_MAX);
    if (code == 0)
        code = mdb_env_set_maxreaders(store->env, LMDB_READERS_MAX);
    if (code == 0)
        code = mdb_env_open(store->env, path, MDB_NOTLS, 0600);
    int dead = 0;
    if (code == 0)
        code = mdb_reader_check(store->env, &dead);
    MDB_txn *txn;
    if (code == 0)
        code = lmdb_write_begin(store->env, &txn);
    if (code == 0) {
        code = open_databases(store, txn);
        if (code == 0)
            code = lmdb_write_commit(txn);
        else
            mdb_txn_abort(txn);
    }
    if (code == 0)
        code = lmdb_folder_sync(path);
    if (code != 0) {
        lmdb_files_forget(&store->files);
        mdb_env_close(store->env);
    }
    return code;
}

static int open_parts(struct lmdb_store *store, const char *path, const struct store_options *options)
{
    int code = open_environment(store, path, options->map_size_bytes);
    if (code != 0)
        return code;
    if (!lmdb_files_remember(&store->files, path))
        code = errno;
    if (code == 0)
        code = lmdb_readers_open(store);
    if (code == 0) {
        code = lmdb_writer_start(store, options);
        if (code != 0)
            lmdb_readers_close(store);
    }
    if (code != 0)
        mdb_env_close(store->env);
    return code;
}

static void explain(const char *path, int code, char *error, size_t error_size)
{
    if (code == LMDB_NEWER)
        snprintf(error, error_size,
                 "The user store lmdb:%s was written by a newer version of this program, which this one "
                 "cannot read (its format is above %d).",
                 path, STORE_FORMAT);
    else if (code == LMDB_DAMAGED)
        snprintf(error, error_size, "The user store lmdb:%s is damaged, or holds another program's data.",
                 path);
    else
        snprintf(error, error_size, "The user store lmdb:%s cannot be opened: %s.", path, error_text(code));
}

static struct user_store *lmdb_open(const char *place, const struct store_options *options, char *error,
                                    size_t error_size)
{
    struct lmdb_store *store = store_allocate(1, sizeof(*store));
    store->base.ops = &lmdb_store_ops;
    store->on_problem = options->on_problem;
    atomic_store(&store->healthy, true);
    if (!lmdb_folder_claim(&store->place, place, error, error_size)) {
        free(store);
        return NULL;
    }
    int code = open_parts(store, place, options);
    if (code == 0)
        return &store->base;
    explain(place, code, error, error_size);
    lmdb_folder_release(&store->place);
    free(store);
    return NULL;
}

static void lmdb_close(struct user_store *base)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    lmdb_writer_stop(store);
    lmdb_readers_close(store);
    mdb_env_close(store->env);
    lmdb_files_forget(&store->files);
    lmdb_folder_release(&store->place);
    free(store);
}

const struct user_store_ops lmdb_store_ops = {
    .scheme = "lmdb",
    .blocking = false,
    .open = lmdb_open,
    .close = lmdb_close,
    .find_by_id = lmdb_find_by_id,
    .find_by_text = lmdb_find_by_text,
    .list = lmdb_list,
    .methods = lmdb_methods,
    .find_by_session = lmdb_find_by_session,
    .find_session = lmdb_find_session,
    .list_sessions = lmdb_list_sessions,
    .knows_network = lmdb_knows_network,
    .read_blob = lmdb_read_blob,
    .status = lmdb_status,
    .write = lmdb_write,
};
