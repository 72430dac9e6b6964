/*
 * json_arena.h - memory for one parsed text. cJSON makes an allocation for each value, key and string; here
 * they come off a block, and all go at once, wiped. What a reading costs is then mostly reading.
 */
#ifndef CORE_JSON_ARENA_H
#define CORE_JSON_ARENA_H

#include <stddef.h>

struct json_block;

/* Zero-initialise. */
struct json_arena {
    struct json_block *blocks; /* newest first */
};

/* From now on this thread's json_arena_allocate takes from `arena`; NULL: from nowhere, none may be asked
 * for. */
void json_arena_use(struct json_arena *arena);

/* What cJSON's hooks call. Out of memory exits, so NULL is never returned; what is freed stays until the end.
 */
void *json_arena_allocate(size_t size);
void json_arena_free(void *at);

/* Wipes and frees everything. */
void json_arena_close(struct json_arena *arena);

/* How a wiped block is given back: free, or what a test looks through first. */
extern void (*json_arena_give_back)(void *block);

#endif
