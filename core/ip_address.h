/*
 * ip_address.h - IP addresses and networks as values. An IPv4 address mapped into IPv6 is the IPv4 address,
 * so that one client is not two. Pure; any thread.
 */
#ifndef CORE_IP_ADDRESS_H
#define CORE_IP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip_address {
    bool is_ipv6;
    uint8_t bytes[16]; /* network order; IPv4: the first 4, the others 0 */
};

struct ip_network {
    struct ip_address address;
    unsigned prefix_bits;
};

/* "192.0.2.7", "2001:db8::1": nothing around it, no zone. False: *out is untouched. */
bool ip_address_read(const char *text, size_t length, struct ip_address *out);

#define IP_ADDRESS_TEXT_BYTES 46 /* with the NUL */
void ip_address_write(const struct ip_address *address, char out[IP_ADDRESS_TEXT_BYTES]);

/* 127.0.0.0/8 and ::1. */
bool ip_address_is_loopback(const struct ip_address *address);

/* "10.0.0.0/8", or an address alone. Bits behind the prefix may be set, and do not count. */
bool ip_network_read(const char *text, size_t length, struct ip_network *out);

bool ip_network_has(const struct ip_network *network, const struct ip_address *address);

/*
 * What one client is given, as text: "192.0.2.7/32", "2001:db8:1:2::/64". What is no address (a client that
 * is unknown) is "unknown": then false.
 */
#define CLIENT_NETWORK_MAX_BYTES 47
bool client_network_of(const char *address, char out[CLIENT_NETWORK_MAX_BYTES + 1]);

#endif
