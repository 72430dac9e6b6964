/* lmdb_write.c - one write inside a transaction: look, decide, then change. */
#include <assert.h>
#include <lmdb.h>
#include <string.h>

#include "storage/lmdb_fault.h"
#include "storage/lmdb_meta.h"
#include "storage/lmdb_record.h"
#include "storage/lmdb_session.h"
#include "storage/session_rules.h"
#include "storage/user_rules.h"

struct change {
    const struct lmdb_store *store;
    MDB_txn *txn;
    const struct user *before; /* NULL: a new user */
    const struct user *after;  /* NULL: to be removed */
};

static enum lmdb_database index_of(enum user_text which)
{
    return which == USER_TEXT_NAME ? LMDB_USERNAMES : LMDB_EMAILS;
}

static int look_up_text(const struct lmdb_store *store, MDB_txn *txn, enum user_text which,
                        const struct user *user, bool *is_taken)
{
    struct folded_text text;
    folded_text_of(&text, which, user);
    MDB_val key = {text.length, text.text};
    MDB_val value;
    int code = mdb_get(txn, store->databases[index_of(which)], &key, &value);
    *is_taken = code == 0;
    return code == MDB_NOTFOUND ? 0 : code;
}

static int gather_facts(const struct lmdb_store *store, MDB_txn *txn, const struct store_write *write,
                        struct store_facts *facts)
{
    *facts = (struct store_facts){.now_us = store_now_us()};
    int code = lmdb_meta_get(store, txn, META_ACTIVE_ADMINS, &facts->active_admin_count);
    if (code == 0)
        code = lmdb_meta_get(store, txn, META_NEXT_ID, &facts->next_id);
    if (code == 0 && facts->next_id == 0)
        code = LMDB_DAMAGED;
    if (code == 0)
        code = lmdb_meta_had_admin(store, txn, &facts->had_admin);
    if (write->kind != STORE_CREATE_USER)
        return code;
    if (code == 0)
        code = look_up_text(store, txn, USER_TEXT_NAME, &write->user, &facts->username_taken);
    if (code == 0)
        code = look_up_text(store, txn, USER_TEXT_EMAIL, &write->user, &facts->email_taken);
    return code;
}

static int put_record(const struct change *change)
{
    unsigned char id[8];
    unsigned char bytes[RECORD_MAX_BYTES];
    number_encode(change->after->id, id);
    MDB_val key = {sizeof(id), id};
    MDB_val value = {record_encode(change->after, bytes), bytes};
    /* Ids ascend, so a new one goes to the end: full pages, and MDB_KEYEXIST should next_id ever be wrong. */
    unsigned flags = change->before == NULL ? MDB_APPEND : 0;
    int code = lmdb_write_put(change->txn, change->store->databases[LMDB_USERS], &key, &value, flags);
    explicit_bzero(bytes, sizeof(bytes));
    return code;
}

static int delete_record(const struct change *change)
{
    unsigned char id[8];
    assert(change->before != NULL);
    number_encode(change->before->id, id);
    MDB_val key = {sizeof(id), id};
    return lmdb_write_delete(change->txn, change->store->databases[LMDB_USERS], &key);
}

/* Names never change, so an index is touched only when a user comes or goes. */
static int change_index(const struct change *change, enum user_text which)
{
    const struct user *user = change->after != NULL ? change->after : change->before;
    unsigned database = change->store->databases[index_of(which)];
    struct folded_text text;
    folded_text_of(&text, which, user);
    MDB_val key = {text.length, text.text};
    if (change->after == NULL)
        return lmdb_write_delete(change->txn, database, &key);
    unsigned char id[8];
    number_encode(user->id, id);
    MDB_val value = {sizeof(id), id};
    return lmdb_write_put(change->txn, database, &key, &value, MDB_NOOVERWRITE);
}

static int change_admins(const struct change *change, const struct store_facts *facts)
{
    bool was = change->before != NULL && user_is_active_admin(change->before);
    bool is = change->after != NULL && user_is_active_admin(change->after);
    int code = 0;
    if (was && !is)
        code = lmdb_meta_put(change->store, change->txn, META_ACTIVE_ADMINS, facts->active_admin_count - 1);
    if (!was && is)
        code = lmdb_meta_put(change->store, change->txn, META_ACTIVE_ADMINS, facts->active_admin_count + 1);
    if (code == 0 && change->after != NULL && change->after->is_admin && !facts->had_admin)
        code = lmdb_meta_put(change->store, change->txn, META_HAD_ADMIN, 1);
    return code;
}

static int change_methods(const struct change *change)
{
    const char *before = change->before == NULL ? "" : change->before->password_method;
    const char *after = change->after == NULL ? "" : change->after->password_method;
    if (strcmp(before, after) == 0)
        return 0;
    int code = lmdb_meta_count_method(change->store, change->txn, before, -1);
    return code != 0 ? code : lmdb_meta_count_method(change->store, change->txn, after, 1);
}

static int make_change(const struct change *change, const struct store_facts *facts)
{
    bool comes_or_goes = change->before == NULL || change->after == NULL;
    int code = change->after == NULL ? delete_record(change) : put_record(change);
    if (code == 0 && comes_or_goes)
        code = change_index(change, USER_TEXT_NAME);
    if (code == 0 && comes_or_goes)
        code = change_index(change, USER_TEXT_EMAIL);
    if (code == 0)
        code = change_admins(change, facts);
    if (code == 0)
        code = change_methods(change);
    if (code == 0 && change->before == NULL)
        code = lmdb_meta_put(change->store, change->txn, META_NEXT_ID, facts->next_id + 1);
    return code;
}

static size_t encoded_bytes(const struct user *user)
{
    return user == NULL ? 0
                        : strlen(user->username) + strlen(user->email) + strlen(user->password_hash) +
                              strlen(user->password_method);
}

static int check_room(const struct change *change, enum store_outcome *outcome)
{
    if (encoded_bytes(change->after) <= encoded_bytes(change->before))
        return 0;
    bool has_room = false;
    int code = lmdb_has_room(change->store, change->txn, LMDB_RESERVE_ACCOUNTS, 0, &has_room);
    if (code == 0 && !has_room)
        *outcome = STORE_FULL;
    return code;
}

static int end_sessions(const struct change *change, const struct store_write *write,
                        struct lmdb_result *result)
{
    const char *keep;
    if (!session_rules_cut(write, change->before, change->after, &keep))
        return 0;
    assert(change->before != NULL); /* who is only being made has no sessions to cut */
    return lmdb_sessions_end(change->store, change->txn, change->before->id, keep, &result->ended_count);
}

/* With the record and the facts known. */
static int decide_and_change(const struct store_write *write, struct change *change,
                             const struct store_facts *facts, struct lmdb_result *result)
{
    struct user *after = &result->user;
    result->outcome = user_rules_decide(write, change->before, facts, after);
    if (result->outcome != STORE_OK)
        return 0;
    change->after = write->kind == STORE_DELETE_USER ? NULL : after;
    int code = check_room(change, &result->outcome);
    if (code != 0 || result->outcome != STORE_OK)
        return code;
    result->has = RESULT_USER | RESULT_CHANGES;
    code = make_change(change, facts);
    if (code == 0)
        code = end_sessions(change, write, result);
    if (code == 0 && change->after == NULL)
        code = lmdb_networks_forget(change->store, change->txn, change->before->id);
    return code;
}

static int fail_this_one(const struct lmdb_store *store, int code, struct lmdb_result *result)
{
    if (code != LMDB_DAMAGED && code != LMDB_NEWER)
        return code;
    /* Nothing was changed yet: only this write fails. */
    lmdb_problem(store, "looking up what a write needs", code);
    result->outcome = STORE_FAILED;
    return 0;
}

static int apply_to_user(const struct lmdb_store *store, MDB_txn *txn, const struct store_write *write,
                         struct lmdb_result *result)
{
    struct store_facts facts;
    struct user before;
    bool is_new = write->kind == STORE_CREATE_USER;
    int code = gather_facts(store, txn, write, &facts);
    int found = MDB_NOTFOUND;
    if (code == 0 && !is_new)
        found = lmdb_user_get(store, txn, write->user.id, &before);
    if (found != 0 && found != MDB_NOTFOUND)
        code = found;
    if (code != 0)
        return fail_this_one(store, code, result);
    struct change change = {.store = store, .txn = txn, .before = found == 0 ? &before : NULL};
    code = decide_and_change(write, &change, &facts, result);
    explicit_bzero(&before, sizeof(before));
    return code;
}

static int end_user_sessions(const struct lmdb_store *store, MDB_txn *txn, const struct store_write *write,
                             struct lmdb_result *result)
{
    int code = lmdb_user_get(store, txn, write->user.id, &result->user);
    if (code == MDB_NOTFOUND) {
        result->outcome = STORE_NOT_FOUND;
        return 0;
    }
    if (code != 0)
        return fail_this_one(store, code, result);
    struct change change = {.store = store, .txn = txn, .before = &result->user, .after = &result->user};
    result->outcome = STORE_OK;
    result->has = RESULT_USER | RESULT_CHANGES;
    return end_sessions(&change, write, result);
}

static int judge_actor(const struct lmdb_store *store, MDB_txn *txn, const struct store_write *write,
                       struct lmdb_result *result)
{
    const struct store_actor *actor = &write->actor;
    struct user user;
    int code = lmdb_session_user(store, txn, actor->session_id, actor->user_id, &user);
    if (code != 0 && code != MDB_NOTFOUND)
        return fail_this_one(store, code, result);
    result->outcome = user_rules_judge(actor, code == 0 ? &user : NULL);
    explicit_bzero(&user, sizeof(user));
    return 0;
}

int lmdb_write_apply(const struct lmdb_store *store, MDB_txn *txn, const struct store_write *write,
                     struct lmdb_result *result)
{
    result->has = 0;
    result->ended_count = 0;
    if (write->actor.session_id[0] != '\0') {
        int code = judge_actor(store, txn, write, result);
        if (code != 0 || result->outcome != STORE_OK)
            return code;
    }
    switch (write->kind) {
    case STORE_CREATE_USER:
    case STORE_CHANGE_USER:
    case STORE_RENEW_HASH:
    case STORE_DELETE_USER:
        return apply_to_user(store, txn, write, result);
    case STORE_OPEN_SESSION:
    case STORE_REFRESH_SESSION:
    case STORE_END_SESSION:
        return lmdb_session_apply(store, txn, write, result);
    case STORE_END_USER_SESSIONS:
        return end_user_sessions(store, txn, write, result);
    case STORE_KEEP_BLOB:
        return lmdb_blob_keep(store, txn, write, result);
    }
    assert(false); /* no such kind of write */
    result->outcome = STORE_FAILED;
    return 0;
}
