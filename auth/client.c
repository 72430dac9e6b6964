#include "auth/client.h"

#include <assert.h>
#include <string.h>

#include "core/ip_address.h"

_Static_assert(EXCHANGE_ADDRESS_MAX_BYTES <= SESSION_ADDRESS_MAX_BYTES, "an address is kept whole");
_Static_assert(CLIENT_NETWORK_MAX_BYTES <= NETWORK_MAX_BYTES, "a network is kept whole");

static void read_address(struct client *client, const struct exchange *x)
{
    size_t count;
    const h2o_iovec_t told = exchange_header(x, "x-client-address", &count);

    strcpy(client->address, CLIENT_UNKNOWN);
    if (count == 0) {
        exchange_peer(x, client->address);
    } else if (count == 1 && told.len < sizeof client->address) {
        memcpy(client->address, told.base, told.len);
        client->address[told.len] = '\0';
    }
    /* Over our own Unix socket there is no network, but it is surely this machine. */
    if (count == 0 && strcmp(client->address, "unix") == 0) {
        strcpy(client->network, CLIENT_UNKNOWN);
        return;
    }
    if (!client_network_of(client->address, client->network)) {
        strcpy(client->address, CLIENT_UNKNOWN);
        strcpy(client->network, CLIENT_UNKNOWN);
    }
}

static void read_user_agent(struct client *client, const struct exchange *x)
{
    size_t count;
    const h2o_iovec_t agent = exchange_header(x, "user-agent", &count);
    size_t length = agent.len;

    if (length >= sizeof client->user_agent)
        length = sizeof client->user_agent - 1;
    for (size_t i = 0; i < length; i++) {
        const char c = agent.base[i];
        client->user_agent[i] = c;
        if (c < ' ' || c > '~')
            client->user_agent[i] = '?';
    }
    client->user_agent[length] = '\0';
}

void client_read(struct client *client, const struct exchange *x)
{
    assert(x->req != NULL);
    read_address(client, x);
    read_user_agent(client, x);
}

const char *client_network(const struct client *client)
{
    return strcmp(client->network, CLIENT_UNKNOWN) == 0 ? "" : client->network;
}
