// links: tests/support/store_support.c tests/support/raw_store.c
// links: storage/user_store.c storage/user_rules.c storage/memory_store.c
// links: storage/lmdb_files.c
// links: storage/lmdb_store.c storage/lmdb_folder.c storage/lmdb_read.c storage/lmdb_write.c
// links: storage/lmdb_writer.c storage/lmdb_meta.c storage/lmdb_record.c storage/lmdb_fault.c
// links: storage/memory_sessions.c storage/store_write.c storage/session_rules.c
// links: storage/lmdb_session.c storage/lmdb_session_record.c storage/lmdb_session_read.c
// links: storage/lmdb_session_write.c storage/lmdb_network.c storage/lmdb_blob.c
// libs: lmdb pthread
// defines: SOURCE_ROOT
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <lmdb.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storage/lmdb_fault.h"
#include "storage/lmdb_session_record.h"
#include "tests/support/raw_store.h"
#include "tests/support/store_support.h"

#define MAP_BYTES RAW_MAP_BYTES

static char folder[FOLDER_MAX_BYTES];
static struct user_store *store;
static uint64_t ada;

static int open_store(void **state)
{
    (void)state;
    folder_make(folder);
    store = store_open_in(folder, MAP_BYTES);
    assert_int_equal(create_user(store, "ada", false, &ada), STORE_OK);
    problem_count = 0;
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    lmdb_fault_clear();
    user_store_close(store);
    folder_remove(folder);
    return 0;
}

static void reopen(void)
{
    user_store_close(store);
    store = store_open_in(folder, MAP_BYTES);
}

/* The databases themselves: the store is closed meanwhile. */
static struct raw raw_begin(void)
{
    user_store_close(store);
    store = NULL;
    return raw_open(folder);
}

static void raw_end(struct raw *raw)
{
    raw_close(raw);
    store = store_open_in(folder, MAP_BYTES);
}

static void assert_indexes_agree(size_t expected)
{
    user_store_close(store);
    raw_assert_indexes_agree(folder, expected);
    store = store_open_in(folder, MAP_BYTES);
}

static void what_was_opened_refreshed_and_ended_stays_so_after_a_reopen(void **state)
{
    (void)state;
    static const char blob[] = "throttled";
    struct store_write write = opening_of(ada, "one");
    snprintf(write.network, sizeof(write.network), "192.0.2.7/32");
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_int_equal(open_session(store, ada, "two"), STORE_OK);
    assert_int_equal(end_session(store, ada, "two"), STORE_OK);
    write = refresh_of(ada, "one", "r-one", "next");
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    struct store_write keep = {
        .kind = STORE_KEEP_BLOB, .blob_name = "table", .blob = blob, .blob_length = sizeof(blob)};
    assert_int_equal(user_store_write_and_wait(store, &keep), STORE_OK);
    reopen();
    assert_true(has_session(store, ada, "one"));
    assert_false(has_session(store, ada, "two"));
    struct store_write again = refresh_of(ada, "one", "r-one", "other");
    assert_int_equal(user_store_write_and_wait(store, &again), STORE_REPLAYED);
    assert_string_equal(again.session.refresh_id, write.session.refresh_id);
    assert_int_equal(user_store_knows_network(store, ada, "192.0.2.7/32"), STORE_OK);
    char found[sizeof(blob)];
    size_t length = 0;
    assert_int_equal(user_store_read_blob(store, "table", found, sizeof(found), &length), STORE_OK);
    assert_string_equal(found, blob);
    assert_indexes_agree(1);
}

static void a_store_of_format_1_is_upgraded_and_works(void **state)
{
    (void)state;
    char command[FOLDER_MAX_BYTES * 4];
    struct user user;
    user_store_close(store);
    snprintf(command, sizeof(command),
             "base64 -d '%s/tests/fixtures/store-format-1.b64' | gzip -d > '%s/data.mdb'", SOURCE_ROOT,
             folder);
    assert_int_equal(system(command), 0);
    for (int i = 0; i < 2; i++) {
        store = store_open_in(folder, MAP_BYTES);
        assert_int_equal(status_of(store).user_count, i == 0 ? 3 : 4);
        assert_int_equal(status_of(store).session_count, i);
        assert_int_equal(status_of(store).active_admin_count, 1);
        assert_true(status_of(store).had_admin);
        assert_int_equal(user_store_find_by_username(store, "ADA", 3, &user), STORE_OK);
        assert_true(user.is_admin && user.is_active);
        assert_string_equal(user.email, "ada@example.org");
        if (i == 0) {
            assert_int_equal(open_session(store, user.id, "one"), STORE_OK);
            assert_int_equal(create_user(store, "new", false, NULL), STORE_OK);
        }
        assert_true(has_session(store, user.id, "one"));
        user_store_close(store);
    }
    store = store_open_in(folder, MAP_BYTES);
    struct raw raw = raw_begin();
    size_t entries = 0;
    MDB_val key = {6, (void *)(uintptr_t) "format"};
    MDB_val value;
    assert_int_equal(mdb_get(raw.txn, raw_database(&raw, "meta", &entries), &key, &value), 0);
    assert_int_equal(number_decode(value.mv_data), 2);
    raw_end(&raw);
}

static void a_deleted_user_leaves_nothing_of_its_sessions_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        char text[16];
        snprintf(text, sizeof(text), "s%d", i);
        struct store_write write = opening_of(ada, text);
        snprintf(write.network, sizeof(write.network), "10.0.0.%d/32", i);
        assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    }
    assert_int_equal(delete_user(store, ada), STORE_OK);
    assert_indexes_agree(0);
    struct raw raw = raw_begin();
    assert_int_equal(raw_count(&raw, "user_networks"), 0);
    raw_end(&raw);
}

static sem_t all_done;

static void count_done(struct store_write *write)
{
    assert_int_equal(write->outcome, STORE_OK);
    sem_post(&all_done);
}

/* Hands writes over in the numbers that the queue takes, and waits for them. */
static void write_many(struct store_write *writes, size_t count)
{
    sem_init(&all_done, 0, 0);
    for (size_t i = 0; i < count; i++) {
        writes[i].done = count_done;
        assert_true(user_store_write(store, &writes[i]));
    }
    for (size_t i = 0; i < count; i++) {
        while (sem_wait(&all_done) != 0)
            assert_int_equal(errno, EINTR);
    }
    sem_destroy(&all_done);
}

enum { SESSIONS = 100000, USERS = 2000, CHUNK = 2000, BATCH = 500 };

/* The I-th session's name, scattered over the keys. */
static void name_of(char text[24], const char *round, int i)
{
    snprintf(text, 24, "%x-%s%d", (unsigned)i * 2654435761u, round, i);
}

static off_t file_bytes(void)
{
    char path[FOLDER_MAX_BYTES + 16];
    struct stat status;
    snprintf(path, sizeof(path), "%s/data.mdb", folder);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* A store with commits so large that disks are not what this waits for, and so small that they are nearly all
 * full: what one commit copies before it frees is in the size of the file. */
static void reopen_for_chunks(void)
{
    char url[FOLDER_MAX_BYTES + 8];
    char error[512];
    struct store_options options = {.map_size_bytes = MAP_BYTES, .queue_max = CHUNK, .batch_max = BATCH};
    user_store_close(store);
    snprintf(url, sizeof(url), "lmdb:%s", folder);
    store = user_store_open(url, &options, error, sizeof(error));
    assert_non_null(store);
}

/* SESSIONS sessions of USERS users: half of them are ended one by one, the others with all of their user's.
 */
static void come_and_go(const char *round)
{
    char text[24];
    struct store_write *writes = calloc(CHUNK, sizeof(*writes));
    assert_non_null(writes);
    for (int first = 0; first < SESSIONS; first += CHUNK) {
        for (int i = 0; i < CHUNK; i++) {
            name_of(text, round, first + i);
            writes[i] = opening_of(ada + (uint64_t)(i % USERS), text);
            writes[i].sessions_max = SESSIONS;
        }
        write_many(writes, CHUNK);
    }
    assert_int_equal(status_of(store).session_count, SESSIONS);
    for (int first = 0; first < SESSIONS / 2; first += CHUNK) {
        for (int i = 0; i < CHUNK; i++) {
            name_of(text, round, first + i);
            writes[i] = (struct store_write){.kind = STORE_END_SESSION};
            id_make(writes[i].session.id, text);
        }
        write_many(writes, CHUNK);
    }
    for (uint64_t i = 0; i < USERS; i++)
        writes[i] = (struct store_write){.kind = STORE_END_USER_SESSIONS, .user = {.id = ada + i}};
    write_many(writes, USERS);
    free(writes);
    assert_int_equal(status_of(store).session_count, 0);
}

static void sessions_that_come_and_go_do_not_grow_the_file_the_second_time(void **state)
{
    (void)state;
    struct store_write *writes = calloc(USERS, sizeof(*writes));
    assert_non_null(writes);
    for (int i = 1; i < USERS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "user%d", i);
        writes[i] = creation_of(name, false);
    }
    write_many(writes + 1, USERS - 1);
    free(writes);
    reopen_for_chunks();
    come_and_go("a");
    assert_indexes_agree(0);
    off_t before = file_bytes();
    reopen_for_chunks();
    come_and_go("b");
    assert_indexes_agree(0);
    off_t after = file_bytes();
    if (after > before + before / 20)
        fail_msg("%lld bytes became %lld", (long long)before, (long long)after);
}

static void expired_sessions_are_taken_out_without_being_asked_for(void **state)
{
    (void)state;
    struct store_write *writes = calloc(CHUNK, sizeof(*writes));
    assert_non_null(writes);
    for (int i = 0; i < CHUNK; i++) {
        char text[24];
        name_of(text, "x", i);
        writes[i] = opening_of(ada, text);
        writes[i].sessions_max = CHUNK;
    }
    write_many(writes, CHUNK);
    for (int i = 0; i < CHUNK; i++) {
        if (i % 8 == 0)
            continue;
        char next[16];
        snprintf(next, sizeof(next), "n%d", i);
        struct store_write refresh = refresh_of(ada, "", "", next);
        memcpy(refresh.session.id, writes[i].session.id, sizeof(refresh.session.id));
        memcpy(refresh.presented_refresh_id, writes[i].session.refresh_id,
               sizeof(refresh.presented_refresh_id));
        refresh.session.idle_ends_at_us = wall_clock_us() - 1;
        writes[i] = refresh;
    }
    for (int i = 0; i < CHUNK; i += 8) {
        writes[i] = (struct store_write){.kind = STORE_CHANGE_USER, .user = {.id = ada}};
    }
    write_many(writes, CHUNK);
    free(writes);
    reopen();
    /* A commit takes some out, and the writer goes on by itself. */
    assert_int_equal(set_admin(store, ada, true), STORE_OK);
    time_t deadline = time(NULL) + 60;
    while (status_of(store).session_count > CHUNK / 8 && time(NULL) < deadline)
        poll(NULL, 0, 5);
    assert_int_equal(problem_count, 0);
    assert_indexes_agree(CHUNK / 8);
}

static void a_full_map_opens_no_session_but_refreshes_and_ends_them(void **state)
{
    (void)state;
    user_store_close(store);
    store = store_open_in(folder, 1536 * 1024);
    int count = 0;
    char text[32];
    enum store_outcome outcome;
    do {
        snprintf(text, sizeof(text), "%x-%d", (unsigned)count * 2654435761u, count);
        struct store_write write = opening_of(ada, text);
        write.sessions_max = 1000000;
        outcome = user_store_write_and_wait(store, &write);
        count += outcome == STORE_OK;
    } while (outcome == STORE_OK);
    assert_int_equal(outcome, STORE_FULL);
    assert_int_equal(problem_count, 0);
    assert_true(count > 500);
    for (int i = 0; i < count; i++) {
        char presented[40];
        snprintf(text, sizeof(text), "%x-%d", (unsigned)i * 2654435761u, i);
        snprintf(presented, sizeof(presented), "r-%s", text);
        struct store_write write = refresh_of(ada, text, presented, "next");
        assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    }
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "%x-%d", (unsigned)i * 2654435761u, i);
        assert_int_equal(end_session(store, ada, text), STORE_OK);
    }
    assert_int_equal(problem_count, 0);
    assert_int_equal(open_session(store, ada, "again"), STORE_OK);
}

static void a_map_full_of_accounts_still_opens_sessions(void **state)
{
    (void)state;
    user_store_close(store);
    store = store_open_in(folder, 1536 * 1024);
    char name[32];
    int count = 0;
    do {
        snprintf(name, sizeof(name), "user%d", count++);
    } while (create_user(store, name, false, NULL) == STORE_OK);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "%x-%d", (unsigned)i * 2654435761u, i);
        assert_int_equal(open_session(store, ada, name), STORE_OK);
    }
    assert_int_equal(create_user(store, "nobody", false, NULL), STORE_FULL);
    assert_int_equal(problem_count, 0);
}

static void a_blob_that_is_replaced_does_not_grow_the_file(void **state)
{
    (void)state;
    enum { LARGEST = 400000 };
    off_t before = 0;
    unsigned char *bytes = calloc(1, LARGEST);
    assert_non_null(bytes);
    for (int i = 0; i < 60; i++) {
        struct store_write write = {.kind = STORE_KEEP_BLOB,
                                    .blob_name = "table",
                                    .blob = bytes,
                                    .blob_length = LARGEST - (size_t)(i * 7919 % 100000)};
        assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
        assert_int_equal(create_user(store, "bob", false, NULL), STORE_OK);
        assert_int_equal(delete_user(store, ada + (uint64_t)i + 1), STORE_OK);
        before = i == 10 ? file_bytes() : before;
    }
    free(bytes);
    assert_true(file_bytes() <= before);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)
    const struct CMUnitTest claims[] = {
        CLAIM(what_was_opened_refreshed_and_ended_stays_so_after_a_reopen),
        CLAIM(a_store_of_format_1_is_upgraded_and_works),
        CLAIM(a_deleted_user_leaves_nothing_of_its_sessions_behind),
        CLAIM(sessions_that_come_and_go_do_not_grow_the_file_the_second_time),
        CLAIM(expired_sessions_are_taken_out_without_being_asked_for),
        CLAIM(a_map_full_of_accounts_still_opens_sessions),
        CLAIM(a_full_map_opens_no_session_but_refreshes_and_ends_them),
        CLAIM(a_blob_that_is_replaced_does_not_grow_the_file),
    };
#undef CLAIM
    return cmocka_run_group_tests(claims, NULL, NULL);
}
