#include "core/address_slot.h"

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/memory.h"

#define BUCKET_COUNT 4096 /* a power of two */

struct address_slot {
    struct address_slot *next;
    uint64_t key;
    uint64_t family; /* AF_INET, AF_INET6; others share one slot */
    uint64_t count;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct address_slot *buckets[BUCKET_COUNT];
static uint64_t seed; /* so that nobody can choose addresses that meet in one bucket */

static uint64_t read_64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void identify(const struct sockaddr *address, uint64_t *family, uint64_t *key)
{
    *family = AF_UNSPEC;
    *key = 0;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, address, sizeof(ipv4));
        *family = AF_INET;
        *key = ntohl(ipv4.sin_addr.s_addr);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, address, sizeof(ipv6));
        const uint64_t low = read_64(ipv6.sin6_addr.s6_addr + 8);
        const bool mapped = IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr);
        *family = mapped ? AF_INET : AF_INET6;
        *key = mapped ? (low & UINT32_MAX) : read_64(ipv6.sin6_addr.s6_addr);
    }
}

/* Under the mutex. */
static struct address_slot **bucket_of(uint64_t family, uint64_t key)
{
    while (seed == 0) {
        const ssize_t got = getrandom(&seed, sizeof(seed), 0);
        assert(got == (ssize_t)sizeof(seed));
    }
    uint64_t mixed = (key ^ seed) + family;
    /* The finalizer of MurmurHash3: every bit of the key sways every bit of the result. */
    mixed = (mixed ^ mixed >> 33) * 0xff51afd7ed558ccd;
    mixed = (mixed ^ mixed >> 33) * 0xc4ceb9fe1a85ec53;
    mixed = (mixed ^ seed ^ mixed >> 33) * 0xff51afd7ed558ccd;
    return &buckets[(mixed >> 33) % BUCKET_COUNT];
}

struct address_slot *address_slot_take(const struct sockaddr *address, uint64_t max)
{
    uint64_t family;
    uint64_t key;

    identify(address, &family, &key);
    pthread_mutex_lock(&mutex);
    struct address_slot **bucket = bucket_of(family, key);
    struct address_slot *slot = *bucket;
    while (slot != NULL && (slot->key != key || slot->family != family))
        slot = slot->next;
    if (slot == NULL && max > 0) {
        slot = memory_zeroed(sizeof(*slot));
        slot->key = key;
        slot->family = family;
        slot->next = *bucket;
        *bucket = slot;
    }
    if (slot != NULL && slot->count >= max)
        slot = NULL;
    if (slot != NULL)
        slot->count++;
    pthread_mutex_unlock(&mutex);
    return slot;
}

void address_slot_release(struct address_slot *slot)
{
    if (slot == NULL)
        return;
    pthread_mutex_lock(&mutex);
    assert(slot->count > 0);
    if (--slot->count == 0) {
        struct address_slot **at = bucket_of(slot->family, slot->key);
        while (*at != slot) {
            assert(*at != NULL);
            at = &(*at)->next;
        }
        *at = slot->next;
        free(slot);
    }
    pthread_mutex_unlock(&mutex);
}
