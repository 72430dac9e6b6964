/*
 * arguments.h - commands, their options and their help, by declaration: one table per level, one reader for
 * all.
 *
 *     token-relay COMMAND [OPTIONS] [ARGUMENTS]        --help, -h anywhere prints help and ends with 0
 *
 * What is not understood ends with 2 and a hint (the nearest name there is).
 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include <stddef.h>

#define ARGUMENTS_POSITIONAL_MAX 4
#define ARGUMENTS_OPTIONS_MAX    8

#define EXIT_USAGE 2

struct command_option {
    const char *name;       /* "--limit" */
    const char *value_name; /* "N"; NULL: the option takes no value */
    const char *sentence;
};

struct command;

/* A command line, read. */
struct arguments {
    const struct command *command;
    const char *positional[ARGUMENTS_POSITIONAL_MAX];
    size_t positional_count;
    const char *options[ARGUMENTS_OPTIONS_MAX]; /* by row of command->options: the value, "" for a flag, NULL:
                                                   absent */
};

struct command {
    const char *name;     /* "check" */
    const char *path;     /* "token-relay check": what help and faults say */
    const char *synopsis; /* what follows the path: "[URL] [--demo]" */
    const char *sentence;
    const struct command_option *options;
    size_t option_count;
    size_t positional_min;
    size_t positional_max;
    int (*run)(const struct arguments *arguments);
    /* Prints what help says beyond the options; may be NULL. */
    void (*more_help)(void);
    /* A command of commands has these instead of options and run. */
    const struct command *const *commands;
    size_t command_count;
};

/* Runs what argv (after the command's own name) asks of `command`, and returns the exit code. */
int command_run(const struct command *command, int argc, char **argv);

/* Prints help of a command on standard output. */
void command_help(const struct command *command);

/* The value of an option by its name; NULL where it was not given. */
const char *arguments_option(const struct arguments *arguments, const char *name);

/* Of `count` names the one most like `word`, or NULL where none is like it. */
const char *nearest_name(const char *word, const char *const *names, size_t count);

#endif
