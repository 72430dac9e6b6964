// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include "tests/support/store_support.h"

#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Atomic unsigned problem_count;

void folder_make(char path[FOLDER_MAX_BYTES])
{
    const char *root = getenv("TMPDIR");
    snprintf(path, FOLDER_MAX_BYTES, "%.150s/store-test-XXXXXX", root != NULL ? root : "/tmp");
    assert_non_null(mkdtemp(path));
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void folder_remove(const char *path)
{
    assert_int_equal(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void count_problem(const char *sentence)
{
    assert_true(strlen(sentence) > 0);
    atomic_fetch_add(&problem_count, 1);
}

struct user_store *store_open(const char *url, uint64_t map_size_bytes)
{
    struct store_options options = {
        .map_size_bytes = map_size_bytes, .queue_max = 4096, .batch_max = 256, .on_problem = count_problem};
    char error[512] = "";
    struct user_store *store = user_store_open(url, &options, error, sizeof(error));
    if (store == NULL)
        fail_msg("%s", error);
    return store;
}

struct user_store *store_open_in(const char *folder, uint64_t map_size_bytes)
{
    char url[FOLDER_MAX_BYTES + 8];
    snprintf(url, sizeof(url), "lmdb:%s", folder);
    return store_open(url, map_size_bytes);
}

struct store_write creation_of(const char *name, bool is_admin)
{
    struct store_write write = {.kind = STORE_CREATE_USER};
    struct user *user = &write.user;
    user->is_admin = is_admin;
    user->is_active = true;
    snprintf(user->username, sizeof(user->username), "%s", name);
    snprintf(user->email, sizeof(user->email), "%.240s@example.org", name);
    snprintf(user->password_hash, sizeof(user->password_hash), "$y$%.240s", name);
    snprintf(user->password_method, sizeof(user->password_method), "yescrypt");
    return write;
}

enum store_outcome create_user(struct user_store *store, const char *name, bool is_admin, uint64_t *id)
{
    struct store_write write = creation_of(name, is_admin);
    enum store_outcome outcome = user_store_write_and_wait(store, &write);
    if (outcome == STORE_OK && id != NULL)
        *id = write.user.id;
    return outcome;
}

enum store_outcome set_admin(struct user_store *store, uint64_t id, bool is_admin)
{
    struct store_write write = {
        .kind = STORE_CHANGE_USER, .changes = STORE_SET_ADMIN, .user = {.id = id, .is_admin = is_admin}};
    return user_store_write_and_wait(store, &write);
}

enum store_outcome set_active(struct user_store *store, uint64_t id, bool is_active)
{
    struct store_write write = {
        .kind = STORE_CHANGE_USER, .changes = STORE_SET_ACTIVE, .user = {.id = id, .is_active = is_active}};
    return user_store_write_and_wait(store, &write);
}

static void fill_password(struct store_write *write, const char *hash, const char *method)
{
    snprintf(write->user.password_hash, sizeof(write->user.password_hash), "%s", hash);
    snprintf(write->user.password_method, sizeof(write->user.password_method), "%s", method);
}

enum store_outcome set_password(struct user_store *store, uint64_t id, const char *hash, const char *method)
{
    struct store_write write = {.kind = STORE_CHANGE_USER, .changes = STORE_SET_PASSWORD, .user = {.id = id}};
    fill_password(&write, hash, method);
    return user_store_write_and_wait(store, &write);
}

enum store_outcome renew_hash(struct user_store *store, uint64_t id, const char *expected, const char *hash,
                              const char *method)
{
    struct store_write write = {.kind = STORE_RENEW_HASH, .user = {.id = id}};
    snprintf(write.expected_hash, sizeof(write.expected_hash), "%s", expected);
    fill_password(&write, hash, method);
    return user_store_write_and_wait(store, &write);
}

enum store_outcome delete_user(struct user_store *store, uint64_t id)
{
    struct store_write write = {.kind = STORE_DELETE_USER, .user = {.id = id}};
    return user_store_write_and_wait(store, &write);
}

bool has_user(struct user_store *store, const char *name)
{
    struct user user;
    enum store_outcome outcome = user_store_find_by_username(store, name, strlen(name), &user);
    assert_true(outcome == STORE_OK || outcome == STORE_NOT_FOUND);
    return outcome == STORE_OK;
}

struct store_status status_of(struct user_store *store)
{
    struct store_status status;
    assert_int_equal(user_store_status(store, &status), STORE_OK);
    return status;
}
