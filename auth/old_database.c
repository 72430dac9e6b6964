#include "auth/old_database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/memory.h"

/* "sqlite:///relative.db", "sqlite+driver:////absolute.db?options" (SQLAlchemy's form); others name no file.
 */
static bool names_a_file(const char *url)
{
    const char *slashes = strstr(url, ":///");

    if (strncmp(url, "sqlite", 6) != 0 || slashes == NULL)
        return false;
    const char *start = slashes + strlen(":///");
    char *path = memory_copied(start, strcspn(start, "?"));
    const bool exists = access(path, F_OK) == 0;
    free(path);
    return exists;
}

bool old_database_check(const struct config *config, char *error, size_t error_size)
{
    const char *url = config->sqlalchemy_database_url;

    if (*url == '\0' || config->database_url_is_set)
        return true;
    if (names_a_file(url)) {
        snprintf(error, error_size,
                 "SQLALCHEMY_DATABASE_URL names a database that exists, and DATABASE_URL is not set: import "
                 "its users "
                 "first, or set DATABASE_URL (for example lmdb:./data) to begin with an empty store");
        return false;
    }
    log_event(LOG_WARN, "old_database_ignored",
              LOG_STRING("reason", "SQLALCHEMY_DATABASE_URL is no longer used; set DATABASE_URL instead"));
    return true;
}
