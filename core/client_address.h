/*
 * client_address.h - who is the client of a request that a proxy passed on? Only a proxy that is trusted is
 * believed; of the addresses in its header it is the rightmost that is not a trusted proxy itself: what
 * stands further left, anybody can have written. Made once at start, read-only afterwards: any thread.
 *
 *   peer not trusted, or no header named     the client is the peer
 *   peer trusted                             client_address_find in the header's lines
 */
#ifndef CORE_CLIENT_ADDRESS_H
#define CORE_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/ip_address.h"

#define CLIENT_ADDRESS_UNKNOWN "unknown" /* RFC 7239, section 6.2 */

struct client_address_rule;

/*
 * From TRUSTED_PROXIES and CLIENT_ADDRESS_HEADER ("" where not set). NULL: error holds one sentence, because
 * a name is no address or network, or the header's name is none. Out of memory exits.
 */
struct client_address_rule *client_address_open(const char *trusted_proxies, const char *header, char *error,
                                                size_t error_size);
void client_address_close(struct client_address_rule *rule); /* NULL is allowed */

/* The header to look for, in lower case; "" none. */
const char *client_address_header(const struct client_address_rule *rule);

/* Is this peer ("192.0.2.7", "::1") a trusted proxy, and is there a header to believe? */
bool client_address_is_believed(const struct client_address_rule *rule, const char *peer);

/*
 * The client that the header's lines (in the order sent, at least one) name: an address in its shortest form,
 * or "unknown" where the last that is not trusted says so, is obfuscated or cannot be read. Where all are
 * trusted it is the first of them. A header named Forwarded is read by RFC 7239 (for=), any other as a list
 * of addresses with or without a port, as X-Forwarded-For is. A loopback address is "unknown": no header
 * makes a client a local one.
 */
struct client_address_line {
    const char *at;
    size_t length;
};
void client_address_find(const struct client_address_rule *rule, const struct client_address_line *lines,
                         size_t count, char out[IP_ADDRESS_TEXT_BYTES]);

#endif
