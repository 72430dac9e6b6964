#include "auth/store_call.h"

#include "auth/state.h"
#include "core/reply.h"

static void on_loop(struct task *task)
{
    struct store_call *call = H2O_STRUCT_FROM_MEMBER(struct store_call, back, task);
    struct exchange *x = call->x;

    call->committed(call);
    exchange_release(x);
}

/* On the writer's thread. */
static void on_commit(struct store_write *write)
{
    struct store_call *call = H2O_STRUCT_FROM_MEMBER(struct store_call, write, write);

    call->back.run = on_loop;
    loop_post(call->x->loop, &call->back);
}

bool store_call_start(struct store_call *call, struct exchange *x, void (*committed)(struct store_call *call))
{
    call->x = x;
    call->committed = committed;
    call->write.done = on_commit;
    exchange_hold(x);
    if (user_store_write(auth_of(x)->store, &call->write))
        return true;
    reply_fault(x, FAULT_BUSY);
    exchange_release(x);
    return false;
}

void store_call_fail(const struct store_call *call)
{
    switch (call->write.outcome) {
    case STORE_ACTOR_GONE:
        reply_token_refused(call->x, FAULT_TOKEN_REFUSED);
        return;
    case STORE_ACTOR_NO_ADMIN:
        reply_fault(call->x, FAULT_ADMIN_RIGHTS_REQUIRED);
        return;
    case STORE_FULL:
        reply_fault(call->x, FAULT_STORE_FULL);
        return;
    default:
        reply_fault(call->x, FAULT_INTERNAL);
    }
}

void store_call_close(struct store_call *call)
{
    password_wipe(call, sizeof *call);
}
