#include "core/buffer.h"
#include "core/reply.h"
#include "core/schema.h"
#include "core/service.h"
#include "message/contract.h"
#include "message/greeting.h"
#include "message/message.h"

struct get_message_form {
    enum field_bool is_valid;
    enum field_bool is_admin;
};

static const struct field get_message_fields[] = {
    {.name = "is_valid", .kind = FIELD_STRICT_BOOL, .at = offsetof(struct get_message_form, is_valid)},
    {.name = "is_admin", .kind = FIELD_STRICT_BOOL, .at = offsetof(struct get_message_form, is_admin)},
};
static const struct form get_message = {get_message_fields, 2, sizeof(struct get_message_form)};
static const struct list_form get_messages = {"requests", &get_message, MESSAGE_REQUESTS_PER_CALL_MAX};

/* The judgement of both forms of the call: the text for what was said, or NULL and the fault. */
static const char *judge(const struct get_message_form *form, bool sound, enum fault *fault)
{
    if (!sound) {
        *fault = FAULT_UNPROCESSABLE;
        return NULL;
    }
    if (form->is_valid == FIELD_BOOL_ABSENT || form->is_admin == FIELD_BOOL_ABSENT) {
        *fault = FAULT_FIELD_MISSING; /* one sentence for either, as existing callers know it */
        return NULL;
    }
    return greeting_for(form->is_valid == FIELD_BOOL_TRUE, form->is_admin == FIELD_BOOL_TRUE);
}

static void answer_one(struct exchange *x, const struct get_message_form *form)
{
    enum fault fault = FAULT_COUNT;
    const char *greeting = judge(form, true, &fault);
    struct buffer body;

    if (greeting == NULL) {
        reply_fault(x, fault);
        return;
    }
    buffer_open(&body);
    buffer_add_format(&body, "{\"message\":\"%s\"}", greeting);
    reply_json(x, 200, body.at, body.length);
    buffer_close(&body);
}

static void get_message_handle(struct exchange *x)
{
    struct get_message_form form;
    struct buffer faults;

    buffer_open(&faults);
    reading_close(schema_read(&get_message, x->req->entity.base, x->req->entity.len, &form, &faults));
    if (faults.length > 0)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else
        answer_one(x, &form);
    buffer_close(&faults);
}

static void add_entry(struct buffer *body, const struct get_message_form *form, bool sound)
{
    enum fault fault = FAULT_COUNT;
    const char *greeting = judge(form, sound, &fault);

    if (greeting != NULL)
        buffer_add_format(body, "{\"status\":200,\"message\":\"%s\"}", greeting);
    else if (fault == FAULT_UNPROCESSABLE)
        buffer_add_text(body, "{\"status\":422,\"detail\":\"Input should be two valid booleans\"}");
    else
        buffer_add_format(body, "{\"status\":%u,\"detail\":\"%s\"}", fault_row(fault)->status,
                          fault_row(fault)->sentence);
}

/* Up to 64 at once, each judged alone. */
static void get_messages_handle(struct exchange *x)
{
    struct get_message_form forms[MESSAGE_REQUESTS_PER_CALL_MAX];
    bool sound[MESSAGE_REQUESTS_PER_CALL_MAX];
    struct buffer faults;
    struct buffer body;
    size_t count;

    buffer_open(&faults);
    buffer_open(&body);
    reading_close(schema_read_list(&get_messages, x->req->entity.base, x->req->entity.len, forms, sound,
                                   &count, &faults));
    buffer_add_text(&body, "{\"results\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_char(&body, ',');
        add_entry(&body, &forms[i], sound[i]);
    }
    buffer_add_text(&body, "]}");
    if (faults.length > 0)
        reply_fault_detail(x, FAULT_UNPROCESSABLE, faults.at, faults.length);
    else
        reply_json(x, 200, body.at, body.length);
    buffer_close(&body);
    buffer_close(&faults);
}

static const struct route routes[] = {
    {"POST", MESSAGE_PATH_GET_MESSAGE, NULL, get_message_handle, ROUTE_TAKES_JSON},
    {"POST", MESSAGE_PATH_GET_MESSAGES, NULL, get_messages_handle, ROUTE_TAKES_JSON | ROUTE_LARGE_BODY},
};

static const struct config_address *address(const struct config *config)
{
    return &config->message_listen;
}

int message_main(const struct config *config)
{
    static const struct service_definition definition = {
        .name = "message",
        .title = "Message Service",
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .address = address,
        .user = CONFIG_MESSAGE,
    };
    return service_main(&definition, config);
}
