// links: message/greeting.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "message/greeting.h"

static void an_administrator_is_told_of_full_access(void **state)
{
    (void)state;
    assert_string_equal(greeting_for(true, true), "Welcome, Admin! You have full access.");
}

static void any_other_user_is_told_of_limited_access(void **state)
{
    (void)state;
    assert_string_equal(greeting_for(true, false), "Welcome, Authenticated user! Limited access.");
}

static void one_who_is_not_valid_is_denied_even_as_administrator(void **state)
{
    (void)state;
    assert_string_equal(greeting_for(false, false), "Access denied. Invalid user.");
    assert_string_equal(greeting_for(false, true), "Access denied. Invalid user.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_administrator_is_told_of_full_access),
        cmocka_unit_test(any_other_user_is_told_of_limited_access),
        cmocka_unit_test(one_who_is_not_valid_is_denied_even_as_administrator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
