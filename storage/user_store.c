#include "storage/user_store.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "storage/user_store_ops.h"

static const struct user_store_ops *const stores[] = {&lmdb_store_ops, &memory_store_ops};

#define STORE_COUNT (sizeof(stores) / sizeof(stores[0]))

struct user_store *user_store_open(const char *url, const struct store_options *options, char *error,
                                   size_t error_size)
{
    assert(url != NULL && options != NULL && error != NULL && error_size > 0);
    assert(options->queue_max > 0 && options->batch_max > 0);
    const char *colon = strchr(url, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - url);
    for (size_t i = 0; colon != NULL && i < STORE_COUNT; i++) {
        if (strlen(stores[i]->scheme) != length || memcmp(stores[i]->scheme, url, length) != 0)
            continue;
        struct user_store *store = stores[i]->open(colon + 1, options, error, error_size);
        assert(store == NULL || store->ops == stores[i]);
        return store;
    }
    /* What is wrong may be another database's URL with a password in it: only its scheme is named. */
    if (colon == NULL || length > 32)
        snprintf(error, error_size, "The URL of the user store has to begin with lmdb: or memory:.");
    else
        snprintf(error, error_size,
                 "There is no user store of the kind %.*s: the URL has to begin with lmdb: or memory:.",
                 (int)length, url);
    return NULL;
}

void user_store_close(struct user_store *store)
{
    if (store != NULL)
        store->ops->close(store);
}

bool user_store_is_blocking(const struct user_store *store)
{
    return store->ops->blocking;
}

enum store_outcome user_store_find_by_id(struct user_store *store, uint64_t id, struct user *out)
{
    assert(store != NULL && out != NULL);
    return id == 0 ? STORE_NOT_FOUND : store->ops->find_by_id(store, id, out);
}

static enum store_outcome find_by_text(struct user_store *store, enum user_text which, const char *text,
                                       size_t length, struct user *out)
{
    assert(store != NULL && out != NULL);
    assert(text != NULL || length == 0);
    struct folded_text folded;
    if (!folded_text_set(&folded, which, text, length))
        return STORE_NOT_FOUND;
    return store->ops->find_by_text(store, which, &folded, out);
}

enum store_outcome user_store_find_by_username(struct user_store *store, const char *username, size_t length,
                                               struct user *out)
{
    return find_by_text(store, USER_TEXT_NAME, username, length, out);
}

enum store_outcome user_store_find_by_email(struct user_store *store, const char *email, size_t length,
                                            struct user *out)
{
    return find_by_text(store, USER_TEXT_EMAIL, email, length, out);
}

enum store_outcome user_store_list(struct user_store *store, uint64_t after, size_t limit, struct user *out,
                                   size_t *count)
{
    assert(store != NULL && count != NULL);
    assert(out != NULL || limit == 0);
    *count = 0;
    enum store_outcome outcome = store->ops->list(store, after, limit, out, count);
    assert(*count <= limit);
    return outcome;
}

/* The counts are gathered first and told afterwards, so that `each` may call the store itself. */
enum store_outcome user_store_methods(struct user_store *store,
                                      void (*each)(void *context, const char *method, uint64_t users),
                                      void *context)
{
    assert(store != NULL && each != NULL);
    struct method_list list = {0};
    enum store_outcome outcome = store->ops->methods(store, &list);
    for (size_t i = 0; outcome == STORE_OK && i < list.count; i++)
        each(context, list.at[i].method, list.at[i].users);
    free(list.at);
    return outcome;
}

enum store_outcome user_store_status(struct user_store *store, struct store_status *out)
{
    assert(store != NULL && out != NULL);
    return store->ops->status(store, out);
}

static bool is_closed(const char *text, size_t max_bytes)
{
    return strnlen(text, max_bytes + 1) <= max_bytes;
}

/* The texts that a write brings: closed, and not empty where they are a key. */
static bool is_well_formed(const struct store_write *write)
{
    const struct user *user = &write->user;
    bool creates = write->kind == STORE_CREATE_USER;
    if (creates && !(is_closed(user->username, USER_NAME_MAX_BYTES) && user->username[0] != '\0'))
        return false;
    if (creates && !(is_closed(user->email, USER_EMAIL_MAX_BYTES) && user->email[0] != '\0'))
        return false;
    if (write->kind == STORE_RENEW_HASH && !is_closed(write->expected_hash, USER_HASH_MAX_BYTES))
        return false;
    bool sets_password = creates || write->kind == STORE_RENEW_HASH ||
                         (write->kind == STORE_CHANGE_USER && (write->changes & STORE_SET_PASSWORD) != 0);
    return !sets_password || (is_closed(user->password_hash, USER_HASH_MAX_BYTES) &&
                              is_closed(user->password_method, USER_METHOD_MAX_BYTES));
}

bool user_store_write(struct user_store *store, struct store_write *write)
{
    assert(store != NULL && write != NULL && write->done != NULL);
    bool well_formed = is_well_formed(write);
    assert(well_formed);
    (void)well_formed;
    write->next = NULL;
    return store->ops->write(store, write);
}

struct waiting_write {
    struct store_write write; /* first: done finds the rest by it */
    sem_t is_done;
};

static void wake_waiter(struct store_write *write)
{
    struct waiting_write *waiting = (struct waiting_write *)write;
    int failed = sem_post(&waiting->is_done);
    assert(failed == 0);
    (void)failed;
}

enum store_outcome user_store_write_and_wait(struct user_store *store, struct store_write *write)
{
    struct waiting_write waiting = {.write = *write};
    waiting.write.done = wake_waiter;
    int failed = sem_init(&waiting.is_done, 0, 0);
    assert(failed == 0);
    (void)failed;
    if (user_store_write(store, &waiting.write)) {
        while (sem_wait(&waiting.is_done) != 0)
            assert(errno == EINTR);
        write->outcome = waiting.write.outcome;
        write->user = waiting.write.user;
    } else {
        write->outcome = STORE_FAILED;
    }
    sem_destroy(&waiting.is_done);
    explicit_bzero(&waiting.write, sizeof(waiting.write));
    return write->outcome;
}

const char *store_outcome_sentence(enum store_outcome outcome)
{
    switch (outcome) {
    case STORE_OK:
        return "Done.";
    case STORE_NOT_FOUND:
        return "There is no such user.";
    case STORE_USERNAME_TAKEN:
        return "Another user has this username.";
    case STORE_EMAIL_TAKEN:
        return "Another user has this e-mail address.";
    case STORE_NOT_FIRST_ADMIN:
        return "The first administrator was made before.";
    case STORE_LAST_ADMIN:
        return "This is the last active administrator: make another one first.";
    case STORE_CONFLICT:
        return "The user was changed meanwhile.";
    case STORE_FULL:
        return "The user store is full: only deletions work until it has more room.";
    case STORE_FAILED:
        return "The user store failed.";
    }
    return "The user store gave an outcome that does not exist.";
}

bool folded_text_set(struct folded_text *folded, enum user_text which, const char *text, size_t length)
{
    size_t max_bytes = which == USER_TEXT_NAME ? USER_NAME_MAX_BYTES : USER_EMAIL_MAX_BYTES;
    if (length == 0 || length > max_bytes)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        folded->text[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    folded->text[length] = '\0';
    folded->length = length;
    return true;
}

void folded_text_of(struct folded_text *folded, enum user_text which, const struct user *user)
{
    const char *text = which == USER_TEXT_NAME ? user->username : user->email;
    bool is_possible = folded_text_set(folded, which, text, strlen(text));
    assert(is_possible);
    (void)is_possible;
}

void method_list_add(struct method_list *list, const char *method, size_t length, uint64_t users)
{
    assert(length <= USER_METHOD_MAX_BYTES);
    for (size_t i = 0; i < list->count; i++) {
        struct method_count *entry = &list->at[i];
        if (strlen(entry->method) == length && memcmp(entry->method, method, length) == 0) {
            entry->users += users;
            return;
        }
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        struct method_count *grown = store_allocate(capacity, sizeof(*grown));
        if (list->count > 0)
            memcpy(grown, list->at, list->count * sizeof(*grown));
        free(list->at);
        list->at = grown;
        list->capacity = capacity;
    }
    struct method_count *entry = &list->at[list->count++];
    memcpy(entry->method, method, length);
    entry->method[length] = '\0';
    entry->users = users;
}

void *store_allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fputs("Out of memory in the user store.\n", stderr);
        abort();
    }
    return memory;
}

int64_t store_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
