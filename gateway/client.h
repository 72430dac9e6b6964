/*
 * client.h - who a request's client is, for auth: it counts failures by it, remembers where a user logs in,
 * and trusts loopback with the first administrator.
 *
 *   peer in TRUSTED_PROXIES, the header there    the address in it (core/client_address.h), or "unknown"
 *   peer on loopback, any forwarding header      "unknown": a proxy on this machine hides its client (RFC
 * 7239, 6.2) otherwise                                    the peer
 */
#ifndef GATEWAY_CLIENT_H
#define GATEWAY_CLIENT_H

#include "core/exchange.h"

void client_write(const struct exchange *x, char out[EXCHANGE_ADDRESS_MAX_BYTES + 1]);

#endif
