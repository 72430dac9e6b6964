/*
 * gateway.h - the public service: what clients see. Its entry, for the command line.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

struct config;

/* Runs the service until it has been drained: 0. 1: it could not start, and one sentence on standard error
 * says why. */
int gateway_main(const struct config *config);

#endif
