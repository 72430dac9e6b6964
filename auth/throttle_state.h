/*
 * throttle_state.h - what throttle.c and throttle_blob.c share; for nobody else.
 */
#ifndef AUTH_THROTTLE_STATE_H
#define AUTH_THROTTLE_STATE_H

#include <pthread.h>

#include "auth/throttle.h"
#include "core/siphash.h"

struct throttle {
    bool is_on;
    pthread_mutex_t lock; /* all below; the key is read-only once the loops run */
    uint64_t changes;
    struct throttle_table tables[THROTTLE_POLICY_COUNT];
    uint8_t key[SIPHASH_KEY_BYTES];
};

#endif
