/*
 * fill_store.c - makes a store of many users who share one password, hashed once.
 *
 *   fill_store URL USERS ADMINS PASSWORD METHOD COST     prints the hash
 *
 * Users are named user_1, user_2, ... by their ids; the first ADMINS of them are administrators. The store
 * must be empty. METHOD and COST are as in PASSWORD_METHOD and PASSWORD_COST.
 */
#include <assert.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "storage/user_store.h"

#define BATCH_MAX     4096
#define MAP_BYTES     (8ull << 30) /* address space; auth opens the store with a size of its own */
#define ERROR_BYTES   512
#define ADDRESS_WORDS "@bench.example"

static sem_t room;
static atomic_uint_fast64_t failed_count;

static void fail(const char *sentence)
{
    fprintf(stderr, "fill_store: %s\n", sentence);
    exit(1);
}

static void on_done(struct store_write *write)
{
    if (write->outcome != STORE_OK)
        atomic_fetch_add(&failed_count, 1);
    free(write);
    sem_post(&room);
}

static void make_hash(const char *password, const char *method, uint64_t cost, struct user *pattern)
{
    struct password_policy policy = {0};
    struct password_hasher *hasher = password_hasher_open();
    char error[ERROR_BYTES] = "";

    if (!password_policy_set(&policy, method, cost, error, sizeof error))
        fail(error);
    if (!password_hash(hasher, &policy, password, strlen(password), pattern->password_hash))
        fail("the password cannot be hashed");
    password_label(pattern->password_hash, pattern->password_method);
    password_hasher_close(hasher);
}

static void add(struct user_store *store, const struct user *pattern, uint64_t number, bool is_admin)
{
    struct store_write *write = calloc(1, sizeof *write);

    assert(write != NULL);
    write->kind = STORE_CREATE_USER;
    write->user = *pattern;
    write->user.is_admin = is_admin;
    snprintf(write->user.username, sizeof write->user.username, "user_%llu", (unsigned long long)number);
    snprintf(write->user.email, sizeof write->user.email, "user_%llu" ADDRESS_WORDS,
             (unsigned long long)number);
    write->done = on_done;
    sem_wait(&room);
    if (!user_store_write(store, write))
        fail("the store's queue is full");
}

int main(int argc, char **argv)
{
    const struct store_options options = {
        .map_size_bytes = MAP_BYTES, .queue_max = 2 * BATCH_MAX, .batch_max = BATCH_MAX};
    struct user pattern = {.is_active = true};
    struct store_status status = {0};
    char error[ERROR_BYTES] = "";

    if (argc != 7) {
        fputs("usage: fill_store URL USERS ADMINS PASSWORD METHOD COST\n", stderr);
        return 2;
    }
    const uint64_t users = strtoull(argv[2], NULL, 10);
    const uint64_t admins = strtoull(argv[3], NULL, 10);

    make_hash(argv[4], argv[5], strtoull(argv[6], NULL, 10), &pattern);
    struct user_store *store = user_store_open(argv[1], &options, error, sizeof error);
    if (store == NULL)
        fail(error);
    sem_init(&room, 0, (unsigned)options.queue_max);
    for (uint64_t number = 1; number <= users; number++)
        add(store, &pattern, number, number <= admins);
    for (size_t i = 0; i < options.queue_max; i++)
        sem_wait(&room);
    if (user_store_status(store, &status) != STORE_OK || status.user_count != users ||
        atomic_load(&failed_count) > 0)
        fail("not every user could be written");
    user_store_close(store);
    puts(pattern.password_hash);
    return 0;
}
