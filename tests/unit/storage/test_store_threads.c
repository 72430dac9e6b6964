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
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/store_support.h"

#define WRITER_COUNT 3
#define READER_COUNT 4
#define WRITES_EACH  150

static struct user_store *store;
static atomic_uint created;
static atomic_uint strange; /* what must not happen; asserts of cmocka belong to the main thread */
static atomic_bool is_over;
static sem_t all_done;

static void *create_many(void *argument)
{
    for (int i = 0; i < WRITES_EACH; i++) {
        char name[48];
        snprintf(name, sizeof(name), "user-%td-%d", (intptr_t)argument, i);
        struct store_write write = creation_of(name, false);
        if (user_store_write_and_wait(store, &write) == STORE_OK)
            atomic_fetch_add(&created, 1);
        /* All writers want this one: exactly one gets it. */
        struct store_write contested = creation_of("contested", true);
        contested.first_admin_only = true;
        enum store_outcome outcome = user_store_write_and_wait(store, &contested);
        if (outcome == STORE_OK)
            atomic_fetch_add(&created, 1);
        else if (outcome != STORE_NOT_FIRST_ADMIN)
            atomic_fetch_add(&strange, 1);
        struct user user;
        if (user_store_find_by_id(store, write.user.id, &user) != STORE_OK ||
            strcmp(user.username, name) != 0)
            atomic_fetch_add(&strange, 1);
    }
    return NULL;
}

static void *read_many(void *argument)
{
    (void)argument;
    uint64_t last_count = 0;
    while (!atomic_load(&is_over)) {
        struct user page[8];
        struct store_status status;
        size_t count = 0;
        uint64_t next_after = 0;
        if (user_store_list(store, NULL, last_count, 8, page, &count, &next_after) != STORE_OK)
            atomic_fetch_add(&strange, 1);
        if (count > 0 && user_store_find_by_username(store, page[0].username, strlen(page[0].username),
                                                     &page[1]) != STORE_OK)
            atomic_fetch_add(&strange, 1);
        if (user_store_status(store, &status) != STORE_OK || status.user_count < last_count)
            atomic_fetch_add(&strange, 1);
        last_count = status.user_count;
    }
    return NULL;
}

static void check_readers_and_writers(void)
{
    pthread_t writers[WRITER_COUNT];
    pthread_t readers[READER_COUNT];
    atomic_store(&created, 0);
    atomic_store(&strange, 0);
    atomic_store(&is_over, false);
    for (int i = 0; i < READER_COUNT; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_many, NULL), 0);
    for (intptr_t i = 0; i < WRITER_COUNT; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, create_many, (void *)i), 0);
    for (int i = 0; i < WRITER_COUNT; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&is_over, true);
    for (int i = 0; i < READER_COUNT; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&strange), 0);
    assert_int_equal(atomic_load(&created), WRITER_COUNT * WRITES_EACH + 1);
    assert_int_equal(status_of(store).user_count, WRITER_COUNT * WRITES_EACH + 1);
    assert_int_equal(status_of(store).active_admin_count, 1);
}

static void readers_and_writers_of_lmdb_do_not_disturb_each_other(void **state)
{
    (void)state;
    char folder[FOLDER_MAX_BYTES];
    folder_make(folder);
    store = store_open_in(folder, 16 * 1024 * 1024);
    check_readers_and_writers();
    user_store_close(store);
    folder_remove(folder);
}

static void readers_and_writers_of_memory_do_not_disturb_each_other(void **state)
{
    (void)state;
    store = store_open("memory:", 0);
    check_readers_and_writers();
    user_store_close(store);
}

#define SESSIONS_EACH 60

static uint64_t owner;
static atomic_uint pairs; /* that a refresh gave for the first time */

/* Opens, refreshes and ends sessions of its own, and looks at each between. */
static void *live_many_sessions(void *argument)
{
    for (int i = 0; i < SESSIONS_EACH; i++) {
        char text[20];
        char id[SESSION_ID_LENGTH + 1];
        char token[24];
        struct user user;
        snprintf(text, sizeof(text), "t%td-%d", (intptr_t)argument, i);
        snprintf(token, sizeof(token), "r-%s", text);
        id_make(id, text);
        struct store_write refresh = refresh_of(owner, text, token, "next");
        bool is_strange = open_session(store, owner, text) != STORE_OK ||
                          user_store_find_by_session(store, id, owner, &user) != STORE_OK ||
                          user_store_write_and_wait(store, &refresh) != STORE_OK ||
                          end_session(store, owner, text) != STORE_OK ||
                          user_store_find_by_session(store, id, owner, &user) != STORE_NOT_FOUND;
        atomic_fetch_add(&strange, is_strange ? 1 : 0);
    }
    return NULL;
}

/* All present one token: whoever is first, all have the same pair afterwards. */
static void *refresh_the_same(void *argument)
{
    char text[20];
    snprintf(text, sizeof(text), "from%td", (intptr_t)argument);
    struct store_write write = refresh_of(owner, "shared", "r-shared", text);
    struct session found;
    enum store_outcome outcome = user_store_write_and_wait(store, &write);
    if (outcome == STORE_OK)
        atomic_fetch_add(&pairs, 1);
    bool is_strange = (outcome != STORE_OK && outcome != STORE_REPLAYED) ||
                      user_store_find_session(store, write.session.id, &found) != STORE_OK ||
                      strcmp(found.refresh_id, write.session.refresh_id) != 0 ||
                      strcmp(found.access_id, write.session.access_id) != 0;
    atomic_fetch_add(&strange, is_strange ? 1 : 0);
    return NULL;
}

static void *look_at_sessions(void *argument)
{
    (void)argument;
    while (!atomic_load(&is_over)) {
        struct session page[8];
        size_t count = 0;
        bool is_strange = user_store_list_sessions(store, owner, 8, page, &count) != STORE_OK || count == 0 ||
                          user_store_knows_network(store, owner, "192.0.2.7/32") != STORE_NOT_FOUND;
        atomic_fetch_add(&strange, is_strange ? 1 : 0);
    }
    return NULL;
}

static void check_sessions(void)
{
    enum { REFRESHERS = 50 };
    pthread_t writers[WRITER_COUNT];
    pthread_t refreshers[REFRESHERS];
    pthread_t reader;
    atomic_store(&strange, 0);
    atomic_store(&pairs, 0);
    atomic_store(&is_over, false);
    assert_int_equal(create_user(store, "owner", false, &owner), STORE_OK);
    assert_int_equal(open_session(store, owner, "shared"), STORE_OK);
    assert_int_equal(pthread_create(&reader, NULL, look_at_sessions, NULL), 0);
    for (intptr_t i = 0; i < WRITER_COUNT; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, live_many_sessions, (void *)i), 0);
    for (intptr_t i = 0; i < REFRESHERS; i++)
        assert_int_equal(pthread_create(&refreshers[i], NULL, refresh_the_same, (void *)i), 0);
    for (int i = 0; i < REFRESHERS; i++)
        pthread_join(refreshers[i], NULL);
    for (int i = 0; i < WRITER_COUNT; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&is_over, true);
    pthread_join(reader, NULL);
    assert_int_equal(atomic_load(&strange), 0);
    assert_int_equal(atomic_load(&pairs), 1);
    assert_int_equal(status_of(store).session_count, 1);
}

static void sessions_of_lmdb_live_in_many_threads_and_fifty_refreshes_give_one_pair(void **state)
{
    (void)state;
    char folder[FOLDER_MAX_BYTES];
    folder_make(folder);
    store = store_open_in(folder, 16 * 1024 * 1024);
    check_sessions();
    user_store_close(store);
    folder_remove(folder);
}

static void sessions_of_memory_live_in_many_threads_and_fifty_refreshes_give_one_pair(void **state)
{
    (void)state;
    store = store_open("memory:", 0);
    check_sessions();
    user_store_close(store);
}

static void free_when_done(struct store_write *write)
{
    if (write->outcome != STORE_OK)
        atomic_fetch_add(&strange, 1);
    memset(write, 0x5a, sizeof(*write));
    free(write);
    sem_post(&all_done);
}

static void close_finishes_what_is_queued_and_a_write_may_be_freed_in_done(void **state)
{
    (void)state;
    char folder[FOLDER_MAX_BYTES];
    folder_make(folder);
    store = store_open_in(folder, 16 * 1024 * 1024);
    sem_init(&all_done, 0, 0);
    atomic_store(&strange, 0);
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "queued-%d", i);
        struct store_write *write = malloc(sizeof(*write));
        assert_non_null(write);
        *write = creation_of(name, false);
        write->done = free_when_done;
        assert_true(user_store_write(store, write));
    }
    user_store_close(store);
    int done = 0;
    sem_getvalue(&all_done, &done);
    assert_int_equal(done, 1000);
    assert_int_equal(atomic_load(&strange), 0);
    store = store_open_in(folder, 16 * 1024 * 1024);
    assert_int_equal(status_of(store).user_count, 1000);
    user_store_close(store);
    sem_destroy(&all_done);
    folder_remove(folder);
}

static void *read_once(void *argument)
{
    struct user user;
    if (user_store_find_by_id(argument, 1, &user) != STORE_NOT_FOUND)
        atomic_fetch_add(&strange, 1);
    return NULL;
}

static void threads_that_end_give_their_readers_place_back(void **state)
{
    (void)state;
    char folder[FOLDER_MAX_BYTES];
    folder_make(folder);
    store = store_open_in(folder, 16 * 1024 * 1024);
    atomic_store(&strange, 0);
    /* More than there are places. */
    for (int i = 0; i < 1100; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, read_once, store), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(atomic_load(&strange), 0);
    user_store_close(store);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest claims[] = {
        cmocka_unit_test(readers_and_writers_of_lmdb_do_not_disturb_each_other),
        cmocka_unit_test(readers_and_writers_of_memory_do_not_disturb_each_other),
        cmocka_unit_test(sessions_of_lmdb_live_in_many_threads_and_fifty_refreshes_give_one_pair),
        cmocka_unit_test(sessions_of_memory_live_in_many_threads_and_fifty_refreshes_give_one_pair),
        cmocka_unit_test(close_finishes_what_is_queued_and_a_write_may_be_freed_in_done),
        cmocka_unit_test(threads_that_end_give_their_readers_place_back),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
