// links: auth/password.c auth/hash_memory.c auth/password_format.c
// links: core/yielder.c
// links: core/interpose.c
// libs: crypt crypto
/*
 * Hashes of other programs are verified, hashes that must not be run are not, and each call into libxcrypt
 * and the kernel is made to fail once: crypt_rn, crypt_gensalt_rn and getrandom are interposed below.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "auth/password.h"
#include "auth/password_format.h"

#define ERROR_SIZE 200

/* Which call fails next, and how. */
static bool fail_crypt;
static bool fail_gensalt;
static bool fail_random;
static int crypt_errno;
static unsigned crypt_calls;
static char last_gensalt_prefix[8];
static const char *last_phrase; /* where the copy of the password was */

char *crypt_rn(const char *phrase, const char *setting, void *data, int size);
char *crypt_gensalt_rn(const char *prefix, unsigned long count, const char *random, int random_size,
                       char *out, int out_size);
ssize_t getrandom(void *out, size_t size, unsigned flags);

char *crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
    char *(*real)(const char *, const char *, void *, int);

    crypt_calls++;
    last_phrase = phrase;
    if (fail_crypt) {
        errno = crypt_errno;
        return NULL;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "crypt_rn");
    return real(phrase, setting, data, size);
}

char *crypt_gensalt_rn(const char *prefix, unsigned long count, const char *random, int random_size,
                       char *out, int out_size)
{
    char *(*real)(const char *, unsigned long, const char *, int, char *, int);

    strncpy(last_gensalt_prefix, prefix, sizeof last_gensalt_prefix - 1);
    if (fail_gensalt)
        return NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "crypt_gensalt_rn");
    return real(prefix, count, random, random_size, out, out_size);
}

ssize_t getrandom(void *out, size_t size, unsigned flags)
{
    if (fail_random) {
        errno = ENOSYS;
        return -1;
    }
    return syscall(SYS_getrandom, out, size, flags);
}

static struct password_hasher *hasher;

static int open_hasher(void **state)
{
    (void)state;
    hasher = password_hasher_open();
    return hasher == NULL;
}

static int close_hasher(void **state)
{
    (void)state;
    password_hasher_close(hasher);
    return 0;
}

static int reset_faults(void **state)
{
    (void)state;
    fail_crypt = fail_gensalt = fail_random = false;
    crypt_errno = 0;
    crypt_calls = 0;
    return 0;
}

static enum password_outcome verify(const char *password, const char *hash)
{
    return password_verify(hasher, password, strlen(password), hash);
}

static struct password_policy policy_of(const char *method, uint64_t cost)
{
    struct password_policy policy;
    char error[ERROR_SIZE] = "";

    assert_true(password_policy_set(&policy, method, cost, error, sizeof error));
    assert_string_equal(error, "");
    return policy;
}

#define HUNDRED_X \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* Made by python-bcrypt ($2b$), by U. Drepper (the $6$ and $5$ of "Hello world!"), by yescrypt's test suite.
 */
static const struct {
    const char *password;
    const char *hash;
    const char *label;
} foreign_hashes[] = {
    {"correct horse battery", "$2b$12$9hZXMcBAINJ12ExJipiMhOqGhYMGiac1pwchS2yAUEpd49TRalYPm", "$2b$12"},
    {"correct horse battery staple", "$2b$04$OG9KqwmAiYZyOrzB/i8lQ.ZPRGy49IyKn9CpjDHXlzp9IAh.MnV12",
     "$2b$04"},
    {"correct horse battery staple", "$2y$04$yjtMgt.kNGMrzAUM4XQpVuU7UiGqlaidk7bhxWE3RjMoxsGPGtkBK",
     "$2y$04"},
    {"pw", "$2a$04$AAAAAAAAAAAAAAAAAAAAAuzZU2TkekDnKoB7kykG/njrimcP1WW6m", "$2a$04"},
    {"p\xc3\xa4ssw\xc3\xb6rd \xe2\x80\x93 \xe5\xaf\x86\xe7\xa0\x81",
     "$2b$04$Tjkx6r6dGbq6L1PsB48hSORwEQIPuMdqSjw.hFHRvA6xO38tr/dyS", "$2b$04"},
    {HUNDRED_X, "$2b$04$aJS/793sWUw48vqddhxFrOf1QEQPdyX3xx7DOTYF5cKMkI3JfwkKW", "$2b$04"},
    {"Hello world!",
     "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
     "$6$rounds=5000"},
    {"Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "$5$rounds=5000"},
    {"pleaseletmein", "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D",
     "$7$C6..../...."},
    {"pleaseletmein", "$y$jA5$LdJMENpBABJJ3hIHjB1Bi.$VlMAWzYVf0OFj0sIg1Qlx.FX68Uyrdkmp6NcFxrW2JA", "$y$jA5"},
    {"pleaseletmein", "$y$j75$aaaaaaaaaaaaaaaaaaaaa.$opPZuqLSQ8SxOQ0jJAzQ.2Kq2EsqMajlUKUc4cCWMD8", "$y$j75"},
    {"pleaseletmein", "$gy$j75$aaaaaaaaaaaaaaaaaaaaa.$7osBuFBmB4AQvYgke4xa8FHHqDDAXofIMyCoFAYDFA5",
     "$gy$j75"},
};

#define FOREIGN_COUNT (sizeof foreign_hashes / sizeof foreign_hashes[0])

static void hashes_of_other_programs_are_verified(void **state)
{
    (void)state;
    for (size_t i = 0; i < FOREIGN_COUNT; i++) {
        assert_true(password_hash_is_supported(foreign_hashes[i].hash));
        assert_int_equal(verify(foreign_hashes[i].password, foreign_hashes[i].hash), PASSWORD_MATCH);
        assert_int_equal(verify("another password", foreign_hashes[i].hash), PASSWORD_MISMATCH);
    }
}

static void one_changed_character_of_the_digest_is_a_mismatch(void **state)
{
    (void)state;
    for (size_t i = 1; i < FOREIGN_COUNT; i++) { /* without the slow first one */
        char hash[PASSWORD_HASH_MAX_BYTES + 1];
        strcpy(hash, foreign_hashes[i].hash);
        char *last = hash + strlen(hash) - 5;
        *last = *last == 'a' ? 'b' : 'a';
        assert_int_equal(verify(foreign_hashes[i].password, hash), PASSWORD_MISMATCH);
    }
}

static void labels_tell_prefix_and_cost_without_the_salt(void **state)
{
    char label[PASSWORD_METHOD_MAX_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < FOREIGN_COUNT; i++) {
        password_label(foreign_hashes[i].hash, label);
        assert_string_equal(label, foreign_hashes[i].label);
    }
    password_label("no hash", label);
    assert_string_equal(label, "?");
}

#define SALT22   "AAAAAAAAAAAAAAAAAAAAAu"
#define DIGEST31 "zZU2TkekDnKoB7kykG/njrimcP1WW6m"
#define DIGEST43 "opPZuqLSQ8SxOQ0jJAzQ.2Kq2EsqMajlUKUc4cCWMD8"
#define DIGEST86 DIGEST43 DIGEST43
#define FIFTY    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *const refused_hashes[] = {
    "",
    "*",
    "*0",
    "*1",
    "!",
    "x",
    "$",
    "$$",
    "$y",
    "password",
    /* methods that are not on the list */
    "abiQ6Ep3EYTHc",
    "_J9..rasm3I3.7IOQ/Rk",
    "$1$aaaaaaaa$8rwj9NntvxamNkVjmYrxl0",
    "$3$$a9f0dd57e1edab5bb55a9ac0a99c15ec",
    "$sha1$5$aaaaaaaa$4dgFp6.RQ4Aet/83FLowzkHw4dyu",
    "$md5$aaaaaaaa$$dfg1yNiNSvHgFCz8F1WOY.",
    "$2x$04$" SALT22 DIGEST31,
    "$2$04$" SALT22 DIGEST31,
    "$sm3$aaaaaaaa$" DIGEST43,
    "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$" DIGEST43,
    "$Y$j75$aaaa$" DIGEST43,
    /* settings without their hash, and hashes cut short or with more behind them */
    "$2b$12$",
    "$2b$12$" SALT22,
    "$2b$04$" SALT22 "zZU2TkekDnKoB7kykG/njrimcP1WW6",
    "$2b$04$" SALT22 DIGEST31 "m",
    "$2b$04$" SALT22 DIGEST31 "\n",
    "$2b$04" SALT22 DIGEST31,
    "$y$j9T$aaaaaaaaaaaaaaaaaaaaa.",
    "$y$j9T$aaaaaaaaaaaaaaaaaaaaa.$",
    "$y$j9T$" DIGEST43,
    "$y$j9T",
    "$y$j75$aaaa$" DIGEST43 "a",
    "$y$j75$aaaa$opPZuqLSQ8",
    "$y$j75$aaaa$" DIGEST43 "$",
    "$6$saltstring",
    "$6$saltstring$",
    "$6$$" DIGEST86,
    "$6$saltstring$" DIGEST43,
    "$5$saltstring$" DIGEST86,
    "$6$seventeen.letters$" DIGEST86,
    "$6$salt:tring$" DIGEST86,
    "$6$salt string$" DIGEST86,
    "$7$C6..../....SodiumChloride",
    "$7$C6..../....",
    "$7$C6",
    "$7$",
    "$7$C6..../....S dium$" DIGEST43,
    /* parameters that are malformed */
    "$2b$4$" SALT22 DIGEST31,
    "$2b$004$" SALT22 DIGEST31,
    "$2b$-4$" SALT22 DIGEST31,
    "$2b$ 4$" SALT22 DIGEST31,
    "$2b$03$" SALT22 DIGEST31,
    "$2b$00$" SALT22 DIGEST31,
    "$2b$4x$" SALT22 DIGEST31,
    "$2b$04$AAAAAAAAAAAAAAAAAAAAAx" DIGEST31, /* bits set that bcrypt drops: can match nothing */
    "$6$rounds=$saltstring$" DIGEST86,
    "$6$rounds=05000$saltstring$" DIGEST86,
    "$6$rounds=-5000$saltstring$" DIGEST86,
    "$6$rounds=5e3$saltstring$" DIGEST86,
    "$6$rounds=999$saltstring$" DIGEST86,
    "$6$rounds=5000" DIGEST86,
    "$6$Rounds=5000$saltstring$" DIGEST86,
    "$y$$aaaa$" DIGEST43,
    "$y$j$aaaa$" DIGEST43,
    "$y$j7$aaaa$" DIGEST43,
    "$y$j75./$aaaa$" DIGEST43,
    "$y$.75$aaaa$" DIGEST43,
    "$y$k75$aaaa$" DIGEST43,
    "$y$j 5$aaaa$" DIGEST43,
    "$y$j7z$aaaa$" DIGEST43,
    "$7$.6..../....Salt$" DIGEST43,
    "$7$C...../....Salt$" DIGEST43,
    "$7$C6.........Salt$" DIGEST43,
    /* costs beyond the ceilings */
    "$2b$16$" SALT22 DIGEST31,
    "$2b$31$" SALT22 DIGEST31,
    "$2a$31$" SALT22 DIGEST31,
    "$2b$39$" SALT22 DIGEST31,
    "$2b$99$" SALT22 DIGEST31,
    "$6$rounds=1000001$saltstring$" DIGEST86,
    "$6$rounds=999999999$saltstring$" DIGEST86,
    "$6$rounds=18446744073709556616$saltstring$" DIGEST86,
    "$5$rounds=1000001$saltstring$" DIGEST43,
    "$y$jDT$aaaa$" DIGEST43,
    "$y$jFT$aaaa$" DIGEST43,
    "$y$jzT$aaaa$" DIGEST43,
    "$gy$jDT$aaaa$" DIGEST43,
    "$7$EU..../....Salt$" DIGEST43,
    "$7$zU..../....Salt$" DIGEST43,
    "$7$Czzzzz/....Salt$" DIGEST43,
    "$7$CU....zzzzzSalt$" DIGEST43,
    "$7$Czzzzzzzzzz" DIGEST43,
    "$7$Czzzzzzzzzz$" DIGEST43,
    /* salts and strings that are too long */
    "$y$j75$" FIFTY FIFTY "$" DIGEST43,
    "$7$66..../...." FIFTY FIFTY "$" DIGEST43,
    FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY,
    "$6$" FIFTY FIFTY FIFTY FIFTY FIFTY "$" DIGEST86,
};

static void hashes_that_are_malformed_or_too_dear_are_never_run(void **state)
{
    char label[PASSWORD_METHOD_MAX_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < sizeof refused_hashes / sizeof refused_hashes[0]; i++) {
        if (password_hash_is_supported(refused_hashes[i]))
            fail_msg("supported: %s", refused_hashes[i]);
        assert_int_equal(verify("password", refused_hashes[i]), PASSWORD_UNSUPPORTED);
        password_label(refused_hashes[i], label);
        assert_string_equal(label, "?");
    }
    assert_int_equal(crypt_calls, 0);
}

static void costs_up_to_the_ceilings_are_supported(void **state)
{
    static const char *const hashes[] = {
        "$2b$15$" SALT22 DIGEST31, "$6$rounds=1000000$s$" DIGEST86, "$5$rounds=1000$s$" DIGEST43,
        "$y$jCT$aaaa$" DIGEST43,   "$gy$jCT$aaaa$" DIGEST43,        "$7$DU..../....Salt$" DIGEST43,
    };

    (void)state;
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++)
        if (!password_hash_is_supported(hashes[i]))
            fail_msg("not supported: %s", hashes[i]);
}

static void a_salt_that_does_not_decode_is_unsupported(void **state)
{
    (void)state;
    assert_int_equal(verify("password", "$y$j75$a$" DIGEST43), PASSWORD_UNSUPPORTED);
    assert_int_equal(crypt_calls, 1);
}

static void every_method_makes_hashes_that_verify(void **state)
{
    static const struct {
        const char *method;
        uint64_t cost;
        const char *label;
    } cases[] = {
        {"yescrypt", 0, "$y$j9T"},
        {"yescrypt", 1, "$y$j75"},
        {"gost-yescrypt", 2, "$gy$j85"},
        {"scrypt", 6, "$7$BU..../...."},
        {"bcrypt", 4, "$2b$04"},
        {"sha512crypt", 0, "$6$rounds=5000"},
        {"sha512crypt", 1000, "$6$rounds=1000"},
        {"sha256crypt", 2345, "$5$rounds=2345"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct password_policy policy = policy_of(cases[i].method, cases[i].cost);
        char hash[PASSWORD_HASH_MAX_BYTES + 1];
        char again[PASSWORD_HASH_MAX_BYTES + 1];
        assert_string_equal(policy.method, cases[i].method);
        assert_string_equal(policy.label, cases[i].label);
        assert_true(password_hash(hasher, &policy, "password", 8, hash));
        assert_true(password_hash(hasher, &policy, "password", 8, again));
        assert_string_not_equal(hash, again); /* salted */
        assert_int_equal(verify("password", hash), PASSWORD_MATCH);
        assert_int_equal(verify("Password", hash), PASSWORD_MISMATCH);
        assert_int_equal(verify("password ", hash), PASSWORD_MISMATCH);
        assert_false(password_hash_is_weaker(hash, &policy));
    }
}

static void bcrypt_costs_twelve_unless_told_otherwise(void **state)
{
    const struct password_policy policy = policy_of("bcrypt", 0);

    (void)state;
    assert_string_equal(policy.label, "$2b$12");
    assert_int_equal(policy.cost, 0);
    assert_string_equal(last_gensalt_prefix, "$2b$");
}

static void a_bad_policy_is_refused_with_a_sentence_that_names_the_range(void **state)
{
    static const struct {
        const char *method;
        uint64_t cost;
        const char *error;
    } cases[] = {
        {"bcrypt", 3, "PASSWORD_COST for bcrypt must be from 4 to 15, or 0 for the default."},
        {"bcrypt", 16, "PASSWORD_COST for bcrypt must be from 4 to 15, or 0 for the default."},
        {"yescrypt", 9, "PASSWORD_COST for yescrypt must be from 1 to 8, or 0 for the default."},
        {"gost-yescrypt", 9, "PASSWORD_COST for gost-yescrypt must be from 1 to 8, or 0 for the default."},
        {"scrypt", 5, "PASSWORD_COST for scrypt must be from 6 to 8, or 0 for the default."},
        {"sha512crypt", 999,
         "PASSWORD_COST for sha512crypt must be from 1000 to 1000000, or 0 for the default."},
        {"sha256crypt", UINT64_MAX,
         "PASSWORD_COST for sha256crypt must be from 1000 to 1000000, or 0 for the default."},
        {"yescrypt", (UINT64_C(1) << 32) + 1,
         "PASSWORD_COST for yescrypt must be from 1 to 8, or 0 for the default."},
        {"md5crypt", 0,
         "PASSWORD_METHOD is none of yescrypt, gost-yescrypt, scrypt, bcrypt, sha512crypt, sha256crypt."},
        {"", 0,
         "PASSWORD_METHOD is none of yescrypt, gost-yescrypt, scrypt, bcrypt, sha512crypt, sha256crypt."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct password_policy policy;
        char error[ERROR_SIZE] = "";
        assert_false(password_policy_set(&policy, cases[i].method, cases[i].cost, error, sizeof error));
        assert_string_equal(error, cases[i].error);
    }
}

static void a_dummy_hash_costs_what_real_ones_do_and_matches_no_one(void **state)
{
    const struct password_policy one = policy_of("bcrypt", 5);
    const struct password_policy two = policy_of("bcrypt", 5);
    char label[PASSWORD_METHOD_MAX_BYTES + 1];

    (void)state;
    assert_true(password_hash_is_supported(one.dummy_hash));
    password_label(one.dummy_hash, label);
    assert_string_equal(label, one.label);
    assert_string_not_equal(one.dummy_hash, two.dummy_hash);
    assert_int_equal(verify("password", one.dummy_hash), PASSWORD_MISMATCH);
}

static void weaker_is_a_lower_method_or_a_lower_cost(void **state)
{
    static const char yescrypt_1[] = "$y$j75$aaaa$" DIGEST43;
    static const char yescrypt_3[] = "$y$j7T$aaaa$" DIGEST43;
    static const char bcrypt_4[] = "$2b$04$" SALT22 DIGEST31;
    static const char bcrypt_6[] = "$2y$06$" SALT22 DIGEST31;
    static const char sha512[] = "$6$salt$" DIGEST86;
    const struct password_policy yescrypt = policy_of("yescrypt", 2);
    const struct password_policy bcrypt = policy_of("bcrypt", 5);

    (void)state;
    assert_true(password_hash_is_weaker(yescrypt_1, &yescrypt));
    assert_false(password_hash_is_weaker(yescrypt_3, &yescrypt));
    assert_true(password_hash_is_weaker(bcrypt_6, &yescrypt));
    assert_true(password_hash_is_weaker(sha512, &yescrypt));
    assert_true(password_hash_is_weaker(bcrypt_4, &bcrypt));
    assert_false(password_hash_is_weaker(bcrypt_6, &bcrypt));
    assert_false(password_hash_is_weaker(yescrypt_1, &bcrypt)); /* never a step down */
    assert_true(password_hash_is_weaker(sha512, &bcrypt));
    assert_true(password_hash_is_weaker("*0", &bcrypt));
}

static void bcrypt_refuses_to_hash_what_it_would_cut_off(void **state)
{
    const struct password_policy bcrypt = policy_of("bcrypt", 4);
    const struct password_policy sha = policy_of("sha256crypt", 1000);
    char hash[PASSWORD_HASH_MAX_BYTES + 1] = "untouched";
    char longest[PASSWORD_MAX_BYTES + 1];

    (void)state;
    memset(longest, 'p', sizeof longest);
    assert_int_equal(password_policy_max_bytes(&bcrypt), 72);
    assert_int_equal(password_policy_max_bytes(&sha), 511);
    assert_false(password_hash(hasher, &bcrypt, longest, 73, hash));
    assert_string_equal(hash, "untouched");
    assert_true(password_hash(hasher, &bcrypt, longest, 72, hash));
    assert_true(password_hash(hasher, &sha, longest, 511, hash));
    assert_int_equal(password_verify(hasher, longest, 511, hash), PASSWORD_MATCH);
    assert_int_equal(password_verify(hasher, longest, 510, hash), PASSWORD_MISMATCH);
    assert_false(password_hash(hasher, &sha, longest, 512, hash));
}

static void passwords_that_crypt_would_cut_match_nothing(void **state)
{
    const struct password_policy policy = policy_of("sha256crypt", 1000);
    char hash[PASSWORD_HASH_MAX_BYTES + 1];
    char too_long[PASSWORD_MAX_BYTES + 1];

    (void)state;
    memset(too_long, 'p', sizeof too_long);
    assert_true(password_hash(hasher, &policy, "password", 8, hash));
    assert_int_equal(password_verify(hasher, "password\0more", 13, hash), PASSWORD_MISMATCH);
    assert_int_equal(password_verify(hasher, "password\0", 9, hash), PASSWORD_MISMATCH);
    assert_int_equal(password_verify(hasher, "", 0, hash), PASSWORD_MISMATCH);
    assert_int_equal(password_verify(hasher, too_long, sizeof too_long, hash), PASSWORD_MISMATCH);
    assert_false(password_hash(hasher, &policy, "", 0, hash));
    assert_false(password_hash(hasher, &policy, "pass\0word", 9, hash));
}

static void every_label_can_be_measured(void **state)
{
    (void)state;
    for (size_t i = 1; i < FOREIGN_COUNT; i++) /* without the slow first one */
        assert_true(password_measure_us(hasher, foreign_hashes[i].label) > 0);
    assert_true(password_measure_us(hasher, "$y$j9T") > 0);
    assert_true(password_measure_us(hasher, "$7$BU..../....") > 0);
}

static void what_is_no_label_measures_zero_and_runs_nothing(void **state)
{
    static const char *const labels[] = {
        "",
        "?",
        "$y$",
        "$y$j9T$",
        "$y$j9T$aaaa",
        "$2b$",
        "$2b$31",
        "$2b$1",
        "$6$",
        "$6$rounds=1",
        "$1$",
        "$7$",
        "$7$CU..../....Salt",
        "bcrypt",
        "$6$rounds=1000000000",
        "$6$rounds=5000$salt",
        FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY,
    };

    (void)state;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (password_measure_us(hasher, labels[i]) != 0)
            fail_msg("measured: %s", labels[i]);
    assert_int_equal(crypt_calls, 0);
}

static void a_failing_crypt_is_told_from_a_mismatch(void **state)
{
    const struct password_policy policy = policy_of("bcrypt", 4);
    char hash[PASSWORD_HASH_MAX_BYTES + 1] = "untouched";

    (void)state;
    fail_crypt = true;
    crypt_errno = ENOMEM;
    assert_int_equal(verify("pw", "$2a$04$" SALT22 DIGEST31), PASSWORD_FAILED);
    assert_false(password_hash(hasher, &policy, "password", 8, hash));
    assert_string_equal(hash, "untouched");
    assert_int_equal(password_measure_us(hasher, "$2b$04"), 0);
}

static void no_policy_is_set_when_hashing_or_randomness_fails(void **state)
{
    static const char sentence[] = "Passwords cannot be hashed with bcrypt: no memory or no random bytes.";
    bool *const faults[] = {&fail_crypt, &fail_gensalt, &fail_random};
    struct password_policy policy;

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char error[ERROR_SIZE] = "";
        *faults[i] = true;
        assert_false(password_policy_set(&policy, "bcrypt", 4, error, sizeof error));
        assert_string_equal(error, sentence);
        *faults[i] = false;
    }
    assert_true(password_policy_set(&policy, "bcrypt", 4, NULL, 0));
}

static bool holds(const void *memory, size_t size, const char *text)
{
    return memmem(memory, size, text, strlen(text)) != NULL;
}

/* The hasher begins with libxcrypt's output and holds the copy of the password within its 32 KiB. */
static void a_hasher_keeps_neither_password_nor_hash(void **state)
{
    static const char hash[] = "$2a$04$" SALT22 DIGEST31;

    (void)state;
    assert_int_equal(verify("pw", hash), PASSWORD_MATCH);
    assert_true(last_phrase > (const char *)hasher && last_phrase < (const char *)hasher + 32768);
    assert_false(holds(hasher, 32768, DIGEST31));
    assert_int_equal(verify("a memorable secret", hash), PASSWORD_MISMATCH);
    assert_false(holds(hasher, 32768, "memorable"));
    fail_crypt = true;
    crypt_errno = ENOMEM;
    assert_int_equal(verify("a memorable secret", hash), PASSWORD_FAILED);
    assert_false(holds(hasher, 32768, "memorable"));
}

static void closing_no_hasher_is_allowed(void **state)
{
    (void)state;
    password_hasher_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hashes_of_other_programs_are_verified, reset_faults),
        cmocka_unit_test_setup(one_changed_character_of_the_digest_is_a_mismatch, reset_faults),
        cmocka_unit_test_setup(labels_tell_prefix_and_cost_without_the_salt, reset_faults),
        cmocka_unit_test_setup(hashes_that_are_malformed_or_too_dear_are_never_run, reset_faults),
        cmocka_unit_test_setup(costs_up_to_the_ceilings_are_supported, reset_faults),
        cmocka_unit_test_setup(a_salt_that_does_not_decode_is_unsupported, reset_faults),
        cmocka_unit_test_setup(every_method_makes_hashes_that_verify, reset_faults),
        cmocka_unit_test_setup(bcrypt_costs_twelve_unless_told_otherwise, reset_faults),
        cmocka_unit_test_setup(a_bad_policy_is_refused_with_a_sentence_that_names_the_range, reset_faults),
        cmocka_unit_test_setup(a_dummy_hash_costs_what_real_ones_do_and_matches_no_one, reset_faults),
        cmocka_unit_test_setup(weaker_is_a_lower_method_or_a_lower_cost, reset_faults),
        cmocka_unit_test_setup(bcrypt_refuses_to_hash_what_it_would_cut_off, reset_faults),
        cmocka_unit_test_setup(passwords_that_crypt_would_cut_match_nothing, reset_faults),
        cmocka_unit_test_setup(every_label_can_be_measured, reset_faults),
        cmocka_unit_test_setup(what_is_no_label_measures_zero_and_runs_nothing, reset_faults),
        cmocka_unit_test_setup(a_failing_crypt_is_told_from_a_mismatch, reset_faults),
        cmocka_unit_test_setup(no_policy_is_set_when_hashing_or_randomness_fails, reset_faults),
        cmocka_unit_test_setup(a_hasher_keeps_neither_password_nor_hash, reset_faults),
        cmocka_unit_test_setup(closing_no_hasher_is_allowed, reset_faults),
    };

    return cmocka_run_group_tests(tests, open_hasher, close_hasher);
}
