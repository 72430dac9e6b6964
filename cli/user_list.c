/*
 * user_list.c - token-relay user list: a page of users, ids ascending.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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

static void print_users(const struct arguments *arguments, const struct user *users, size_t count, bool more)
{
    if (arguments_option(arguments, "--json") != NULL) {
        users_print_json(users, count, more);
        return;
    }
    users_print_table(users, count);
    fflush(stdout);
    if (more)
        fprintf(stderr, "There are more: token-relay user list --after %" PRIu64 "\n", users[count - 1].id);
}

int user_list_run(const struct arguments *arguments)
{
    uint64_t after = 0;
    uint64_t limit = LIST_LIMIT_DEFAULT;
    uint64_t next_after = 0;
    size_t count = 0;
    struct desk desk;

    if (!read_number(arguments, "--after", 0, UINT64_MAX, &after) ||
        !read_number(arguments, "--limit", 1, LIST_LIMIT_MAX, &limit))
        return EXIT_USAGE;
    if (!desk_open(&desk, arguments->command, false))
        return EXIT_FAILURE;
    struct user *users = memory_zeroed(limit * sizeof *users);
    const enum store_outcome outcome =
        user_store_list(desk.store, NULL, after, limit, users, &count, &next_after);
    int code = EXIT_SUCCESS;
    if (outcome == STORE_OK)
        print_users(arguments, users, count, next_after != 0);
    else
        code = command_fail(arguments->command, "%s", store_outcome_sentence(outcome));
    password_wipe(users, limit * sizeof *users);
    free(users);
    desk_close(&desk);
    return code;
}
