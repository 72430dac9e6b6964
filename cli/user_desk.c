#include "cli/user_desk.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "core/buffer.h"
#include "core/config_parse.h"

#define LMDB_SCHEME "lmdb:"

bool desk_number(const char *text, uint64_t *number)
{
    return config_parse_count(text, number);
}

static void on_problem(const char *sentence)
{
    fprintf(stderr, "token-relay user: %s\n", sentence);
}

/* A memory store would end with the command; and looking must not make what is not there. */
static bool is_there(const struct desk *desk, bool may_create)
{
    const char *url = desk->config.database_url;
    char path[PATH_MAX];
    struct stat status;

    if (strncmp(url, LMDB_SCHEME, strlen(LMDB_SCHEME)) != 0) {
        if (strncmp(url, "memory:", strlen("memory:")) != 0)
            return true; /* the store refuses it, with a better sentence */
        command_fail(desk->command,
                     "DATABASE_URL=memory: is a store inside of auth, which no command can reach.");
        return false;
    }
    const int length = snprintf(path, sizeof path, "%s/data.mdb", url + strlen(LMDB_SCHEME));
    if (may_create || length >= (int)sizeof path || stat(path, &status) == 0 || errno != ENOENT)
        return true;
    struct buffer shown;
    buffer_open(&shown);
    terminal_add(&shown, url, strlen(url));
    command_fail(desk->command,
                 "there is no user store at %s (DATABASE_URL); token-relay user add makes one.", shown.at);
    buffer_close(&shown);
    return false;
}

bool desk_open(struct desk *desk, const struct command *command, bool may_create)
{
    char error[CLI_SENTENCE_MAX_BYTES];

    *desk = (struct desk){.command = command};
    if (!command_config(command, CONFIG_TOOL, &desk->config))
        return false;
    const struct store_options options = {
        .map_size_bytes = desk->config.lmdb_map_size,
        .queue_max = desk->config.store_queue_max,
        .batch_max = 1,
        .on_problem = on_problem,
    };
    if (is_there(desk, may_create)) {
        desk->store = user_store_open(desk->config.database_url, &options, error, sizeof error);
        if (desk->store != NULL)
            return true;
        command_fail(command, "%s", error);
    }
    config_free(&desk->config);
    return false;
}

void desk_close(struct desk *desk)
{
    user_store_close(desk->store);
    config_free(&desk->config);
}

bool desk_names_one(const struct arguments *arguments)
{
    const char *id = arguments_option(arguments, "--id");
    uint64_t number = 0;

    if ((id != NULL) == (arguments->positional_count > 0)) {
        fprintf(stderr, "%s: name one user, by NAME or by --id N.\n", arguments->command->path);
        return false;
    }
    if (id != NULL && !desk_number(id, &number)) {
        fprintf(stderr, "%s: --id takes a number.\n", arguments->command->path);
        return false;
    }
    return true;
}

static void say_not_found(const struct desk *desk, const char *id, const char *name)
{
    struct buffer shown;

    buffer_open(&shown);
    if (id != NULL)
        buffer_add_format(&shown, "with the ID %s", id);
    else
        buffer_add_text(&shown, "named \"");
    if (id == NULL) {
        terminal_add(&shown, name, strlen(name));
        buffer_add_char(&shown, '"');
    }
    command_fail(desk->command, "there is no user %s.", shown.at);
    buffer_close(&shown);
}

bool desk_find(struct desk *desk, const struct arguments *arguments, struct user *user)
{
    const char *id = arguments_option(arguments, "--id");
    const char *name = arguments->positional[0];
    enum store_outcome outcome = STORE_FAILED;
    uint64_t number = 0;

    assert((id != NULL) != (name != NULL));
    if (id != NULL && desk_number(id, &number))
        outcome = user_store_find_by_id(desk->store, number, user);
    else if (name != NULL)
        outcome = user_store_find_by_username(desk->store, name, strlen(name), user);
    if (outcome == STORE_OK)
        return true;
    if (outcome == STORE_NOT_FOUND)
        say_not_found(desk, id, name);
    else
        command_fail(desk->command, "%s", store_outcome_sentence(outcome));
    return false;
}

int desk_write(struct desk *desk, struct store_write *write)
{
    const enum store_outcome outcome = user_store_write_and_wait(desk->store, write);

    if (outcome == STORE_OK)
        return EXIT_SUCCESS;
    return command_fail(desk->command, "%s", store_outcome_sentence(outcome));
}
