#include "core/descriptors.h"

#include <assert.h>
#include <stdio.h>
#include <sys/resource.h>

/* Listeners, logs, the store, each loop's own. */
#define BESIDES          64
#define BESIDES_PER_LOOP 16
/* Below this a service would start and answer hardly anybody. */
#define CONNECTIONS_LEAST 16
#define CALLS_LEAST       4

static uint64_t smaller(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

static uint64_t raise_limit(uint64_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    if (limit.rlim_cur < wanted && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = smaller(wanted, limit.rlim_max);
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur;
}

bool descriptors_share(unsigned loop_count, struct descriptor_share *share, char *error, size_t error_size)
{
    const uint64_t besides = BESIDES + (uint64_t)loop_count * BESIDES_PER_LOOP;
    const uint64_t connections_least = smaller(share->connections, CONNECTIONS_LEAST);
    const uint64_t calls_least = smaller(share->calls, CALLS_LEAST);
    const uint64_t least = besides + connections_least + loop_count * calls_least;

    assert(loop_count > 0 && share->connections > 0);
    const uint64_t limit = raise_limit(besides + share->connections + loop_count * share->calls);
    if (limit < least) {
        snprintf(error, error_size,
                 "%llu file descriptors (ulimit -n) are too few: %u loops need at least %llu, and many "
                 "clients many more",
                 (unsigned long long)limit, loop_count, (unsigned long long)least);
        return false;
    }
    const uint64_t free_ones = limit - besides;
    if (free_ones >= share->connections + loop_count * share->calls)
        return true;

    const uint64_t calls_half = free_ones / 2 / loop_count;
    share->calls = smaller(share->calls, calls_half > calls_least ? calls_half : calls_least);
    share->connections = smaller(share->connections, free_ones - loop_count * share->calls);
    return true;
}
