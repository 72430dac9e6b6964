/*
 * me.c - GET /me: who is it whose token this is? From the record, as it is now.
 */
#include "auth/answer.h"
#include "auth/caller.h"
#include "auth/state.h"

void me_handle(struct exchange *x)
{
    struct caller caller;
    struct buffer detail;

    if (!caller_read(&caller, x))
        return;
    buffer_open(&detail);
    buffer_add_text(&detail, "{\"user_id\":");
    buffer_add_number(&detail, caller.user.id);
    buffer_add_char(&detail, ',');
    answer_add_text(&detail, "username", caller.user.username);
    buffer_add_char(&detail, ',');
    answer_add_text(&detail, "email", caller.user.email);
    buffer_add_char(&detail, ',');
    answer_add_bool(&detail, "is_admin", caller.user.is_admin);
    buffer_add_char(&detail, ',');
    answer_add_time(&detail, "created_at", caller.user.created_at_us);
    buffer_add_char(&detail, '}');
    answer_detail(x, detail.at, detail.length);
    buffer_close(&detail);
}
