/*
 * check.c - the demonstration client: walks through what the gateway does for a normal user and an
 * administrator, shows every request and answer, and ends with 0 only if all were as they should be.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/check_client.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "core/ask.h"
#include "core/buffer.h"
#include "core/config_parse.h"

#define RANDOM_BYTES      12
#define ADMIN_GREETING    "Welcome, Admin! You have full access."
#define USER_GREETING     "Welcome, Authenticated user! Limited access."
#define DEMO_ADMIN        "admin_user"
#define DEMO_ADMIN_SECRET "Admin-Demo-2024!"
#define DEMO_USER         "normal_user"
#define DEMO_USER_SECRET  "Normal-Demo-2024!"

struct person {
    const char *name;
    const char *password;
    bool is_admin;
};

static void signup_body(struct buffer *body, const struct person *person)
{
    struct buffer email;

    buffer_open(&email);
    buffer_add_format(&email, "%s@example.org", person->name);
    buffer_add_text(body, "{\"username\": ");
    buffer_add_json(body, person->name, strlen(person->name));
    buffer_add_text(body, ", \"password\": ");
    buffer_add_json(body, person->password, strlen(person->password));
    buffer_add_text(body, ", \"email\": ");
    buffer_add_json(body, email.at, email.length);
    buffer_add_text(body, person->is_admin ? ", \"is_admin\": true}" : "}");
    buffer_close(&email);
}

static bool sign_up(struct check *check, const char *title, const struct person *person, bool may_exist)
{
    struct buffer body;

    buffer_open(&body);
    signup_body(&body, person);
    const bool good = check_ask(check, &(struct question){
                                           .title = title,
                                           .method = "POST",
                                           .path = "/user/signup",
                                           .body = body.at,
                                           .status = 201,
                                           .detail_kind = CHECK_DETAIL_BEGINS,
                                           .detail = "User created successfully, user ID ",
                                           .may_exist = may_exist,
                                           .may_be_refused = may_exist && person->is_admin,
                                       });
    buffer_close(&body);
    return good;
}

/* `right` says which answer is wanted. */
static bool log_in(struct check *check, const char *title, const char *name, const char *password, bool right)
{
    struct buffer body;

    buffer_open(&body);
    buffer_add_text(&body, "{\"username\": ");
    buffer_add_json(&body, name, strlen(name));
    buffer_add_text(&body, ", \"password\": ");
    buffer_add_json(&body, password, strlen(password));
    buffer_add_char(&body, '}');
    const bool good = check_ask(check, &(struct question){
                                           .title = title,
                                           .method = "POST",
                                           .path = "/user/login",
                                           .body = body.at,
                                           .status = right ? 200 : 401,
                                           .detail_kind = right ? CHECK_DETAIL_TOKENS : CHECK_DETAIL_IS,
                                           .detail = right ? NULL : "Incorrect username or password",
                                       });
    buffer_close(&body);
    return good;
}

static bool get_message(struct check *check, const char *title, const char *token, unsigned status,
                        const char *detail)
{
    return check_ask(check, &(struct question){
                                .title = title,
                                .method = "GET",
                                .path = "/user/message",
                                .token = token,
                                .status = status,
                                .detail_kind = CHECK_DETAIL_IS,
                                .detail = detail,
                            });
}

static void random_word(char word[2 * RANDOM_BYTES + 1])
{
    unsigned char bytes[RANDOM_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        fputs("token-relay check: the kernel has no random bytes.\n", stderr);
        abort();
    }
    for (size_t i = 0; i < RANDOM_BYTES; i++)
        snprintf(word + 2 * i, 3, "%02x", bytes[i]);
}

/* Changes the first character of the signature: the last one has bits that mean nothing. */
static void forge(char *token)
{
    char *signature = strrchr(token, '.');

    assert(signature != NULL && signature[1] != '\0');
    signature[1] = signature[1] == 'A' ? 'B' : 'A';
}

static void check_normal_user(struct check *check, char *name)
{
    char password[2 * RANDOM_BYTES + 1];

    random_word(password);
    const struct person person = {.name = name, .password = password};
    sign_up(check, "A new user signs up", &person, false);
    if (log_in(check, "The user logs in", name, password, true)) {
        get_message(check, "The user fetches the message", check->access_token, 200, USER_GREETING);
        forge(check->access_token);
        get_message(check, "A forged token is refused", check->access_token, 401,
                    "Invalid token, access denied");
        check_forget(check);
    }
    log_in(check, "A wrong password is refused", name, "not-the-password", false);
    get_message(check, "A missing token is refused", NULL, 400, "Authorization token is missing");
}

static void check_greeting(struct check *check, const char *title, const char *name, const char *password,
                           const char *greeting)
{
    if (log_in(check, title, name, password, true))
        get_message(check, "The message is the one for that role", check->access_token, 200, greeting);
    check_forget(check);
}

static void check_demo(struct check *check)
{
    const struct person admin = {.name = DEMO_ADMIN, .password = DEMO_ADMIN_SECRET, .is_admin = true};
    const struct person user = {.name = DEMO_USER, .password = DEMO_USER_SECRET};

    sign_up(check, "The demo administrator, " DEMO_ADMIN ", signs up", &admin, true);
    check_greeting(check, DEMO_ADMIN " logs in", admin.name, admin.password, ADMIN_GREETING);
    sign_up(check, "The demo user, " DEMO_USER ", signs up", &user, true);
    check_greeting(check, DEMO_USER " logs in", user.name, user.password, USER_GREETING);
}

static int summarize(const struct check *check, const char *name, const char *left_out)
{
    const unsigned count = check->good_count + check->bad_count;
    const bool good = !check->unreachable && check->bad_count == 0;

    if (count == 0)
        return EXIT_FAILURE;
    printf("%s%s%s  %u of %u checks were as they should be.\n",
           terminal_colour(stdout, good ? TERMINAL_GREEN : TERMINAL_RED), terminal_mark(stdout, good),
           terminal_colour(stdout, TERMINAL_PLAIN), check->good_count, count);
    if (check->unreachable)
        puts("Left out: everything after that, because no more answers came.");
    else if (left_out != NULL)
        printf("Left out: the administrator's half, because %s.\n", left_out);
    printf("Left behind: the user %s.\n", name);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int walk(struct check *check, bool demo)
{
    char name[2 * RANDOM_BYTES + 16] = "check-";
    const char *admin = getenv("CHECK_ADMIN_USER");
    const char *password = getenv("CHECK_ADMIN_PASSWORD");
    const char *left_out = NULL;

    random_word(name + strlen(name));
    check_normal_user(check, name);
    if (demo)
        check_demo(check);
    if (admin != NULL && password != NULL)
        check_greeting(check, "The administrator of CHECK_ADMIN_USER logs in", admin, password,
                       ADMIN_GREETING);
    else if (!demo)
        left_out = "CHECK_ADMIN_USER and CHECK_ADMIN_PASSWORD are not both set, and --demo was not given";
    return summarize(check, name, left_out);
}

/* The URL given, else the setting's. False: a sentence was printed. */
static bool find_url(const struct arguments *arguments, struct config_url *url)
{
    struct config config;
    const char *why = NULL;

    if (arguments->positional_count > 0) {
        if (config_parse_url(arguments->positional[0], url, &why))
            return true;
        command_fail(arguments->command, "the URL %s.", why);
        return false;
    }
    if (!command_config(arguments->command, CONFIG_GATEWAY, &config))
        return false;
    *url = config.user_service_url;
    config_free(&config);
    return true;
}

static bool is_loopback(const struct config_url *url)
{
    struct config_address address = {.port = url->port};

    _Static_assert(sizeof address.host == sizeof url->host, "a host is a host");
    memcpy(address.host, url->host, sizeof address.host);
    return config_address_is_loopback(&address);
}

static int run_check(const struct arguments *arguments)
{
    const bool demo = arguments_option(arguments, "--demo") != NULL;
    struct check check = {.unreachable = false};

    if (!find_url(arguments, &check.url))
        return EXIT_FAILURE;
    if (demo && !is_loopback(&check.url))
        return command_fail(arguments->command,
                            "--demo makes accounts whose passwords everyone knows, so it works "
                            "with a loopback address only (127.0.0.1, ::1, localhost).");
    printf("Checking %s\n\n", check.url.base);
    check.asker = asker_open();
    const int code = walk(&check, demo);
    check_forget(&check);
    asker_close(check.asker);
    return code;
}

static void more_help(void)
{
    puts("\nURL is where the gateway is, by default USER_SERVICE_URL. A normal user with a random name is "
         "signed up.\n"
         "The administrator's half runs with CHECK_ADMIN_USER and CHECK_ADMIN_PASSWORD from the environment, "
         "or with\n"
         "--demo, which signs up, where they do not exist yet,\n"
         "  " DEMO_ADMIN "   " DEMO_ADMIN_SECRET "    an administrator\n"
         "  " DEMO_USER "  " DEMO_USER_SECRET "   a normal user\n"
         "No password and no token is printed in full. Ends with 0 only if all was as it should be.");
}

static const struct command_option check_options[] = {
    {.name = "--demo", .sentence = "With the demo accounts; loopback addresses only."},
};

const struct command check_command = {
    .name = "check",
    .path = "token-relay check",
    .synopsis = "[URL] [--demo]",
    .sentence = "Walks through signup, login and message, and shows every request and answer.",
    .options = check_options,
    .option_count = sizeof check_options / sizeof check_options[0],
    .positional_max = 1,
    .run = run_check,
    .more_help = more_help,
};
