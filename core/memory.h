/*
 * memory.h - allocation that cannot fail: out of memory ends the process with one sentence, because a service
 * that goes on without memory answers wrongly, and a restart takes milliseconds.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include <stddef.h>

/* Zeroed memory; free() it. */
void *memory_zeroed(size_t size);

/* Like realloc. */
void *memory_resized(void *at, size_t size);

/* A copy of `length` bytes with a NUL behind them; free() it. */
char *memory_copied(const char *bytes, size_t length);

/* Says "out of memory" and ends the process. */
_Noreturn void memory_exhausted(void);

#endif
