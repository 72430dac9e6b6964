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
#include <time.h>
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

int64_t wall_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void id_make(char out[SESSION_ID_LENGTH + 1], const char *text)
{
    size_t length = strlen(text);
    assert_true(length <= SESSION_ID_LENGTH);
    memset(out, '-', SESSION_ID_LENGTH);
    memcpy(out, text, length);
    out[SESSION_ID_LENGTH] = '\0';
}

static void tokens_make(struct session *session, const char *text)
{
    char name[32];
    snprintf(name, sizeof(name), "a-%s", text);
    id_make(session->access_id, name);
    snprintf(name, sizeof(name), "r-%s", text);
    id_make(session->refresh_id, name);
}

struct store_write opening_of(uint64_t user_id, const char *text)
{
    struct store_write write = {.kind = STORE_OPEN_SESSION, .sessions_max = 100};
    struct session *session = &write.session;
    int64_t now_us = wall_clock_us();
    id_make(session->id, text);
    tokens_make(session, text);
    session->user_id = user_id;
    session->created_at_us = now_us;
    session->refreshed_at_us = now_us;
    session->issued_at_s = now_us / 1000000;
    session->ends_at_us = now_us + HOUR_US;
    session->idle_ends_at_us = now_us + HOUR_US / 2;
    snprintf(session->client_address, sizeof(session->client_address), "192.0.2.7");
    snprintf(session->user_agent, sizeof(session->user_agent), "test/1 (%s)", text);
    return write;
}

struct store_write refresh_of(uint64_t user_id, const char *text, const char *presented, const char *next)
{
    struct store_write write = {.kind = STORE_REFRESH_SESSION, .replay_window_us = 10000000};
    int64_t now_us = wall_clock_us();
    id_make(write.session.id, text);
    write.session.user_id = user_id;
    id_make(write.presented_refresh_id, presented);
    tokens_make(&write.session, next);
    write.session.issued_at_s = now_us / 1000000;
    write.session.idle_ends_at_us = now_us + HOUR_US / 2;
    return write;
}

enum store_outcome open_session(struct user_store *store, uint64_t user_id, const char *text)
{
    struct store_write write = opening_of(user_id, text);
    return user_store_write_and_wait(store, &write);
}

enum store_outcome end_session(struct user_store *store, uint64_t user_id, const char *text)
{
    struct store_write write = {.kind = STORE_END_SESSION, .session = {.user_id = user_id}};
    id_make(write.session.id, text);
    return user_store_write_and_wait(store, &write);
}

enum store_outcome end_user_sessions(struct user_store *store, uint64_t user_id, const char *keep,
                                     uint64_t *ended)
{
    struct store_write write = {.kind = STORE_END_USER_SESSIONS, .user = {.id = user_id}};
    if (keep[0] != '\0')
        id_make(write.keep_session, keep);
    enum store_outcome outcome = user_store_write_and_wait(store, &write);
    *ended = write.ended_count;
    return outcome;
}

bool has_session(struct user_store *store, uint64_t user_id, const char *text)
{
    char id[SESSION_ID_LENGTH + 1];
    struct user user;
    struct session session;
    id_make(id, text);
    enum store_outcome outcome = user_store_find_by_session(store, id, user_id, &user);
    assert_true(outcome == STORE_OK || outcome == STORE_NOT_FOUND);
    if (outcome == STORE_OK) {
        assert_int_equal(user.id, user_id);
        assert_int_equal(user_store_find_session(store, id, &session), STORE_OK);
        assert_int_equal(session.user_id, user_id);
    }
    return outcome == STORE_OK;
}
