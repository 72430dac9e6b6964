/*
 * up.c - starts the three services, keeps them running, and ends them in order.
 *
 *   auth, message ──▶ listening ──▶ gateway ──▶ ready ──▶ watch: restart who died ──▶ SIGTERM, SIGINT
 *        └────────────────┴────────────┴── one died: the others are ended, 1             │
 *                                                             gateway drained ◀──────────┘
 *                                                      auth and message drained ──▶ 0
 *
 * One loop waits for everything: signals (of children too) come through a descriptor.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "cli/up_health.h"
#include "cli/up_secret.h"
#include "cli/up_watch.h"
#include "core/log.h"

#define USERS (CONFIG_UP | CONFIG_GATEWAY | CONFIG_AUTH | CONFIG_MESSAGE)

static bool open_log(const struct config *config)
{
    char error[CLI_SENTENCE_MAX_BYTES];
    const struct log_options options = {
        .service = "up",
        .level = (enum log_level)config->log_level,
        .format = (enum log_format)config->log_format,
        .file = config->log_file,
        .queue_max_bytes = config->log_queue_max,
    };

    _Static_assert((int)CONFIG_LOG_ERROR == (int)LOG_ERROR && (int)CONFIG_LOG_TEXT == (int)LOG_TEXT,
                   "same order");
    if (log_open(&options, error, sizeof error))
        return true;
    command_fail(&up_command, "%s", error);
    return false;
}

/* Where a client on this machine finds the gateway: by its own URL where that is one of this machine. */
static void client_base(const struct config *config, char base[HEALTH_BASE_MAX_BYTES])
{
    const struct config_url *url = &config->user_service_url;

    if (strcmp(url->host, "localhost") == 0 && url->port == config->gateway_listen.port && url->port != 0)
        snprintf(base, HEALTH_BASE_MAX_BYTES, "%s", url->base);
    else
        health_base(&config->gateway_listen, base);
}

static void print_row(const char *name, const char *value, const char *note)
{
    printf("  %-9s ", name);
    terminal_put(stdout, value, strlen(value));
    printf("%s\n", note);
}

static void print_store(const struct config *config)
{
    static const char scheme[] = "lmdb:";
    const char *url = config->database_url;
    char *path = NULL;

    if (strncmp(url, scheme, strlen(scheme)) == 0)
        path = realpath(url + strlen(scheme), NULL);
    print_row("data", path != NULL ? path : url, "  (DATABASE_URL)");
    free(path);
}

static void print_first_request(const struct config *config, const char *base)
{
    const char *socket_path = config->gateway_listen.socket_path;

    printf("\nA first request to try, which signs a user up:\n\n  %scurl -s ",
           terminal_colour(stdout, TERMINAL_BOLD));
    if (socket_path[0] != '\0') {
        printf("--unix-socket '");
        terminal_put(stdout, socket_path, strlen(socket_path));
        printf("' ");
        base = "http://localhost";
    }
    printf(
        "%s/user/signup -H 'Content-Type: application/json' "
        "-d '{\"username\": \"ada\", \"password\": \"Lovelace-1815\", \"email\": \"ada@example.org\"}'%s\n\n",
        base, terminal_colour(stdout, TERMINAL_PLAIN));
}

static void print_welcome(const struct config *config)
{
    char gateway[HEALTH_BASE_MAX_BYTES];
    char auth[HEALTH_BASE_MAX_BYTES];
    char message[HEALTH_BASE_MAX_BYTES];
    char metrics[HEALTH_BASE_MAX_BYTES];
    const char *bold = terminal_colour(stdout, TERMINAL_BOLD);
    const char *plain = terminal_colour(stdout, TERMINAL_PLAIN);

    client_base(config, gateway);
    health_base(&config->auth_listen, auth);
    health_base(&config->message_listen, message);
    printf("%stoken-relay is up%s\n\n", bold, plain);
    print_row("gateway", gateway, "  (for clients)");
    print_row("auth", auth, "  (internal)");
    print_row("message", message, "  (internal)");
    if (*config->gateway_metrics_listen.host != '\0') {
        health_base(&config->gateway_metrics_listen, metrics);
        print_row("metrics", metrics, "/metrics  (of the gateway)");
    }
    print_store(config);
    print_first_request(config, gateway);
    printf("All of it, with every request shown:  ");
    terminal_put(stdout, program_invocation_name, strlen(program_invocation_name));
    printf(" check ");
    terminal_put(stdout, gateway, strlen(gateway));
    printf("\nCtrl-C stops it.\n");
    fflush(stdout);
}

/* Whoever started us may wait for the same byte that we wait for from the services. */
static int take_ready_fd(void)
{
    const char *text = getenv(UP_READY_FD_NAME);
    char *end = NULL;

    if (text == NULL || text[0] == '\0')
        return -1;
    const long fd = strtol(text, &end, 10);
    if (*end != '\0' || fd <= STDERR_FILENO || fd > 1000000 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0)
        return -1;
    return (int)fd;
}

static void tell_ready(int fd)
{
    if (fd < 0)
        return;
    if (write(fd, "1", 1) != 1)
        log_event(LOG_WARN, "not_told_ready", LOG_NUMBER("errno", errno));
    close(fd);
}

static int serve(const struct config *config, int ready_fd)
{
    struct watch watch;

    watch_open(&watch, config);
    const enum watch_outcome outcome = watch_start(&watch);
    if (outcome == WATCH_READY) {
        print_welcome(config);
        tell_ready(ready_fd);
        log_event(LOG_INFO, "ready", LOG_NUMBER("pid", getpid()));
        struct health *health = health_start(config);
        watch_run(&watch);
        health_stop(health);
    } else if (ready_fd >= 0) {
        close(ready_fd);
    }
    const bool drained = watch_drain(&watch);
    watch_close(&watch);
    return outcome != WATCH_FAILED && drained ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Whoever calls a service must know its port before it runs. */
static bool is_fixed(const struct config_address *address)
{
    return address->port != 0 || address->socket_path[0] != '\0';
}

static bool ports_are_fixed(const struct config *config)
{
    if (is_fixed(&config->gateway_listen) && is_fixed(&config->auth_listen) &&
        is_fixed(&config->message_listen))
        return true;
    command_fail(&up_command,
                 "port 0 (any free port) is for a service run alone; give GATEWAY_LISTEN, AUTH_LISTEN "
                 "and MESSAGE_LISTEN fixed ports");
    return false;
}

/* Loads the settings; on a first run makes the secret that they lack, and loads them again. */
static bool prepare(struct config *config)
{
    char secret[UP_SECRET_LENGTH + 1];
    char error[CLI_SENTENCE_MAX_BYTES];

    /* An empty variable would hide what .env says. */
    const char *given = getenv("SECRET_KEY");
    if (given != NULL && *given == '\0')
        unsetenv("SECRET_KEY");
    if (!command_config(&up_command, USERS, config))
        return false;
    if (config->secret_key[0] != '\0')
        return true;
    config_free(config);
    if (!up_secret_make(secret, error, sizeof error)) {
        command_fail(&up_command, "%s", error);
        return false;
    }
    explicit_bzero(secret, sizeof secret);
    printf("Made a SECRET_KEY at random and wrote it to .env (mode 0600): keep it, tokens are signed with "
           "it.\n\n");
    fflush(stdout);
    return command_config(&up_command, USERS, config);
}

static int run_up(const struct arguments *arguments)
{
    struct config config;

    assert(arguments->command == &up_command);
    const int ready_fd = take_ready_fd();
    if (!prepare(&config))
        return EXIT_FAILURE;
    if (!ports_are_fixed(&config)) {
        config_free(&config);
        return EXIT_FAILURE;
    }
    assert(config.secret_key[0] != '\0');
    /* Before the first thread is made: none of them may take a signal. */
    watch_block_signals();
    int code = EXIT_FAILURE;
    if (open_log(&config)) {
        code = serve(&config, ready_fd);
        log_close();
    }
    config_free(&config);
    return code;
}

static void more_help(void)
{
    puts("\nOn the first run it makes a SECRET_KEY and writes it to .env. A service that dies is started "
         "again.\n"
         "SIGTERM and Ctrl-C drain (gateway first, then auth and message) and end with 0; a second Ctrl-C "
         "ends all\n"
         "at once. SIGHUP has every service open its log file again.\n"
         "Settings come from the environment and from .env in the working directory:\n");
    config_print(stdout, CONFIG_PRINT_TEXT);
}

const struct command up_command = {
    .name = "up",
    .path = "token-relay up",
    .synopsis = "[--help]",
    .sentence = "Starts gateway, auth and message, and keeps them running.",
    .run = run_up,
    .more_help = more_help,
};
