/*
 * dotenv.h - reads a .env file as python-dotenv reads it: `NAME=value`, `export NAME=value`, single and
 * double quotes with their escapes, values over several lines within quotes, ` #` comments, `${NAME}` and
 * `${NAME:-default}` (looked up in the environment first, then in what the file said before).
 */
#ifndef CORE_DOTENV_H
#define CORE_DOTENV_H

#include <stddef.h>

struct dotenv; /* an ordered list of names and values; the last one of a name wins */

/*
 * Parses `length` bytes. `lookup` answers for ${NAME} from the environment (getenv, or a test's own); may be
 * NULL. Never fails but by running out of memory (exits): a line that cannot be read is skipped, as
 * python-dotenv does; the number of the first such line goes to *bad_line (0: none), so that the caller can
 * warn.
 */
struct dotenv *dotenv_parse(const char *text, size_t length, const char *(*lookup)(const char *name),
                            size_t *bad_line);

/* The value of a name, or NULL. Lives as long as the dotenv. */
const char *dotenv_get(const struct dotenv *dotenv, const char *name);

/* Wipes and frees; NULL is allowed. */
void dotenv_free(struct dotenv *dotenv);

#endif
