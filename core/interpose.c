#include "core/interpose.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

void *interpose_next(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (function == NULL) {
        fprintf(stderr, "token-relay: %s is missing: this is not the library that it was built for\n", name);
        abort();
    }
    return function;
}
