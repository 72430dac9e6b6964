/*
 * hash_memory.h - the memory of a memory-hard hash, kept from one hash to the next. yescrypt and scrypt take
 * some 16 MiB from the kernel for each hash and give it back at once; that the kernel clears and maps those
 * pages anew each time is a third of what a login costs, and it stops the other threads of the process
 * meanwhile. libxcrypt has no way to hand memory in. But its calls of mmap and munmap go through the PLT, so
 * functions of the same name in our executable come first (as in core/guard.c): while a thread hashes, what
 * it gives back is kept for it, and handed out again. All other callers' calls pass through untouched.
 *
 * What is kept holds what was computed from a password, until the next hash overwrites it or it is given
 * back: by hash_memory_rest, when a worker has had nothing to do for a while.
 */
#ifndef AUTH_HASH_MEMORY_H
#define AUTH_HASH_MEMORY_H

#include <stddef.h>

/* More is not kept: a hash of an old system may have wanted much. */
#define HASH_MEMORY_MAX_BYTES ((size_t)64 * 1024 * 1024)

/* One thread's; zero-initialised. */
struct hash_memory {
    void *at;
    size_t size;
};

/* From now on this thread's large mappings come from, and go to, `memory`; NULL: no longer. */
void hash_memory_use(struct hash_memory *memory);

/* Gives back what is kept. Not while it is in use. */
void hash_memory_rest(struct hash_memory *memory);

#endif
