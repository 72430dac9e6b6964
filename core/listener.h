/*
 * listener.h - where connections come from. One socket per address is bound by the main thread before any
 * loop starts (so that a taken port is told at once), and every loop reads a duplicate of it, as H2O's own
 * server does; no SO_REUSEPORT, so that a second instance fails to bind.
 */
#ifndef CORE_LISTENER_H
#define CORE_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/config.h"
#include "core/log.h"
#include "core/socket_file.h"

struct listener; /* loop.h */

/*
 * Binds and listens (SO_REUSEADDR, TCP_USER_TIMEOUT, non-blocking, close-on-exec). The name is looked up
 * here. A Unix socket is bound by socket_file.h. Returns the descriptor, or -1 with one sentence in error:
 * "cannot listen on HOST:PORT: address already in use".
 */
int listener_bind(const struct config_address *address, uint64_t tcp_user_timeout_ms, char *error,
                  size_t error_size);

/* The port a descriptor is bound to (for port 0); 0: a Unix socket. */
unsigned listener_port(int fd);

/* Where that is, for a log line: "socket" or "port". The file must outlive the line. */
struct log_field listener_place(int fd, const struct socket_file *file);

/* Starts accepting on the loop's own duplicate of fd; stops and closes it. On the loop's thread. */
void listener_start(struct listener *listener, int fd);
/* Does nothing to one that was not started. */
void listener_stop(struct listener *listener);

#endif
