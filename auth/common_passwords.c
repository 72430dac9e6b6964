#include "auth/common_passwords.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define LENGTH_MAX 32

/* The words of one length, in lower case and sorted, without anything between them. */
struct block {
    size_t length;
    size_t count;
    const char *words;
};

#define BLOCK(length, count, words) {length, count, words},
static const struct block blocks[] = {
#include "auth/common_passwords.inc"
};
#undef BLOCK

#define BLOCK(length, count, words)                                                          \
    static_assert((length) <= LENGTH_MAX && sizeof(words) == (size_t)(length) * (count) + 1, \
                  "common_passwords.inc: a block is as long as it says");
#include "auth/common_passwords.inc"
#undef BLOCK

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool is_in(const struct block *block, const char *folded)
{
    size_t low = 0;
    size_t high = block->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = memcmp(folded, block->words + middle * block->length, block->length);
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

static bool is_common(const char *password, size_t length)
{
    char folded[LENGTH_MAX];
    bool found = false;

    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0] && !found; i++) {
        if (blocks[i].length != length)
            continue;
        for (size_t j = 0; j < length; j++)
            folded[j] = lower(password[j]);
        found = is_in(&blocks[i], folded);
        explicit_bzero(folded, sizeof folded);
    }
    return found;
}

static bool is_same(const char *a, size_t a_length, const char *b, size_t b_length)
{
    if (a_length != b_length)
        return false;
    for (size_t i = 0; i < a_length; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

const char *password_weakness(const char *password, size_t password_length, const char *username,
                              size_t username_length, const char *email, size_t email_length)
{
    if (is_same(password, password_length, username, username_length))
        return "Password must not be the username";
    if (is_same(password, password_length, email, email_length))
        return "Password must not be the email address";
    return common_password_rule(password, password_length);
}

const char *common_password_rule(const char *password, size_t length)
{
    return is_common(password, length) ? "Password is among the most common ones" : NULL;
}
