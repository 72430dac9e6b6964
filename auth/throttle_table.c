#include "auth/throttle_table.h"

#include <assert.h>
#include <stdlib.h>

#include "core/memory.h"

#define SECOND_US 1000000

/* Waits double until the longest; failures beyond need not be remembered. */
static uint32_t remembered_max(const struct throttle_limit *limit)
{
    uint32_t doublings = 0;

    while (doublings < 31 && (UINT32_C(1) << doublings) < limit->wait_max_s)
        doublings++;
    return limit->free + doublings;
}

static int64_t forget_us(const struct throttle_table *table)
{
    return (int64_t)table->limit.forget_s * SECOND_US;
}

static int64_t wait_us(const struct throttle_limit *limit, uint32_t failures)
{
    if (failures < limit->free)
        return 0;
    const uint32_t doublings = failures - limit->free;
    const uint32_t wait_s = doublings < 31 ? UINT32_C(1) << doublings : limit->wait_max_s;
    return (int64_t)(wait_s < limit->wait_max_s ? wait_s : limit->wait_max_s) * SECOND_US;
}

void throttle_table_open(struct throttle_table *table, const struct throttle_limit *limit,
                         uint32_t entries_max)
{
    uint32_t bucket_count = 16;

    assert(limit->free > 0 && limit->forget_s > 0 && limit->wait_max_s > 0);
    assert(entries_max > 0 && entries_max <= UINT32_C(1) << 30);
    while (bucket_count < entries_max)
        bucket_count *= 2;
    *table = (struct throttle_table){
        .limit = *limit,
        .entries = memory_zeroed((entries_max + (size_t)1) * sizeof *table->entries),
        .buckets = memory_zeroed(bucket_count * sizeof *table->buckets),
        .bucket_mask = bucket_count - 1,
        .entries_max = entries_max,
    };
}

void throttle_table_close(struct throttle_table *table)
{
    free(table->entries);
    free(table->buckets);
    *table = (struct throttle_table){0};
}

/* --- the lists of ages, one for each weight: oldest first --- */

static uint8_t weight_of(uint32_t failures)
{
    uint8_t weight = 0;

    while (failures > 0 && weight < THROTTLE_WEIGHTS - 1) {
        failures /= 2;
        weight++;
    }
    return weight;
}

static void list_add(struct throttle_table *table, uint32_t number)
{
    struct throttle_entry *entry = &table->entries[number];
    struct throttle_list *list = &table->lists[entry->weight];

    assert(entry->older == 0 && entry->newer == 0 && entry->under_way == 0);
    entry->older = list->newest;
    if (list->newest == 0)
        list->oldest = number;
    else
        table->entries[list->newest].newer = number;
    list->newest = number;
}

static void list_remove(struct throttle_table *table, uint32_t number)
{
    struct throttle_entry *entry = &table->entries[number];
    struct throttle_list *list = &table->lists[entry->weight];

    if (entry->older == 0)
        list->oldest = entry->newer;
    else
        table->entries[entry->older].newer = entry->newer;
    if (entry->newer == 0)
        list->newest = entry->older;
    else
        table->entries[entry->newer].older = entry->older;
    entry->older = entry->newer = 0;
}

/* --- entries --- */

static uint32_t *bucket_of(const struct throttle_table *table, uint64_t key)
{
    return &table->buckets[key & table->bucket_mask];
}

static uint32_t find(const struct throttle_table *table, uint64_t key)
{
    uint32_t number = *bucket_of(table, key);

    while (number != 0 && table->entries[number].key != key)
        number = table->entries[number].chain;
    return number;
}

struct throttle_entry *throttle_table_find(const struct throttle_table *table, uint64_t key)
{
    const uint32_t number = find(table, key);

    return number == 0 ? NULL : &table->entries[number];
}

/* Takes it out of its bucket; it is in no list any more. */
static void give_up(struct throttle_table *table, uint32_t number)
{
    struct throttle_entry *entry = &table->entries[number];
    uint32_t *at = bucket_of(table, entry->key);

    while (*at != number) {
        assert(*at != 0);
        at = &table->entries[*at].chain;
    }
    *at = entry->chain;
    *entry = (struct throttle_entry){.chain = table->unused};
    table->unused = number;
    assert(table->count > 0);
    table->count--;
}

static bool is_spent(const struct throttle_entry *entry, int64_t now_us)
{
    return entry->empty_at_us <= now_us && entry->free_at_us <= now_us;
}

/* The oldest of those that remember nothing any more, else of the lightest. 0: all have attempts under way.
 */
static uint32_t to_give_up(const struct throttle_table *table, int64_t now_us)
{
    uint32_t lightest = 0;

    for (int weight = THROTTLE_WEIGHTS - 1; weight >= 0; weight--) {
        const uint32_t oldest = table->lists[weight].oldest;
        if (oldest == 0)
            continue;
        lightest = oldest;
        if (is_spent(&table->entries[oldest], now_us))
            return oldest;
    }
    return lightest;
}

static uint32_t take_unused(struct throttle_table *table, int64_t now_us)
{
    if (table->count == table->entries_max) {
        const uint32_t number = to_give_up(table, now_us);
        if (number == 0)
            return 0;
        list_remove(table, number);
        give_up(table, number);
    }
    const uint32_t number = table->unused == 0 ? ++table->touched : table->unused;
    assert(number <= table->entries_max);
    table->unused = table->entries[number].chain;
    return number;
}

/* In no list yet. */
static uint32_t add(struct throttle_table *table, uint64_t key, int64_t now_us)
{
    const uint32_t number = take_unused(table, now_us);

    if (number == 0)
        return 0;
    uint32_t *bucket = bucket_of(table, key);
    table->entries[number] = (struct throttle_entry){.key = key, .chain = *bucket};
    *bucket = number;
    table->count++;
    return number;
}

/* No attempt is under way any more: as the youngest of its weight, or not at all. */
static void settle(struct throttle_table *table, uint32_t number, int64_t now_us)
{
    struct throttle_entry *entry = &table->entries[number];

    if (is_spent(entry, now_us)) {
        give_up(table, number);
        return;
    }
    entry->weight = weight_of(throttle_remembered(table, entry, now_us));
    list_add(table, number);
}

/* --- counts and waits --- */

uint32_t throttle_remembered(const struct throttle_table *table, const struct throttle_entry *entry,
                             int64_t now_us)
{
    if (entry == NULL || entry->empty_at_us <= now_us)
        return 0;
    const int64_t left_us = entry->empty_at_us - now_us;
    const int64_t failures = (left_us + forget_us(table) - 1) / forget_us(table);
    const uint32_t most = remembered_max(&table->limit);
    return failures < most ? (uint32_t)failures : most;
}

/* What is further off than it can have come about: the clock was set back. */
static void bound_times(const struct throttle_table *table, struct throttle_entry *entry, int64_t now_us)
{
    const int64_t empty_max_us = now_us + remembered_max(&table->limit) * forget_us(table);
    const int64_t free_max_us = now_us + (int64_t)table->limit.wait_max_s * SECOND_US;

    if (entry->empty_at_us > empty_max_us)
        entry->empty_at_us = empty_max_us;
    if (entry->free_at_us > free_max_us)
        entry->free_at_us = free_max_us;
}

uint32_t throttle_table_wait(struct throttle_table *table, uint64_t key, int64_t now_us)
{
    struct throttle_entry *entry = throttle_table_find(table, key);

    if (entry == NULL)
        return 0;
    bound_times(table, entry, now_us);
    if (entry->free_at_us > now_us)
        return (uint32_t)((entry->free_at_us - now_us + SECOND_US - 1) / SECOND_US);
    if (entry->under_way == 0)
        return 0;
    const uint64_t with_those = (uint64_t)throttle_remembered(table, entry, now_us) + entry->under_way;
    return with_those < table->limit.free ? 0 : 1;
}

bool throttle_table_begin(struct throttle_table *table, uint64_t key, int64_t now_us)
{
    uint32_t number = find(table, key);

    if (number == 0)
        number = add(table, key, now_us);
    else if (table->entries[number].under_way == 0)
        list_remove(table, number);
    if (number == 0)
        return false;
    bound_times(table, &table->entries[number], now_us);
    table->entries[number].under_way++;
    return true;
}

static void fail(const struct throttle_table *table, struct throttle_entry *entry, int64_t now_us)
{
    const int64_t from_us = entry->empty_at_us > now_us ? entry->empty_at_us : now_us;

    entry->empty_at_us = from_us + forget_us(table);
    bound_times(table, entry, now_us);
    const int64_t free_at_us = now_us + wait_us(&table->limit, throttle_remembered(table, entry, now_us));
    if (free_at_us > entry->free_at_us)
        entry->free_at_us = free_at_us;
}

void throttle_table_end(struct throttle_table *table, uint64_t key, uint32_t failures, int64_t now_us)
{
    const uint32_t number = find(table, key);
    struct throttle_entry *entry = &table->entries[number];

    assert(number != 0 && entry->under_way > 0);
    entry->under_way--;
    if (failures == THROTTLE_FORGET)
        entry->empty_at_us = entry->free_at_us = 0;
    else if (failures > 0)
        fail(table, entry, now_us);
    if (entry->under_way == 0)
        settle(table, number, now_us);
}

void throttle_table_restore(struct throttle_table *table, uint64_t key, int64_t empty_at_us,
                            int64_t free_at_us, int64_t now_us)
{
    if (find(table, key) != 0)
        return;
    const uint32_t number = add(table, key, now_us);
    struct throttle_entry *entry = &table->entries[number];

    assert(number != 0);
    entry->empty_at_us = empty_at_us;
    entry->free_at_us = free_at_us;
    bound_times(table, entry, now_us);
    settle(table, number, now_us);
}
