/*
 * user_list.c - token-relay user list: a page of users, ids ascending, all or those who pass a filter.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "cli/commands.h"
#include "cli/user_desk.h"
#include "core/memory.h"

#define LIST_LIMIT_DEFAULT 100
#define LIST_LIMIT_MAX     1000

/* An option's number within min..max; false: usage was printed. */
static bool read_number(const struct arguments *arguments, const char *name, uint64_t min, uint64_t max,
                        uint64_t *number)
{
    const char *text = arguments_option(arguments, name);

    if (text == NULL)
        return true;
    if (desk_number(text, number) && *number >= min && *number <= max)
        return true;
    fprintf(stderr, "%s: %s takes a number from %" PRIu64 " to %" PRIu64 ".\n", arguments->command->path,
            name, min, max);
    return false;
}

/* An option that is yes or no; false: usage was printed. */
static bool read_wanted(const struct arguments *arguments, const char *name, enum user_wanted *wanted)
{
    const char *text = arguments_option(arguments, name);

    if (text == NULL)
        return true;
    *wanted = strcmp(text, "yes") == 0 ? USER_WANTED_YES : USER_WANTED_NO;
    if (*wanted == USER_WANTED_YES || strcmp(text, "no") == 0)
        return true;
    fprintf(stderr, "%s: %s takes yes or no.\n", arguments->command->path, name);
    return false;
}

static void print_users(const struct arguments *arguments, const struct user *users, size_t count,
                        uint64_t next_after)
{
    if (arguments_option(arguments, "--json") != NULL) {
        users_print_json(users, count, next_after);
        return;
    }
    users_print_table(users, count);
    fflush(stdout);
    if (next_after > 0)
        fprintf(stderr, "There are more: token-relay user list --after %" PRIu64 "\n", next_after);
}

/* A whole page: one call of the store looks at so many records and no more. */
static enum store_outcome read_page(struct desk *desk, const struct user_filter *filter, uint64_t after,
                                    size_t limit, struct user *users, size_t *count, uint64_t *next_after)
{
    enum store_outcome outcome = STORE_OK;

    *count = 0;
    *next_after = after;
    do {
        size_t found = 0;
        outcome = user_store_list(desk->store, filter, *next_after, limit - *count, users + *count, &found,
                                  next_after);
        *count += found;
    } while (outcome == STORE_OK && *next_after > 0 && *count < limit);
    return outcome;
}

int user_list_run(const struct arguments *arguments)
{
    struct user_filter filter = {.username = arguments_option(arguments, "--name")};
    uint64_t after = 0;
    uint64_t limit = LIST_LIMIT_DEFAULT;
    uint64_t next_after = 0;
    size_t count = 0;
    struct desk desk;

    if (!read_number(arguments, "--after", 0, UINT64_MAX, &after) ||
        !read_number(arguments, "--limit", 1, LIST_LIMIT_MAX, &limit) ||
        !read_wanted(arguments, "--admin", &filter.is_admin) ||
        !read_wanted(arguments, "--active", &filter.is_active))
        return EXIT_USAGE;
    if (!desk_open(&desk, arguments->command, false))
        return EXIT_FAILURE;
    struct user *users = memory_zeroed(limit * sizeof *users);
    const enum store_outcome outcome = read_page(&desk, &filter, after, limit, users, &count, &next_after);
    int code = EXIT_SUCCESS;
    if (outcome == STORE_OK)
        print_users(arguments, users, count, next_after);
    else
        code = command_fail(arguments->command, "%s", store_outcome_sentence(outcome));
    password_wipe(users, limit * sizeof *users);
    free(users);
    desk_close(&desk);
    return code;
}
