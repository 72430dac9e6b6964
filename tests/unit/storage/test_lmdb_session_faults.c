// links: tests/support/store_support.c tests/support/raw_store.c
// links: storage/user_store.c storage/user_rules.c storage/memory_store.c
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

static void raw_put_session(const struct raw *raw, const char *text, const void *bytes, size_t length)
{
    char id[SESSION_ID_LENGTH + 1];
    size_t entries = 0;
    id_make(id, text);
    MDB_val key = {SESSION_ID_LENGTH, id};
    MDB_val value = {length, (void *)(uintptr_t)bytes};
    assert_int_equal(mdb_put(raw->txn, raw_database(raw, "sessions", &entries), &key, &value, 0), 0);
}

static void a_sweep_that_fails_costs_nobody_a_write(void **state)
{
    (void)state;
    struct store_write write = opening_of(ada, "gone");
    write.session.idle_ends_at_us = wall_clock_us() - 1;
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    reopen();
    lmdb_fault_arm(LMDB_FAULT_DELETE, 0, 1, EIO);
    assert_int_equal(set_admin(store, ada, true), STORE_OK);
    assert_int_equal(problem_count, 1);
    assert_int_equal(status_of(store).session_count, 1);
    assert_true(status_of(store).healthy);
    reopen();
    assert_int_equal(set_admin(store, ada, true), STORE_OK);
    assert_indexes_agree(0);
}

/* One write after the other, each with every single call failing once. */
static void every_call_that_fails_leaves_the_indexes_in_step(void **state)
{
    (void)state;
    static const enum lmdb_fault_point points[] = {LMDB_FAULT_BEGIN, LMDB_FAULT_PUT, LMDB_FAULT_DELETE,
                                                   LMDB_FAULT_COMMIT};
    unsigned failures = 0;
    for (size_t p = 0; p < sizeof(points) / sizeof(points[0]); p++) {
        for (int kind = 0; kind < 3; kind++) {
            enum store_outcome outcome = STORE_FAILED;
            for (unsigned passes = 0; outcome != STORE_OK; passes++) {
                struct store_write write = opening_of(ada, "one");
                snprintf(write.network, sizeof(write.network), "10.0.0.%zu/32", p);
                if (kind == 1) {
                    write = refresh_of(ada, "one", "r-one", "two");
                    write.session.idle_ends_at_us++;
                } else if (kind == 2) {
                    write.kind = STORE_END_SESSION;
                }
                lmdb_fault_arm(points[p], passes, 1, EIO);
                outcome = user_store_write_and_wait(store, &write);
                lmdb_fault_clear();
                assert_true(outcome == STORE_OK || outcome == STORE_FAILED);
                failures += outcome == STORE_FAILED;
                bool is_there = kind == 0 ? outcome == STORE_OK : kind == 1 || outcome != STORE_OK;
                assert_int_equal(has_session(store, ada, "one"), is_there);
                assert_indexes_agree(is_there ? 1 : 0);
            }
        }
    }
    assert_true(failures >= 3 + 6 + 4 + 3); /* each begin; puts; deletions; each commit */
}

static void damage_one(int round, unsigned *seed)
{
    unsigned char bytes[SESSION_RECORD_MAX_BYTES];
    struct store_write opening = opening_of(ada, "bad");
    size_t length = session_record_encode(&opening.session, bytes);
    if (round % 2 == 0) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (unsigned char)rand_r(seed);
        bytes[0] = (unsigned char)(round % 3);
        length = (size_t)rand_r(seed) % sizeof(bytes);
    } else {
        bytes[(size_t)rand_r(seed) % length] = (unsigned char)rand_r(seed);
    }
    struct raw raw = raw_begin();
    raw_put_session(&raw, "bad", bytes, length);
    raw_end(&raw);
}

static void open_third(void)
{
    struct store_write write = opening_of(ada, "third");
    write.sessions_max = 2;
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_true(has_session(store, ada, "third"));
}

static void damaged_records_never_crash_and_harm_no_other(void **state)
{
    (void)state;
    unsigned seed = 5;
    char id[SESSION_ID_LENGTH + 1];
    id_make(id, "bad");
    for (int round = 0; round < 40; round++) {
        struct session page[4];
        struct user user;
        size_t count = 0;
        uint64_t ended = 0;
        assert_int_equal(open_session(store, ada, "good"), STORE_OK);
        assert_int_equal(open_session(store, ada, "bad"), STORE_OK);
        damage_one(round, &seed);
        assert_true(user_store_find_by_session(store, id, ada, &user) <= STORE_FAILED);
        assert_true(user_store_find_session(store, id, page) <= STORE_FAILED);
        assert_true(user_store_list_sessions(store, ada, 4, page, &count) <= STORE_FAILED);
        struct store_write write = refresh_of(ada, "bad", "r-bad", "next");
        assert_true(user_store_write_and_wait(store, &write) <= STORE_FAILED);
        assert_true(has_session(store, ada, "good"));
        assert_true(end_session(store, ada, "bad") <= STORE_FAILED);
        if (round % 4 == 0)
            open_third(); /* takes out what it cannot read */
        assert_int_equal(end_user_sessions(store, ada, "", &ended), STORE_OK);
        assert_false(has_session(store, ada, "good"));
        struct raw raw = raw_begin();
        assert_int_equal(raw_count(&raw, "user_sessions"), 0);
        assert_int_equal(raw_count(&raw, "sessions"), 0);
        raw_end(&raw);
    }
}

static void damaged_index_entries_never_crash(void **state)
{
    (void)state;
    static const char *const names[] = {"user_sessions", "session_ends", "user_networks", "blobs"};
    struct raw raw = raw_begin();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t length = 1; length < 60; length++) {
            unsigned char bytes[60] = {0, 0, 0, 0, 0, 0, 0, 1};
            size_t entries = 0;
            MDB_val key = {length, bytes};
            MDB_val value = {length % 20, bytes};
            assert_int_equal(mdb_put(raw.txn, raw_database(&raw, names[i], &entries), &key, &value, 0), 0);
        }
    }
    raw_end(&raw);
    struct session page[4];
    size_t count = 0;
    char byte;
    struct store_write write = opening_of(ada, "one");
    snprintf(write.network, sizeof(write.network), "192.0.2.7/32");
    assert_true(user_store_list_sessions(store, ada, 4, page, &count) <= STORE_FAILED);
    assert_true(user_store_knows_network(store, ada, "192.0.2.7/32") <= STORE_FAILED);
    assert_true(user_store_read_blob(store, "table", &byte, 1, &count) <= STORE_FAILED);
    assert_true(user_store_write_and_wait(store, &write) <= STORE_FAILED);
    assert_true(end_session(store, ada, "one") <= STORE_FAILED);
    assert_true(delete_user(store, ada) <= STORE_FAILED);
    assert_int_equal(create_user(store, "bob", false, NULL), STORE_OK);
}

/* In a child: opens session I, ends session I - 3, and tells each I once that is done. */
static void open_end_and_acknowledge(int acknowledged)
{
    struct user_store *own = store_open_in(folder, MAP_BYTES);
    for (int i = 0; i < 1000000; i++) {
        char text[16];
        snprintf(text, sizeof(text), "s%d", i);
        if (open_session(own, ada, text) != STORE_OK)
            _exit(1);
        snprintf(text, sizeof(text), "s%d", i - 3);
        if (i >= 3 && end_session(own, ada, text) != STORE_OK)
            _exit(2);
        if (write(acknowledged, &i, sizeof(i)) != sizeof(i))
            _exit(3);
    }
    _exit(0);
}

static void a_writer_killed_at_work_loses_no_session_and_brings_none_back(void **state)
{
    (void)state;
    int last = -1;
    int ends[2];
    int how = 0;
    user_store_close(store);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        open_end_and_acknowledge(ends[1]);
    close(ends[1]);
    for (int i = 0; i < 50; i++)
        assert_int_equal(read(ends[0], &last, sizeof(last)), sizeof(last));
    kill(child, SIGKILL);
    while (read(ends[0], &last, sizeof(last)) == sizeof(last))
        ;
    close(ends[0]);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    store = store_open_in(folder, MAP_BYTES);
    for (int i = 0; i <= last; i++) {
        char text[16];
        snprintf(text, sizeof(text), "s%d", i);
        /* The one after the last acknowledged may have ended one more. */
        if (i != last - 2)
            assert_int_equal(has_session(store, ada, text), i > last - 3);
    }
    assert_indexes_agree(status_of(store).session_count);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)
    const struct CMUnitTest claims[] = {
        CLAIM(a_sweep_that_fails_costs_nobody_a_write),
        CLAIM(every_call_that_fails_leaves_the_indexes_in_step),
        CLAIM(damaged_records_never_crash_and_harm_no_other),
        CLAIM(damaged_index_entries_never_crash),
        CLAIM(a_writer_killed_at_work_loses_no_session_and_brings_none_back),
    };
#undef CLAIM
    return cmocka_run_group_tests(claims, NULL, NULL);
}
