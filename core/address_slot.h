/*
 * address_slot.h - how many connections each client address has, over all loops: so that one address cannot
 * take them all. An IPv6 address counts as its /64, which is what one client is given; an IPv4-mapped one as
 * its IPv4 address.
 */
#ifndef CORE_ADDRESS_SLOT_H
#define CORE_ADDRESS_SLOT_H

#include <stdint.h>
#include <sys/socket.h>

struct address_slot;

/* Counts one more; NULL: the address has max already, and nothing was counted. Any thread. */
struct address_slot *address_slot_take(const struct sockaddr *address, uint64_t max);

/* One less; the slot is freed with its last. NULL is allowed. Any thread. */
void address_slot_release(struct address_slot *slot);

#endif
