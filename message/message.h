/*
 * message.h - the service that knows the text for a role. Its entry, for the command line.
 */
#ifndef MESSAGE_MESSAGE_H
#define MESSAGE_MESSAGE_H

struct config;

/* Runs the service until it has been drained: 0. 1: it could not start, and one sentence on standard error
 * says why. */
int message_main(const struct config *config);

#endif
