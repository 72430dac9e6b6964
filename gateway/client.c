#include "gateway/client.h"

#include <assert.h>
#include <string.h>

#include "core/client_address.h"
#include "gateway/state.h"

/* More do not fit into a request: HEADER_COUNT_MAX, and what libh2o takes of HTTP/1.1. */
#define LINES_MAX 100

_Static_assert(IP_ADDRESS_TEXT_BYTES <= EXCHANGE_ADDRESS_MAX_BYTES + 1, "an address fits");
_Static_assert(sizeof CLIENT_ADDRESS_UNKNOWN <= IP_ADDRESS_TEXT_BYTES, "so does the word for none");

bool client_is_forwarded(const struct exchange *x)
{
    size_t count = 0;

    exchange_header(x, "x-forwarded-for", &count);
    if (count == 0)
        exchange_header(x, "forwarded", &count);
    return count > 0;
}

/* Leaves the peer where the proxy does not say. */
static void read_told(const struct client_address_rule *rule, const struct exchange *x,
                      char out[EXCHANGE_ADDRESS_MAX_BYTES + 1])
{
    h2o_iovec_t values[LINES_MAX];
    struct client_address_line lines[LINES_MAX];
    const size_t count = exchange_header_lines(x, client_address_header(rule), values, LINES_MAX);

    if (count > LINES_MAX)
        strcpy(out, CLIENT_ADDRESS_UNKNOWN);
    if (count == 0 || count > LINES_MAX)
        return;
    for (size_t i = 0; i < count; i++)
        lines[i] = (struct client_address_line){values[i].base, values[i].len};
    client_address_find(rule, lines, count, out);
}

void client_write(const struct exchange *x, char out[EXCHANGE_ADDRESS_MAX_BYTES + 1])
{
    const struct client_address_rule *rule = gateway_of(x->loop->service)->client_rule;

    assert(rule != NULL);
    exchange_peer(x, out);
    if (client_address_is_believed(rule, out))
        read_told(rule, x, out);
}
