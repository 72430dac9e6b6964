#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHED_MAX_BYTES 1032

void memory_exhausted(void)
{
    fputs("token-relay: out of memory\n", stderr);
    abort();
}

static void *must(void *at)
{
    if (at == NULL)
        memory_exhausted();
    return at;
}

/* glibc's calloc (2.36) goes past the thread's cache of freed blocks, which malloc takes from without a lock:
 * for what is made and freed with each request that is most of the price. Large ones are left to calloc, for
 * fresh pages are zero. Not memset, or GCC would make calloc of the two. */
void *memory_zeroed(size_t size)
{
    if (size > CACHED_MAX_BYTES)
        return must(calloc(1, size));
    void *at = must(malloc(size));
    explicit_bzero(at, size);
    return at;
}

void *memory_resized(void *at, size_t size)
{
    return must(realloc(at, size));
}

char *memory_copied(const char *bytes, size_t length)
{
    char *copy = must(malloc(length + 1));

    if (length > 0)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}
