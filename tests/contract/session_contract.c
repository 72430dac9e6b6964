// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/store_contract.h"
#include "tests/support/store_support.h"

static const struct store_maker *maker;
static struct user_store *store;
static uint64_t ada;
static uint64_t bob;

static int open_store(void **state)
{
    (void)state;
    store = maker->make();
    assert_int_equal(create_user(store, "ada", false, &ada), STORE_OK);
    assert_int_equal(create_user(store, "bob", false, &bob), STORE_OK);
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    maker->unmake(store);
    return 0;
}

static void assert_same_session(const struct session *a, const struct session *b)
{
    assert_string_equal(a->id, b->id);
    assert_int_equal(a->user_id, b->user_id);
    assert_int_equal(a->created_at_us, b->created_at_us);
    assert_int_equal(a->refreshed_at_us, b->refreshed_at_us);
    assert_int_equal(a->ends_at_us, b->ends_at_us);
    assert_int_equal(a->idle_ends_at_us, b->idle_ends_at_us);
    assert_string_equal(a->client_address, b->client_address);
    assert_string_equal(a->user_agent, b->user_agent);
    assert_string_equal(a->access_id, b->access_id);
    assert_string_equal(a->refresh_id, b->refresh_id);
    assert_int_equal(a->issued_at_s, b->issued_at_s);
    assert_string_equal(a->spent_refresh_id, b->spent_refresh_id);
    assert_int_equal(a->spent_at_us, b->spent_at_us);
}

static struct session find_session(const char *text)
{
    char id[SESSION_ID_LENGTH + 1];
    struct session session;
    id_make(id, text);
    assert_int_equal(user_store_find_session(store, id, &session), STORE_OK);
    return session;
}

static void a_login_verified_before_its_password_was_changed_opens_no_session(void **state)
{
    (void)state;
    struct user verified;
    struct session session;
    assert_int_equal(user_store_find_by_id(store, ada, &verified), STORE_OK);
    struct store_write change = {.kind = STORE_CHANGE_USER, .changes = STORE_SET_PASSWORD, .user = verified};
    assert_int_equal(user_store_write_and_wait(store, &change), STORE_OK);
    struct store_write late = opening_of(ada, "late");
    late.user.updated_at_us = verified.updated_at_us;
    assert_int_equal(user_store_write_and_wait(store, &late), STORE_CONFLICT);
    assert_int_equal(user_store_find_session(store, late.session.id, &session), STORE_NOT_FOUND);
    struct store_write again = opening_of(ada, "again");
    again.user.updated_at_us = change.user.updated_at_us;
    assert_int_equal(user_store_write_and_wait(store, &again), STORE_OK);
}

static void an_opened_session_is_found_as_it_was_given(void **state)
{
    (void)state;
    struct store_write write = opening_of(ada, "one");
    memset(write.session.client_address, '1', SESSION_ADDRESS_MAX_BYTES);
    memset(write.session.user_agent, 'u', SESSION_USER_AGENT_MAX_BYTES);
    struct session given = write.session;
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_same_session(&write.session, &given);
    assert_string_equal(write.user.username, "ada");
    assert_int_equal(write.ended_count, 0);
    struct session found = find_session("one");
    assert_same_session(&found, &given);
    struct user user;
    assert_int_equal(user_store_find_by_session(store, given.id, ada, &user), STORE_OK);
    assert_string_equal(user.username, "ada");
    assert_string_equal(user.password_hash, "$y$ada");
    assert_int_equal(status_of(store).session_count, 1);
}

static void a_session_is_its_users_alone(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    assert_true(has_session(store, ada, "one"));
    assert_false(has_session(store, bob, "one"));
    assert_int_equal(end_session(store, bob, "one"), STORE_NOT_FOUND);
    struct store_write write = refresh_of(bob, "one", "r-one", "two");
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_NOT_FOUND);
    assert_true(has_session(store, ada, "one"));
}

static void what_is_no_session_is_not_found_and_leaves_out_untouched(void **state)
{
    (void)state;
    static const char *const ids[] = {"", "one", "one-------------------", "one--------------------x"};
    struct user user;
    struct user before;
    memset(&user, 0x5a, sizeof(user));
    memcpy(&before, &user, sizeof(before));
    struct session session;
    struct session session_before;
    memset(&session, 0x5a, sizeof(session));
    memcpy(&session_before, &session, sizeof(session));
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_int_equal(user_store_find_by_session(store, ids[i], ada, &user), STORE_NOT_FOUND);
        assert_int_equal(user_store_find_by_session(store, ids[i], 0, &user), STORE_NOT_FOUND);
        assert_int_equal(user_store_find_session(store, ids[i], &session), STORE_NOT_FOUND);
    }
    assert_memory_equal(&user, &before, sizeof(user));
    assert_memory_equal(&session, &session_before, sizeof(session));
    struct store_write write = {.kind = STORE_END_SESSION};
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_NOT_FOUND);
    write = refresh_of(ada, "none", "r-none", "two");
    write.session.id[5] = '\0';
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_NOT_FOUND);
}

static void no_session_is_opened_for_who_is_gone_or_inactive(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, 0, "one"), STORE_NOT_FOUND);
    assert_int_equal(open_session(store, 99, "one"), STORE_NOT_FOUND);
    assert_int_equal(set_active(store, ada, false), STORE_OK);
    assert_int_equal(open_session(store, ada, "one"), STORE_NOT_FOUND);
    assert_int_equal(set_active(store, ada, true), STORE_OK);
    assert_false(has_session(store, ada, "one"));
    assert_int_equal(status_of(store).session_count, 0);
}

static void an_id_in_use_is_a_conflict(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    assert_int_equal(open_session(store, bob, "one"), STORE_CONFLICT);
    assert_true(has_session(store, ada, "one"));
    assert_false(has_session(store, bob, "one"));
}

static void an_expired_session_is_gone_to_every_call(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct store_write write = opening_of(ada, i == 0 ? "absolute" : "idle");
        int64_t *end_us = i == 0 ? &write.session.ends_at_us : &write.session.idle_ends_at_us;
        *end_us = wall_clock_us() - 1;
        char id[SESSION_ID_LENGTH + 1];
        memcpy(id, write.session.id, sizeof(id));
        assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
        struct session page[4];
        struct user user;
        size_t count = 9;
        assert_int_equal(user_store_find_by_session(store, id, ada, &user), STORE_NOT_FOUND);
        assert_int_equal(user_store_find_session(store, id, page), STORE_NOT_FOUND);
        assert_int_equal(user_store_list_sessions(store, ada, 4, page, &count), STORE_OK);
        assert_int_equal(count, 0);
        assert_int_equal(end_session(store, ada, i == 0 ? "absolute" : "idle"), STORE_NOT_FOUND);
        write = refresh_of(ada, i == 0 ? "absolute" : "idle", i == 0 ? "r-absolute" : "r-idle", "next");
        assert_int_equal(user_store_write_and_wait(store, &write), STORE_NOT_FOUND);
    }
    uint64_t ended = 9;
    assert_int_equal(end_user_sessions(store, ada, "", &ended), STORE_OK);
    assert_int_equal(ended, 0);
}

static void a_refresh_spends_its_token_and_keeps_the_pair_that_replaces_it(void **state)
{
    (void)state;
    struct store_write opening = opening_of(ada, "one");
    assert_int_equal(user_store_write_and_wait(store, &opening), STORE_OK);
    struct store_write write = refresh_of(ada, "one", "r-one", "two");
    int64_t before_us = wall_clock_us();
    struct session given = write.session;
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_string_equal(write.user.username, "ada");
    assert_string_equal(write.session.refresh_id, given.refresh_id);
    assert_string_equal(write.session.access_id, given.access_id);
    assert_string_equal(write.session.spent_refresh_id, opening.session.refresh_id);
    assert_int_equal(write.session.issued_at_s, given.issued_at_s);
    assert_int_equal(write.session.idle_ends_at_us, given.idle_ends_at_us);
    assert_int_equal(write.session.ends_at_us, opening.session.ends_at_us);
    assert_int_equal(write.session.created_at_us, opening.session.created_at_us);
    assert_string_equal(write.session.user_agent, opening.session.user_agent);
    assert_true(write.session.spent_at_us >= before_us);
    assert_int_equal(write.session.refreshed_at_us, write.session.spent_at_us);
    struct session found = find_session("one");
    assert_same_session(&found, &write.session);
    assert_int_equal(status_of(store).session_count, 1);
}

static void a_token_spent_a_moment_ago_brings_its_successor_again_and_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    struct store_write first = refresh_of(ada, "one", "r-one", "two");
    assert_int_equal(user_store_write_and_wait(store, &first), STORE_OK);
    for (int i = 0; i < 3; i++) {
        struct store_write again = refresh_of(ada, "one", "r-one", "other");
        assert_int_equal(user_store_write_and_wait(store, &again), STORE_REPLAYED);
        assert_same_session(&again.session, &first.session);
        assert_string_equal(again.user.username, "ada");
    }
    struct session found = find_session("one");
    assert_same_session(&found, &first.session);
}

static void assert_theft(const char *presented, int64_t replay_window_us)
{
    struct session before = find_session("one");
    struct store_write write = refresh_of(ada, "one", presented, "thief");
    write.replay_window_us = replay_window_us;
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_REUSED);
    assert_same_session(&write.session, &before);
    assert_string_equal(write.user.username, "ada");
    assert_false(has_session(store, ada, "one"));
    assert_true(has_session(store, ada, "other"));
    assert_int_equal(status_of(store).session_count, 1);
    write = refresh_of(ada, "one", "r-two", "three");
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_NOT_FOUND);
    struct session page[4];
    size_t count = 0;
    assert_int_equal(user_store_list_sessions(store, ada, 4, page, &count), STORE_OK);
    assert_int_equal(count, 1);
}

static void refresh_one(const char *presented, const char *next)
{
    struct store_write write = refresh_of(ada, "one", presented, next);
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
}

static void a_token_spent_longer_ago_than_the_window_ends_the_session(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    assert_int_equal(open_session(store, ada, "other"), STORE_OK);
    refresh_one("r-one", "two");
    assert_theft("r-one", 0);
}

static void a_token_whose_successor_is_spent_too_ends_the_session(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    assert_int_equal(open_session(store, ada, "other"), STORE_OK);
    refresh_one("r-one", "two");
    refresh_one("r-two", "three");
    assert_theft("r-one", 10000000);
}

static void a_token_that_was_never_the_sessions_ends_it(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    assert_int_equal(open_session(store, ada, "other"), STORE_OK);
    assert_theft("r-other", 10000000);
}

static void an_empty_token_is_not_the_one_spent_before_the_first_refresh(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    struct store_write write = refresh_of(ada, "one", "", "two");
    write.presented_refresh_id[0] = '\0';
    write.replay_window_us = INT64_MAX;
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_REUSED);
}

static void a_refresh_puts_the_idle_end_off_and_never_the_absolute_one(void **state)
{
    (void)state;
    struct store_write opening = opening_of(ada, "one");
    int64_t end_us = opening.session.ends_at_us;
    assert_int_equal(user_store_write_and_wait(store, &opening), STORE_OK);
    struct store_write write = refresh_of(ada, "one", "r-one", "two");
    write.session.ends_at_us = end_us + HOUR_US;
    write.session.idle_ends_at_us = 1;
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_int_equal(write.session.ends_at_us, end_us);
    assert_false(has_session(store, ada, "one"));
}

static void an_ended_session_is_gone_and_told_as_it_was(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    assert_int_equal(open_session(store, ada, "two"), STORE_OK);
    struct session before = find_session("one");
    struct store_write write = {.kind = STORE_END_SESSION}; /* of any user */
    id_make(write.session.id, "one");
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_same_session(&write.session, &before);
    assert_int_equal(write.ended_count, 1);
    assert_false(has_session(store, ada, "one"));
    assert_true(has_session(store, ada, "two"));
    assert_int_equal(end_session(store, ada, "one"), STORE_NOT_FOUND);
    assert_int_equal(end_session(store, ada, "two"), STORE_OK);
    assert_int_equal(status_of(store).session_count, 0);
}

static void the_oldest_sessions_beyond_the_most_allowed_end(void **state)
{
    (void)state;
    static const char *const texts[] = {"d", "c", "b", "a"}; /* not in the order of their ids */
    for (int i = 0; i < 4; i++) {
        struct store_write write = opening_of(ada, texts[i]);
        write.session.created_at_us += i;
        write.sessions_max = 3;
        assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
        assert_int_equal(write.ended_count, i == 3 ? 1 : 0);
    }
    assert_false(has_session(store, ada, "d"));
    assert_true(has_session(store, ada, "c") && has_session(store, ada, "b") && has_session(store, ada, "a"));
    assert_int_equal(open_session(store, bob, "bobs"), STORE_OK);
    struct store_write write = opening_of(ada, "last");
    write.sessions_max = 1;
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_int_equal(write.ended_count, 3);
    assert_true(has_session(store, ada, "last") && has_session(store, bob, "bobs"));
    assert_int_equal(status_of(store).session_count, 2);
}

static void expired_sessions_take_no_place_among_those_allowed(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char text[16];
        snprintf(text, sizeof(text), "s%d", i);
        struct store_write write = opening_of(ada, text);
        write.sessions_max = 2;
        if (i > 0)
            write.session.idle_ends_at_us = wall_clock_us() - 1;
        assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
        assert_int_equal(write.ended_count, 0);
    }
    assert_true(has_session(store, ada, "s0"));
}

static void sessions_are_listed_by_login_oldest_first_up_to_the_limit(void **state)
{
    (void)state;
    static const char *const texts[] = {"m", "a", "z", "k"};
    struct session page[6];
    size_t count = 9;
    assert_int_equal(user_store_list_sessions(store, ada, 6, page, &count), STORE_OK);
    assert_int_equal(count, 0);
    assert_int_equal(open_session(store, bob, "bobs"), STORE_OK);
    for (int i = 3; i >= 0; i--) {
        struct store_write write = opening_of(ada, texts[i]);
        write.session.created_at_us = wall_clock_us() + i * 1000000;
        assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    }
    assert_int_equal(user_store_list_sessions(store, ada, 6, page, &count), STORE_OK);
    assert_int_equal(count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(page[i].id[0], texts[i][0]);
        struct session found = find_session(texts[i]);
        assert_same_session(&page[i], &found);
    }
    assert_int_equal(user_store_list_sessions(store, ada, 2, page, &count), STORE_OK);
    assert_int_equal(count, 2);
    assert_int_equal(user_store_list_sessions(store, ada, 0, NULL, &count), STORE_OK);
    assert_int_equal(count, 0);
    assert_int_equal(user_store_list_sessions(store, 0, 6, page, &count), STORE_OK);
    assert_int_equal(count, 0);
}

/* What an actor may do to bob: every kind of write that somebody asks for. */
static struct store_write asked_write(enum store_write_kind kind)
{
    struct store_write write = {.kind = kind, .changes = STORE_SET_ADMIN, .user = {.is_admin = true}};
    write.user.id = bob;
    if (kind == STORE_CREATE_USER) {
        write.user = (struct user){.is_active = true};
        strcpy(write.user.username, "eve");
        strcpy(write.user.email, "eve@example.com");
        strcpy(write.user.password_hash, "$y$eve");
    }
    if (kind == STORE_END_SESSION)
        id_make(write.session.id, "bobs");
    return write;
}

static const enum store_write_kind asked_kinds[] = {
    STORE_CHANGE_USER, STORE_END_SESSION, STORE_END_USER_SESSIONS, STORE_DELETE_USER, STORE_CREATE_USER};
#define ASKED_KINDS (sizeof asked_kinds / sizeof asked_kinds[0])

static enum store_outcome write_as(struct store_write write, uint64_t user_id, const char *session,
                                   bool must_be_admin)
{
    write.actor = (struct store_actor){.user_id = user_id, .must_be_admin = must_be_admin};
    id_make(write.actor.session_id, session);
    return user_store_write_and_wait(store, &write);
}

static void set_user(uint64_t id, unsigned changes, bool is_admin, bool is_active)
{
    struct store_write write = {
        .kind = STORE_CHANGE_USER,
        .changes = changes,
        .user = {.id = id, .is_admin = is_admin, .is_active = is_active},
    };
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
}

static void assert_bob_is_untouched(void)
{
    struct user user;
    assert_int_equal(user_store_find_by_id(store, bob, &user), STORE_OK);
    assert_false(user.is_admin);
    assert_true(has_session(store, bob, "bobs"));
    assert_int_equal(status_of(store).user_count, 2);
}

static void a_write_in_the_name_of_an_ended_session_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, bob, "bobs"), STORE_OK);
    assert_int_equal(open_session(store, ada, "adas"), STORE_OK);
    for (size_t i = 0; i < ASKED_KINDS; i++) {
        const struct store_write write = asked_write(asked_kinds[i]);
        assert_int_equal(write_as(write, ada, "never", false), STORE_ACTOR_GONE);
        assert_int_equal(write_as(write, bob, "adas", false), STORE_ACTOR_GONE); /* another one's */
    }
    assert_int_equal(end_session(store, ada, "adas"), STORE_OK);
    for (size_t i = 0; i < ASKED_KINDS; i++)
        assert_int_equal(write_as(asked_write(asked_kinds[i]), ada, "adas", false), STORE_ACTOR_GONE);
    assert_bob_is_untouched();
}

static void an_administrators_write_needs_one_who_still_is(void **state)
{
    (void)state;
    uint64_t root;
    assert_int_equal(create_user(store, "root", true, &root), STORE_OK); /* the last one must stay */
    struct store_write deletion = {.kind = STORE_DELETE_USER, .user = {.id = root}};
    assert_int_equal(open_session(store, bob, "bobs"), STORE_OK);
    assert_int_equal(open_session(store, ada, "adas"), STORE_OK);
    set_user(ada, STORE_SET_ADMIN, true, true);
    set_user(root, STORE_SET_ADMIN, false, true);
    assert_int_equal(write_as(deletion, ada, "adas", true), STORE_OK);
    assert_int_equal(create_user(store, "root2", true, &root), STORE_OK);
    set_user(ada, STORE_SET_ADMIN, false, true);
    for (size_t i = 0; i < ASKED_KINDS; i++)
        assert_int_equal(write_as(asked_write(asked_kinds[i]), ada, "adas", true), STORE_ACTOR_NO_ADMIN);
    set_user(root, STORE_SET_ADMIN, true, true);
    deletion.user.id = root;
    set_user(ada, STORE_SET_ADMIN, true, true);
    assert_int_equal(write_as(deletion, ada, "adas", true), STORE_OK);
    assert_bob_is_untouched();
}

static void an_actor_may_write_for_as_long_as_the_session_lives(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, bob, "bobs"), STORE_OK);
    assert_int_equal(open_session(store, ada, "adas"), STORE_OK);
    set_user(ada, STORE_SET_ADMIN, true, true); /* or bob would become the last one, who stays */
    for (size_t i = 0; i < ASKED_KINDS; i++)
        assert_int_equal(write_as(asked_write(asked_kinds[i]), ada, "adas", false), STORE_OK);
}

int session_contract_run(const struct store_maker *store_maker)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)
    const struct CMUnitTest claims[] = {
        CLAIM(a_login_verified_before_its_password_was_changed_opens_no_session),
        CLAIM(an_opened_session_is_found_as_it_was_given),
        CLAIM(a_session_is_its_users_alone),
        CLAIM(what_is_no_session_is_not_found_and_leaves_out_untouched),
        CLAIM(no_session_is_opened_for_who_is_gone_or_inactive),
        CLAIM(an_id_in_use_is_a_conflict),
        CLAIM(an_expired_session_is_gone_to_every_call),
        CLAIM(a_refresh_spends_its_token_and_keeps_the_pair_that_replaces_it),
        CLAIM(a_token_spent_a_moment_ago_brings_its_successor_again_and_changes_nothing),
        CLAIM(a_token_spent_longer_ago_than_the_window_ends_the_session),
        CLAIM(a_token_whose_successor_is_spent_too_ends_the_session),
        CLAIM(a_token_that_was_never_the_sessions_ends_it),
        CLAIM(an_empty_token_is_not_the_one_spent_before_the_first_refresh),
        CLAIM(a_refresh_puts_the_idle_end_off_and_never_the_absolute_one),
        CLAIM(an_ended_session_is_gone_and_told_as_it_was),
        CLAIM(the_oldest_sessions_beyond_the_most_allowed_end),
        CLAIM(expired_sessions_take_no_place_among_those_allowed),
        CLAIM(a_write_in_the_name_of_an_ended_session_changes_nothing),
        CLAIM(an_administrators_write_needs_one_who_still_is),
        CLAIM(an_actor_may_write_for_as_long_as_the_session_lives),
        CLAIM(sessions_are_listed_by_login_oldest_first_up_to_the_limit),
    };
#undef CLAIM
    maker = store_maker;
    char name[64];
    snprintf(name, sizeof(name), "%s: sessions", store_maker->name);
    return cmocka_run_group_tests_name(name, claims, NULL, NULL);
}
