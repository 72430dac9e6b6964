/* lmdb_session_write.c - one write on sessions inside a transaction: look, decide, then change. */
#include <assert.h>
#include <lmdb.h>
#include <string.h>

#include "storage/lmdb_meta.h"
#include "storage/lmdb_session.h"
#include "storage/session_rules.h"

/* What a write on one session is about; each has been looked up. */
struct scene {
    const struct lmdb_store *store;
    MDB_txn *txn;
    const struct store_write *write;
    struct lmdb_result *result; /* its user, where it has one, is the session's */
    int64_t now_us;
    struct session before;
    bool has_before;
};

static bool is_unreadable(int code)
{
    return code == LMDB_DAMAGED || code == LMDB_NEWER;
}

/* Walks through a user's sessions while `visit` returns 0; it may remove the one it is shown. */
static int walk(const struct lmdb_store *store, MDB_txn *txn, uint64_t user_id,
                int (*visit)(void *context, const struct session_place *place), void *context)
{
    MDB_cursor *cursor;
    struct session_place place = {.user_id = user_id};
    int code = mdb_cursor_open(txn, store->databases[LMDB_USER_SESSIONS], &cursor);
    if (code != 0)
        return code;
    while (code == 0) {
        code = lmdb_session_next(cursor, &place);
        if (code == 0)
            code = visit(context, &place);
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

/* A session that cannot be read is not in force, and not in the way. */
static int look_at(const struct lmdb_store *store, MDB_txn *txn, const char *id, int64_t now_us,
                   bool *is_in_force)
{
    struct session session;
    int code = lmdb_session_glance(store, txn, id, &session);
    *is_in_force = code == 0 && session_is_in_force(&session, now_us);
    return code == MDB_NOTFOUND || is_unreadable(code) ? 0 : code;
}

struct ending {
    const struct lmdb_store *store;
    MDB_txn *txn;
    const char *keep;
    int64_t now_us;
    uint64_t ended;
};

static int end_one(void *context, const struct session_place *place)
{
    struct ending *ending = context;
    bool is_in_force = false;
    if (strcmp(place->id, ending->keep) == 0)
        return 0;
    int code = look_at(ending->store, ending->txn, place->id, ending->now_us, &is_in_force);
    ending->ended += is_in_force ? 1 : 0;
    return code != 0 ? code : lmdb_session_remove(ending->store, ending->txn, place);
}

int lmdb_sessions_end(const struct lmdb_store *store, MDB_txn *txn, uint64_t user_id, const char *keep,
                      uint64_t *ended)
{
    struct ending ending = {.store = store, .txn = txn, .keep = keep, .now_us = store_now_us()};
    int code = walk(store, txn, user_id, end_one, &ending);
    *ended = ending.ended;
    return code;
}

struct trimming {
    const struct scene *scene;
    uint64_t in_force;
    uint64_t surplus; /* still to be ended */
};

static int drop_expired(void *context, const struct session_place *place)
{
    struct trimming *trimming = context;
    const struct scene *scene = trimming->scene;
    bool is_in_force = false;
    int code = look_at(scene->store, scene->txn, place->id, scene->now_us, &is_in_force);
    if (code != 0)
        return code;
    trimming->in_force += is_in_force ? 1 : 0;
    return is_in_force ? 0 : lmdb_session_remove(scene->store, scene->txn, place);
}

static int drop_surplus(void *context, const struct session_place *place)
{
    struct trimming *trimming = context;
    if (trimming->surplus == 0)
        return MDB_NOTFOUND; /* as at the end of the walk */
    trimming->surplus--;
    trimming->scene->result->ended_count++;
    return lmdb_session_remove(trimming->scene->store, trimming->scene->txn, place);
}

/* Makes room for one more session of the user. */
static int trim(const struct scene *scene)
{
    const struct store_write *write = scene->write;
    struct trimming trimming = {.scene = scene};
    uint64_t count = 0;
    int code =
        lmdb_sessions_count(scene->store, scene->txn, write->session.user_id, write->sessions_max, &count);
    if (code != 0 || count < write->sessions_max)
        return code;
    code = walk(scene->store, scene->txn, write->session.user_id, drop_expired, &trimming);
    if (code != 0 || trimming.in_force < write->sessions_max)
        return code;
    trimming.surplus = trimming.in_force - (write->sessions_max - 1);
    return walk(scene->store, scene->txn, write->session.user_id, drop_surplus, &trimming);
}

static int open_session(const struct scene *scene, const struct user *user)
{
    const struct store_write *write = scene->write;
    struct lmdb_result *result = scene->result;
    bool has_room = false;
    result->outcome = session_rules_open(write, user, scene->has_before);
    if (result->outcome != STORE_OK)
        return 0;
    int code = lmdb_has_room(scene->store, scene->txn, LMDB_RESERVE_SESSIONS, 0, &has_room);
    if (code == 0 && !has_room) {
        result->outcome = STORE_FULL;
        return 0;
    }
    assert(user != NULL); /* or the rules would have refused */
    if (code == 0)
        code = trim(scene);
    if (code == 0)
        code = lmdb_session_add(scene->store, scene->txn, &write->session);
    if (code == 0 && write->network[0] != '\0')
        code = lmdb_network_remember(scene->store, scene->txn, user->id, write->network, scene->now_us);
    result->session = write->session;
    result->has = RESULT_USER | RESULT_SESSION | RESULT_CHANGES;
    return code;
}

static int refresh_session(const struct scene *scene, const struct user *user)
{
    struct lmdb_result *result = scene->result;
    const struct session *before = scene->has_before ? &scene->before : NULL;
    result->outcome = session_rules_refresh(scene->write, before, user, scene->now_us, &result->session);
    if (result->outcome == STORE_NOT_FOUND)
        return 0;
    result->has = RESULT_USER | RESULT_SESSION;
    if (result->outcome != STORE_OK)
        result->session = scene->before;
    if (result->outcome == STORE_REPLAYED)
        return 0;
    result->has |= RESULT_CHANGES;
    if (result->outcome == STORE_OK)
        return lmdb_session_replace(scene->store, scene->txn, before, &result->session);
    assert(result->outcome == STORE_REUSED);
    struct session_place place = session_place_of(before);
    return lmdb_session_remove(scene->store, scene->txn, &place);
}

static int end_session(const struct scene *scene)
{
    struct lmdb_result *result = scene->result;
    const struct session *before = scene->has_before ? &scene->before : NULL;
    result->outcome = session_rules_end(scene->write, before, scene->now_us);
    if (result->outcome != STORE_OK)
        return 0;
    result->session = scene->before;
    result->ended_count = 1;
    result->has = RESULT_SESSION | RESULT_CHANGES;
    struct session_place place = session_place_of(before);
    return lmdb_session_remove(scene->store, scene->txn, &place);
}

/* `user` is NULL where there is none. */
static int look_up(struct scene *scene, const struct user **user)
{
    const struct store_write *write = scene->write;
    *user = NULL;
    int code = lmdb_session_get(scene->store, scene->txn, write->session.id, &scene->before);
    scene->has_before = code == 0;
    if (is_unreadable(code) && write->kind == STORE_OPEN_SESSION) {
        scene->has_before = true;
        code = 0;
    }
    if (code != 0 && code != MDB_NOTFOUND)
        return code;
    if (write->kind == STORE_END_SESSION)
        return 0;
    code = lmdb_user_get(scene->store, scene->txn, write->session.user_id, &scene->result->user);
    if (code == 0)
        *user = &scene->result->user;
    return code == MDB_NOTFOUND ? 0 : code;
}

int lmdb_session_apply(const struct lmdb_store *store, MDB_txn *txn, const struct store_write *write,
                       struct lmdb_result *result)
{
    struct scene scene = {
        .store = store, .txn = txn, .write = write, .result = result, .now_us = store_now_us()};
    const struct user *user;
    int code = look_up(&scene, &user);
    if (is_unreadable(code)) {
        lmdb_problem(store, "looking up a session", code);
        result->outcome = STORE_FAILED; /* nothing was changed yet: only this write fails */
        return 0;
    }
    if (code != 0)
        return code;
    switch (write->kind) {
    case STORE_OPEN_SESSION:
        return open_session(&scene, user);
    case STORE_REFRESH_SESSION:
        return refresh_session(&scene, user);
    default:
        assert(write->kind == STORE_END_SESSION);
        return end_session(&scene);
    }
}
