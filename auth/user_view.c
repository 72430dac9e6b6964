#include "auth/user_view.h"

#include "auth/answer.h"

void user_view_add(struct buffer *out, const struct user *user)
{
    buffer_add_text(out, "{\"user_id\":");
    buffer_add_number(out, user->id);
    buffer_add_char(out, ',');
    answer_add_text(out, "username", user->username);
    buffer_add_char(out, ',');
    answer_add_text(out, "email", user->email);
    buffer_add_char(out, ',');
    answer_add_bool(out, "is_admin", user->is_admin);
    buffer_add_char(out, ',');
    answer_add_bool(out, "is_active", user->is_active);
    buffer_add_char(out, ',');
    answer_add_time(out, "created_at", user->created_at_us);
    buffer_add_char(out, ',');
    answer_add_time(out, "updated_at", user->updated_at_us);
    buffer_add_char(out, ',');
    answer_add_time(out, "deactivated_at", user->deactivated_at_us);
    buffer_add_char(out, '}');
}
