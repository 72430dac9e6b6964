/*
 * admin_user.c - one user, for administrators: GET, PATCH and DELETE /admin/users/{id}, and DELETE
 * /admin/users/{id}/sessions. What must hold between users (the last administrator) is the store's to decide.
 *
 *   admin_..._handle ──▶ (store) admin_committed ──▶ reply
 */
#include <stdio.h>
#include <string.h>

#include "auth/answer.h"
#include "auth/audit.h"
#include "auth/caller.h"
#include "auth/client.h"
#include "auth/state.h"
#include "auth/store_call.h"
#include "auth/user_view.h"
#include "core/config_parse.h"
#include "core/reply.h"
#include "core/schema.h"

#define CHANGE_MAX_BYTES 31 /* "is_active=false is_admin=false" */

struct admin {
    struct exchange x;
    struct client client;
    struct caller caller;
    enum audit_event event;
    char change[CHANGE_MAX_BYTES + 1];
    struct store_call call;
};

const size_t admin_user_size = sizeof(struct admin);

static void admin_free(struct exchange *x)
{
    store_call_close(&((struct admin *)x)->call);
}

/* The id in the path, as it is written; 0 for what is none. */
static uint64_t id_of(const struct exchange *x)
{
    char text[ROUTE_SEGMENT_MAX_BYTES + 1];
    uint64_t id = 0;

    memcpy(text, x->segment.base, x->segment.len);
    text[x->segment.len] = '\0';
    return text[0] != '0' && config_parse_count(text, &id) ? id : 0;
}

/* The user of the path, to an administrator; 0: refused, and x may be gone. */
static uint64_t admin_enter(struct admin *admin)
{
    struct exchange *x = &admin->x;

    x->done = admin_free;
    client_read(&admin->client, x);
    if (!caller_read_admin(&admin->caller, x, &admin->client))
        return 0;
    const uint64_t id = id_of(x);
    if (id == 0)
        reply_fault(x, FAULT_USER_NOT_FOUND);
    return id;
}

static void answer_user(struct exchange *x, const struct user *user)
{
    struct buffer detail;

    buffer_open(&detail);
    user_view_add(&detail, user);
    answer_detail(x, detail.at, detail.length);
    buffer_close(&detail);
}

void admin_show_handle(struct exchange *x)
{
    struct admin *admin = (struct admin *)x;
    struct user *user = &admin->call.write.user; /* wiped with the rest */
    const uint64_t id = admin_enter(admin);

    if (id == 0)
        return;
    switch (user_store_find_by_id(auth_of(x)->store, id, user)) {
    case STORE_OK:
        answer_user(x, user);
        break;
    case STORE_NOT_FOUND:
        reply_fault(x, FAULT_USER_NOT_FOUND);
        break;
    default:
        reply_fault(x, FAULT_INTERNAL);
    }
}

/* --- changing --- */

static void admin_audit(const struct admin *admin)
{
    const struct store_write *write = &admin->call.write;

    audit_log(admin->event, &(struct audit){.x = &admin->x,
                                            .client = &admin->client,
                                            .actor_id = admin->caller.user.id,
                                            .subject_id = write->user.id,
                                            .subject = write->user.username,
                                            .session_id = admin->caller.session_id,
                                            .change = admin->change,
                                            .counts_sessions = true,
                                            .ended_sessions = write->ended_count});
}

static void admin_answer(struct admin *admin)
{
    admin_audit(admin);
    if (admin->event == AUDIT_USER_CHANGED)
        answer_user(&admin->x, &admin->call.write.user);
    else
        answer_sentence(&admin->x, admin->event == AUDIT_USER_DELETED ? "User deleted" : "Sessions ended");
}

/* An administrator when the token was judged, and none any more. */
static void admin_refuse(struct admin *admin)
{
    caller_audit_refusal(&admin->caller, &admin->x, &admin->client);
    store_call_fail(&admin->call);
}

static void admin_committed(struct store_call *call)
{
    struct admin *admin = H2O_STRUCT_FROM_MEMBER(struct admin, call, call);

    if (call->write.outcome == STORE_OK)
        admin_answer(admin);
    else if (call->write.outcome == STORE_NOT_FOUND)
        reply_fault(call->x, FAULT_USER_NOT_FOUND);
    else if (call->write.outcome == STORE_LAST_ADMIN)
        reply_fault(call->x, FAULT_LAST_ADMIN);
    else if (call->write.outcome == STORE_ACTOR_NO_ADMIN)
        admin_refuse(admin);
    else
        store_call_fail(call);
}

static void admin_write(struct admin *admin, enum store_write_kind kind, enum audit_event event)
{
    const uint64_t id = admin_enter(admin);

    if (id == 0)
        return;
    admin->event = event;
    admin->call.write.kind = kind;
    admin->call.write.user.id = id;
    caller_sign(&admin->caller, &admin->call.write);
    store_call_start(&admin->call, &admin->x, admin_committed);
}

void admin_delete_handle(struct exchange *x)
{
    admin_write((struct admin *)x, STORE_DELETE_USER, AUDIT_USER_DELETED);
}

void admin_end_sessions_handle(struct exchange *x)
{
    admin_write((struct admin *)x, STORE_END_USER_SESSIONS, AUDIT_SESSIONS_ENDED);
}

struct change_form {
    struct text is_active; /* JSON */
    struct text is_admin;
};

static const struct field change_fields[] = {
    {.name = "is_active", .kind = FIELD_RAW, .at = offsetof(struct change_form, is_active)},
    {.name = "is_admin", .kind = FIELD_RAW, .at = offsetof(struct change_form, is_admin)},
};
static const struct form change_form = {change_fields, 2, sizeof(struct change_form)};

static void add_fault(struct buffer *faults, const char *loc, const char *message, const char *type)
{
    buffer_add_format(faults, "%c{\"loc\":[%s],\"msg\":\"%s\",\"type\":\"%s\"}",
                      faults->length == 0 ? '[' : ',', loc, message, type);
}

/* One field, into the write and into the words of the audit trail. True or false alone: null is neither. */
static bool take_change(struct admin *admin, const struct text *json, enum store_change change,
                        struct buffer *faults)
{
    const bool is_active = change == STORE_SET_ACTIVE;
    const size_t used = strlen(admin->change);

    if (json->at == NULL)
        return false;
    if (strcmp(json->at, "true") != 0 && strcmp(json->at, "false") != 0)
        add_fault(faults, is_active ? "\"body\",\"is_active\"" : "\"body\",\"is_admin\"",
                  "Input should be a valid boolean", "bool_type");
    admin->call.write.changes |= (unsigned)change;
    snprintf(admin->change + used, sizeof admin->change - used, "%s%s=%.5s", used > 0 ? " " : "",
             is_active ? "is_active" : "is_admin", json->at);
    return *json->at == 't';
}

static void read_changes(struct admin *admin, const struct change_form *form, struct buffer *faults)
{
    struct user *user = &admin->call.write.user;

    user->is_active = take_change(admin, &form->is_active, STORE_SET_ACTIVE, faults);
    user->is_admin = take_change(admin, &form->is_admin, STORE_SET_ADMIN, faults);
    if (admin->call.write.changes == 0)
        add_fault(faults, "\"body\"", "At least one of is_active and is_admin is needed", "value_error");
    if (faults->length > 0)
        buffer_add_char(faults, ']');
}

void admin_change_handle(struct exchange *x)
{
    struct admin *admin = (struct admin *)x;
    struct change_form form;
    struct buffer faults;

    buffer_open(&faults);
    struct reading *reading =
        schema_read(&change_form, x->req->entity.base, x->req->entity.len, &form, &faults);
    if (faults.length == 0)
        read_changes(admin, &form, &faults);
    reading_close(reading);
    if (faults.length > 0)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else
        admin_write(admin, STORE_CHANGE_USER, AUDIT_USER_CHANGED);
    buffer_close(&faults);
}
