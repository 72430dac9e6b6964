/*
 * services.c - the commands that are services, and the one that prints the settings.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "cli/commands.h"
#include "core/metrics_table.h"
#include "gateway/gateway.h"
#include "message/message.h"

int command_fail(const struct command *command, const char *format, ...)
{
    va_list list;

    fprintf(stderr, "%s: ", command->path);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    return EXIT_FAILURE;
}

bool command_config(const struct command *command, unsigned users, struct config *config)
{
    char error[CLI_SENTENCE_MAX_BYTES];

    if (config_load(config, users, error, sizeof error))
        return true;
    command_fail(command, "%s", error);
    return false;
}

static int run_service(const struct arguments *arguments, unsigned user,
                       int (*service)(const struct config *))
{
    struct config config;

    if (!command_config(arguments->command, user, &config))
        return EXIT_FAILURE;
    const int code = service(&config);
    config_free(&config);
    return code;
}

static int run_gateway(const struct arguments *arguments)
{
    return run_service(arguments, CONFIG_GATEWAY, gateway_main);
}

static int run_auth(const struct arguments *arguments)
{
    return run_service(arguments, CONFIG_AUTH, auth_main);
}

static int run_message(const struct arguments *arguments)
{
    return run_service(arguments, CONFIG_MESSAGE, message_main);
}

static void service_help(void)
{
    puts("\nIt drains and ends with 0 on SIGTERM or SIGINT, and opens its log file again on SIGHUP.\n"
         "It reads its settings from the environment and from .env in the working directory:\n");
    config_print(stdout, CONFIG_PRINT_TEXT);
}

const struct command gateway_command = {
    .name = "gateway",
    .path = "token-relay gateway",
    .synopsis = "[--help]",
    .sentence = "Runs the gateway: the service that clients reach.",
    .run = run_gateway,
    .more_help = service_help,
};

const struct command auth_command = {
    .name = "auth",
    .path = "token-relay auth",
    .synopsis = "[--help]",
    .sentence = "Runs auth: the service of users, passwords and tokens.",
    .run = run_auth,
    .more_help = service_help,
};

const struct command message_command = {
    .name = "message",
    .path = "token-relay message",
    .synopsis = "[--help]",
    .sentence = "Runs message: the service of the text for a role.",
    .run = run_message,
    .more_help = service_help,
};

static int run_settings(const struct arguments *arguments)
{
    const bool as_env = arguments_option(arguments, "--env") != NULL;
    const bool as_markdown = arguments_option(arguments, "--markdown") != NULL;
    const bool of_metrics = arguments_option(arguments, "--metrics") != NULL;

    if (as_env + as_markdown + of_metrics > 1) {
        command_fail(arguments->command, "say one of --env, --markdown and --metrics.");
        return EXIT_USAGE;
    }
    if (of_metrics) {
        metrics_print(stdout);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    config_print(stdout, as_env ? CONFIG_PRINT_ENV : as_markdown ? CONFIG_PRINT_MARKDOWN : CONFIG_PRINT_TEXT);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const struct command_option settings_options[] = {
    {.name = "--env", .sentence = "As a .env file to begin with."},
    {.name = "--markdown", .sentence = "As the table of README.md."},
    {.name = "--metrics", .sentence = "The table of metrics instead, as README.md has it."},
};

const struct command settings_command = {
    .name = "settings",
    .path = "token-relay settings",
    .synopsis = "[--env | --markdown | --metrics]",
    .sentence = "Prints every setting, its default and what it does.",
    .options = settings_options,
    .option_count = sizeof settings_options / sizeof settings_options[0],
    .run = run_settings,
};
