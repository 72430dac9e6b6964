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
#include <errno.h>
#include <lmdb.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storage/lmdb_fault.h"
#include "tests/support/store_support.h"

#define MAP_BYTES (16 * 1024 * 1024)

static char folder[FOLDER_MAX_BYTES];
static struct user_store *store;

static int open_store(void **state)
{
    (void)state;
    folder_make(folder);
    store = store_open_in(folder, MAP_BYTES);
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

/* A write that keeps the writer's thread in done, so that what is queued meanwhile becomes one batch. */
struct gate {
    struct store_write write; /* first */
    sem_t reached;
    sem_t opened;
};

static void wait_in_done(struct store_write *write)
{
    struct gate *gate = (struct gate *)write;
    sem_post(&gate->reached);
    while (sem_wait(&gate->opened) != 0)
        assert_int_equal(errno, EINTR);
}

static void gate_close(struct gate *gate)
{
    memset(gate, 0, sizeof(*gate));
    sem_init(&gate->reached, 0, 0);
    sem_init(&gate->opened, 0, 0);
    gate->write = (struct store_write){.kind = STORE_DELETE_USER, .user = {.id = 999}, .done = wait_in_done};
    assert_true(user_store_write(store, &gate->write));
    while (sem_wait(&gate->reached) != 0)
        assert_int_equal(errno, EINTR);
}

static void gate_open(struct gate *gate)
{
    sem_post(&gate->opened);
}

static sem_t batch_done;

static void count_done(struct store_write *write)
{
    (void)write;
    sem_post(&batch_done);
}

#define BATCH 5

/* Creates a0 ... a4 in one batch, after arming a fault; a2 is refused for its name, which is a1's. */
static void create_batch(struct store_write writes[BATCH], enum lmdb_fault_point point, unsigned passes,
                         unsigned times, int code)
{
    struct gate gate;
    sem_init(&batch_done, 0, 0);
    gate_close(&gate);
    for (int i = 0; i < BATCH; i++) {
        char name[16];
        snprintf(name, sizeof(name), "a%d", i == 2 ? 1 : i);
        writes[i] = creation_of(name, false);
        writes[i].done = count_done;
        assert_true(user_store_write(store, &writes[i]));
    }
    if (times > 0)
        lmdb_fault_arm(point, passes, times, code);
    gate_open(&gate);
    for (int i = 0; i < BATCH; i++) {
        while (sem_wait(&batch_done) != 0)
            assert_int_equal(errno, EINTR);
    }
}

static void assert_batch_went_well(struct store_write writes[BATCH])
{
    for (int i = 0; i < BATCH; i++) {
        assert_int_equal(writes[i].outcome, i == 2 ? STORE_USERNAME_TAKEN : STORE_OK);
        assert_int_equal(writes[i].user.id, i == 2 ? 0 : i < 2 ? i + 1 : i);
    }
    assert_int_equal(status_of(store).user_count, BATCH - 1);
    assert_true(status_of(store).healthy);
}

static void a_refused_write_does_not_disturb_its_batch(void **state)
{
    (void)state;
    struct store_write writes[BATCH];
    create_batch(writes, LMDB_FAULT_COMMIT, 0, 0, 0);
    assert_batch_went_well(writes);
    assert_int_equal(problem_count, 0);
}

static void a_batch_that_fails_once_is_written_one_by_one(void **state)
{
    (void)state;
    struct store_write writes[BATCH];
    create_batch(writes, LMDB_FAULT_COMMIT, 0, 1, MDB_MAP_FULL);
    assert_batch_went_well(writes);
    assert_int_equal(problem_count, 1);
}

static void a_put_that_fails_in_a_batch_costs_nobody_a_write(void **state)
{
    (void)state;
    struct store_write writes[BATCH];
    create_batch(writes, LMDB_FAULT_PUT, 7, 1, EIO);
    assert_batch_went_well(writes);
}

static void commits_that_fail_for_good_fail_exactly_their_batch(void **state)
{
    (void)state;
    struct store_write writes[BATCH];
    create_batch(writes, LMDB_FAULT_COMMIT, 0, BATCH + 1,
                 EIO); /* the batch, then each; a2 is the first to be a1 */
    for (int i = 0; i < BATCH; i++) {
        assert_int_equal(writes[i].outcome, STORE_FAILED);
        assert_int_equal(writes[i].user.id, 0);
    }
    assert_int_equal(status_of(store).user_count, 0);
    assert_false(status_of(store).healthy);
    uint64_t id = 0;
    assert_int_equal(create_user(store, "next", false, &id), STORE_OK);
    assert_int_equal(id, 1);
    assert_true(status_of(store).healthy);
}

static void every_single_call_that_fails_loses_that_write_alone(void **state)
{
    (void)state;
    static const enum lmdb_fault_point points[] = {LMDB_FAULT_BEGIN, LMDB_FAULT_PUT, LMDB_FAULT_DELETE,
                                                   LMDB_FAULT_COMMIT};
    unsigned failures = 0;
    assert_int_equal(create_user(store, "root", true, NULL), STORE_OK);
    for (size_t p = 0; p < sizeof(points) / sizeof(points[0]); p++) {
        for (unsigned passes = 0;; passes++) {
            uint64_t id = 0;
            lmdb_fault_arm(points[p], passes, 1, EIO);
            enum store_outcome created = create_user(store, "ada", true, &id);
            lmdb_fault_clear();
            assert_true(created == STORE_OK || created == STORE_FAILED);
            failures += created == STORE_FAILED;
            assert_int_equal(status_of(store).user_count, created == STORE_OK ? 2 : 1);
            assert_int_equal(status_of(store).active_admin_count, created == STORE_OK ? 2 : 1);
            assert_int_equal(has_user(store, "ada"), created == STORE_OK);
            if (created != STORE_OK)
                continue;
            lmdb_fault_arm(points[p], passes, 1, EIO);
            enum store_outcome deleted = delete_user(store, id);
            lmdb_fault_clear();
            failures += deleted == STORE_FAILED;
            assert_int_equal(has_user(store, "ada"), deleted != STORE_OK);
            assert_int_equal(status_of(store).active_admin_count, deleted == STORE_OK ? 1 : 2);
            if (deleted == STORE_OK)
                break;
            assert_int_equal(delete_user(store, id), STORE_OK);
        }
    }
    assert_true(failures >= 1 + 6 + 3 + 1); /* calls of a creation, and deletions of a deletion */
    assert_int_equal(problem_count, failures);
}

static void a_full_disk_is_full_and_not_ill(void **state)
{
    (void)state;
    static const int codes[] = {ENOSPC, EDQUOT, MDB_MAP_FULL, MDB_TXN_FULL};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        lmdb_fault_arm(LMDB_FAULT_COMMIT, 0, 1, codes[i]);
        assert_int_equal(create_user(store, "ada", false, NULL), STORE_FULL);
        assert_true(status_of(store).healthy);
        assert_false(has_user(store, "ada"));
    }
}

static void an_ill_store_gets_well_without_a_write(void **state)
{
    (void)state;
    lmdb_fault_arm(LMDB_FAULT_COMMIT, 0, 1, EIO);
    assert_int_equal(create_user(store, "ada", false, NULL), STORE_FAILED);
    assert_false(status_of(store).healthy);
    time_t deadline = time(NULL) + 30;
    while (!status_of(store).healthy && time(NULL) < deadline)
        poll(NULL, 0, 10);
    assert_true(status_of(store).healthy);
}

static void a_full_map_refuses_what_grows_while_reads_and_deletions_go_on(void **state)
{
    (void)state;
    user_store_close(store);
    store = store_open_in(folder, 1024 * 1024 + 512 * 1024);
    char name[32];
    uint64_t count = 0;
    enum store_outcome outcome;
    do {
        snprintf(name, sizeof(name), "user%d", (int)count);
        outcome = create_user(store, name, false, NULL);
        count += outcome == STORE_OK;
    } while (outcome == STORE_OK);
    assert_int_equal(outcome, STORE_FULL);
    assert_true(count > 300);
    assert_int_equal(problem_count, 0); /* the mark, not the end of the map */
    assert_true(status_of(store).used_fraction > 0.8);
    assert_true(status_of(store).healthy);
    assert_true(has_user(store, "user0"));
    assert_int_equal(set_password(store, 1, "$y$much-longer-than-it-was", "yescrypt"), STORE_FULL);
    assert_int_equal(set_password(store, 1, "$y$USER0", "yescrypt"), STORE_OK);
    assert_int_equal(set_active(store, 1, false), STORE_OK);
    for (uint64_t id = 1; id <= count; id++)
        assert_int_equal(delete_user(store, id), STORE_OK);
    assert_int_equal(status_of(store).user_count, 0);
    assert_true(status_of(store).used_fraction < 0.5);
    for (uint64_t i = 0; i < count / 2; i++) {
        snprintf(name, sizeof(name), "again%d", (int)i);
        assert_int_equal(create_user(store, name, false, NULL), STORE_OK);
    }
    assert_int_equal(problem_count, 0);
}

static void a_full_queue_takes_nothing_and_calls_nobody(void **state)
{
    (void)state;
    user_store_close(store);
    char url[FOLDER_MAX_BYTES + 8];
    snprintf(url, sizeof(url), "lmdb:%s", folder);
    struct store_options options = {.map_size_bytes = MAP_BYTES, .queue_max = 2, .batch_max = 1};
    char error[512];
    store = user_store_open(url, &options, error, sizeof(error));
    assert_non_null(store);
    struct gate gate;
    struct store_write writes[3];
    sem_init(&batch_done, 0, 0);
    gate_close(&gate);
    for (int i = 0; i < 3; i++) {
        writes[i] = creation_of(i == 0 ? "a" : i == 1 ? "b" : "c", false);
        writes[i].done = count_done;
        assert_int_equal(user_store_write(store, &writes[i]), i < 2);
    }
    assert_int_equal(create_user(store, "d", false, NULL), STORE_FAILED);
    gate_open(&gate);
    for (int i = 0; i < 2; i++) {
        while (sem_wait(&batch_done) != 0)
            assert_int_equal(errno, EINTR);
    }
    assert_int_equal(status_of(store).user_count, 2);
    int more = 0;
    sem_getvalue(&batch_done, &more);
    assert_int_equal(more, 0);
}

/* In a child: creates users PREFIX0, PREFIX1, ... and writes the number of each to `acknowledged` once it is
 * OK. */
static void create_and_acknowledge(const char *prefix, int users, int acknowledged)
{
    struct user_store *own = store_open_in(folder, MAP_BYTES);
    for (int i = 0; i < users; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%s%d", prefix, i);
        if (create_user(own, name, false, NULL) != STORE_OK)
            _exit(1);
        if (acknowledged >= 0 && write(acknowledged, &i, sizeof(i)) != sizeof(i))
            _exit(2);
    }
    user_store_close(own);
    _exit(0);
}

static void a_writer_killed_at_work_loses_nothing_it_acknowledged(void **state)
{
    (void)state;
    user_store_close(store);
    int last = -1;
    for (int round = 0; round < 3; round++) {
        int ends[2];
        char prefix[24];
        snprintf(prefix, sizeof(prefix), "round%d-", round);
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            create_and_acknowledge(prefix, 1000000, ends[1]);
        close(ends[1]);
        for (int i = 0; i < 100 + round; i++)
            assert_int_equal(read(ends[0], &last, sizeof(last)), sizeof(last));
        kill(child, SIGKILL);
        while (read(ends[0], &last, sizeof(last)) == sizeof(last))
            ;
        close(ends[0]);
        int how = 0;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
        store = store_open_in(folder, MAP_BYTES);
        for (int i = 0; i <= last; i++) {
            char name[48];
            snprintf(name, sizeof(name), "%s%d", prefix, i);
            assert_true(has_user(store, name));
        }
        assert_int_equal(create_user(store, prefix, false, NULL), STORE_OK);
        user_store_close(store);
    }
    store = store_open_in(folder, MAP_BYTES);
}

static void two_processes_that_write_at_once_share_ids_and_counts(void **state)
{
    (void)state;
    enum { EACH = 200 };
    user_store_close(store);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        create_and_acknowledge("child", EACH, -1);
    store = store_open_in(folder, MAP_BYTES);
    for (int i = 0; i < EACH; i++) {
        char name[32];
        snprintf(name, sizeof(name), "parent%d", i);
        assert_int_equal(create_user(store, name, false, NULL), STORE_OK);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    assert_int_equal(status_of(store).user_count, 2 * EACH);
    static struct user all[2 * EACH + 1];
    size_t count = 0;
    uint64_t next_after = 0;
    assert_int_equal(user_store_list(store, NULL, 0, 2 * EACH + 1, all, &count, &next_after), STORE_OK);
    assert_int_equal(count, 2 * EACH);
    assert_int_equal(all[count - 1].id, 2 * EACH);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)
    const struct CMUnitTest claims[] = {
        CLAIM(a_refused_write_does_not_disturb_its_batch),
        CLAIM(a_batch_that_fails_once_is_written_one_by_one),
        CLAIM(a_put_that_fails_in_a_batch_costs_nobody_a_write),
        CLAIM(commits_that_fail_for_good_fail_exactly_their_batch),
        CLAIM(every_single_call_that_fails_loses_that_write_alone),
        CLAIM(a_full_disk_is_full_and_not_ill),
        CLAIM(an_ill_store_gets_well_without_a_write),
        CLAIM(a_full_map_refuses_what_grows_while_reads_and_deletions_go_on),
        CLAIM(a_full_queue_takes_nothing_and_calls_nobody),
        CLAIM(a_writer_killed_at_work_loses_nothing_it_acknowledged),
        CLAIM(two_processes_that_write_at_once_share_ids_and_counts),
    };
#undef CLAIM
    return cmocka_run_group_tests(claims, NULL, NULL);
}
