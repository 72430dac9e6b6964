/*
 * terminal.h - what the tools print: text from clients as printable ASCII, secrets never whole, colour only
 * where someone looks at it.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/buffer.h"

/* Appends text in printable ASCII: everything else, quotes and backslashes are escaped as in JSON. */
void terminal_add(struct buffer *out, const char *text, size_t length);

/* The same, printed. */
void terminal_put(FILE *out, const char *text, size_t length);

/* Where `out` is a terminal and colour is wanted (NO_COLOR is not set, TERM is not "dumb"): ANSI colour; else
 * "". */
enum terminal_colour { TERMINAL_PLAIN, TERMINAL_GREEN, TERMINAL_RED, TERMINAL_DIM, TERMINAL_BOLD };
const char *terminal_colour(FILE *out, enum terminal_colour colour);

/* How a check ended: a tick or a cross on a UTF-8 terminal, else "ok" or "FAILED". */
const char *terminal_mark(FILE *out, bool good);

/*
 * Appends JSON (or any) text for people to read: printable ASCII on one line; the strings of members named
 * password are left out, of members whose name ends in "token" all but their first characters; at most
 * TERMINAL_JSON_MAX_BYTES of it.
 */
#define TERMINAL_JSON_MAX_BYTES 2000
void terminal_add_masked_json(struct buffer *out, const char *json, size_t length);

/* Appends the first characters of a token and its length. */
void terminal_add_masked_token(struct buffer *out, const char *token, size_t length);

#endif
