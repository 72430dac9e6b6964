// links: auth/token_pair.c auth/token.c auth/password.c auth/hash_memory.c auth/password_format.c
// links: core/yielder.c
// links: core/buffer.c core/memory.c
// links: core/interpose.c
// libs: jwt crypt crypto
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "auth/token_pair.h"

#define NOW_S  INT64_C(1700000000)
#define NOW_US (NOW_S * 1000000 + 123456)
#define DAY_S  INT64_C(86400)

static struct config config = {
    .access_token_expire_minutes = 30, .refresh_token_expire_days = 7, .session_idle_minutes = 60};
static struct auth auth = {.config = &config};
static const struct user user = {.id = 7, .username = "ada", .is_active = true};

static int set_up(void **state)
{
    char error[256];

    (void)state;
    return token_keys_set(&auth.keys, "a secret key of at least thirty-two bytes", NULL, error, sizeof error)
               ? 0
               : 1;
}

static struct session session_of(int64_t life_s)
{
    struct session session = {.id = "AAAAAAAAAAAAAAAAAAAAAA",
                              .user_id = 7,
                              .created_at_us = NOW_US,
                              .ends_at_us = NOW_US + life_s * 1000000};

    assert_true(token_pair_name(&session, &config, NOW_US));
    return session;
}

static struct token_claims claims_of(const char *token, enum token_use use)
{
    struct token_claims claims;

    assert_int_equal(token_verify(&auth.keys, token, strlen(token), use, NOW_S, &claims), TOKEN_VALID);
    return claims;
}

static void a_session_is_named_with_ids_times_and_its_idle_end(void **state)
{
    const struct session one = session_of(DAY_S);
    const struct session other = session_of(DAY_S);

    (void)state;
    assert_int_equal(one.issued_at_s, NOW_S);
    assert_int_equal(one.idle_ends_at_us, NOW_US + INT64_C(3600000000));
    assert_int_equal(strlen(one.access_id), SESSION_ID_LENGTH);
    assert_string_not_equal(one.access_id, one.refresh_id);
    assert_string_not_equal(one.access_id, other.access_id);
    assert_string_not_equal(one.refresh_id, other.refresh_id);
}

static void the_tokens_carry_what_the_record_says(void **state)
{
    const struct session session = session_of(30 * DAY_S);
    struct token_pair pair;

    (void)state;
    assert_true(token_pair_make(&pair, &auth, &user, &session));
    const struct token_claims access = claims_of(pair.access_token, TOKEN_ACCESS);
    const struct token_claims refresh = claims_of(pair.refresh_token, TOKEN_REFRESH);
    assert_string_equal(access.session_id, session.id);
    assert_string_equal(refresh.session_id, session.id);
    assert_string_equal(access.token_id, session.access_id);
    assert_string_equal(refresh.token_id, session.refresh_id);
    assert_string_equal(access.subject, "ada");
    assert_int_equal(access.user_id, 7);
    assert_int_equal(access.issued_at_s, NOW_S);
    assert_int_equal(access.expires_at_s, NOW_S + 1800);
    assert_int_equal(pair.access_expires_at_s, NOW_S + 1800);
    assert_int_equal(refresh.expires_at_s, NOW_S + 7 * DAY_S);
}

static void the_same_record_gives_the_same_bytes(void **state)
{
    const struct session session = session_of(DAY_S);
    struct token_pair first;
    struct token_pair second;

    (void)state;
    assert_true(token_pair_make(&first, &auth, &user, &session));
    assert_true(token_pair_make(&second, &auth, &user, &session));
    assert_string_equal(first.access_token, second.access_token);
    assert_string_equal(first.refresh_token, second.refresh_token);
}

static void no_token_outlives_its_session(void **state)
{
    const struct session session = session_of(600);
    struct token_pair pair;

    (void)state;
    assert_true(token_pair_make(&pair, &auth, &user, &session));
    assert_int_equal(claims_of(pair.access_token, TOKEN_ACCESS).expires_at_s, NOW_S + 600);
    assert_int_equal(claims_of(pair.refresh_token, TOKEN_REFRESH).expires_at_s, NOW_S + 600);
    assert_int_equal(pair.access_expires_at_s, NOW_S + 600);
}

static void expires_in_counts_from_the_time_given_and_is_never_negative(void **state)
{
    struct token_pair pair = {.access_token = "a", .refresh_token = "r", .access_expires_at_s = NOW_S + 10};
    static const struct {
        int64_t now_s;
        const char *json;
    } rows[] = {
        {NOW_S,
         "{\"token_type\":\"bearer\",\"access_token\":\"a\",\"refresh_token\":\"r\",\"expires_in\":10}"},
        {NOW_S + 9,
         "{\"token_type\":\"bearer\",\"access_token\":\"a\",\"refresh_token\":\"r\",\"expires_in\":1}"},
        {NOW_S + 11,
         "{\"token_type\":\"bearer\",\"access_token\":\"a\",\"refresh_token\":\"r\",\"expires_in\":0}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer body;
        buffer_open(&body);
        token_pair_add(&body, &pair, rows[i].now_s);
        assert_string_equal(body.at, rows[i].json);
        buffer_close(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_named_with_ids_times_and_its_idle_end),
        cmocka_unit_test(the_tokens_carry_what_the_record_says),
        cmocka_unit_test(the_same_record_gives_the_same_bytes),
        cmocka_unit_test(no_token_outlives_its_session),
        cmocka_unit_test(expires_in_counts_from_the_time_given_and_is_never_negative),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
