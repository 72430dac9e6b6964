/*
 * client.h - who a request's client is, for auth: it counts failures by it, remembers where a user logs in,
 * and trusts loopback with the first administrator.
 */
#ifndef GATEWAY_CLIENT_H
#define GATEWAY_CLIENT_H

#include <stdbool.h>

#include "core/exchange.h"

/* The peer; or, if it is in TRUSTED_PROXIES and sends the header named for it, whom that names
 * (core/client_address.h): an address, or "unknown". */
void client_write(const struct exchange *x, char out[EXCHANGE_ADDRESS_MAX_BYTES + 1]);

/* It came with X-Forwarded-For or Forwarded: whoever sends that is no local client, even if the peer is on
 * loopback. */
bool client_is_forwarded(const struct exchange *x);

#endif
