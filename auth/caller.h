/*
 * caller.h - who asks: the access token in Authorization, judged, and what a refusal says.
 */
#ifndef AUTH_CALLER_H
#define AUTH_CALLER_H

#include <stdbool.h>

#include "auth/client.h"
#include "auth/judge.h"
#include "core/exchange.h"
#include "storage/user_store.h"

struct caller {
    struct user user; /* as the store has it now, but without its hash */
    char session_id[SESSION_ID_LENGTH + 1];
    bool is_asked_as_admin; /* by caller_read_admin */
};

/* False: 400, 401 or 500 was answered, and x may be gone. */
bool caller_read(struct caller *caller, struct exchange *x);

/* The same, of an administrator: others get 403, which is audited. Decided by the store, not by the token. */
bool caller_read_admin(struct caller *caller, struct exchange *x, const struct client *client);

/* The event of a 403 that caller_read_admin, or the store later, decided. */
void caller_audit_refusal(const struct caller *caller, const struct exchange *x, const struct client *client);

/* The write is the caller's: judged once more when it is made (storage/store_write.h). */
void caller_sign(const struct caller *caller, struct store_write *write);

/* Answers what a verdict that is not VERDICT_VALID means to a client. */
void caller_refuse(struct exchange *x, enum verdict verdict);

#endif
