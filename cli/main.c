/*
 * main.c - token-relay: one binary, whose commands are the services and the tools.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"

static const struct command *const commands[] = {
    &up_command,   &check_command,   &user_command,     &gateway_command,
    &auth_command, &message_command, &settings_command,
};

static const struct command_option options[] = {
    {.name = "--version", .sentence = "Prints the version."},
};

static void more_help(void)
{
    puts("\ntoken-relay COMMAND --help says more about a command, token-relay settings what can be set.");
}

static const struct command token_relay = {
    .name = "token-relay",
    .path = "token-relay",
    .synopsis = "COMMAND [OPTIONS] [ARGUMENTS]",
    .sentence = "Signup, login and a message for each role, through three small services.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .more_help = more_help,
    .commands = commands,
    .command_count = sizeof commands / sizeof commands[0],
};

/*
 * Standard descriptors that were closed before we started would be given to the next files opened, the
 * store's among them, and what is printed would be written into those.
 */
static void fill_standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            abort();
    } while (fd <= STDERR_FILENO);
    close(fd);
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("token-relay " TOKEN_RELAY_VERSION);
        return EXIT_SUCCESS;
    }
    /* Without argv[0] there is nothing to skip. */
    return command_run(&token_relay, argc > 0 ? argc - 1 : 0, argv + 1);
}
