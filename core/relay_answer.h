/*
 * relay_answer.h - private to the relay: the headers of an answer, line by line as they come.
 */
#ifndef CORE_RELAY_ANSWER_H
#define CORE_RELAY_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/relay.h"

/* Empties what is taken from headers. */
void relay_answer_forget(struct relay_answer *answer);

/*
 * Takes one line of a head, with its line end: a status line begins a head (what came before was a 1xx), an
 * empty one ends it (what comes later are trailers, not taken).
 */
void relay_answer_take_line(struct relay_answer *answer, const char *line, size_t length,
                            bool *head_is_whole);

#endif
