/*
 * user_desk.h - the operator's view of the user store: opened by the settings, and users found, named and
 * printed.
 */
#ifndef CLI_USER_DESK_H
#define CLI_USER_DESK_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/arguments.h"
#include "core/config.h"
#include "storage/user_store.h"

/* One command's work on the store. */
struct desk {
    const struct command *command;
    struct config config;
    struct user_store *store;
};

/* Opens; may_create allows a store that does not exist yet. False: one sentence was printed; nothing is open.
 */
bool desk_open(struct desk *desk, const struct command *command, bool may_create);
void desk_close(struct desk *desk);

/* Finds who NAME or --id of the arguments means. False: one sentence was printed. */
bool desk_find(struct desk *desk, const struct arguments *arguments, struct user *user);

/* True if the arguments name one user, by NAME or by --id; else usage was printed, and the code is
 * EXIT_USAGE. */
bool desk_names_one(const struct arguments *arguments);

/* Has the store do a write; EXIT_SUCCESS, or EXIT_FAILURE after one sentence. */
int desk_write(struct desk *desk, struct store_write *write);

/* Decimal digits into a number. False for anything else. */
bool desk_number(const char *text, uint64_t *number);

/* Prints users as a table, or as {"users": [...], "next_after": N or null}; 0 is null. */
void users_print_table(const struct user *users, size_t count);
void users_print_json(const struct user *users, size_t count, uint64_t next_after);

/* "Promoted ada, user ID 3." */
void user_say(const char *verb, const struct user *user);

/* Asks for a password and puts its hash into the user. False: one sentence was printed. */
bool desk_set_password(const struct desk *desk, struct user *user);

/* Commands with files of their own. */
int user_add_run(const struct arguments *arguments);
int user_list_run(const struct arguments *arguments);
int user_sessions_run(const struct arguments *arguments);

/* Prints all there is to say of one user, but the hash. */
void user_print(const struct user *user);

#endif
