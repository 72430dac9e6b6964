/* store_contract.h - what every user store has to do, whatever it is made of. */
#ifndef TESTS_CONTRACT_STORE_CONTRACT_H
#define TESTS_CONTRACT_STORE_CONTRACT_H

#include "storage/user_store.h"

/* How the suite gets an empty store, and how it gives it back. */
struct store_maker {
    const char *name;
    struct user_store *(*make)(void);
    void (*unmake)(struct user_store *store);
};

/* Runs every claim against stores of this maker; the number that failed. */
int store_contract_run(const struct store_maker *maker);   /* users */
int session_contract_run(const struct store_maker *maker); /* sessions */
int account_contract_run(const struct store_maker *maker); /* what ends sessions, networks, blobs, filters */

#endif
