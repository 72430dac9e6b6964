/*
 * user_view.h - a user as administrators see one: all there is but the hash.
 */
#ifndef AUTH_USER_VIEW_H
#define AUTH_USER_VIEW_H

#include "core/buffer.h"
#include "storage/user_store.h"

void user_view_add(struct buffer *out, const struct user *user);

#endif
