/*
 * user_password.h - a new password from the operator: asked for twice without echo on a terminal, else the
 * first line of standard input. Never trimmed; the same limits as at signup.
 */
#ifndef CLI_USER_PASSWORD_H
#define CLI_USER_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/password.h"

struct new_password {
    char text[PASSWORD_MAX_BYTES + 1]; /* secret */
    size_t length;
};

/* False: error holds one sentence, and nothing of what was typed is left in memory. */
bool new_password_read(struct new_password *password, size_t max_bytes, char *error, size_t error_size);

/* One line from the terminal or from standard input, with echo, for a question. False: it ended, or was too
 * long. */
bool line_read(char *line, size_t size);

#endif
