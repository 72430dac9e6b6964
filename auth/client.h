/*
 * client.h - where a request comes from: what a session, the throttle and the audit trail keep of it. Copied
 * as the request arrives, because its headers go when the client does.
 */
#ifndef AUTH_CLIENT_H
#define AUTH_CLIENT_H

#include "core/exchange.h"
#include "storage/user_store.h"

#define CLIENT_UNKNOWN "unknown"

struct client {
    char address[SESSION_ADDRESS_MAX_BYTES +
                 1]; /* "192.0.2.7", "unix" (asked directly, over a Unix socket), or "unknown" */
    char network[NETWORK_MAX_BYTES + 1]; /* "192.0.2.7/32", or "unknown" */
    char user_agent[SESSION_USER_AGENT_MAX_BYTES + 1];
};

/*
 * The gateway says whose request it is, in X-Client-Address; asked directly, the peer is the client. What is
 * no address, and a header sent twice, is "unknown". The user agent is cut, and in printable ASCII.
 */
void client_read(struct client *client, const struct exchange *x);

/* The network as the store wants it: "" where it is not known, so that nobody is remembered by it. */
const char *client_network(const struct client *client);

#endif
