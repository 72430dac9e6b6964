/*
 * old_database.h - the SQLite database of the system that this one replaces: never opened, only looked for,
 * so that nobody starts with an empty store by mistake while the users wait in the old one.
 */
#ifndef AUTH_OLD_DATABASE_H
#define AUTH_OLD_DATABASE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/config.h"

/*
 * Where SQLALCHEMY_DATABASE_URL is set and DATABASE_URL is not: false, with one sentence in error, if the
 * file that it names exists; else warns in the log. True otherwise.
 */
bool old_database_check(const struct config *config, char *error, size_t error_size);

#endif
