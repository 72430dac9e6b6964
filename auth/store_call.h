/*
 * store_call.h - a request that waits for the store: its write is handed over, and once it is on disk (or
 * refused) the request goes on, on its loop.
 *
 *   store_call_start ──▶ (the store's writer) ──▶ committed, on the loop
 *   the client leaves: the write is done all the same, unheard
 */
#ifndef AUTH_STORE_CALL_H
#define AUTH_STORE_CALL_H

#include <stdbool.h>

#include "core/exchange.h"
#include "core/fault.h"
#include "storage/user_store.h"

/* Embedded in the request's struct, zero-initialised; wiped by store_call_close. */
struct store_call {
    struct store_write write; /* filled by the caller, but for done */
    struct exchange *x;
    struct task back;
    void (*committed)(struct store_call *call);
};

/*
 * On the loop. Holds x until committed has returned. False: the queue is full, 503 was answered, and
 * committed will not be called.
 */
bool store_call_start(struct store_call *call, struct exchange *x,
                      void (*committed)(struct store_call *call));

/* Answers an outcome that this request knows no better word for: 401 or 403 where the actor may not, 503
 * where the store is full, else 500. */
void store_call_fail(const struct store_call *call);

/* Wipes: there is a hash in it. */
void store_call_close(struct store_call *call);

#endif
