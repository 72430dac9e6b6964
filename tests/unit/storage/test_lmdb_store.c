// links: tests/support/store_support.c storage/user_store.c storage/user_rules.c storage/memory_store.c
// links: storage/lmdb_files.c
// links: storage/lmdb_store.c storage/lmdb_folder.c storage/lmdb_read.c storage/lmdb_write.c
// links: storage/lmdb_writer.c storage/lmdb_meta.c storage/lmdb_record.c storage/lmdb_fault.c
// links: storage/memory_sessions.c storage/store_write.c storage/session_rules.c
// links: storage/lmdb_session.c storage/lmdb_session_record.c storage/lmdb_session_read.c
// links: storage/lmdb_session_write.c storage/lmdb_network.c storage/lmdb_blob.c
// libs: lmdb pthread
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/lmdb_record.h"
#include "tests/support/store_support.h"

#define MAP_BYTES (16 * 1024 * 1024)

static char folder[FOLDER_MAX_BYTES];

static int make_folder(void **state)
{
    (void)state;
    folder_make(folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static struct user_store *open_here(void)
{
    return store_open_in(folder, MAP_BYTES);
}

/* Opens, which has to be refused with a sentence that holds `expected`. */
static void assert_refused(const char *url, const char *expected)
{
    struct store_options options = {.map_size_bytes = MAP_BYTES, .queue_max = 16, .batch_max = 16};
    char error[600] = "";
    struct user_store *store = user_store_open(url, &options, error, sizeof(error));
    if (store != NULL)
        user_store_close(store);
    assert_null(store);
    if (strstr(error, expected) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error, expected);
}

static void assert_folder_refused(const char *expected)
{
    char url[FOLDER_MAX_BYTES + 8];
    snprintf(url, sizeof(url), "lmdb:%s", folder);
    assert_refused(url, expected);
}

/* Puts raw bytes into a database of the closed store, past all rules. */
static void put_raw(const char *database, const void *key_bytes, size_t key_length, const void *bytes,
                    size_t length)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val key = {key_length, (void *)(uintptr_t)key_bytes};
    MDB_val value = {length, (void *)(uintptr_t)bytes};
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_mapsize(env, MAP_BYTES), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 16), 0);
    assert_int_equal(mdb_env_open(env, folder, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, database, MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void put_raw_record(uint64_t id, const void *bytes, size_t length)
{
    unsigned char key[8];
    number_encode(id, key);
    put_raw("users", key, sizeof(key), bytes, length);
}

static void put_raw_number(const char *name, uint64_t number)
{
    unsigned char bytes[8];
    number_encode(number, bytes);
    put_raw("meta", name, strlen(name), bytes, sizeof(bytes));
}

static void users_and_marks_survive_a_reopen(void **state)
{
    (void)state;
    struct user_store *store = open_here();
    uint64_t id = 0;
    assert_int_equal(create_user(store, "Ada", true, &id), STORE_OK);
    struct user before;
    assert_int_equal(user_store_find_by_id(store, id, &before), STORE_OK);
    user_store_close(store);
    store = open_here();
    struct user after;
    assert_int_equal(user_store_find_by_username(store, "ADA", 3, &after), STORE_OK);
    assert_int_equal(after.id, before.id);
    assert_string_equal(after.password_hash, before.password_hash);
    assert_int_equal(after.created_at_us, before.created_at_us);
    assert_true(status_of(store).had_admin);
    assert_int_equal(status_of(store).active_admin_count, 1);
    assert_int_equal(create_user(store, "ada", false, NULL), STORE_USERNAME_TAKEN);
    user_store_close(store);
}

static void ids_are_not_used_again_after_a_reopen(void **state)
{
    (void)state;
    struct user_store *store = open_here();
    uint64_t id = 0;
    assert_int_equal(create_user(store, "one", false, &id), STORE_OK);
    assert_int_equal(create_user(store, "two", false, &id), STORE_OK);
    assert_int_equal(delete_user(store, id), STORE_OK);
    user_store_close(store);
    store = open_here();
    uint64_t next = 0;
    assert_int_equal(create_user(store, "three", false, &next), STORE_OK);
    assert_int_equal(next, id + 1);
    user_store_close(store);
}

static void a_new_folder_and_its_files_are_for_the_owner_alone(void **state)
{
    (void)state;
    char path[FOLDER_MAX_BYTES + 16];
    snprintf(path, sizeof(path), "%s/data", folder);
    mode_t before = umask(0);
    struct user_store *store = store_open_in(path, MAP_BYTES);
    umask(before);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    snprintf(path, sizeof(path), "%s/data/data.mdb", folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    snprintf(path, sizeof(path), "%s/data/lock.mdb", folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    user_store_close(store);
}

static void a_path_that_cannot_be_a_store_is_refused_with_the_reason(void **state)
{
    (void)state;
    char url[FOLDER_MAX_BYTES + 32];
    snprintf(url, sizeof(url), "lmdb:%s/none/data", folder);
    assert_refused(url, "No such file or directory");
    snprintf(url, sizeof(url), "lmdb:%s/file", folder);
    FILE *file = fopen(url + 5, "w");
    assert_non_null(file);
    fclose(file);
    assert_refused(url, "is not a folder");
    snprintf(url, sizeof(url), "lmdb:%s", folder);
    struct user_store *store = store_open(url, MAP_BYTES);
    assert_refused(url, "open in this process already");
    snprintf(url, sizeof(url), "lmdb:%s/../%s", folder, strrchr(folder, '/') + 1);
    assert_refused(url, "open in this process already");
    user_store_close(store);
    store = store_open(url, MAP_BYTES);
    user_store_close(store);
}

static void a_url_of_another_kind_is_refused_without_its_secrets(void **state)
{
    (void)state;
    assert_refused("lmdb:", "names no folder");
    assert_refused("memory:x", "nothing behind it");
    assert_refused("", "has to begin with lmdb:");
    assert_refused("data", "has to begin with lmdb:");
    assert_refused("LMDB:data", "has to begin with lmdb:");
    assert_refused("postgresql://user:secret@host/db", "kind postgresql:");
    struct store_options options = {.map_size_bytes = MAP_BYTES, .queue_max = 1, .batch_max = 1};
    char error[600];
    assert_null(user_store_open("mysql://user:secret@host", &options, error, sizeof(error)));
    assert_null(strstr(error, "secret"));
}

static void a_folder_or_file_of_another_user_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    user_store_close(open_here());
    assert_int_equal(chown(folder, 12345, 12345), 0);
    assert_folder_refused("belongs to another user");
    assert_int_equal(chown(folder, 0, 0), 0);
    char path[FOLDER_MAX_BYTES + 16];
    snprintf(path, sizeof(path), "%s/data.mdb", folder);
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_folder_refused("files of another user");
    assert_int_equal(chown(path, 0, 0), 0);
    snprintf(path, sizeof(path), "%s/lock.mdb", folder);
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_folder_refused("files of another user");
    assert_int_equal(chown(path, 0, 0), 0);
    user_store_close(open_here());
}

static void a_newer_store_is_refused_and_left_as_it_is(void **state)
{
    (void)state;
    put_raw_number("format", 3);
    assert_folder_refused("newer version");
    assert_folder_refused("newer version");
    put_raw_number("format", 0);
    assert_folder_refused("damaged");
}

static void another_programs_database_is_refused(void **state)
{
    (void)state;
    put_raw("other", "key", 3, "value", 5);
    assert_folder_refused("another program's");
    put_raw("meta", "format", 6, "text", 4);
    assert_folder_refused("another program's");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    (void)state;
    char path[FOLDER_MAX_BYTES + 16];
    snprintf(path, sizeof(path), "%s/data.mdb", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 4096; i++)
        fputs("garbage!", file);
    fclose(file);
    assert_folder_refused("cannot be opened");
}

static void assert_user_1_fails(void)
{
    struct user_store *store = open_here();
    struct user user;
    struct user page[4];
    size_t count = 0;
    uint64_t next_after = 0;
    unsigned before = problem_count;
    assert_int_equal(user_store_find_by_id(store, 1, &user), STORE_FAILED);
    assert_int_equal(user_store_find_by_username(store, "ada", 3, &user), STORE_FAILED);
    assert_int_equal(user_store_find_by_email(store, "ada@example.org", 15, &user), STORE_FAILED);
    assert_int_equal(user_store_list(store, NULL, 0, 4, page, &count, &next_after), STORE_FAILED);
    assert_int_equal(count, 0);
    assert_int_equal(set_admin(store, 1, true), STORE_FAILED);
    assert_int_equal(problem_count, before + 5);
    /* The others are not harmed. */
    assert_true(has_user(store, "bob"));
    assert_int_equal(set_admin(store, 2, true), STORE_OK);
    user_store_close(store);
}

static void a_damaged_or_newer_record_fails_and_harms_no_other(void **state)
{
    (void)state;
    struct user_store *store = open_here();
    assert_int_equal(create_user(store, "ada", false, NULL), STORE_OK);
    assert_int_equal(create_user(store, "bob", false, NULL), STORE_OK);
    user_store_close(store);
    unsigned char bytes[600];
    unsigned seed = 7;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (unsigned char)rand_r(&seed);
        bytes[0] = (unsigned char)(round % 3);
        put_raw_record(1, bytes, (size_t)rand_r(&seed) % sizeof(bytes));
        assert_user_1_fails();
    }
    put_raw_record(1, "", 0);
    assert_user_1_fails();
}

static void an_index_that_names_nobody_fails(void **state)
{
    (void)state;
    user_store_close(open_here());
    unsigned char id[8];
    number_encode(99, id);
    put_raw("usernames", "ghost", 5, id, sizeof(id));
    put_raw("usernames", "short", 5, id, 3);
    struct user_store *store = open_here();
    struct user user;
    assert_int_equal(user_store_find_by_username(store, "ghost", 5, &user), STORE_FAILED);
    assert_int_equal(user_store_find_by_username(store, "short", 5, &user), STORE_FAILED);
    user_store_close(store);
}

static void damaged_numbers_fail_writes_instead_of_overwriting_users(void **state)
{
    (void)state;
    struct user_store *store = open_here();
    assert_int_equal(create_user(store, "ada", false, NULL), STORE_OK);
    assert_int_equal(create_user(store, "bob", false, NULL), STORE_OK);
    user_store_close(store);
    put_raw_number("next_id", 1);
    store = open_here();
    assert_int_equal(create_user(store, "eve", false, NULL), STORE_FAILED);
    struct user user;
    assert_int_equal(user_store_find_by_id(store, 1, &user), STORE_OK);
    assert_string_equal(user.username, "ada");
    user_store_close(store);
    put_raw("meta", "active_admins", 13, "?", 1);
    store = open_here();
    struct store_status status;
    assert_int_equal(create_user(store, "eve", false, NULL), STORE_FAILED);
    assert_int_equal(user_store_status(store, &status), STORE_FAILED);
    user_store_close(store);
}

static void a_file_cut_short_fails_and_does_not_kill(void **state)
{
    (void)state;
    struct user_store *store = open_here();
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof(name), "user%d", i);
        assert_int_equal(create_user(store, name, false, NULL), STORE_OK);
    }
    user_store_close(store);
    char path[FOLDER_MAX_BYTES + 16];
    snprintf(path, sizeof(path), "%s/data.mdb", folder);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    unsigned failed = 0;
    for (off_t size = status.st_size / 2; size > 3 * 4096; size /= 2) {
        assert_int_equal(truncate(path, size), 0);
        struct store_options options = {.map_size_bytes = MAP_BYTES, .queue_max = 16, .batch_max = 16};
        char error[600];
        char url[FOLDER_MAX_BYTES + 8];
        snprintf(url, sizeof(url), "lmdb:%s", folder);
        store = user_store_open(url, &options, error, sizeof(error));
        struct user user;
        for (uint64_t id = 1; store != NULL && id <= 200; id++)
            failed += user_store_find_by_id(store, id, &user) == STORE_FAILED;
        failed += store == NULL;
        user_store_close(store);
    }
    assert_true(failed > 0);
}

static void move_here(const char *from, const char *to)
{
    char old_path[PATH_MAX];
    char new_path[PATH_MAX];
    snprintf(old_path, sizeof(old_path), "%s/%s", folder, from);
    snprintf(new_path, sizeof(new_path), "%s/%s", folder, to);
    assert_int_equal(rename(old_path, new_path), 0);
}

static void a_store_whose_files_were_taken_away_takes_no_writes_until_they_are_back(void **state)
{
    (void)state;
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    struct user_store *store = open_here();
    assert_int_equal(create_user(store, "ada", false, NULL), STORE_OK);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct user user;
        char name[8];
        move_here(names[i], "away");
        snprintf(name, sizeof(name), "bob%zu", i);
        assert_int_equal(create_user(store, name, false, NULL), STORE_FAILED);
        assert_false(status_of(store).healthy);
        assert_int_equal(user_store_find_by_username(store, "ada", 3, &user), STORE_OK);
        move_here("away", names[i]);
        assert_int_equal(create_user(store, name, false, NULL), STORE_OK);
        assert_true(status_of(store).healthy);
    }
    user_store_close(store);
}

static void an_empty_file_is_not_taken_for_a_new_store(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct user_store *store = open_here();
    assert_int_equal(create_user(store, "ada", false, NULL), STORE_OK);
    user_store_close(store);
    snprintf(path, sizeof(path), "%s/data.mdb", folder);
    assert_int_equal(truncate(path, 0), 0);
    assert_folder_refused("has an empty data.mdb");
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest claims[] = {
        CLAIM(users_and_marks_survive_a_reopen),
        CLAIM(ids_are_not_used_again_after_a_reopen),
        CLAIM(a_new_folder_and_its_files_are_for_the_owner_alone),
        CLAIM(a_path_that_cannot_be_a_store_is_refused_with_the_reason),
        CLAIM(a_url_of_another_kind_is_refused_without_its_secrets),
        CLAIM(a_folder_or_file_of_another_user_is_refused),
        CLAIM(a_store_whose_files_were_taken_away_takes_no_writes_until_they_are_back),
        CLAIM(an_empty_file_is_not_taken_for_a_new_store),
        CLAIM(a_newer_store_is_refused_and_left_as_it_is),
        CLAIM(another_programs_database_is_refused),
        CLAIM(a_file_that_is_no_database_is_refused),
        CLAIM(a_damaged_or_newer_record_fails_and_harms_no_other),
        CLAIM(an_index_that_names_nobody_fails),
        CLAIM(damaged_numbers_fail_writes_instead_of_overwriting_users),
        CLAIM(a_file_cut_short_fails_and_does_not_kill),
    };
#undef CLAIM
    return cmocka_run_group_tests(claims, NULL, NULL);
}
