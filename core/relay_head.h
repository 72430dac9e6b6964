/*
 * relay_head.h - what a relay keeps of an answer's headers. For relay.c alone.
 */
#ifndef CORE_RELAY_HEAD_H
#define CORE_RELAY_HEAD_H

#include <stddef.h>

struct call;

/* Empties every text that relay_head_take may fill: an answer begins. */
void relay_head_forget(struct call *call);

/* Keeps the value of a header's line (with or without its line end) if it is one that is passed on, or one
 * that the call wants. */
void relay_head_take(struct call *call, const char *line, size_t length);

#endif
