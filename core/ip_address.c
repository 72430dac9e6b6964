#include "core/ip_address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define IPV4_BITS        32u
#define IPV6_BITS        128u
#define IPV4_MAPPED_BITS 96u /* ::ffff:0:0/96; RFC 4291, section 2.5.5.2 */
#define CLIENT_IPV6_BITS 64u

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static void unmap(struct ip_address *address)
{
    if (memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) != 0)
        return;
    memmove(address->bytes, address->bytes + sizeof mapped_prefix, 4);
    memset(address->bytes + 4, 0, 12);
    address->is_ipv6 = false;
}

/* As written: mapped addresses stay IPv6. */
static bool read_plain(const char *text, size_t length, struct ip_address *out)
{
    char copy[IP_ADDRESS_TEXT_BYTES];
    struct ip_address address = {0};

    if (length == 0 || length >= sizeof copy || memchr(text, '\0', length) != NULL)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    address.is_ipv6 = strchr(copy, ':') != NULL;
    if (inet_pton(address.is_ipv6 ? AF_INET6 : AF_INET, copy, address.bytes) != 1)
        return false;
    *out = address;
    return true;
}

bool ip_address_read(const char *text, size_t length, struct ip_address *out)
{
    if (!read_plain(text, length, out))
        return false;
    if (out->is_ipv6)
        unmap(out);
    return true;
}

void ip_address_write(const struct ip_address *address, char out[IP_ADDRESS_TEXT_BYTES])
{
    const char *written =
        inet_ntop(address->is_ipv6 ? AF_INET6 : AF_INET, address->bytes, out, IP_ADDRESS_TEXT_BYTES);

    assert(written != NULL);
    (void)written;
}

bool ip_address_is_loopback(const struct ip_address *address)
{
    static const uint8_t one[16] = {[15] = 1};

    return address->is_ipv6 ? memcmp(address->bytes, one, sizeof one) == 0 : address->bytes[0] == 127;
}

/* The digits behind the slash: 1 to 3, no sign. */
static bool read_prefix(const char *text, size_t length, unsigned *bits)
{
    unsigned value = 0;

    if (length == 0 || length > 3)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *bits = value;
    return true;
}

bool ip_network_read(const char *text, size_t length, struct ip_network *out)
{
    struct ip_network network;
    const char *slash = memchr(text, '/', length);
    const size_t address_length = slash == NULL ? length : (size_t)(slash - text);

    if (!read_plain(text, address_length, &network.address))
        return false;
    const unsigned bits_max = network.address.is_ipv6 ? IPV6_BITS : IPV4_BITS;
    network.prefix_bits = bits_max;
    if (slash != NULL && (!read_prefix(slash + 1, length - address_length - 1, &network.prefix_bits) ||
                          network.prefix_bits > bits_max))
        return false;
    if (network.address.is_ipv6 && network.prefix_bits >= IPV4_MAPPED_BITS) {
        unmap(&network.address);
        network.prefix_bits -= network.address.is_ipv6 ? 0 : IPV4_MAPPED_BITS;
    }
    *out = network;
    return true;
}

bool ip_network_has(const struct ip_network *network, const struct ip_address *address)
{
    const unsigned whole = network->prefix_bits / 8;
    const unsigned rest = network->prefix_bits % 8;

    assert(network->prefix_bits <= (network->address.is_ipv6 ? IPV6_BITS : IPV4_BITS));
    if (network->address.is_ipv6 != address->is_ipv6 ||
        memcmp(network->address.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || (network->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

bool client_network_of(const char *address, char out[CLIENT_NETWORK_MAX_BYTES + 1])
{
    char text[IP_ADDRESS_TEXT_BYTES];
    struct ip_address ip;

    if (!ip_address_read(address, strlen(address), &ip)) {
        strcpy(out, "unknown");
        return false;
    }
    if (ip.is_ipv6)
        memset(ip.bytes + CLIENT_IPV6_BITS / 8, 0, sizeof ip.bytes - CLIENT_IPV6_BITS / 8);
    ip_address_write(&ip, text);
    snprintf(out, CLIENT_NETWORK_MAX_BYTES + 1, "%.44s/%u", text, ip.is_ipv6 ? CLIENT_IPV6_BITS : IPV4_BITS);
    return true;
}
