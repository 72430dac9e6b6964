/*
 * user_rules.h - private to storage/: what a write does to a record, and the rules between users. Pure; each
 * store calls it inside its transaction with what that transaction sees.
 */
#ifndef STORAGE_USER_RULES_H
#define STORAGE_USER_RULES_H

#include "storage/user_store.h"

struct store_facts {
    int64_t now_us;
    uint64_t next_id;
    uint64_t active_admin_count;
    bool had_admin;
    bool username_taken; /* these two matter to STORE_CREATE_USER only */
    bool email_taken;
};

/*
 * Decides `write`. `before` is the record it names, NULL if there is none. With STORE_OK, *after is the
 * record to keep (STORE_DELETE_USER: the one to remove); otherwise it is untouched. The first rule that is
 * broken names the outcome: first administrator, username, e-mail.
 */
enum store_outcome user_rules_decide(const struct store_write *write, const struct user *before,
                                     const struct store_facts *facts, struct user *after);

/* May `actor` write? `user` is whose session in force it names, NULL if there is none. */
enum store_outcome user_rules_judge(const struct store_actor *actor, const struct user *user);

/* As the filter's flags want it. */
bool user_passes(const struct user *user, const struct user_filter *filter);

/* One who can administer; the last of them is protected. */
bool user_is_active_admin(const struct user *user);

#endif
