/*
 * dotenv_text.h - text that may hold secrets, and white space as Python sees it. Private to core/dotenv*.c.
 * Out of memory exits.
 */
#ifndef CORE_DOTENV_TEXT_H
#define CORE_DOTENV_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that grow, and are wiped when freed; zero-initialise. Not NUL-terminated. */
struct dotenv_text {
    char *at;
    size_t length;
    size_t capacity;
};

void dotenv_text_add(struct dotenv_text *text, const char *bytes, size_t length);
void dotenv_text_free(struct dotenv_text *text);

/* A NUL-terminated copy. */
char *dotenv_string(const char *bytes, size_t length);
void dotenv_wipe_and_free(char *memory, size_t length);

/* Exits where memory is NULL. */
void *dotenv_checked(void *memory);

/* Bytes of the white space at `at` (UTF-8), 0 if it is none or the end. A newline is one. */
size_t dotenv_space_length(const char *at, const char *end);
const char *dotenv_after_spaces(const char *at, const char *end, bool over_newlines);

/* A copy in which every line ends with \n, as a Python file opened for text reads; no byte-order mark. */
void dotenv_normalise_newlines(const char *text, size_t length, struct dotenv_text *out);

#endif
