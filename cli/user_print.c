/*
 * user_print.c - users, for people and for programs. Names and addresses come from clients: printable ASCII
 * only.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/terminal.h"
#include "cli/user_desk.h"
#include "core/buffer.h"
#include "core/clock.h"

enum { COLUMN_ID, COLUMN_NAME, COLUMN_EMAIL, COLUMN_ROLE, COLUMN_STATE, COLUMN_CREATED, COLUMNS };

static const char *const titles[COLUMNS] = {"ID", "USERNAME", "E-MAIL", "ROLE", "STATE", "CREATED"};

static void add_time(struct buffer *out, int64_t time_us)
{
    char text[CLOCK_RFC3339_LENGTH + 1];

    clock_rfc3339(time_us, text);
    buffer_add_text(out, text);
}

static void add_cell(struct buffer *out, const struct user *user, size_t column)
{
    assert(column < COLUMNS);
    if (column == COLUMN_ID)
        buffer_add_number(out, user->id);
    else if (column == COLUMN_NAME)
        terminal_add(out, user->username, strlen(user->username));
    else if (column == COLUMN_EMAIL)
        terminal_add(out, user->email, strlen(user->email));
    else if (column == COLUMN_ROLE)
        buffer_add_text(out, user->is_admin ? "admin" : "user");
    else if (column == COLUMN_STATE)
        buffer_add_text(out, user->is_active ? "active" : "inactive");
    else
        add_time(out, user->created_at_us);
}

static void print_cell(const char *text, size_t width, size_t column)
{
    if (column + 1 == COLUMNS)
        printf("%s\n", text);
    else
        printf("%-*s  ", (int)width, text);
}

void users_print_table(const struct user *users, size_t count)
{
    size_t widths[COLUMNS];
    struct buffer cell;

    buffer_open(&cell);
    for (size_t column = 0; column < COLUMNS; column++) {
        widths[column] = strlen(titles[column]);
        for (size_t i = 0; i < count; i++) {
            buffer_clear(&cell);
            add_cell(&cell, &users[i], column);
            widths[column] = cell.length > widths[column] ? cell.length : widths[column];
        }
    }
    for (size_t column = 0; column < COLUMNS; column++)
        print_cell(titles[column], widths[column], column);
    for (size_t i = 0; i < count; i++) {
        for (size_t column = 0; column < COLUMNS; column++) {
            buffer_clear(&cell);
            add_cell(&cell, &users[i], column);
            print_cell(cell.at, widths[column], column);
        }
    }
    buffer_close(&cell);
}

static void add_json(struct buffer *out, const struct user *user)
{
    buffer_add_format(out, "{\"user_id\": %" PRIu64 ", \"username\": ", user->id);
    buffer_add_json_ascii(out, user->username, strlen(user->username));
    buffer_add_text(out, ", \"email\": ");
    buffer_add_json_ascii(out, user->email, strlen(user->email));
    buffer_add_format(out, ", \"is_admin\": %s, \"is_active\": %s, \"created_at\": \"",
                      user->is_admin ? "true" : "false", user->is_active ? "true" : "false");
    add_time(out, user->created_at_us);
    buffer_add_text(out, "\"}");
}

void users_print_json(const struct user *users, size_t count, uint64_t next_after)
{
    struct buffer out;

    buffer_open(&out);
    buffer_add_text(&out, "{\"users\": [");
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&out, i > 0 ? ", " : "");
        add_json(&out, &users[i]);
    }
    buffer_add_text(&out, "], \"next_after\": ");
    if (next_after > 0)
        buffer_add_number(&out, next_after);
    else
        buffer_add_text(&out, "null");
    printf("%s}\n", out.at);
    buffer_close(&out);
}

static void print_line(const char *name, const char *text)
{
    printf("%-12s ", name);
    terminal_put(stdout, text, strlen(text));
    putchar('\n');
}

static void print_time(const char *name, int64_t time_us)
{
    char text[CLOCK_RFC3339_LENGTH + 1];

    if (time_us == 0)
        return;
    clock_rfc3339(time_us, text);
    print_line(name, text);
}

void user_print(const struct user *user)
{
    printf("%-12s %" PRIu64 "\n", "user ID", user->id);
    print_line("username", user->username);
    print_line("e-mail", user->email);
    print_line("role", user->is_admin ? "admin" : "user");
    print_line("state", user->is_active ? "active" : "inactive");
    print_line("password", user->password_method);
    print_time("created", user->created_at_us);
    print_time("updated", user->updated_at_us);
    print_time("deactivated", user->deactivated_at_us);
}

void user_say(const char *verb, const struct user *user)
{
    printf("%s ", verb);
    terminal_put(stdout, user->username, strlen(user->username));
    printf(", user ID %" PRIu64 ".\n", user->id);
}
