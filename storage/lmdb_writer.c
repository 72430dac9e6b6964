/*
 * lmdb_writer.c - the queue and the thread that writes.
 *
 *   user_store_write ──▶ queue ──▶ up to batch_max writes ──▶ one transaction ──▶ commit, on disk ──▶ done,
 * each │ a database error: the transaction is lost ▼ each write of the batch in a transaction of its own
 *
 * A refused write changes nothing, so it does not disturb its batch.
 */
#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "storage/lmdb_fault.h"
#include "storage/lmdb_meta.h"
#include "storage/lmdb_session.h"

static uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool lmdb_write(struct user_store *base, struct store_write *write)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    pthread_mutex_lock(&store->queue_lock);
    bool has_room = store->queue_length < store->queue_max;
    if (has_room) {
        *store->queue_end = write;
        store->queue_end = &write->next;
        store->queue_length++;
        pthread_cond_signal(&store->queue_changed);
    }
    pthread_mutex_unlock(&store->queue_lock);
    return has_room;
}

static void await_queue(struct lmdb_store *store)
{
    uint64_t wait_ms = LMDB_PROBE_MS;
    if (atomic_load(&store->healthy))
        wait_ms = store->sweep_is_behind ? 0 : LMDB_READER_CHECK_MS;
    uint64_t until_ms = monotonic_ms() + wait_ms;
    struct timespec until = {(time_t)(until_ms / 1000), (long)(until_ms % 1000) * 1000000};
    int code = 0;
    while (store->queue_first == NULL && !store->is_closing && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&store->queue_changed, &store->queue_lock, &until);
}

/* Waits for writes and takes a batch, a list ended by NULL. False: closing, and nothing is left. */
static bool take_batch(struct lmdb_store *store, struct store_write **batch, size_t *count)
{
    pthread_mutex_lock(&store->queue_lock);
    await_queue(store);
    *batch = store->queue_first;
    *count = 0;
    struct store_write **end = batch;
    while (*end != NULL && *count < store->batch_max) {
        end = &(*end)->next;
        ++*count;
    }
    store->queue_first = *end;
    if (store->queue_first == NULL)
        store->queue_end = &store->queue_first;
    *end = NULL;
    assert(*count <= store->queue_length);
    store->queue_length -= *count;
    bool goes_on = *count > 0 || !store->is_closing;
    pthread_mutex_unlock(&store->queue_lock);
    return goes_on;
}

/* What were committed into files that nobody will look at again would be lost. */
static int begin(const struct lmdb_store *store, MDB_txn **txn)
{
    return lmdb_files_are_there(&store->files) ? lmdb_write_begin(store->env, txn) : LMDB_GONE;
}

static bool is_want_of_room(int code)
{
    return code == MDB_MAP_FULL || code == MDB_TXN_FULL || code == ENOSPC || code == EDQUOT;
}

/*
 * Expired sessions go along with a commit, or, when there is none, with one of their own. A sweep that fails
 * takes its transaction with it, and is not due again before others had their turn. In a full map, where each
 * page that changes needs another, only a small one may succeed.
 */
static int sweep(struct lmdb_store *store, MDB_txn *txn)
{
    uint64_t now_ms = monotonic_ms();
    if (now_ms < store->sweep_due_ms)
        return 0;
    store->sweep_due_ms = now_ms + LMDB_SWEEP_MS;
    store->sweep_is_behind = false;
    int code = lmdb_sessions_sweep(store, txn, store->sweep_max, &store->sweep_is_behind);
    if (store->sweep_is_behind)
        store->sweep_due_ms = now_ms;
    if (code == 0)
        store->sweep_max = LMDB_SWEEP_MAX;
    else if (is_want_of_room(code))
        store->sweep_max = LMDB_SWEEP_MAX_IN_FULL_MAP;
    if (code != 0)
        lmdb_problem(store, "taking out expired sessions", code);
    return code;
}

/* Decides the first `count` writes and commits what they change. Not 0: nothing of it happened. */
static int commit_writes(struct lmdb_store *store, struct store_write *writes, size_t count,
                         struct lmdb_result *results)
{
    MDB_txn *txn;
    int code = begin(store, &txn);
    if (code != 0)
        return code;
    bool has_changes = false;
    struct store_write *write = writes;
    for (size_t i = 0; i < count; i++, write = write->next) {
        code = lmdb_write_apply(store, txn, write, &results[i]);
        if (code != 0) {
            mdb_txn_abort(txn);
            return code;
        }
        write->outcome = results[i].outcome;
        has_changes = has_changes || (results[i].has & RESULT_CHANGES) != 0;
    }
    if (!has_changes) {
        mdb_txn_abort(txn);
        return 0;
    }
    if (sweep(store, txn) != 0) {
        mdb_txn_abort(txn);
        return commit_writes(store, writes, count, results); /* no sweep is due now */
    }
    code = lmdb_write_commit(txn);
    if (code == 0)
        atomic_store(&store->healthy, true);
    return code;
}

static void commit_alone(struct lmdb_store *store, struct store_write *write, struct lmdb_result *result)
{
    int code = commit_writes(store, write, 1, result);
    if (code == 0)
        return;
    lmdb_problem(store, "writing", code);
    result->has = 0;
    write->outcome = is_want_of_room(code) ? STORE_FULL : STORE_FAILED;
    if (write->outcome == STORE_FAILED)
        atomic_store(&store->healthy, false);
}

static void commit_batch(struct lmdb_store *store, struct store_write *batch, size_t count)
{
    if (count == 1) {
        commit_alone(store, batch, store->results);
        return;
    }
    int code = commit_writes(store, batch, count, store->results);
    if (code == 0)
        return;
    lmdb_problem(store, "writing several at once, so each is tried alone", code);
    struct lmdb_result *result = store->results;
    for (struct store_write *write = batch; write != NULL; write = write->next)
        commit_alone(store, write, result++);
}

static void tell_done(struct store_write *batch, struct lmdb_result *results)
{
    while (batch != NULL) {
        struct store_write *write = batch;
        batch = write->next; /* done may free the write */
        if (results->has & RESULT_USER)
            write->user = results->user;
        if (results->has & RESULT_SESSION)
            write->session = results->session;
        write->ended_count = results->has != 0 ? results->ended_count : 0;
        explicit_bzero(&results->user, sizeof(results->user));
        results++;
        write->next = NULL;
        write->done(write);
    }
}

/*
 * A service whose store is unhealthy may get no writes that would show that the fault has passed: so the
 * store tries one that changes nothing.
 */
static void probe(struct lmdb_store *store)
{
    MDB_txn *txn;
    if (begin(store, &txn) != 0)
        return;
    if (lmdb_meta_put(store, txn, META_FORMAT, STORE_FORMAT) != 0)
        mdb_txn_abort(txn);
    else if (lmdb_write_commit(txn) == 0)
        atomic_store(&store->healthy, true);
}

/* While no writes come, so that none is kept waiting. */
static void sweep_alone(struct lmdb_store *store)
{
    MDB_txn *txn;
    if (monotonic_ms() < store->sweep_due_ms)
        return;
    int code = begin(store, &txn);
    if (code == 0 && sweep(store, txn) != 0) {
        mdb_txn_abort(txn);
        return;
    }
    if (code == 0)
        code = lmdb_write_commit(txn);
    if (code == 0)
        return;
    lmdb_problem(store, "committing without expired sessions", code);
    store->sweep_is_behind = false;
    store->sweep_due_ms = monotonic_ms() + LMDB_SWEEP_MS;
    if (is_want_of_room(code))
        store->sweep_max = LMDB_SWEEP_MAX_IN_FULL_MAP;
}

/* What is done between batches: processes that died while reading would pin old pages for good. */
static void keep_house(struct lmdb_store *store)
{
    uint64_t now_ms = monotonic_ms();
    if (now_ms < store->reader_check_due_ms)
        return;
    store->reader_check_due_ms = now_ms + LMDB_READER_CHECK_MS;
    int dead = 0;
    int code = mdb_reader_check(store->env, &dead);
    if (code != 0)
        lmdb_problem(store, "clearing the places of readers that died", code);
}

static void *writer_main(void *argument)
{
    struct lmdb_store *store = argument;
    struct store_write *batch;
    size_t count;
    while (take_batch(store, &batch, &count)) {
        if (count > 0) {
            commit_batch(store, batch, count);
            tell_done(batch, store->results);
        } else if (!atomic_load(&store->healthy)) {
            probe(store);
        } else {
            sweep_alone(store);
        }
        keep_house(store);
    }
    return NULL;
}

int lmdb_writer_start(struct lmdb_store *store, const struct store_options *options)
{
    store->queue_max = options->queue_max;
    store->batch_max = options->batch_max;
    store->queue_end = &store->queue_first;
    store->reader_check_due_ms = monotonic_ms() + LMDB_READER_CHECK_MS;
    store->sweep_max = LMDB_SWEEP_MAX;
    store->results = store_allocate(store->batch_max, sizeof(*store->results));
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->queue_lock, NULL);
    pthread_cond_init(&store->queue_changed, &attributes);
    pthread_condattr_destroy(&attributes);

    /* Signals are the service's: none is to arrive on this thread. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&store->writer, NULL, writer_main, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0)
        pthread_setname_np(store->writer, "store-writer");
    else
        free(store->results);
    return code;
}

void lmdb_writer_stop(struct lmdb_store *store)
{
    pthread_mutex_lock(&store->queue_lock);
    store->is_closing = true;
    pthread_cond_signal(&store->queue_changed);
    pthread_mutex_unlock(&store->queue_lock);
    int failed = pthread_join(store->writer, NULL);
    assert(failed == 0 && store->queue_first == NULL);
    (void)failed;
    pthread_cond_destroy(&store->queue_changed);
    pthread_mutex_destroy(&store->queue_lock);
    explicit_bzero(store->results, store->batch_max * sizeof(*store->results));
    free(store->results);
}
