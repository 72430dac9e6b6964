#include "auth/old_database.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"

/* "sqlite:///relative.db", "sqlite+driver:////absolute.db" (SQLAlchemy's form); NULL for other databases. */
static const char *sqlite_path(const char *url)
{
    const char *slashes = strstr(url, ":///");

    if (strncmp(url, "sqlite", 6) != 0 || slashes == NULL)
        return NULL;
    return slashes + strlen(":///");
}

bool old_database_check(const struct config *config, char *error, size_t error_size)
{
    const char *url = config->sqlalchemy_database_url;
    const char *path = sqlite_path(url);

    if (*url == '\0' || config->database_url_is_set)
        return true;
    if (path != NULL && access(path, F_OK) == 0) {
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
