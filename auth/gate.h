/*
 * gate.h - the throttle before a password is looked at or a user made: asks it, and answers 429 where one has
 * to wait. On the loop.
 *
 *   gate_login ──▶ false: answered, nothing was counted
 *             └──▶ true: the attempt is under way ──▶ ... ──▶ gate_leave, exactly once
 */
#ifndef AUTH_GATE_H
#define AUTH_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/client.h"
#include "auth/throttle.h"

/* `name` as submitted, or of the user who changes the password. */
bool gate_login(struct exchange *x, const struct client *client, const char *name, size_t length,
                struct throttle_permit *permit);
bool gate_signup(struct exchange *x, const struct client *client, struct throttle_permit *permit);

/* What became of it; nothing for a permit that is not open. */
void gate_leave(struct exchange *x, struct throttle_permit *permit, enum throttle_result result);

#endif
