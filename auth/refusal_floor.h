/*
 * refusal_floor.h - how long a refused login must take at least, so that its time does not tell whether a
 * name exists or how its password is hashed. A store that moved in from another system has hashes of several
 * methods, some ten times slower than others: no refusal leaves before the slowest method present would be
 * done.
 *
 * The time of each method is the running average of what verifications took, so it follows the machine's
 * load; methods nobody logged in with yet are measured once.
 */
#ifndef AUTH_REFUSAL_FLOOR_H
#define AUTH_REFUSAL_FLOOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/password.h"
#include "storage/user_store.h"

#define REFUSAL_FLOOR_METHODS_MAX 32

struct method_time {
    char label[PASSWORD_METHOD_MAX_BYTES + 1];
    uint64_t average_us;
    uint64_t users; /* whose hash is of this method, when last counted */
};

struct refusal_floor {
    pthread_mutex_t lock;
    struct method_time methods[REFUSAL_FLOOR_METHODS_MAX];
    size_t count;
    atomic_uint_fast64_t floor_us;
};

void refusal_floor_open(struct refusal_floor *floor);
void refusal_floor_close(struct refusal_floor *floor);

/* A verification of a hash with this label took so long. Any thread. */
void refusal_floor_note(struct refusal_floor *floor, const char *label, uint64_t elapsed_us);

/*
 * Counts the methods in the store anew, and measures those that are new. `own` is the label of new hashes,
 * which counts as present. Slow: on a worker.
 */
void refusal_floor_refresh(struct refusal_floor *floor, struct user_store *store,
                           struct password_hasher *hasher, const char *own);

/* The least time of a refusal, from the start of its verification, in microseconds. Any thread. */
uint64_t refusal_floor_us(const struct refusal_floor *floor);

#endif
