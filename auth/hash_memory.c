#include "auth/hash_memory.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "core/interpose.h"

/* Less is not worth keeping. */
#define HASH_MEMORY_MIN_BYTES ((size_t)1024 * 1024)

typedef void *mapping(void *at, size_t size, int protection, int flags, int fd, off_t offset);
typedef int unmapping(void *at, size_t size);

static _Thread_local struct hash_memory *in_use;

/* Looked up at the first call, which may come before any constructor of ours. */
static void *own(_Atomic(void *) *known, const char *name)
{
    void *function = atomic_load_explicit(known, memory_order_relaxed);

    if (function != NULL)
        return function;
    function = interpose_next(name);
    atomic_store_explicit(known, function, memory_order_relaxed);
    return function;
}

static void *own_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    static _Atomic(void *) known;
    mapping *function;

    *(void **)&function = own(&known, "mmap");
    return function(at, size, protection, flags, fd, offset);
}

static int own_munmap(void *at, size_t size)
{
    static _Atomic(void *) known;
    unmapping *function;

    *(void **)&function = own(&known, "munmap");
    return function(at, size);
}

void hash_memory_use(struct hash_memory *memory)
{
    in_use = memory;
}

void hash_memory_rest(struct hash_memory *memory)
{
    assert(in_use != memory);
    if (memory->at != NULL)
        (void)own_munmap(memory->at, memory->size);
    *memory = (struct hash_memory){0};
}

static bool is_plain_memory(void *at, int protection, int flags, int fd)
{
    return at == NULL && fd == -1 && protection == (PROT_READ | PROT_WRITE) &&
           (flags & (MAP_ANONYMOUS | MAP_PRIVATE)) == (MAP_ANONYMOUS | MAP_PRIVATE);
}

/* A hash sets what it reads: it cannot know whether its memory comes cleared from malloc's heap either. */
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    struct hash_memory *memory = in_use;

    if (memory != NULL && memory->at != NULL && memory->size == size &&
        is_plain_memory(at, protection, flags, fd)) {
        void *kept = memory->at;
        *memory = (struct hash_memory){0};
        return kept;
    }
    return own_mmap(at, size, protection, flags, fd, offset);
}

int munmap(void *at, size_t size)
{
    struct hash_memory *memory = in_use;

    if (memory == NULL || size < HASH_MEMORY_MIN_BYTES || size > HASH_MEMORY_MAX_BYTES)
        return own_munmap(at, size);
    /* Whether the one kept before goes is nothing to this caller. */
    void *const old = memory->at;
    const size_t old_size = memory->size;
    *memory = (struct hash_memory){at, size};
    if (old != NULL)
        (void)own_munmap(old, old_size);
    return 0;
}
