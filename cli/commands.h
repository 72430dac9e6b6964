/*
 * commands.h - what token-relay can do; each row is defined in the file of its name.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdbool.h>

#include "cli/arguments.h"
#include "core/config.h"

#define CLI_SENTENCE_MAX_BYTES 512

extern const struct command gateway_command;
extern const struct command auth_command;
extern const struct command message_command;
extern const struct command up_command;
extern const struct command check_command;
extern const struct command user_command;
extern const struct command settings_command;

/* Loads what `users` read; false: "PATH: SENTENCE" was printed on standard error. */
bool command_config(const struct command *command, unsigned users, struct config *config);

/* Prints "PATH: SENTENCE" on standard error; returns the exit code of a failure. */
int command_fail(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
