// links: auth/hash_memory.c auth/password.c auth/password_format.c
// links: core/yielder.c
// links: core/interpose.c
// libs: crypt crypto
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "auth/hash_memory.h"
#include "auth/password.h"

#define MIB ((size_t)1024 * 1024)

static struct hash_memory memory;

static void *take(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

    assert_ptr_not_equal(at, MAP_FAILED);
    return at;
}

static bool is_mapped(void *at)
{
    unsigned char resident;

    return mincore(at, 1, &resident) == 0 || errno != ENOMEM;
}

static int use_memory(void **state)
{
    (void)state;
    hash_memory_use(&memory);
    return 0;
}

static int rest_memory(void **state)
{
    (void)state;
    hash_memory_use(NULL);
    hash_memory_rest(&memory);
    return 0;
}

static void what_a_hash_gives_back_is_handed_to_the_next(void **state)
{
    char *first = take(16 * MIB);

    (void)state;
    memset(first, 1, 16 * MIB);
    assert_int_equal(munmap(first, 16 * MIB), 0);
    assert_true(is_mapped(first));
    assert_ptr_equal(take(16 * MIB), first);
    void *second = take(16 * MIB);
    assert_ptr_not_equal(second, first);
    assert_int_equal(munmap(second, 16 * MIB), 0);
    assert_int_equal(munmap(first, 16 * MIB), 0); /* one is kept, not two */
    assert_true(is_mapped(first));
    assert_false(is_mapped(second));
}

static void another_size_or_kind_is_not_what_is_kept(void **state)
{
    void *kept = take(16 * MIB);

    (void)state;
    assert_int_equal(munmap(kept, 16 * MIB), 0);
    void *other = take(8 * MIB);
    void *read_only = mmap(NULL, 16 * MIB, PROT_READ, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    void *shared = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED, -1, 0);
    assert_ptr_not_equal(other, kept);
    assert_ptr_not_equal(read_only, kept);
    assert_ptr_not_equal(shared, kept);
    hash_memory_use(NULL);
    munmap(other, 8 * MIB);
    munmap(read_only, 16 * MIB);
    munmap(shared, 16 * MIB);
    hash_memory_use(&memory);
    assert_ptr_equal(take(16 * MIB), kept);
    munmap(kept, 16 * MIB);
}

static void the_small_and_the_huge_are_not_kept(void **state)
{
    const size_t sizes[] = {64 * 1024, HASH_MEMORY_MAX_BYTES + MIB};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *at = take(sizes[i]);
        assert_int_equal(munmap(at, sizes[i]), 0);
        assert_false(is_mapped(at));
    }
}

static void outside_of_a_hash_nothing_is_kept(void **state)
{
    (void)state;
    hash_memory_use(NULL);
    void *at = take(16 * MIB);
    assert_int_equal(munmap(at, 16 * MIB), 0);
    assert_false(is_mapped(at));
}

static void rest_gives_back(void **state)
{
    void *at = take(16 * MIB);

    (void)state;
    munmap(at, 16 * MIB);
    hash_memory_use(NULL);
    hash_memory_rest(&memory);
    assert_false(is_mapped(at));
    hash_memory_rest(&memory); /* nothing is left to give */
}

/* libxcrypt's own calls come here: if they went elsewhere one day, logins would be slow again. */
static void libxcrypt_takes_its_memory_from_here(void **state)
{
    static struct crypt_data data;
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];

    (void)state;
    assert_non_null(crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting));
    assert_non_null(crypt_rn("a password", setting, &data, sizeof data));
    void *const first = memory.at;
    assert_non_null(first);
    assert_in_range(memory.size, 16 * MIB, 18 * MIB);
    memset(first, 7, memory.size);
    assert_non_null(crypt_rn("a password", setting, &data, sizeof data));
    assert_ptr_equal(memory.at, first);
    for (size_t i = 0; i < memory.size; i += 4096)
        if (((unsigned char *)first)[i] != 7)
            return; /* it was used */
    fail_msg("nothing was written to the memory that was handed out");
}

/* Of each method that wants much memory: in memory that another password's hash has left behind. */
static void hashes_in_used_memory_are_right(void **state)
{
    static const char *const methods[] = {"yescrypt", "gost-yescrypt", "scrypt"};
    static const char *const passwords[] = {"a first password", "a second one"};
    struct password_hasher *hasher = password_hasher_open();
    struct password_hasher *fresh = password_hasher_open();
    char hash[2][PASSWORD_HASH_MAX_BYTES + 1];
    char error[200];

    (void)state;
    hash_memory_use(NULL);
    for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
        struct password_policy policy;
        assert_true(password_policy_set(&policy, methods[m], 0, error, sizeof error));
        for (size_t i = 0; i < 2; i++)
            assert_true(password_hash(hasher, &policy, passwords[i], strlen(passwords[i]), hash[i]));
        for (size_t i = 0; i < 4; i++) {
            const char *password = passwords[i % 2];
            struct password_hasher *with = i < 2 ? hasher : fresh;
            assert_int_equal(password_verify(with, password, strlen(password), hash[i % 2]), PASSWORD_MATCH);
            assert_int_equal(password_verify(with, password, strlen(password), hash[1 - i % 2]),
                             PASSWORD_MISMATCH);
            password_hasher_rest(fresh); /* this one's is new each time */
        }
    }
    password_hasher_close(hasher);
    password_hasher_close(fresh);
}

int main(void)
{
#define CLAIM(claim) cmocka_unit_test_setup_teardown(claim, use_memory, rest_memory)
    const struct CMUnitTest tests[] = {
        CLAIM(what_a_hash_gives_back_is_handed_to_the_next),
        CLAIM(another_size_or_kind_is_not_what_is_kept),
        CLAIM(the_small_and_the_huge_are_not_kept),
        CLAIM(outside_of_a_hash_nothing_is_kept),
        CLAIM(libxcrypt_takes_its_memory_from_here),
        CLAIM(rest_gives_back),
        CLAIM(hashes_in_used_memory_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
