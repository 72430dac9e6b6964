#include "storage/user_store.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "storage/session_rules.h"
#include "storage/user_rules.h"
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

/* At most one user has the name, so there is no need to look through the others. */
static enum store_outcome list_by_username(struct user_store *store, struct user_page *page)
{
    const char *username = page->filter->username;
    struct user user;
    enum store_outcome outcome = user_store_find_by_username(store, username, strlen(username), &user);
    if (outcome == STORE_NOT_FOUND)
        return STORE_OK;
    if (outcome != STORE_OK)
        return outcome;
    if (user.id > page->after && user_passes(&user, page->filter))
        page->out[page->count++] = user;
    explicit_bzero(&user, sizeof(user));
    return STORE_OK;
}

enum store_outcome user_store_list(struct user_store *store, const struct user_filter *filter, uint64_t after,
                                   size_t limit, struct user *out, size_t *count, uint64_t *next_after)
{
    static const struct user_filter everybody = {0};
    assert(store != NULL && count != NULL && next_after != NULL);
    assert(out != NULL || limit == 0);
    struct user_page page = {
        .filter = filter == NULL ? &everybody : filter, .after = after, .limit = limit, .out = out};
    enum store_outcome outcome = STORE_OK;
    if (limit == 0)
        page.next_after = after;
    else if (page.filter->username != NULL)
        outcome = list_by_username(store, &page);
    else if (after < UINT64_MAX)
        outcome = store->ops->list(store, &page);
    assert(page.count <= limit);
    *count = outcome == STORE_OK ? page.count : 0;
    *next_after = page.next_after;
    return outcome;
}

enum store_outcome user_store_find_by_session(struct user_store *store, const char *session_id,
                                              uint64_t user_id, struct user *out)
{
    assert(store != NULL && session_id != NULL && out != NULL);
    if (user_id == 0 || !session_id_is_whole(session_id))
        return STORE_NOT_FOUND;
    return store->ops->find_by_session(store, session_id, user_id, out);
}

enum store_outcome user_store_find_session(struct user_store *store, const char *session_id,
                                           struct session *out)
{
    assert(store != NULL && session_id != NULL && out != NULL);
    return session_id_is_whole(session_id) ? store->ops->find_session(store, session_id, out)
                                           : STORE_NOT_FOUND;
}

enum store_outcome user_store_list_sessions(struct user_store *store, uint64_t user_id, size_t limit,
                                            struct session *out, size_t *count)
{
    assert(store != NULL && count != NULL);
    assert(out != NULL || limit == 0);
    *count = 0;
    if (user_id == 0 || limit == 0)
        return STORE_OK;
    enum store_outcome outcome = store->ops->list_sessions(store, user_id, limit, out, count);
    assert(*count <= limit);
    return outcome;
}

enum store_outcome user_store_knows_network(struct user_store *store, uint64_t user_id, const char *network)
{
    assert(store != NULL && network != NULL);
    size_t length = strnlen(network, NETWORK_MAX_BYTES + 1);
    if (user_id == 0 || length == 0 || length > NETWORK_MAX_BYTES)
        return STORE_NOT_FOUND;
    return store->ops->knows_network(store, user_id, network);
}

enum store_outcome user_store_read_blob(struct user_store *store, const char *name, void *buffer, size_t size,
                                        size_t *length)
{
    assert(store != NULL && name != NULL && blob_name_is_valid(name) && length != NULL);
    assert(buffer != NULL || size == 0);
    return store->ops->read_blob(store, name, buffer, size, length);
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

bool user_store_write(struct user_store *store, struct store_write *write)
{
    assert(store != NULL && write != NULL && write->done != NULL);
    bool well_formed = store_write_is_well_formed(write);
    assert(well_formed);
    (void)well_formed;
    write->next = NULL;
    write->ended_count = 0;
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
        write->session = waiting.write.session;
        write->ended_count = waiting.write.ended_count;
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
        return "There is no such user or session.";
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
    case STORE_REPLAYED:
        return "The refresh token was used a moment ago.";
    case STORE_REUSED:
        return "The refresh token was used before: its session has been ended.";
    case STORE_ACTOR_GONE:
        return "The session in whose name this was asked has ended.";
    case STORE_ACTOR_NO_ADMIN:
        return "Only an administrator may do this.";
    case STORE_FULL:
        return "The user store is full: nothing can be added until it has more room.";
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
