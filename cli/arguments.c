#include "cli/arguments.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/terminal.h"

#define NAME_MAX_BYTES 32
#define NAMES_MAX      16

static size_t smallest(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* How many letters must change to make one word the other (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_BYTES + 1];
    const size_t a_length = strlen(a);
    const size_t b_length = strlen(b);

    if (a_length > NAME_MAX_BYTES || b_length > NAME_MAX_BYTES)
        return NAME_MAX_BYTES;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            const size_t above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
            diagonal = above;
        }
    }
    return row[b_length];
}

const char *nearest_name(const char *word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    const size_t word_length = strlen(word);
    /* More than half of the letters wrong is not a slip of the finger. */
    size_t least = word_length / 2 + 1;

    for (size_t i = 0; i < count; i++) {
        const bool begins = word_length >= 2 && strncmp(word, names[i], word_length) == 0;
        const size_t away = begins ? 0 : distance(word, names[i]);
        if (away < least) {
            least = away;
            nearest = names[i];
        }
    }
    return nearest;
}

static void print_rows(const struct command *command)
{
    if (command->command_count > 0)
        puts("\nCommands:");
    for (size_t i = 0; i < command->command_count; i++)
        printf("  %-11s %s\n", command->commands[i]->name, command->commands[i]->sentence);
    puts("\nOptions:");
    for (size_t i = 0; i < command->option_count; i++) {
        const struct command_option *row = &command->options[i];
        char left[64];
        const int length =
            snprintf(left, sizeof left, "%s%s%s", row->name, row->value_name != NULL ? " " : "",
                     row->value_name != NULL ? row->value_name : "");
        assert(length > 0 && (size_t)length < sizeof left);
        printf("  %-15s %s\n", left, row->sentence);
    }
    printf("  %-15s %s\n", "--help", "Says this.");
}

void command_help(const struct command *command)
{
    printf("%s %s\n\n%s\n", command->path, command->synopsis, command->sentence);
    print_rows(command);
    if (command->more_help != NULL)
        command->more_help();
}

/* Says what is wrong, the nearest name there is, and where help is. */
static int refuse(const struct command *command, const char *what, const char *word, const char *nearest)
{
    fprintf(stderr, "%s: ", command->path);
    fputs(what, stderr);
    if (word != NULL) {
        fputs(" \"", stderr);
        terminal_put(stderr, word, strlen(word));
        fputc('"', stderr);
    }
    if (nearest != NULL)
        fprintf(stderr, "; did you mean %s?", nearest);
    else
        fputc('.', stderr);
    fprintf(stderr, " See %s --help.\n", command->path);
    return EXIT_USAGE;
}

static int refuse_option(const struct command *command, const char *word)
{
    const char *names[NAMES_MAX] = {"--help"};
    size_t count = 1;

    assert(command->option_count < NAMES_MAX);
    for (size_t i = 0; i < command->option_count; i++)
        names[count++] = command->options[i].name;
    return refuse(command, "there is no option", word, nearest_name(word, names, count));
}

static int refuse_command(const struct command *command, const char *word)
{
    const char *names[NAMES_MAX];

    assert(command->command_count <= NAMES_MAX);
    for (size_t i = 0; i < command->command_count; i++)
        names[i] = command->commands[i]->name;
    return refuse(command, "there is no command", word, nearest_name(word, names, command->command_count));
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* "--name" or "--name=value": the row, or the number of rows. */
static size_t find_option(const struct command *command, const char *word)
{
    const size_t length = strcspn(word, "=");
    size_t i = 0;

    for (; i < command->option_count; i++) {
        const char *name = command->options[i].name;
        if (strlen(name) == length && memcmp(name, word, length) == 0)
            break;
    }
    return i;
}

/* Takes the option at argv[*at] and its value. 0, or the exit code of a refusal. */
static int take_option(struct arguments *arguments, int argc, char **argv, int *at)
{
    const struct command *command = arguments->command;
    const char *word = argv[*at];
    const char *given = strchr(word, '=');
    const size_t row = find_option(command, word);

    if (row == command->option_count)
        return refuse_option(command, word);
    assert(row < ARGUMENTS_OPTIONS_MAX);
    if (command->options[row].value_name == NULL) {
        if (given != NULL)
            return refuse(command, "there is no value to give to", command->options[row].name, NULL);
        arguments->options[row] = "";
        return 0;
    }
    if (given != NULL) {
        arguments->options[row] = given + 1;
        return 0;
    }
    if (*at + 1 >= argc)
        return refuse(command, "a value is missing after", word, NULL);
    arguments->options[row] = argv[++*at];
    return 0;
}

static int run_leaf(const struct command *command, int argc, char **argv)
{
    struct arguments arguments = {.command = command};
    bool options_ended = false;

    assert(command->run != NULL);
    assert(command->positional_max <= ARGUMENTS_POSITIONAL_MAX);
    for (int i = 0; i < argc; i++) {
        if (!options_ended && strcmp(argv[i], "--") == 0) {
            options_ended = true;
        } else if (!options_ended && is_help(argv[i])) {
            command_help(command);
            return EXIT_SUCCESS;
        } else if (!options_ended && argv[i][0] == '-' && argv[i][1] != '\0') {
            const int refused = take_option(&arguments, argc, argv, &i);
            if (refused != 0)
                return refused;
        } else if (arguments.positional_count == command->positional_max) {
            return refuse(command, "there is one argument too many,", argv[i], NULL);
        } else {
            arguments.positional[arguments.positional_count++] = argv[i];
        }
    }
    if (arguments.positional_count < command->positional_min) {
        fprintf(stderr, "%s: an argument is missing: %s %s\n", command->path, command->path,
                command->synopsis);
        return EXIT_USAGE;
    }
    return command->run(&arguments);
}

static int run_tree(const struct command *command, int argc, char **argv)
{
    if (argc == 0) {
        fprintf(stderr, "%s: say which command. See %s --help.\n", command->path, command->path);
        return EXIT_USAGE;
    }
    if (is_help(argv[0])) {
        command_help(command);
        return EXIT_SUCCESS;
    }
    if (argv[0][0] == '-')
        return refuse_option(command, argv[0]);
    for (size_t i = 0; i < command->command_count; i++) {
        if (strcmp(command->commands[i]->name, argv[0]) == 0)
            return command_run(command->commands[i], argc - 1, argv + 1);
    }
    return refuse_command(command, argv[0]);
}

int command_run(const struct command *command, int argc, char **argv)
{
    assert(argc >= 0);
    return command->command_count > 0 ? run_tree(command, argc, argv) : run_leaf(command, argc, argv);
}

const char *arguments_option(const struct arguments *arguments, const char *name)
{
    const size_t row = find_option(arguments->command, name);

    assert(row < arguments->command->option_count);
    return arguments->options[row];
}
