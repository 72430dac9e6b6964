/*
 * auth.h - the service that knows users, passwords and tokens. Its entry, for the command line.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

struct config;

/* Runs the service until it has been drained: 0. 1: it could not start, and one sentence on standard error
 * says why. */
int auth_main(const struct config *config);

#endif
