/*
 * interpose.h - for functions of ours that stand before a library's of the same name (ADR 2): the one behind.
 * Calls go through the PLT, and the executable comes first there.
 */
#ifndef CORE_INTERPOSE_H
#define CORE_INTERPOSE_H

/* The next function of that name behind the executable's (dlsym(3), RTLD_NEXT). Exits where there is none: it
 * is not the library that this was built for. Any thread; not for each call, it takes a lock. */
void *interpose_next(const char *name);

#endif
