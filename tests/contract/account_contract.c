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

static void all_sessions_of_a_user_end_but_the_one_that_is_kept(void **state)
{
    (void)state;
    uint64_t ended = 0;
    for (int i = 0; i < 5; i++) {
        char text[16];
        snprintf(text, sizeof(text), "s%d", i);
        assert_int_equal(open_session(store, ada, text), STORE_OK);
    }
    assert_int_equal(open_session(store, bob, "bobs"), STORE_OK);
    assert_int_equal(end_user_sessions(store, ada, "s3", &ended), STORE_OK);
    assert_int_equal(ended, 4);
    assert_true(has_session(store, ada, "s3"));
    assert_false(has_session(store, ada, "s0"));
    assert_int_equal(end_user_sessions(store, ada, "bobs", &ended), STORE_OK);
    assert_int_equal(ended, 1);
    assert_true(has_session(store, bob, "bobs"));
    assert_int_equal(end_user_sessions(store, ada, "", &ended), STORE_OK);
    assert_int_equal(ended, 0);
    assert_int_equal(end_user_sessions(store, 99, "", &ended), STORE_NOT_FOUND);
    assert_int_equal(status_of(store).session_count, 1);
}

static void deactivation_ends_all_sessions_and_activation_brings_none_back(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    assert_int_equal(open_session(store, ada, "two"), STORE_OK);
    assert_int_equal(open_session(store, bob, "bobs"), STORE_OK);
    struct store_write write = {.kind = STORE_CHANGE_USER, .changes = STORE_SET_ACTIVE, .user = {.id = ada}};
    id_make(write.keep_session, "one"); /* of no account: none may stay */
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_int_equal(write.ended_count, 2);
    assert_int_equal(set_active(store, ada, true), STORE_OK);
    assert_false(has_session(store, ada, "one") || has_session(store, ada, "two"));
    assert_true(has_session(store, bob, "bobs"));
}

static void a_role_or_a_renewed_hash_ends_no_session(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    assert_int_equal(set_admin(store, ada, true), STORE_OK);
    assert_int_equal(set_active(store, ada, true), STORE_OK);
    assert_int_equal(renew_hash(store, ada, "$y$ada", "$y$new", "yescrypt"), STORE_OK);
    assert_true(has_session(store, ada, "one"));
}

static void a_deleted_users_sessions_end_with_it(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    assert_int_equal(open_session(store, bob, "bobs"), STORE_OK);
    struct store_write write = {.kind = STORE_DELETE_USER, .user = {.id = ada}};
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_int_equal(write.ended_count, 1);
    assert_false(has_session(store, ada, "one"));
    assert_true(has_session(store, bob, "bobs"));
    assert_int_equal(status_of(store).session_count, 1);
}

static void a_refused_deletion_or_deactivation_ends_no_session(void **state)
{
    (void)state;
    assert_int_equal(set_admin(store, ada, true), STORE_OK);
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    assert_int_equal(delete_user(store, ada), STORE_LAST_ADMIN);
    assert_int_equal(set_active(store, ada, false), STORE_LAST_ADMIN);
    assert_true(has_session(store, ada, "one"));
}

static struct store_write password_change(const char *expected, const char *keep)
{
    struct store_write write = {
        .kind = STORE_CHANGE_USER, .changes = STORE_SET_PASSWORD, .user = {.id = ada}};
    snprintf(write.expected_hash, sizeof(write.expected_hash), "%s", expected);
    snprintf(write.user.password_hash, sizeof(write.user.password_hash), "$y$new");
    snprintf(write.user.password_method, sizeof(write.user.password_method), "yescrypt");
    if (keep[0] != '\0')
        id_make(write.keep_session, keep);
    return write;
}

static void a_new_password_ends_all_sessions_but_the_one_that_is_kept(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    assert_int_equal(open_session(store, ada, "two"), STORE_OK);
    struct store_write write = password_change("$y$ada", "two");
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_int_equal(write.ended_count, 1);
    assert_true(has_session(store, ada, "two"));
    assert_false(has_session(store, ada, "one"));
    write = password_change("", "");
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_OK);
    assert_int_equal(write.ended_count, 1);
    assert_int_equal(status_of(store).session_count, 0);
}

static void a_password_is_not_set_over_one_that_changed_meanwhile(void **state)
{
    (void)state;
    assert_int_equal(open_session(store, ada, "one"), STORE_OK);
    struct store_write write = password_change("$y$other", "");
    assert_int_equal(user_store_write_and_wait(store, &write), STORE_CONFLICT);
    assert_true(has_session(store, ada, "one"));
    struct user user;
    assert_int_equal(user_store_find_by_id(store, ada, &user), STORE_OK);
    assert_string_equal(user.password_hash, "$y$ada");
}

static enum store_outcome open_from(uint64_t user_id, const char *text, const char *network)
{
    struct store_write write = opening_of(user_id, text);
    snprintf(write.network, sizeof(write.network), "%s", network);
    return user_store_write_and_wait(store, &write);
}

static void networks_are_remembered_by_user_beyond_the_session(void **state)
{
    (void)state;
    char longest[NETWORK_MAX_BYTES + 1];
    memset(longest, '2', NETWORK_MAX_BYTES);
    longest[NETWORK_MAX_BYTES] = '\0';
    assert_int_equal(user_store_knows_network(store, ada, "192.0.2.7/32"), STORE_NOT_FOUND);
    assert_int_equal(open_from(ada, "one", "192.0.2.7/32"), STORE_OK);
    assert_int_equal(open_from(ada, "two", "192.0.2.7/32"), STORE_OK);
    assert_int_equal(open_from(ada, "three", longest), STORE_OK);
    assert_int_equal(open_from(ada, "four", ""), STORE_OK);
    assert_int_equal(end_session(store, ada, "one"), STORE_OK);
    assert_int_equal(user_store_knows_network(store, ada, "192.0.2.7/32"), STORE_OK);
    assert_int_equal(user_store_knows_network(store, ada, longest), STORE_OK);
    assert_int_equal(user_store_knows_network(store, ada, "192.0.2.7/3"), STORE_NOT_FOUND);
    assert_int_equal(user_store_knows_network(store, ada, "192.0.2.7/324"), STORE_NOT_FOUND);
    assert_int_equal(user_store_knows_network(store, ada, ""), STORE_NOT_FOUND);
    assert_int_equal(user_store_knows_network(store, bob, "192.0.2.7/32"), STORE_NOT_FOUND);
    assert_int_equal(open_from(99, "five", "198.51.100.1/32"), STORE_NOT_FOUND);
    assert_int_equal(user_store_knows_network(store, 99, "198.51.100.1/32"), STORE_NOT_FOUND);
    assert_int_equal(delete_user(store, ada), STORE_OK);
    assert_int_equal(user_store_knows_network(store, ada, "192.0.2.7/32"), STORE_NOT_FOUND);
}

static void of_many_networks_those_used_last_are_remembered(void **state)
{
    (void)state;
    char text[16];
    char network[32];
    assert_int_equal(open_from(bob, "bobs", "10.0.0.0/32"), STORE_OK);
    for (int i = 0; i < STORE_USER_NETWORKS_MAX + 5; i++) {
        snprintf(text, sizeof(text), "s%d", i);
        snprintf(network, sizeof(network), "10.0.0.%d/32", i);
        assert_int_equal(open_from(ada, text, network), STORE_OK);
    }
    for (int i = 0; i < STORE_USER_NETWORKS_MAX + 5; i++) {
        snprintf(network, sizeof(network), "10.0.0.%d/32", i);
        assert_int_equal(user_store_knows_network(store, ada, network), i < 5 ? STORE_NOT_FOUND : STORE_OK);
    }
    assert_int_equal(user_store_knows_network(store, bob, "10.0.0.0/32"), STORE_OK);
}

static enum store_outcome keep_blob(const char *name, const void *bytes, size_t length)
{
    struct store_write write = {
        .kind = STORE_KEEP_BLOB, .blob_name = name, .blob = bytes, .blob_length = length};
    return user_store_write_and_wait(store, &write);
}

static void assert_blob(const char *name, const unsigned char *bytes, size_t length)
{
    unsigned char *found = malloc(length);
    size_t found_length = 0;
    assert_non_null(found);
    assert_int_equal(user_store_read_blob(store, name, found, length, &found_length), STORE_OK);
    assert_int_equal(found_length, length);
    assert_memory_equal(found, bytes, length);
    free(found);
}

static void a_blob_is_kept_whole_replaced_and_forgotten(void **state)
{
    (void)state;
    static unsigned char bytes[STORE_BLOB_MAX_BYTES];
    static const size_t lengths[] = {1, 1900, 1901, STORE_BLOB_MAX_BYTES, 5000, 3800, 30};
    unsigned seed = 3;
    size_t length = 9;
    unsigned char byte = 7;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)rand_r(&seed);
    assert_int_equal(user_store_read_blob(store, "table", bytes, 1, &length), STORE_NOT_FOUND);
    assert_int_equal(keep_blob("table2", "x", 1), STORE_OK);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_int_equal(keep_blob("table", bytes + i, lengths[i] - i), STORE_OK);
        assert_blob("table", bytes + i, lengths[i] - i);
        bytes[0]++;
    }
    assert_int_equal(keep_blob("table", bytes, 2), STORE_OK);
    assert_int_equal(user_store_read_blob(store, "table", &byte, 1, &length), STORE_FULL);
    assert_int_equal(length, 2);
    assert_int_equal(byte, 7);
    assert_int_equal(keep_blob("table", NULL, 0), STORE_OK);
    assert_int_equal(user_store_read_blob(store, "table", &byte, 1, &length), STORE_NOT_FOUND);
    assert_blob("table2", (const unsigned char *)"x", 1);
}

/* Users 3 to 12; those with an even id are administrators, those divisible by 3 inactive. */
static void create_ten(void)
{
    for (int i = 3; i <= 12; i++) {
        char name[16];
        uint64_t id = 0;
        snprintf(name, sizeof(name), "user%d", i);
        assert_int_equal(create_user(store, name, i % 2 == 0, &id), STORE_OK);
        assert_int_equal(id, i);
        if (i % 3 == 0)
            assert_int_equal(set_active(store, id, false), STORE_OK);
    }
}

static void assert_listed(const struct user_filter *filter, uint64_t after, size_t limit,
                          const char *expected)
{
    struct user page[16];
    size_t count = 0;
    uint64_t next_after = 0;
    char text[64] = "";
    assert_int_equal(user_store_list(store, filter, after, limit, page, &count, &next_after), STORE_OK);
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d ", (int)page[i].id);
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "> %d", (int)next_after);
    assert_string_equal(text, expected);
}

static void a_listing_is_narrowed_by_its_filter_and_says_where_to_go_on(void **state)
{
    (void)state;
    create_ten();
    struct user_filter filter = {0};
    assert_listed(NULL, 0, 3, "1 2 3 > 3");
    assert_listed(&filter, 9, 3, "10 11 12 > 0");
    assert_listed(&filter, 9, 2, "10 11 > 11");
    assert_listed(&filter, 12, 2, "> 0");
    filter.is_admin = USER_WANTED_YES;
    assert_listed(&filter, 0, 16, "4 6 8 10 12 > 0");
    assert_listed(&filter, 0, 2, "4 6 > 6");
    filter.is_active = USER_WANTED_NO;
    assert_listed(&filter, 0, 16, "6 12 > 0");
    filter.is_admin = USER_WANTED_NO;
    assert_listed(&filter, 0, 16, "3 9 > 0");
    filter.is_active = USER_WANTED_YES;
    assert_listed(&filter, 4, 16, "5 7 11 > 0");
}

static void a_listing_by_name_finds_the_one_user_in_any_ascii_case(void **state)
{
    (void)state;
    create_ten();
    struct user_filter filter = {.username = "USER4"};
    assert_listed(&filter, 0, 16, "4 > 0");
    assert_listed(&filter, 3, 1, "4 > 0");
    assert_listed(&filter, 4, 1, "> 0");
    filter.is_admin = USER_WANTED_NO;
    assert_listed(&filter, 0, 16, "> 0");
    filter = (struct user_filter){.username = "user"};
    assert_listed(&filter, 0, 16, "> 0");
    filter.username = "";
    assert_listed(&filter, 0, 16, "> 0");
}

int account_contract_run(const struct store_maker *store_maker)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)
    const struct CMUnitTest claims[] = {
        CLAIM(all_sessions_of_a_user_end_but_the_one_that_is_kept),
        CLAIM(deactivation_ends_all_sessions_and_activation_brings_none_back),
        CLAIM(a_role_or_a_renewed_hash_ends_no_session),
        CLAIM(a_deleted_users_sessions_end_with_it),
        CLAIM(a_refused_deletion_or_deactivation_ends_no_session),
        CLAIM(a_new_password_ends_all_sessions_but_the_one_that_is_kept),
        CLAIM(a_password_is_not_set_over_one_that_changed_meanwhile),
        CLAIM(networks_are_remembered_by_user_beyond_the_session),
        CLAIM(of_many_networks_those_used_last_are_remembered),
        CLAIM(a_blob_is_kept_whole_replaced_and_forgotten),
        CLAIM(a_listing_is_narrowed_by_its_filter_and_says_where_to_go_on),
        CLAIM(a_listing_by_name_finds_the_one_user_in_any_ascii_case),
    };
#undef CLAIM
    maker = store_maker;
    char name[64];
    snprintf(name, sizeof(name), "%s: accounts, networks, blobs, filters", store_maker->name);
    return cmocka_run_group_tests_name(name, claims, NULL, NULL);
}
