#include "storage/user_rules.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

bool user_is_active_admin(const struct user *user)
{
    return user->is_admin && user->is_active;
}

enum store_outcome user_rules_judge(const struct store_actor *actor, const struct user *user)
{
    if (user == NULL || !user->is_active)
        return STORE_ACTOR_GONE;
    return actor->must_be_admin && !user->is_admin ? STORE_ACTOR_NO_ADMIN : STORE_OK;
}

static bool is_wanted(bool is, enum user_wanted wanted)
{
    return wanted == USER_WANTED_ANY || is == (wanted == USER_WANTED_YES);
}

bool user_passes(const struct user *user, const struct user_filter *filter)
{
    return is_wanted(user->is_admin, filter->is_admin) && is_wanted(user->is_active, filter->is_active);
}

static enum store_outcome decide_create(const struct store_write *write, const struct store_facts *facts,
                                        struct user *after)
{
    if (write->user.is_admin && write->first_admin_only && facts->had_admin)
        return STORE_NOT_FIRST_ADMIN;
    if (facts->username_taken)
        return STORE_USERNAME_TAKEN;
    if (facts->email_taken)
        return STORE_EMAIL_TAKEN;
    assert(facts->next_id > 0);
    *after = write->user;
    after->id = facts->next_id;
    after->created_at_us = facts->now_us;
    after->updated_at_us = facts->now_us;
    after->deactivated_at_us = after->is_active ? 0 : facts->now_us;
    return STORE_OK;
}

static void set_active(struct user *user, bool is_active, int64_t now_us)
{
    if (user->is_active == is_active)
        return;
    user->is_active = is_active;
    user->deactivated_at_us = is_active ? 0 : now_us;
}

static void set_password(struct user *user, const struct user *from)
{
    memcpy(user->password_hash, from->password_hash, sizeof(user->password_hash));
    memcpy(user->password_method, from->password_method, sizeof(user->password_method));
}

static enum store_outcome decide_change(const struct store_write *write, const struct user *before,
                                        const struct store_facts *facts, struct user *after)
{
    bool stays_admin = write->changes & STORE_SET_ADMIN ? write->user.is_admin : before->is_admin;
    bool stays_active = write->changes & STORE_SET_ACTIVE ? write->user.is_active : before->is_active;
    bool stays = stays_admin && stays_active;
    bool sets_password = (write->changes & STORE_SET_PASSWORD) != 0;
    bool expects = sets_password && write->expected_hash[0] != '\0';
    if (expects && strcmp(before->password_hash, write->expected_hash) != 0)
        return STORE_CONFLICT;
    if (user_is_active_admin(before) && !stays && facts->active_admin_count <= 1)
        return STORE_LAST_ADMIN;
    *after = *before;
    after->is_admin = stays_admin;
    set_active(after, stays_active, facts->now_us);
    if (sets_password)
        set_password(after, &write->user);
    after->updated_at_us = facts->now_us;
    return STORE_OK;
}

/* The same password under a better hash: to its owner nothing changed, so updated_at stays. */
static enum store_outcome decide_renewal(const struct store_write *write, const struct user *before,
                                         struct user *after)
{
    if (strcmp(before->password_hash, write->expected_hash) != 0)
        return STORE_CONFLICT;
    *after = *before;
    set_password(after, &write->user);
    return STORE_OK;
}

static enum store_outcome decide_deletion(const struct user *before, const struct store_facts *facts,
                                          struct user *after)
{
    if (user_is_active_admin(before) && facts->active_admin_count <= 1)
        return STORE_LAST_ADMIN;
    *after = *before;
    return STORE_OK;
}

enum store_outcome user_rules_decide(const struct store_write *write, const struct user *before,
                                     const struct store_facts *facts, struct user *after)
{
    assert(before == NULL || before->id == write->user.id);
    if (write->kind == STORE_CREATE_USER)
        return decide_create(write, facts, after);
    if (before == NULL)
        return STORE_NOT_FOUND;
    switch (write->kind) {
    case STORE_CHANGE_USER:
        return decide_change(write, before, facts, after);
    case STORE_RENEW_HASH:
        return decide_renewal(write, before, after);
    case STORE_DELETE_USER:
        return decide_deletion(before, facts, after);
    case STORE_CREATE_USER:
    case STORE_OPEN_SESSION:
    case STORE_REFRESH_SESSION:
    case STORE_END_SESSION:
    case STORE_END_USER_SESSIONS:
    case STORE_KEEP_BLOB:
        break;
    }
    assert(false); /* no such kind of write on a user */
    return STORE_FAILED;
}
