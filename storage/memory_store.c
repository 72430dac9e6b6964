/*
 * memory_store.c - the store for tests: users in an array, ascending by id, under one mutex. Nothing survives
 * the process. A write is decided on the caller's thread, and done is called before user_store_write()
 * returns.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/memory_sessions.h"
#include "storage/session_rules.h"
#include "storage/user_rules.h"
#include "storage/user_store_ops.h"

struct memory_store {
    struct user_store base; /* first */
    pthread_mutex_t lock;
    struct user *users;
    size_t count;
    size_t capacity;
    uint64_t next_id;
    uint64_t active_admin_count;
    bool had_admin;
    struct memory_sessions sessions;
};

static struct memory_store *locked(struct user_store *base)
{
    struct memory_store *store = (struct memory_store *)base;
    int failed = pthread_mutex_lock(&store->lock);
    assert(failed == 0);
    (void)failed;
    return store;
}

static void unlock(struct memory_store *store)
{
    assert(store->active_admin_count <= store->count);
    pthread_mutex_unlock(&store->lock);
}

static struct user_store *memory_open(const char *place, const struct store_options *options, char *error,
                                      size_t error_size)
{
    (void)options;
    if (place[0] != '\0') {
        snprintf(error, error_size, "The URL of the store in memory is memory: with nothing behind it.");
        return NULL;
    }
    struct memory_store *store = store_allocate(1, sizeof(*store));
    store->base.ops = &memory_store_ops;
    store->next_id = 1;
    pthread_mutex_init(&store->lock, NULL);
    return &store->base;
}

static void free_users(struct user *users, size_t capacity)
{
    if (users != NULL)
        explicit_bzero(users, capacity * sizeof(*users));
    free(users);
}

static void memory_close(struct user_store *base)
{
    struct memory_store *store = (struct memory_store *)base;
    free_users(store->users, store->capacity);
    memory_sessions_free(&store->sessions);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* The place of the first user whose id is at least `id`; count if there is none. */
static size_t place_of(const struct memory_store *store, uint64_t id)
{
    size_t low = 0;
    size_t high = store->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (store->users[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct user *user_of_id(const struct memory_store *store, uint64_t id)
{
    size_t place = place_of(store, id);
    return place < store->count && store->users[place].id == id ? &store->users[place] : NULL;
}

static struct user *user_of_text(const struct memory_store *store, enum user_text which,
                                 const struct folded_text *text)
{
    for (size_t i = 0; i < store->count; i++) {
        struct folded_text other;
        folded_text_of(&other, which, &store->users[i]);
        if (other.length == text->length && memcmp(other.text, text->text, text->length) == 0)
            return &store->users[i];
    }
    return NULL;
}

static enum store_outcome copy_out(const struct user *found, struct user *out)
{
    if (found == NULL)
        return STORE_NOT_FOUND;
    *out = *found;
    return STORE_OK;
}

static enum store_outcome memory_find_by_id(struct user_store *base, uint64_t id, struct user *out)
{
    struct memory_store *store = locked(base);
    enum store_outcome outcome = copy_out(user_of_id(store, id), out);
    unlock(store);
    return outcome;
}

static enum store_outcome memory_find_by_text(struct user_store *base, enum user_text which,
                                              const struct folded_text *text, struct user *out)
{
    struct memory_store *store = locked(base);
    enum store_outcome outcome = copy_out(user_of_text(store, which, text), out);
    unlock(store);
    return outcome;
}

static enum store_outcome memory_list(struct user_store *base, struct user_page *page)
{
    struct memory_store *store = locked(base);
    size_t first = place_of(store, page->after + 1);
    size_t i = first;
    for (; i < store->count && page->count < page->limit && i - first < USER_LIST_LOOKS_MAX; i++) {
        if (user_passes(&store->users[i], page->filter))
            page->out[page->count++] = store->users[i];
    }
    page->next_after = i < store->count ? store->users[i - 1].id : 0;
    unlock(store);
    return STORE_OK;
}

static enum store_outcome memory_find_by_session(struct user_store *base, const char *session_id,
                                                 uint64_t user_id, struct user *out)
{
    struct memory_store *store = locked(base);
    const struct session *session = memory_session_of(&store->sessions, session_id);
    bool is_the_users = session != NULL && session->user_id == user_id;
    enum store_outcome outcome = copy_out(is_the_users ? user_of_id(store, user_id) : NULL, out);
    unlock(store);
    return outcome;
}

static enum store_outcome memory_find_session(struct user_store *base, const char *session_id,
                                              struct session *out)
{
    struct memory_store *store = locked(base);
    const struct session *session = memory_session_of(&store->sessions, session_id);
    if (session != NULL)
        *out = *session;
    unlock(store);
    return session != NULL ? STORE_OK : STORE_NOT_FOUND;
}

static enum store_outcome memory_list_sessions(struct user_store *base, uint64_t user_id, size_t limit,
                                               struct session *out, size_t *count)
{
    struct memory_store *store = locked(base);
    *count = memory_sessions_list(&store->sessions, user_id, limit, out);
    unlock(store);
    return STORE_OK;
}

static enum store_outcome memory_knows_network(struct user_store *base, uint64_t user_id, const char *network)
{
    struct memory_store *store = locked(base);
    bool is_known = memory_network_is_known(&store->sessions, user_id, network);
    unlock(store);
    return is_known ? STORE_OK : STORE_NOT_FOUND;
}

static enum store_outcome memory_read_blob(struct user_store *base, const char *name, void *buffer,
                                           size_t size, size_t *length)
{
    struct memory_store *store = locked(base);
    enum store_outcome outcome = memory_blob_read(&store->sessions, name, buffer, size, length);
    unlock(store);
    return outcome;
}

static enum store_outcome memory_methods(struct user_store *base, struct method_list *list)
{
    struct memory_store *store = locked(base);
    for (size_t i = 0; i < store->count; i++) {
        const char *method = store->users[i].password_method;
        if (method[0] != '\0')
            method_list_add(list, method, strlen(method), 1);
    }
    unlock(store);
    return STORE_OK;
}

static enum store_outcome memory_status(struct user_store *base, struct store_status *out)
{
    struct memory_store *store = locked(base);
    *out = (struct store_status){.healthy = true,
                                 .user_count = store->count,
                                 .active_admin_count = store->active_admin_count,
                                 .session_count = store->sessions.count,
                                 .had_admin = store->had_admin};
    unlock(store);
    return STORE_OK;
}

static void append(struct memory_store *store, const struct user *user)
{
    assert(store->count == 0 || store->users != NULL);
    assert(store->count == 0 || store->users[store->count - 1].id < user->id);
    if (store->count == store->capacity) {
        size_t capacity = store->capacity == 0 ? 16 : store->capacity * 2;
        struct user *grown = store_allocate(capacity, sizeof(*grown));
        if (store->count > 0)
            memcpy(grown, store->users, store->count * sizeof(*grown));
        free_users(store->users, store->capacity);
        store->users = grown;
        store->capacity = capacity;
    }
    store->users[store->count++] = *user;
}

static void remove_at(struct memory_store *store, struct user *user)
{
    struct user *end = store->users + store->count;
    memmove(user, user + 1, (size_t)(end - user - 1) * sizeof(*user));
    store->count--;
    explicit_bzero(end - 1, sizeof(*user));
}

static struct store_facts gather_facts(const struct memory_store *store, const struct store_write *write)
{
    struct store_facts facts = {.now_us = store_now_us(),
                                .next_id = store->next_id,
                                .active_admin_count = store->active_admin_count,
                                .had_admin = store->had_admin};
    if (write->kind == STORE_CREATE_USER) {
        struct folded_text text;
        folded_text_of(&text, USER_TEXT_NAME, &write->user);
        facts.username_taken = user_of_text(store, USER_TEXT_NAME, &text) != NULL;
        folded_text_of(&text, USER_TEXT_EMAIL, &write->user);
        facts.email_taken = user_of_text(store, USER_TEXT_EMAIL, &text) != NULL;
    }
    return facts;
}

static void end_sessions(struct memory_store *store, struct store_write *write, const struct user *before,
                         const struct user *after)
{
    const char *keep;
    if (!session_rules_cut(write, before, after, &keep))
        return;
    assert(before != NULL); /* who is only being made has no sessions to cut */
    write->ended_count = memory_sessions_end(&store->sessions, before->id, keep);
}

static enum store_outcome apply_to_user(struct memory_store *store, struct store_write *write)
{
    bool creates = write->kind == STORE_CREATE_USER;
    bool deletes = write->kind == STORE_DELETE_USER;
    struct store_facts facts = gather_facts(store, write);
    struct user *before = creates ? NULL : user_of_id(store, write->user.id);
    struct user after;
    enum store_outcome outcome = user_rules_decide(write, before, &facts, &after);
    if (outcome != STORE_OK)
        return outcome;
    store->active_admin_count -= before != NULL && user_is_active_admin(before) ? 1 : 0;
    store->active_admin_count += !deletes && user_is_active_admin(&after) ? 1 : 0;
    store->had_admin = store->had_admin || after.is_admin;
    store->next_id += creates ? 1 : 0;
    end_sessions(store, write, before, deletes ? NULL : &after);
    if (deletes)
        memory_networks_forget(&store->sessions, before->id);
    if (creates)
        append(store, &after);
    else if (deletes)
        remove_at(store, before);
    else
        *before = after;
    write->user = after;
    explicit_bzero(&after, sizeof(after));
    return STORE_OK;
}

static enum store_outcome end_user_sessions(struct memory_store *store, struct store_write *write)
{
    const struct user *user = user_of_id(store, write->user.id);
    if (user == NULL)
        return STORE_NOT_FOUND;
    end_sessions(store, write, user, user);
    write->user = *user;
    return STORE_OK;
}

static enum store_outcome judge_actor(const struct memory_store *store, const struct store_actor *actor)
{
    const struct session *session = memory_session_of(&store->sessions, actor->session_id);
    const bool is_own = session != NULL && session->user_id == actor->user_id;
    return user_rules_judge(actor, is_own ? user_of_id(store, actor->user_id) : NULL);
}

static enum store_outcome apply(struct memory_store *store, struct store_write *write)
{
    if (write->actor.session_id[0] != '\0') {
        enum store_outcome outcome = judge_actor(store, &write->actor);
        if (outcome != STORE_OK)
            return outcome;
    }
    switch (write->kind) {
    case STORE_CREATE_USER:
    case STORE_CHANGE_USER:
    case STORE_RENEW_HASH:
    case STORE_DELETE_USER:
        return apply_to_user(store, write);
    case STORE_END_USER_SESSIONS:
        return end_user_sessions(store, write);
    default:
        return memory_sessions_apply(&store->sessions, write, user_of_id(store, write->session.user_id));
    }
}

static bool memory_write(struct user_store *base, struct store_write *write)
{
    struct memory_store *store = locked(base);
    write->outcome = apply(store, write);
    unlock(store);
    write->done(write);
    return true;
}

const struct user_store_ops memory_store_ops = {
    .scheme = "memory",
    .blocking = false,
    .open = memory_open,
    .close = memory_close,
    .find_by_id = memory_find_by_id,
    .find_by_text = memory_find_by_text,
    .list = memory_list,
    .methods = memory_methods,
    .find_by_session = memory_find_by_session,
    .find_session = memory_find_session,
    .list_sessions = memory_list_sessions,
    .knows_network = memory_knows_network,
    .read_blob = memory_read_blob,
    .status = memory_status,
    .write = memory_write,
};
