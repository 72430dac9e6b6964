/*
 * user_sessions.c - token-relay user sessions: those of one user, oldest first; ends one, or all.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "cli/user_desk.h"
#include "core/buffer.h"
#include "core/clock.h"
#include "core/memory.h"

#define SHOWN_MAX 10000 /* as many as a user can have */

static void print_line(const struct session *session)
{
    char created[CLOCK_RFC3339_LENGTH + 1];
    char ends[CLOCK_RFC3339_LENGTH + 1];

    clock_rfc3339(session->created_at_us, created);
    clock_rfc3339(session->ends_at_us, ends);
    printf("%s  %s  %s  ", session->id, created, ends);
    terminal_put(stdout, session->client_address, strlen(session->client_address));
    fputs("  ", stdout);
    terminal_put(stdout, session->user_agent, strlen(session->user_agent));
    putchar('\n');
}

static void print_table(const struct session *sessions, size_t count)
{
    printf("%-22s  %-27s  %-27s  ADDRESS  USER AGENT\n", "SID", "CREATED", "ENDS (AT THE LATEST)");
    for (size_t i = 0; i < count; i++)
        print_line(&sessions[i]);
}

static void add_text(struct buffer *out, const char *key, const char *text)
{
    buffer_add_format(out, "\"%s\": ", key);
    buffer_add_json_ascii(out, text, strlen(text));
    buffer_add_text(out, ", ");
}

static void add_time(struct buffer *out, const char *key, int64_t time_us)
{
    char text[CLOCK_RFC3339_LENGTH + 1];

    clock_rfc3339(time_us, text);
    add_text(out, key, text);
}

static void print_json(const struct session *sessions, size_t count)
{
    struct buffer out;

    buffer_open(&out);
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&out, i > 0 ? ", {" : "{");
        add_text(&out, "sid", sessions[i].id);
        add_time(&out, "created_at", sessions[i].created_at_us);
        add_time(&out, "refreshed_at", sessions[i].refreshed_at_us);
        add_time(&out, "ends_at", sessions[i].ends_at_us);
        add_text(&out, "client_address", sessions[i].client_address);
        buffer_add_text(&out, "\"user_agent\": ");
        buffer_add_json_ascii(&out, sessions[i].user_agent, strlen(sessions[i].user_agent));
        buffer_add_char(&out, '}');
    }
    printf("{\"sessions\": [%s]}\n", out.at);
    buffer_close(&out);
}

static int show(struct desk *desk, const struct arguments *arguments, const struct user *user)
{
    struct session *sessions = memory_zeroed(SHOWN_MAX * sizeof *sessions);
    size_t count = 0;
    int code = EXIT_SUCCESS;
    const enum store_outcome outcome =
        user_store_list_sessions(desk->store, user->id, SHOWN_MAX, sessions, &count);

    if (outcome != STORE_OK)
        code = command_fail(desk->command, "%s", store_outcome_sentence(outcome));
    else if (arguments_option(arguments, "--json") != NULL)
        print_json(sessions, count);
    else
        print_table(sessions, count);
    free(sessions);
    return code;
}

static int end_one(struct desk *desk, const char *sid, const struct user *user)
{
    struct store_write write = {.kind = STORE_END_SESSION, .session.user_id = user->id};

    if (strlen(sid) != SESSION_ID_LENGTH)
        return command_fail(desk->command, "this user has no such session.");
    strcpy(write.session.id, sid);
    switch (user_store_write_and_wait(desk->store, &write)) {
    case STORE_OK:
        user_say("Ended a session of", user);
        return EXIT_SUCCESS;
    case STORE_NOT_FOUND:
        return command_fail(desk->command, "this user has no such session.");
    default:
        return command_fail(desk->command, "%s", store_outcome_sentence(write.outcome));
    }
}

static int end_all(struct desk *desk, const struct user *user)
{
    struct store_write write = {.kind = STORE_END_USER_SESSIONS, .user.id = user->id};
    char verb[64];

    const int code = desk_write(desk, &write);
    if (code == EXIT_SUCCESS) {
        snprintf(verb, sizeof verb, "Ended %" PRIu64 " session%s of", write.ended_count,
                 write.ended_count == 1 ? "" : "s");
        user_say(verb, user);
    }
    password_wipe(&write, sizeof write);
    return code;
}

static int act(struct desk *desk, const struct arguments *arguments, const struct user *user)
{
    const char *sid = arguments_option(arguments, "--end");

    if (sid != NULL)
        return end_one(desk, sid, user);
    if (arguments_option(arguments, "--end-all") != NULL)
        return end_all(desk, user);
    return show(desk, arguments, user);
}

int user_sessions_run(const struct arguments *arguments)
{
    struct desk desk;
    struct user user;

    if (!desk_names_one(arguments))
        return EXIT_USAGE;
    if (arguments_option(arguments, "--end") != NULL && arguments_option(arguments, "--end-all") != NULL) {
        fprintf(stderr, "%s: either --end or --end-all.\n", arguments->command->path);
        return EXIT_USAGE;
    }
    if (!desk_open(&desk, arguments->command, false))
        return EXIT_FAILURE;
    const int code = desk_find(&desk, arguments, &user) ? act(&desk, arguments, &user) : EXIT_FAILURE;
    password_wipe(&user, sizeof user);
    desk_close(&desk);
    return code;
}
