// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include "tests/contract/store_contract.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/store_support.h"

static const struct store_maker *maker;
static struct user_store *store;

static int open_store(void **state)
{
    (void)state;
    store = maker->make();
    return store == NULL;
}

static int close_store(void **state)
{
    (void)state;
    maker->unmake(store);
    return 0;
}

static struct user find_id(uint64_t id)
{
    struct user user;
    assert_int_equal(user_store_find_by_id(store, id, &user), STORE_OK);
    return user;
}

static void a_created_user_is_found_by_id_name_and_email(void **state)
{
    (void)state;
    struct store_write write = creation_of("Ada", true);
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_int_equal(write.user.id, 1);
    assert_true(write.user.created_at_us > 1600000000000000);
    assert_int_equal(write.user.updated_at_us, write.user.created_at_us);
    assert_int_equal(write.user.deactivated_at_us, 0);
    struct user found[3];
    assert_int_equal(user_store_find_by_id(store, 1, &found[0]), STORE_OK);
    assert_int_equal(user_store_find_by_username(store, "Ada", 3, &found[1]), STORE_OK);
    assert_int_equal(user_store_find_by_email(store, "Ada@example.org", 15, &found[2]), STORE_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(found[i].id, 1);
        assert_string_equal(found[i].username, "Ada");
        assert_string_equal(found[i].email, "Ada@example.org");
        assert_string_equal(found[i].password_hash, "$y$Ada");
        assert_string_equal(found[i].password_method, "yescrypt");
        assert_true(found[i].is_admin && found[i].is_active);
        assert_int_equal(found[i].created_at_us, write.user.created_at_us);
    }
}

static void names_and_emails_are_found_in_any_ascii_case_and_keep_their_spelling(void **state)
{
    (void)state;
    struct user user;
    assert_int_equal(create_user(store, "GrÉta", false, NULL), STORE_OK);
    assert_int_equal(user_store_find_by_username(store, "gRÉTA", strlen("gRÉTA"), &user), STORE_OK);
    assert_string_equal(user.username, "GrÉta");
    assert_int_equal(user_store_find_by_username(store, "gréta", strlen("gréta"), &user), STORE_NOT_FOUND);
    const char *email = "gRÉTA@EXAMPLE.org";
    assert_int_equal(user_store_find_by_email(store, email, strlen(email), &user), STORE_OK);
}

static void a_name_is_matched_whole_and_not_as_an_email(void **state)
{
    (void)state;
    struct user user;
    assert_int_equal(create_user(store, "walter", false, NULL), STORE_OK);
    assert_int_equal(user_store_find_by_username(store, "walt", 4, &user), STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_username(store, "walters", 7, &user), STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_username(store, "walter@example.org", 18, &user), STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_email(store, "walter", 6, &user), STORE_NOT_FOUND);
}

static void unknown_users_are_not_found_and_leave_out_untouched(void **state)
{
    (void)state;
    struct user user;
    struct user before;
    memset(&user, 0x5a, sizeof(user));
    memcpy(&before, &user, sizeof(before));
    static char long_text[100000];
    memset(long_text, 'a', sizeof(long_text));
    assert_int_equal(user_store_find_by_id(store, 0, &user), STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_id(store, 1, &user), STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_id(store, UINT64_MAX, &user), STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_username(store, "", 0, &user), STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_username(store, "a\0b", 3, &user), STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_username(store, long_text, 256, &user), STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_username(store, long_text, 257, &user), STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_username(store, long_text, sizeof(long_text), &user),
                     STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_email(store, long_text, 254, &user), STORE_NOT_FOUND);
    assert_int_equal(user_store_find_by_email(store, long_text, 255, &user), STORE_NOT_FOUND);
    assert_memory_equal(&user, &before, sizeof(user));
}

static void the_longest_texts_are_kept_whole(void **state)
{
    (void)state;
    struct store_write write = creation_of("x", false);
    memset(write.user.username, 'U', USER_NAME_MAX_BYTES);
    memset(write.user.email, 'E', USER_EMAIL_MAX_BYTES);
    memset(write.user.password_hash, 'H', USER_HASH_MAX_BYTES);
    memset(write.user.password_method, 'M', USER_METHOD_MAX_BYTES);
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    struct user user = find_id(write.user.id);
    assert_string_equal(user.username, write.user.username);
    assert_int_equal(strlen(user.username), USER_NAME_MAX_BYTES);
    assert_int_equal(strlen(user.email), USER_EMAIL_MAX_BYTES);
    assert_int_equal(strlen(user.password_hash), USER_HASH_MAX_BYTES);
    assert_int_equal(strlen(user.password_method), USER_METHOD_MAX_BYTES);
}

static void a_taken_name_is_told_before_a_taken_email(void **state)
{
    (void)state;
    assert_int_equal(create_user(store, "ada", false, NULL), STORE_OK);
    assert_int_equal(create_user(store, "ADA", false, NULL), STORE_USERNAME_TAKEN);
    struct store_write write = creation_of("other", false);
    snprintf(write.user.email, sizeof(write.user.email), "ADA@Example.ORG");
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_EMAIL_TAKEN);
    assert_false(has_user(store, "other"));
    assert_int_equal(status_of(store).user_count, 1);
}

static void the_first_administrator_rule_is_told_before_all_others(void **state)
{
    (void)state;
    struct store_write write = creation_of("root", true);
    write.first_admin_only = true;
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    struct store_write again = creation_of("root", true);
    again.first_admin_only = true;
    assert_int_equal(user_store_write_and_wait(store, &again), STORE_NOT_FIRST_ADMIN);
    struct store_write normal = creation_of("normal", false);
    normal.first_admin_only = true;
    assert_int_equal(user_store_write_and_wait(store, &normal), STORE_OK);
    assert_int_equal(create_user(store, "second", true, NULL), STORE_OK);
}

static void had_admin_is_set_by_any_way_and_never_cleared(void **state)
{
    (void)state;
    uint64_t first = 0;
    uint64_t second = 0;
    assert_int_equal(create_user(store, "first", false, &first), STORE_OK);
    assert_false(status_of(store).had_admin);
    assert_int_equal(set_admin(store, first, true), STORE_OK);
    assert_true(status_of(store).had_admin);
    assert_int_equal(create_user(store, "second", true, &second), STORE_OK);
    assert_int_equal(delete_user(store, first), STORE_OK);
    struct store_write write = creation_of("late", true);
    write.first_admin_only = true;
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_NOT_FIRST_ADMIN);
    assert_true(status_of(store).had_admin);
}

static void the_last_active_administrator_is_neither_demoted_deactivated_nor_deleted(void **state)
{
    (void)state;
    uint64_t id = 0;
    uint64_t other = 0;
    assert_int_equal(create_user(store, "admin", true, &id), STORE_OK);
    assert_int_equal(create_user(store, "sleeper", true, &other), STORE_OK);
    assert_int_equal(set_active(store, other, false), STORE_OK);
    assert_int_equal(status_of(store).active_admin_count, 1);
    assert_int_equal(set_admin(store, id, false), STORE_LAST_ADMIN);
    assert_int_equal(set_active(store, id, false), STORE_LAST_ADMIN);
    assert_int_equal(delete_user(store, id), STORE_LAST_ADMIN);
    struct user user = find_id(id);
    assert_true(user.is_admin && user.is_active);
    assert_int_equal(set_admin(store, id, true), STORE_OK);
    assert_int_equal(set_active(store, other, true), STORE_OK);
    assert_int_equal(status_of(store).active_admin_count, 2);
    assert_int_equal(set_admin(store, id, false), STORE_OK);
    assert_int_equal(delete_user(store, id), STORE_OK);
    assert_int_equal(delete_user(store, other), STORE_LAST_ADMIN);
    assert_int_equal(status_of(store).active_admin_count, 1);
}

static void an_inactive_administrator_can_be_deleted(void **state)
{
    (void)state;
    uint64_t id = 0;
    assert_int_equal(create_user(store, "admin", true, NULL), STORE_OK);
    assert_int_equal(create_user(store, "sleeper", true, &id), STORE_OK);
    assert_int_equal(set_active(store, id, false), STORE_OK);
    assert_int_equal(delete_user(store, id), STORE_OK);
    assert_int_equal(status_of(store).active_admin_count, 1);
}

static void a_change_sets_only_the_fields_it_names(void **state)
{
    (void)state;
    uint64_t id = 0;
    assert_int_equal(create_user(store, "ada", false, &id), STORE_OK);
    struct user created = find_id(id);
    assert_int_equal(set_admin(store, id, true), STORE_OK);
    struct user user = find_id(id);
    assert_true(user.is_admin && user.is_active);
    assert_string_equal(user.password_hash, "$y$ada");
    assert_true(user.updated_at_us >= created.updated_at_us);
    assert_int_equal(user.created_at_us, created.created_at_us);
    assert_int_equal(set_password(store, id, "$2b$new", "bcrypt"), STORE_OK);
    user = find_id(id);
    assert_true(user.is_admin && user.is_active);
    assert_string_equal(user.password_hash, "$2b$new");
    assert_string_equal(user.password_method, "bcrypt");
    assert_string_equal(user.username, "ada");
}

static void deactivation_is_dated_once_and_ends_with_activation(void **state)
{
    (void)state;
    uint64_t id = 0;
    assert_int_equal(create_user(store, "ada", false, &id), STORE_OK);
    assert_int_equal(set_active(store, id, false), STORE_OK);
    struct user user = find_id(id);
    int64_t at_us = user.deactivated_at_us;
    assert_false(user.is_active);
    assert_true(at_us >= user.created_at_us && at_us == user.updated_at_us);
    assert_int_equal(set_active(store, id, false), STORE_OK);
    user = find_id(id);
    assert_int_equal(user.deactivated_at_us, at_us);
    assert_int_equal(set_active(store, id, true), STORE_OK);
    user = find_id(id);
    assert_true(user.is_active);
    assert_int_equal(user.deactivated_at_us, 0);
}

static void a_hash_is_renewed_only_while_it_is_the_expected_one(void **state)
{
    (void)state;
    uint64_t id = 0;
    assert_int_equal(create_user(store, "ada", false, &id), STORE_OK);
    struct user before = find_id(id);
    assert_int_equal(renew_hash(store, id, "$y$ad", "$y$new", "yescrypt"), STORE_CONFLICT);
    assert_string_equal(find_id(id).password_hash, "$y$ada");
    assert_int_equal(renew_hash(store, id, "$y$ada", "$y$new", "yescrypt/12"), STORE_OK);
    struct user user = find_id(id);
    assert_string_equal(user.password_hash, "$y$new");
    assert_string_equal(user.password_method, "yescrypt/12");
    assert_int_equal(user.updated_at_us, before.updated_at_us);
    assert_int_equal(renew_hash(store, id, "$y$ada", "$y$x", "yescrypt"), STORE_CONFLICT);
    assert_int_equal(renew_hash(store, id + 1, "$y$ada", "$y$x", "yescrypt"), STORE_NOT_FOUND);
}

static void a_deleted_user_is_gone_and_its_name_and_email_are_free(void **state)
{
    (void)state;
    uint64_t id = 0;
    struct user user;
    assert_int_equal(create_user(store, "ada", false, &id), STORE_OK);
    struct store_write write = {.kind = STORE_DELETE_USER, .user = {.id = id}};
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_string_equal(write.user.username, "ada");
    assert_int_equal(user_store_find_by_id(store, id, &user), STORE_NOT_FOUND);
    assert_false(has_user(store, "ada"));
    assert_int_equal(user_store_find_by_email(store, "ada@example.org", 15, &user), STORE_NOT_FOUND);
    assert_int_equal(status_of(store).user_count, 0);
    uint64_t again = 0;
    assert_int_equal(create_user(store, "ada", false, &again), STORE_OK);
    assert_int_equal(again, id + 1);
}

static void writes_to_users_that_are_not_there_are_not_found(void **state)
{
    (void)state;
    assert_int_equal(set_admin(store, 7, true), STORE_NOT_FOUND);
    assert_int_equal(delete_user(store, 7), STORE_NOT_FOUND);
    assert_int_equal(delete_user(store, 0), STORE_NOT_FOUND);
    assert_false(status_of(store).had_admin);
}

static void lists_go_on_after_an_id_in_ascending_order(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof(name), "user%d", i);
        assert_int_equal(create_user(store, name, false, NULL), STORE_OK);
    }
    assert_int_equal(delete_user(store, 257), STORE_OK);
    static struct user page[100];
    uint64_t after = 0;
    uint64_t next_after = 0;
    size_t count = 0;
    size_t seen = 0;
    do {
        assert_int_equal(user_store_list(store, NULL, after, 100, page, &count, &next_after), STORE_OK);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(page[i].id, after + (after == 256 ? 2 : 1));
            after = page[i].id;
        }
        seen += count;
    } while (count > 0);
    assert_int_equal(seen, 299);
    assert_int_equal(user_store_list(store, NULL, 0, 0, NULL, &count, &next_after), STORE_OK);
    assert_int_equal(count, 0);
    assert_int_equal(user_store_list(store, NULL, UINT64_MAX, 1, page, &count, &next_after), STORE_OK);
    assert_int_equal(count, 0);
}

struct tally {
    uint64_t yescrypt;
    uint64_t bcrypt;
    unsigned calls;
};

static void add_to_tally(void *context, const char *method, uint64_t users)
{
    struct tally *tally = context;
    tally->calls++;
    tally->yescrypt += strcmp(method, "yescrypt") == 0 ? users : 0;
    tally->bcrypt += strcmp(method, "bcrypt") == 0 ? users : 0;
    assert_true(status_of(store).healthy); /* `each` may call the store */
}

static struct tally count_methods(void)
{
    struct tally tally = {0};
    assert_int_equal(user_store_methods(store, add_to_tally, &tally), STORE_OK);
    return tally;
}

static void methods_are_counted_through_every_kind_of_write(void **state)
{
    (void)state;
    uint64_t ada = 0;
    uint64_t bob = 0;
    assert_int_equal(count_methods().calls, 0);
    assert_int_equal(create_user(store, "ada", false, &ada), STORE_OK);
    assert_int_equal(create_user(store, "bob", false, &bob), STORE_OK);
    assert_int_equal(count_methods().yescrypt, 2);
    assert_int_equal(set_password(store, ada, "$2b$", "bcrypt"), STORE_OK);
    assert_int_equal(count_methods().yescrypt, 1);
    assert_int_equal(count_methods().bcrypt, 1);
    assert_int_equal(renew_hash(store, bob, "$y$bob", "$2b$b", "bcrypt"), STORE_OK);
    assert_int_equal(count_methods().bcrypt, 2);
    assert_int_equal(count_methods().calls, 1);
    assert_int_equal(delete_user(store, ada), STORE_OK);
    assert_int_equal(delete_user(store, bob), STORE_OK);
    assert_int_equal(count_methods().calls, 0);
}

static void a_refused_write_leaves_its_user_as_it_was(void **state)
{
    (void)state;
    assert_int_equal(create_user(store, "ada", false, NULL), STORE_OK);
    struct store_write write = creation_of("ADA", true);
    struct user before = write.user;
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_USERNAME_TAKEN);
    assert_int_equal(write.user.id, 0);
    assert_string_equal(write.user.username, before.username);
    assert_false(status_of(store).had_admin);
}

static void a_store_says_that_its_reads_do_not_wait(void **state)
{
    (void)state;
    assert_false(user_store_is_blocking(store));
    assert_true(status_of(store).healthy);
    double used = status_of(store).used_fraction;
    assert_true(used >= 0.0 && used < 1.0);
}

int store_contract_run(const struct store_maker *store_maker)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)
    const struct CMUnitTest claims[] = {
        CLAIM(a_created_user_is_found_by_id_name_and_email),
        CLAIM(names_and_emails_are_found_in_any_ascii_case_and_keep_their_spelling),
        CLAIM(a_name_is_matched_whole_and_not_as_an_email),
        CLAIM(unknown_users_are_not_found_and_leave_out_untouched),
        CLAIM(the_longest_texts_are_kept_whole),
        CLAIM(a_taken_name_is_told_before_a_taken_email),
        CLAIM(the_first_administrator_rule_is_told_before_all_others),
        CLAIM(had_admin_is_set_by_any_way_and_never_cleared),
        CLAIM(the_last_active_administrator_is_neither_demoted_deactivated_nor_deleted),
        CLAIM(an_inactive_administrator_can_be_deleted),
        CLAIM(a_change_sets_only_the_fields_it_names),
        CLAIM(deactivation_is_dated_once_and_ends_with_activation),
        CLAIM(a_hash_is_renewed_only_while_it_is_the_expected_one),
        CLAIM(a_deleted_user_is_gone_and_its_name_and_email_are_free),
        CLAIM(writes_to_users_that_are_not_there_are_not_found),
        CLAIM(lists_go_on_after_an_id_in_ascending_order),
        CLAIM(methods_are_counted_through_every_kind_of_write),
        CLAIM(a_refused_write_leaves_its_user_as_it_was),
        CLAIM(a_store_says_that_its_reads_do_not_wait),
    };
#undef CLAIM
    maker = store_maker;
    return cmocka_run_group_tests_name(store_maker->name, claims, NULL, NULL);
}
