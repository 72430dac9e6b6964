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

static void answer_form(struct exchange *x, const struct get_message_form *form)
{
    struct buffer body;

    if (form->is_valid == FIELD_BOOL_ABSENT || form->is_admin == FIELD_BOOL_ABSENT) {
        reply_fault(x, FAULT_FIELD_MISSING); /* one sentence for either, as existing callers know it */
        return;
    }
    buffer_open(&body);
    buffer_add_format(&body, "{\"message\":\"%s\"}",
                      greeting_for(form->is_valid == FIELD_BOOL_TRUE, form->is_admin == FIELD_BOOL_TRUE));
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
        answer_form(x, &form);
    buffer_close(&faults);
}

static const struct route routes[] = {
    {"POST", MESSAGE_PATH_GET_MESSAGE, NULL, get_message_handle, ROUTE_TAKES_JSON},
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
    };
    return service_main(&definition, config);
}
