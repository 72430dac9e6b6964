/*
 * admin_list.c - GET /admin/users?after&limit&username&is_admin&is_active: a page of users, ids ascending,
 * for administrators. A narrow filter may give a short page before the end: next_after says where to go on.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/answer.h"
#include "auth/caller.h"
#include "auth/client.h"
#include "auth/state.h"
#include "auth/user_view.h"
#include "core/config_parse.h"
#include "core/memory.h"
#include "core/query.h"
#include "core/reply.h"

#define LIMIT_DEFAULT     100
#define LIMIT_MAX         1000
#define NUMBER_MAX_DIGITS 20

struct page {
    uint64_t after;
    uint64_t limit;
    struct user_filter filter;
    char username[USER_NAME_MAX_BYTES + 1];
};

static void add_fault(struct buffer *faults, const char *name, const char *message, const char *type)
{
    buffer_add_format(faults, "%c{\"loc\":[\"query\",\"%s\"],\"msg\":\"%s\",\"type\":\"%s\"}",
                      faults->length == 0 ? '[' : ',', name, message, type);
}

static void read_after(h2o_iovec_t query, struct page *page, struct buffer *faults)
{
    char text[NUMBER_MAX_DIGITS + 1];
    size_t length;
    const enum query_outcome found = query_read(query, "after", text, sizeof text, &length);

    if (found != QUERY_ABSENT &&
        (found == QUERY_TOO_LONG || strlen(text) != length || !config_parse_count(text, &page->after)))
        add_fault(faults, "after", "Input should be a valid integer", "int_parsing");
}

static void read_limit(h2o_iovec_t query, struct page *page, struct buffer *faults)
{
    char text[NUMBER_MAX_DIGITS + 1];
    size_t length;
    const enum query_outcome found = query_read(query, "limit", text, sizeof text, &length);

    if (found == QUERY_ABSENT)
        return;
    if (found == QUERY_TOO_LONG || strlen(text) != length || !config_parse_count(text, &page->limit))
        add_fault(faults, "limit", "Input should be a valid integer", "int_parsing");
    else if (page->limit < 1)
        add_fault(faults, "limit", "Input should be greater than or equal to 1", "greater_than_equal");
    else if (page->limit > LIMIT_MAX)
        add_fault(faults, "limit", "Input should be less than or equal to 1000", "less_than_equal");
}

/* A name that no user can have finds nobody. */
static void read_username(h2o_iovec_t query, struct page *page, struct buffer *faults)
{
    size_t length;
    const enum query_outcome found =
        query_read(query, "username", page->username, sizeof page->username, &length);

    if (found == QUERY_TOO_LONG)
        add_fault(faults, "username", "String should have at most 256 bytes", "string_too_long");
    else if (found == QUERY_FOUND && strlen(page->username) != length)
        add_fault(faults, "username", "Username must not contain control characters", "value_error");
    else if (found == QUERY_FOUND)
        page->filter.username = page->username;
}

static enum user_wanted read_wanted(h2o_iovec_t query, const char *name, struct buffer *faults)
{
    char text[8];
    size_t length;
    const enum query_outcome found = query_read(query, name, text, sizeof text, &length);

    if (found == QUERY_ABSENT)
        return USER_WANTED_ANY;
    if (found == QUERY_FOUND && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0))
        return USER_WANTED_YES;
    if (found == QUERY_FOUND && (strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0))
        return USER_WANTED_NO;
    add_fault(faults, name, "Input should be a valid boolean, unable to interpret input", "bool_parsing");
    return USER_WANTED_ANY;
}

static void read_page(h2o_iovec_t query, struct page *page, struct buffer *faults)
{
    read_after(query, page, faults);
    read_limit(query, page, faults);
    read_username(query, page, faults);
    page->filter.is_admin = read_wanted(query, "is_admin", faults);
    page->filter.is_active = read_wanted(query, "is_active", faults);
    if (faults->length > 0)
        buffer_add_char(faults, ']');
}

static void answer_users(struct exchange *x, const struct user *users, size_t count, uint64_t next_after)
{
    struct buffer detail;

    buffer_open(&detail);
    buffer_add_text(&detail, "{\"users\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_char(&detail, ',');
        user_view_add(&detail, &users[i]);
    }
    buffer_add_text(&detail, "],\"next_after\":");
    if (next_after > 0)
        buffer_add_number(&detail, next_after);
    else
        buffer_add_text(&detail, "null");
    buffer_add_char(&detail, '}');
    answer_detail(x, detail.at, detail.length);
    buffer_close(&detail);
}

static void answer_page(struct exchange *x, const struct page *page)
{
    struct user *users = memory_zeroed(page->limit * sizeof *users);
    size_t count = 0;
    uint64_t next_after = 0;

    if (user_store_list(auth_of(x)->store, &page->filter, page->after, page->limit, users, &count,
                        &next_after) == STORE_OK)
        answer_users(x, users, count, next_after);
    else
        reply_fault(x, FAULT_INTERNAL);
    password_wipe(users, page->limit * sizeof *users);
    free(users);
}

void admin_list_handle(struct exchange *x)
{
    struct page page = {.limit = LIMIT_DEFAULT};
    struct caller caller;
    struct client client;
    struct buffer faults;

    client_read(&client, x);
    buffer_open(&faults);
    read_page(query_of(x->req), &page, &faults);
    if (faults.length > 0)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else if (caller_read_admin(&caller, x, &client))
        answer_page(x, &page);
    buffer_close(&faults);
}
