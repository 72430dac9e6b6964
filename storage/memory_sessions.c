#include "storage/memory_sessions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/session_rules.h"
#include "storage/user_store_ops.h"

struct memory_network {
    uint64_t user_id;
    int64_t seen_us;
    char network[NETWORK_MAX_BYTES + 1];
    struct memory_network *next;
};

struct memory_blob {
    char name[STORE_BLOB_NAME_MAX_BYTES + 1];
    void *bytes;
    size_t length;
    struct memory_blob *next;
};

void memory_sessions_free(struct memory_sessions *sessions)
{
    free(sessions->at);
    while (sessions->networks != NULL) {
        struct memory_network *network = sessions->networks;
        sessions->networks = network->next;
        free(network);
    }
    while (sessions->blobs != NULL) {
        struct memory_blob *blob = sessions->blobs;
        sessions->blobs = blob->next;
        free(blob->bytes);
        free(blob);
    }
}

static struct session *stored(const struct memory_sessions *sessions, const char *id)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (strcmp(sessions->at[i].id, id) == 0)
            return &sessions->at[i];
    }
    return NULL;
}

const struct session *memory_session_of(const struct memory_sessions *sessions, const char *id)
{
    const struct session *session = stored(sessions, id);
    return session != NULL && session_is_in_force(session, store_now_us()) ? session : NULL;
}

size_t memory_sessions_list(const struct memory_sessions *sessions, uint64_t user_id, size_t limit,
                            struct session *out)
{
    int64_t now_us = store_now_us();
    size_t n = 0;
    for (size_t i = 0; i < sessions->count && n < limit; i++) {
        const struct session *session = &sessions->at[i];
        if (session->user_id == user_id && session_is_in_force(session, now_us))
            out[n++] = *session;
    }
    return n;
}

static bool is_before(const struct session *a, const struct session *b)
{
    if (a->user_id != b->user_id)
        return a->user_id < b->user_id;
    if (a->created_at_us != b->created_at_us)
        return a->created_at_us < b->created_at_us;
    return strcmp(a->id, b->id) < 0;
}

static void add(struct memory_sessions *sessions, const struct session *session)
{
    if (sessions->count == sessions->capacity) {
        size_t capacity = sessions->capacity == 0 ? 16 : sessions->capacity * 2;
        struct session *grown = store_allocate(capacity, sizeof(*grown));
        if (sessions->count > 0)
            memcpy(grown, sessions->at, sessions->count * sizeof(*grown));
        free(sessions->at);
        sessions->at = grown;
        sessions->capacity = capacity;
    }
    size_t place = sessions->count;
    while (place > 0 && is_before(session, &sessions->at[place - 1]))
        place--;
    memmove(&sessions->at[place + 1], &sessions->at[place],
            (sessions->count - place) * sizeof(*sessions->at));
    sessions->at[place] = *session;
    sessions->count++;
}

static void remove_at(struct memory_sessions *sessions, size_t place)
{
    assert(place < sessions->count);
    sessions->count--;
    memmove(&sessions->at[place], &sessions->at[place + 1],
            (sessions->count - place) * sizeof(*sessions->at));
}

uint64_t memory_sessions_end(struct memory_sessions *sessions, uint64_t user_id, const char *keep)
{
    int64_t now_us = store_now_us();
    uint64_t ended = 0;
    for (size_t i = sessions->count; i > 0; i--) {
        const struct session *session = &sessions->at[i - 1];
        if (session->user_id != user_id || strcmp(session->id, keep) == 0)
            continue;
        ended += session_is_in_force(session, now_us) ? 1 : 0;
        remove_at(sessions, i - 1);
    }
    return ended;
}

static void sweep(struct memory_sessions *sessions)
{
    int64_t now_us = store_now_us();
    for (size_t i = sessions->count; i > 0; i--) {
        if (!session_is_in_force(&sessions->at[i - 1], now_us))
            remove_at(sessions, i - 1);
    }
}

/* The user's oldest sessions go, until there is room for one more. */
static uint64_t trim(struct memory_sessions *sessions, uint64_t user_id, uint64_t max)
{
    uint64_t count = 0;
    uint64_t ended = 0;
    for (size_t i = 0; i < sessions->count; i++)
        count += sessions->at[i].user_id == user_id ? 1 : 0;
    for (size_t i = 0; i < sessions->count && count >= max;) {
        if (sessions->at[i].user_id != user_id) {
            i++;
            continue;
        }
        remove_at(sessions, i);
        count--;
        ended++;
    }
    return ended;
}

static struct memory_network **link_of(struct memory_sessions *sessions, uint64_t user_id,
                                       const char *network)
{
    struct memory_network **link = &sessions->networks;
    while (*link != NULL && ((*link)->user_id != user_id || strcmp((*link)->network, network) != 0))
        link = &(*link)->next;
    return link;
}

bool memory_network_is_known(const struct memory_sessions *sessions, uint64_t user_id, const char *network)
{
    for (const struct memory_network *at = sessions->networks; at != NULL; at = at->next) {
        if (at->user_id == user_id && strcmp(at->network, network) == 0)
            return true;
    }
    return false;
}

static void drop(struct memory_network **link)
{
    struct memory_network *network = *link;
    *link = network->next;
    free(network);
}

static void drop_oldest(struct memory_sessions *sessions, uint64_t user_id)
{
    struct memory_network **oldest = NULL;
    size_t count = 0;
    for (struct memory_network **link = &sessions->networks; *link != NULL; link = &(*link)->next) {
        if ((*link)->user_id != user_id)
            continue;
        count++;
        if (oldest == NULL || (*link)->seen_us < (*oldest)->seen_us)
            oldest = link;
    }
    if (count >= STORE_USER_NETWORKS_MAX)
        drop(oldest);
}

/* A new one goes to the end, so that of two seen at the same time the earlier is the older. */
static void remember(struct memory_sessions *sessions, uint64_t user_id, const char *text, int64_t now_us)
{
    struct memory_network *known = *link_of(sessions, user_id, text);
    if (known != NULL) {
        known->seen_us = network_is_stale(known->seen_us, now_us) ? now_us : known->seen_us;
        return;
    }
    drop_oldest(sessions, user_id);
    struct memory_network *network = store_allocate(1, sizeof(*network));
    network->user_id = user_id;
    network->seen_us = now_us;
    memcpy(network->network, text, strlen(text) + 1);
    *link_of(sessions, user_id, text) = network;
}

void memory_networks_forget(struct memory_sessions *sessions, uint64_t user_id)
{
    struct memory_network **link = &sessions->networks;
    while (*link != NULL) {
        if ((*link)->user_id == user_id)
            drop(link);
        else
            link = &(*link)->next;
    }
}

static struct memory_blob *blob_of(const struct memory_sessions *sessions, const char *name)
{
    struct memory_blob *blob = sessions->blobs;
    while (blob != NULL && strcmp(blob->name, name) != 0)
        blob = blob->next;
    return blob;
}

static void keep_blob(struct memory_sessions *sessions, const struct store_write *write)
{
    struct memory_blob *blob = blob_of(sessions, write->blob_name);
    if (blob == NULL) {
        blob = store_allocate(1, sizeof(*blob));
        memcpy(blob->name, write->blob_name, strlen(write->blob_name) + 1);
        blob->next = sessions->blobs;
        sessions->blobs = blob;
    }
    free(blob->bytes);
    blob->bytes = store_allocate(1, write->blob_length + 1);
    blob->length = write->blob_length;
    if (blob->length > 0)
        memcpy(blob->bytes, write->blob, blob->length);
}

enum store_outcome memory_blob_read(const struct memory_sessions *sessions, const char *name, void *buffer,
                                    size_t size, size_t *length)
{
    const struct memory_blob *blob = blob_of(sessions, name);
    if (blob == NULL || blob->length == 0)
        return STORE_NOT_FOUND;
    *length = blob->length;
    if (blob->length > size)
        return STORE_FULL;
    memcpy(buffer, blob->bytes, blob->length);
    return STORE_OK;
}

static enum store_outcome open_session(struct memory_sessions *sessions, struct store_write *write,
                                       const struct user *user)
{
    enum store_outcome outcome = session_rules_open(write, user, stored(sessions, write->session.id) != NULL);
    if (outcome != STORE_OK)
        return outcome;
    sweep(sessions);
    write->ended_count = trim(sessions, user->id, write->sessions_max);
    add(sessions, &write->session);
    if (write->network[0] != '\0')
        remember(sessions, user->id, write->network, store_now_us());
    write->user = *user;
    return STORE_OK;
}

static enum store_outcome refresh_session(struct memory_sessions *sessions, struct store_write *write,
                                          const struct user *user)
{
    struct session *before = stored(sessions, write->session.id);
    struct session after;
    enum store_outcome outcome = session_rules_refresh(write, before, user, store_now_us(), &after);
    if (outcome == STORE_NOT_FOUND)
        return outcome;
    write->session = outcome == STORE_OK ? after : *before;
    write->user = *user;
    if (outcome == STORE_OK)
        *before = after;
    else if (outcome == STORE_REUSED)
        remove_at(sessions, (size_t)(before - sessions->at));
    return outcome;
}

static enum store_outcome end_session(struct memory_sessions *sessions, struct store_write *write)
{
    struct session *before = stored(sessions, write->session.id);
    enum store_outcome outcome = session_rules_end(write, before, store_now_us());
    if (outcome != STORE_OK)
        return outcome;
    write->session = *before;
    write->ended_count = 1;
    remove_at(sessions, (size_t)(before - sessions->at));
    return STORE_OK;
}

enum store_outcome memory_sessions_apply(struct memory_sessions *sessions, struct store_write *write,
                                         const struct user *user)
{
    switch (write->kind) {
    case STORE_OPEN_SESSION:
        return open_session(sessions, write, user);
    case STORE_REFRESH_SESSION:
        return refresh_session(sessions, write, user);
    case STORE_END_SESSION:
        return end_session(sessions, write);
    default:
        assert(write->kind == STORE_KEEP_BLOB);
        keep_blob(sessions, write);
        return STORE_OK;
    }
}
