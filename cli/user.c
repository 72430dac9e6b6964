/*
 * user.c - the operator's tool on the user store, beside a running auth or without one. What must hold
 * between users (unique names, the last administrator) is the store's to decide.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/password.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "cli/user_desk.h"
#include "cli/user_password.h"

/* What a command does with the user that it names. */
typedef int action(struct desk *desk, const struct arguments *arguments, struct user *user);

static int with_user(const struct arguments *arguments, action *act)
{
    struct desk desk;
    struct user user;

    if (!desk_names_one(arguments))
        return EXIT_USAGE;
    if (!desk_open(&desk, arguments->command, false))
        return EXIT_FAILURE;
    const int code = desk_find(&desk, arguments, &user) ? act(&desk, arguments, &user) : EXIT_FAILURE;
    password_wipe(&user, sizeof user);
    desk_close(&desk);
    return code;
}

static int show(struct desk *desk, const struct arguments *arguments, struct user *user)
{
    assert(arguments->command == desk->command);
    user_print(user);
    return EXIT_SUCCESS;
}

static int run_show(const struct arguments *arguments)
{
    return with_user(arguments, show);
}

static int change(struct desk *desk, const struct user *user, unsigned changes, const char *verb)
{
    struct store_write write = {.kind = STORE_CHANGE_USER, .changes = changes, .user = *user};

    const int code = desk_write(desk, &write);
    if (code == EXIT_SUCCESS)
        user_say(verb, &write.user);
    password_wipe(&write, sizeof write);
    return code;
}

/* The commands that set one mark of a user. */
static const struct mark {
    const char *name;
    unsigned changes;
    bool value;
    const char *verb;
} marks[] = {
    {"promote", STORE_SET_ADMIN, true, "Promoted"},
    {"demote", STORE_SET_ADMIN, false, "Demoted"},
    {"activate", STORE_SET_ACTIVE, true, "Activated"},
    {"deactivate", STORE_SET_ACTIVE, false, "Deactivated"},
};

static int set_mark(struct desk *desk, const struct arguments *arguments, struct user *user)
{
    const struct mark *mark = marks;

    while (strcmp(mark->name, arguments->command->name) != 0) {
        mark++;
        assert(mark < marks + sizeof marks / sizeof marks[0]);
    }
    if (mark->changes == STORE_SET_ADMIN)
        user->is_admin = mark->value;
    else
        user->is_active = mark->value;
    return change(desk, user, mark->changes, mark->verb);
}

static int run_mark(const struct arguments *arguments)
{
    return with_user(arguments, set_mark);
}

static int set_password(struct desk *desk, const struct arguments *arguments, struct user *user)
{
    assert(arguments->command == desk->command);
    if (!desk_set_password(desk, user))
        return EXIT_FAILURE;
    return change(desk, user, STORE_SET_PASSWORD, "Set a new password for");
}

static int run_passwd(const struct arguments *arguments)
{
    return with_user(arguments, set_password);
}

static bool confirms(const struct user *user)
{
    char answer[8];

    fputs("Delete ", stderr);
    terminal_put(stderr, user->username, strlen(user->username));
    fprintf(stderr, ", user ID %" PRIu64 "? Type yes: ", user->id);
    fflush(stderr);
    return line_read(answer, sizeof answer) && strcmp(answer, "yes") == 0;
}

static int delete_user(struct desk *desk, const struct arguments *arguments, struct user *user)
{
    struct store_write write = {.kind = STORE_DELETE_USER, .user = *user};

    if (arguments_option(arguments, "--yes") == NULL) {
        if (isatty(STDIN_FILENO) != 1)
            return command_fail(desk->command, "say --yes to delete without being asked.");
        if (!confirms(user))
            return command_fail(desk->command, "nothing was deleted.");
    }
    const int code = desk_write(desk, &write);
    if (code == EXIT_SUCCESS)
        user_say("Deleted", &write.user);
    password_wipe(&write, sizeof write);
    return code;
}

static int run_delete(const struct arguments *arguments)
{
    return with_user(arguments, delete_user);
}

static void password_help(void)
{
    puts("\nThe password is asked for twice, without echo; without a terminal it is the first line of "
         "standard input.\n"
         "It has from 8 to 511 bytes (72 with PASSWORD_METHOD=bcrypt), and is none of the most common ones.");
}

static const struct command_option one_options[] = {
    {.name = "--id", .value_name = "N", .sentence = "The user with this ID, in place of NAME."},
};

static const struct command_option add_options[] = {
    {.name = "--admin", .sentence = "As an administrator."},
};

static const struct command_option list_options[] = {
    {.name = "--after", .value_name = "ID", .sentence = "Only users with a greater ID."},
    {.name = "--limit", .value_name = "N", .sentence = "At most so many, 1 to 1000 (100)."},
    {.name = "--name", .value_name = "NAME", .sentence = "Only the user of this name."},
    {.name = "--admin", .value_name = "yes|no", .sentence = "Only administrators, or only others."},
    {.name = "--active", .value_name = "yes|no", .sentence = "Only active ones, or only inactive ones."},
    {.name = "--json", .sentence = "As JSON."},
};

static const struct command_option delete_options[] = {
    {.name = "--id", .value_name = "N", .sentence = "The user with this ID, in place of NAME."},
    {.name = "--yes", .sentence = "Without being asked."},
};

static const struct command_option sessions_options[] = {
    {.name = "--id", .value_name = "N", .sentence = "The user with this ID, in place of NAME."},
    {.name = "--end", .value_name = "SID", .sentence = "Ends this session."},
    {.name = "--end-all", .sentence = "Ends them all."},
    {.name = "--json", .sentence = "As JSON."},
};

#define OPTIONS(rows) .options = (rows), .option_count = sizeof(rows) / sizeof(rows)[0]
#define PATH(word)    .name = (word), .path = "token-relay user " word
#define ONE           .synopsis = "NAME | --id N", .positional_max = 1, OPTIONS(one_options)

static const struct command add = {PATH("add"),
                                   .synopsis = "NAME EMAIL [--admin]",
                                   .sentence = "Makes a user (and, if need be, the store).",
                                   OPTIONS(add_options),
                                   .positional_min = 2,
                                   .positional_max = 2,
                                   .run = user_add_run,
                                   .more_help = password_help};
static const struct command list = {PATH("list"), .synopsis = "[OPTIONS]", .sentence = "Lists users by ID.",
                                    OPTIONS(list_options), .run = user_list_run};
static const struct command show_one = {PATH("show"), .sentence = "Shows one user.", ONE, .run = run_show};
static const struct command promote = {PATH("promote"), .sentence = "Makes a user an administrator.", ONE,
                                       .run = run_mark};
static const struct command demote = {PATH("demote"), .sentence = "Makes an administrator a normal user.",
                                      ONE, .run = run_mark};
static const struct command activate = {PATH("activate"), .sentence = "Lets a deactivated user in again.",
                                        ONE, .run = run_mark};
static const struct command deactivate = {PATH("deactivate"),
                                          .sentence = "Lets a user in no longer, from the next request on.",
                                          ONE, .run = run_mark};
static const struct command passwd = {PATH("passwd"), .sentence = "Sets a new password.", ONE,
                                      .run = run_passwd, .more_help = password_help};
static const struct command sessions = {PATH("sessions"),
                                        .synopsis = "NAME | --id N [--end SID | --end-all] [--json]",
                                        .sentence = "Shows or ends the sessions of a user.",
                                        OPTIONS(sessions_options),
                                        .positional_max = 1,
                                        .run = user_sessions_run};
static const struct command delete_one = {PATH("delete"),
                                          .synopsis = "NAME | --id N [--yes]",
                                          .sentence = "Deletes a user.",
                                          OPTIONS(delete_options),
                                          .positional_max = 1,
                                          .run = run_delete};

static const struct command *const user_commands[] = {
    &add, &list, &show_one, &promote, &demote, &activate, &deactivate, &passwd, &sessions, &delete_one,
};

static void more_help(void)
{
    puts("\nIt works on the store that DATABASE_URL names, while auth is running or not, as the user who "
         "owns it.\n"
         "passwd, deactivate and delete end the user's sessions, from the next request on.\n"
         "The last active administrator can be neither demoted, deactivated nor deleted.");
}

const struct command user_command = {
    .name = "user",
    .path = "token-relay user",
    .synopsis = "COMMAND [OPTIONS] [ARGUMENTS]",
    .sentence = "Shows and changes users, on the store itself.",
    .more_help = more_help,
    .commands = user_commands,
    .command_count = sizeof user_commands / sizeof user_commands[0],
};
