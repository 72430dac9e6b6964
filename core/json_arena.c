#include "core/json_arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

#define BLOCK_MIN_BYTES 2048
#define BLOCK_MAX_BYTES 65536

struct json_block {
    struct json_block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) char bytes[];
};

void (*json_arena_give_back)(void *block) = free;

static _Thread_local struct json_arena *in_use;

void json_arena_use(struct json_arena *arena)
{
    in_use = arena;
}

/* Each block is twice as large as the one before: a long text takes few of them. */
static struct json_block *add_block(struct json_arena *arena, size_t wanted)
{
    size_t size = arena->blocks == NULL ? BLOCK_MIN_BYTES : arena->blocks->size * 2;

    if (size > BLOCK_MAX_BYTES)
        size = BLOCK_MAX_BYTES;
    if (size < wanted)
        size = wanted;
    struct json_block *block = memory_resized(NULL, sizeof *block + size);
    *block = (struct json_block){.next = arena->blocks, .size = size};
    arena->blocks = block;
    return block;
}

void *json_arena_allocate(size_t size)
{
    const size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);

    assert(in_use != NULL);
    struct json_block *block = in_use->blocks;
    if (block == NULL || block->size - block->used < rounded)
        block = add_block(in_use, rounded);
    void *at = block->bytes + block->used;
    block->used += rounded;
    return at;
}

void json_arena_free(void *at)
{
    (void)at;
}

void json_arena_close(struct json_arena *arena)
{
    while (arena->blocks != NULL) {
        struct json_block *block = arena->blocks;
        arena->blocks = block->next;
        explicit_bzero(block->bytes, block->used);
        json_arena_give_back(block);
    }
}
