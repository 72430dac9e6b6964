#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void *memory_zeroed(size_t size)
{
    return must(calloc(1, size));
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
