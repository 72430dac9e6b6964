// links: core/address_slot.c core/memory.c
// libs: pthread
// tsan
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>

#include "core/address_slot.h"

static struct address_slot *take(const char *text, uint64_t max)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&address;

    if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1)
        ipv4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1)
        ipv6->sin6_family = AF_INET6;
    else
        fail_msg("%s is no address", text);
    return address_slot_take((struct sockaddr *)&address, max);
}

static void an_address_gets_no_more_than_its_share(void **state)
{
    (void)state;
    struct address_slot *first = take("192.0.2.1", 2);
    struct address_slot *second = take("192.0.2.1", 2);

    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_null(take("192.0.2.1", 2));
    struct address_slot *other = take("192.0.2.2", 2);
    assert_non_null(other);

    address_slot_release(first);
    assert_non_null(take("192.0.2.1", 2));
    address_slot_release(second);
    address_slot_release(second);
    address_slot_release(other);
    address_slot_release(NULL);
}

static void ipv6_counts_by_64_bits(void **state)
{
    (void)state;
    struct address_slot *slot = take("2001:db8:1:2::1", 1);

    assert_non_null(slot);
    assert_null(take("2001:db8:1:2:ffff::9", 1));
    struct address_slot *neighbour = take("2001:db8:1:3::1", 1);
    assert_non_null(neighbour);
    address_slot_release(slot);
    address_slot_release(neighbour);
}

static void a_mapped_address_is_its_ipv4_address(void **state)
{
    (void)state;
    struct address_slot *slot = take("::ffff:192.0.2.7", 1);

    assert_non_null(slot);
    assert_null(take("192.0.2.7", 1));
    struct address_slot *other = take("::ffff:192.0.2.8", 1);
    assert_non_null(other);
    address_slot_release(slot);
    address_slot_release(other);
}

static void what_has_no_address_shares_a_slot(void **state)
{
    const struct sockaddr local = {.sa_family = AF_UNIX};

    (void)state;
    struct address_slot *slot = address_slot_take(&local, 1);
    assert_non_null(slot);
    assert_null(address_slot_take(&local, 1));
    address_slot_release(slot);
}

static void *take_and_release(void *argument)
{
    (void)argument;
    for (int i = 0; i < 20000; i++) {
        struct address_slot *slot = take(i % 2 == 0 ? "198.51.100.1" : "198.51.100.2", 2);
        if (slot != NULL)
            address_slot_release(slot);
    }
    return NULL;
}

static void loops_count_together(void **state)
{
    pthread_t threads[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_release, NULL), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    struct address_slot *slot = take("198.51.100.1", 1); /* all were given back */
    assert_non_null(slot);
    address_slot_release(slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_gets_no_more_than_its_share),
        cmocka_unit_test(ipv6_counts_by_64_bits),
        cmocka_unit_test(a_mapped_address_is_its_ipv4_address),
        cmocka_unit_test(what_has_no_address_shares_a_slot),
        cmocka_unit_test(loops_count_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
