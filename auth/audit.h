/*
 * audit.h - the audit trail: who did what on whom, when, from where. Lines of the log with `"kind":"audit"`
 * and a stable name (audit.def). Never a secret: neither passwords nor tokens, and no name that was only
 * submitted, because people type passwords into the wrong field.
 */
#ifndef AUTH_AUDIT_H
#define AUTH_AUDIT_H

#include <stddef.h>

#include "auth/client.h"
#include "core/exchange.h"

enum audit_event {
#define AUDIT(name, text, level, sentence) AUDIT_##name,
#include "auth/audit.def"
#undef AUDIT
    AUDIT_COUNT
};

/* What an event tells; what is 0 or NULL is left out. */
struct audit {
    const struct exchange *x; /* its request id; the client may have left */
    const struct client *client;
    uint64_t actor_id;   /* who did it */
    uint64_t subject_id; /* on whom */
    const char *subject; /* the name in that user's record */
    const char *session_id;
    const char *change; /* what is different, e.g. "is_admin=true" */
    bool counts_sessions;
    uint64_t ended_sessions;
};

void audit_log(enum audit_event event, const struct audit *audit);

/* The name of an event in the log; static. */
const char *audit_name(enum audit_event event);

#endif
