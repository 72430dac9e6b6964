#include "storage/lmdb_fault.h"

#include <assert.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

static atomic_bool is_armed;

static struct {
    pthread_mutex_t lock;
    enum lmdb_fault_point point;
    unsigned passes;
    unsigned times;
    int code;
} fault = {.lock = PTHREAD_MUTEX_INITIALIZER};

void lmdb_fault_arm(enum lmdb_fault_point point, unsigned passes, unsigned times, int code)
{
    assert(code != 0 && times > 0);
    pthread_mutex_lock(&fault.lock);
    fault.point = point;
    fault.passes = passes;
    fault.times = times;
    fault.code = code;
    atomic_store(&is_armed, true);
    pthread_mutex_unlock(&fault.lock);
}

void lmdb_fault_clear(void)
{
    atomic_store(&is_armed, false);
}

static int count_down(enum lmdb_fault_point point)
{
    int code = 0;
    pthread_mutex_lock(&fault.lock);
    if (fault.point == point && fault.passes > 0) {
        fault.passes--;
    } else if (fault.point == point && fault.times > 0) {
        code = fault.code;
        if (--fault.times == 0)
            atomic_store(&is_armed, false);
    }
    pthread_mutex_unlock(&fault.lock);
    return code;
}

static inline int fault_at(enum lmdb_fault_point point)
{
    bool armed = atomic_load_explicit(&is_armed, memory_order_relaxed);
    return __builtin_expect(armed, 0) ? count_down(point) : 0;
}

int lmdb_write_begin(struct MDB_env *env, struct MDB_txn **txn)
{
    int code = fault_at(LMDB_FAULT_BEGIN);
    return code != 0 ? code : mdb_txn_begin(env, NULL, 0, txn);
}

int lmdb_write_put(struct MDB_txn *txn, unsigned database, struct MDB_val *key, struct MDB_val *value,
                   unsigned flags)
{
    int code = fault_at(LMDB_FAULT_PUT);
    return code != 0 ? code : mdb_put(txn, database, key, value, flags);
}

int lmdb_write_delete(struct MDB_txn *txn, unsigned database, struct MDB_val *key)
{
    int code = fault_at(LMDB_FAULT_DELETE);
    return code != 0 ? code : mdb_del(txn, database, key, NULL);
}

int lmdb_write_commit(struct MDB_txn *txn)
{
    int code = fault_at(LMDB_FAULT_COMMIT);
    if (code == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return code;
}
