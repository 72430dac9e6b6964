/*
 * throttle_blob.c - the tables over a restart. Integers are little-endian:
 *
 *   0   8  "TRTHROT1", the format
 *   8  16  the key of the hashes
 *  24   8  when it was saved, microseconds since the epoch
 *  32  16  four counts of entries, in the order of enum throttle_policy
 *  48      the entries, 16 bytes each: hash, seconds until empty, seconds until free (both from `saved`,
 * rounded up) -8     SipHash of all before it
 */
#include <assert.h>
#include <string.h>

#include "auth/throttle_state.h"

#define SECOND_US     1000000
#define HEAD_BYTES    48
#define ENTRY_BYTES   16
#define CHECK_BYTES   8
#define TIME_MAX_US   (INT64_C(1) << 60) /* far beyond any date, far from overflow */
#define BLOB_MIN_SIZE 4096

static const char format[8] = {'T', 'R', 'T', 'H', 'R', 'O', 'T', '1'};

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = bytes; i > 0; i--)
        value = value << 8 | at[i - 1];
    return value;
}

static uint64_t check_of(const uint8_t *blob, size_t length)
{
    struct siphash hash;

    siphash_open(&hash, blob + 8);
    siphash_add(&hash, blob, length);
    return siphash_close(&hash);
}

/* --- saving --- */

static uint32_t seconds_until(int64_t at_us, int64_t now_us)
{
    if (at_us <= now_us)
        return 0;
    const int64_t seconds = (at_us - now_us + SECOND_US - 1) / SECOND_US;
    return seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

struct writing {
    uint8_t *at;
    uint32_t room; /* entries */
    uint32_t count;
    int64_t now_us;
};

static void save_entry(struct writing *writing, const struct throttle_table *table,
                       const struct throttle_entry *entry)
{
    const int64_t from_us = entry->empty_at_us > writing->now_us ? entry->empty_at_us : writing->now_us;
    const int64_t under_way_us = (int64_t)entry->under_way * table->limit.forget_s * SECOND_US;
    const uint32_t empty_s = seconds_until(from_us + under_way_us, writing->now_us);
    const uint32_t free_s = seconds_until(entry->free_at_us, writing->now_us);

    if (writing->count == writing->room || (empty_s == 0 && free_s == 0))
        return;
    put(writing->at, entry->key, 8);
    put(writing->at + 8, empty_s, 4);
    put(writing->at + 12, free_s, 4);
    writing->at += ENTRY_BYTES;
    writing->count++;
}

/* The heaviest and youngest first: what does not fit is what counts least. */
static void save_table(struct writing *writing, const struct throttle_table *table)
{
    writing->count = 0;
    for (uint32_t number = 1; number <= table->touched; number++)
        if (table->entries[number].under_way > 0)
            save_entry(writing, table, &table->entries[number]);
    for (int weight = THROTTLE_WEIGHTS - 1; weight >= 0; weight--)
        for (uint32_t number = table->lists[weight].newest; number != 0;
             number = table->entries[number].older)
            save_entry(writing, table, &table->entries[number]);
}

size_t throttle_save(struct throttle *throttle, uint8_t *blob, size_t size, int64_t now_us)
{
    assert(size >= BLOB_MIN_SIZE);
    const size_t room = (size - HEAD_BYTES - CHECK_BYTES) / ENTRY_BYTES / THROTTLE_POLICY_COUNT;
    struct writing writing = {
        .at = blob + HEAD_BYTES, .room = room < UINT32_MAX ? (uint32_t)room : UINT32_MAX, .now_us = now_us};

    memcpy(blob, format, sizeof format);
    memcpy(blob + 8, throttle->key, sizeof throttle->key);
    put(blob + 24, (uint64_t)now_us, 8);
    for (int i = 0; i < THROTTLE_POLICY_COUNT; i++) {
        pthread_mutex_lock(&throttle->lock);
        save_table(&writing, &throttle->tables[i]);
        pthread_mutex_unlock(&throttle->lock);
        put(blob + 32 + 4 * i, writing.count, 4);
    }
    const size_t length = (size_t)(writing.at - blob);
    put(writing.at, check_of(blob, length), CHECK_BYTES);
    return length + CHECK_BYTES;
}

/* --- restoring --- */

static bool is_whole(const uint8_t *blob, size_t length)
{
    uint64_t entries = 0;

    if (length < HEAD_BYTES + CHECK_BYTES || memcmp(blob, format, sizeof format) != 0)
        return false;
    for (int i = 0; i < THROTTLE_POLICY_COUNT; i++)
        entries += get(blob + 32 + 4 * i, 4);
    return entries == (length - HEAD_BYTES - CHECK_BYTES) / ENTRY_BYTES &&
           (length - HEAD_BYTES - CHECK_BYTES) % ENTRY_BYTES == 0 && get(blob + 24, 8) < TIME_MAX_US &&
           get(blob + length - CHECK_BYTES, CHECK_BYTES) == check_of(blob, length - CHECK_BYTES);
}

/* From the last to the first, so that the youngest come in last; a smaller table keeps the first ones. */
static void restore_table(struct throttle_table *table, const uint8_t *entries, uint64_t count,
                          int64_t saved_us, int64_t now_us)
{
    const int64_t from_us = saved_us < now_us ? saved_us : now_us; /* the clock may have been set back */

    if (count > table->entries_max)
        count = table->entries_max;
    while (count-- > 0) {
        const uint8_t *at = entries + count * ENTRY_BYTES;
        throttle_table_restore(table, get(at, 8), from_us + (int64_t)get(at + 8, 4) * SECOND_US,
                               from_us + (int64_t)get(at + 12, 4) * SECOND_US, now_us);
    }
}

bool throttle_restore(struct throttle *throttle, const uint8_t *blob, size_t length, int64_t now_us)
{
    const uint8_t *entries = blob + HEAD_BYTES;

    if (!is_whole(blob, length))
        return false;
    const int64_t saved_us = (int64_t)get(blob + 24, 8);
    pthread_mutex_lock(&throttle->lock);
    memcpy(throttle->key, blob + 8, sizeof throttle->key);
    for (int i = 0; i < THROTTLE_POLICY_COUNT; i++) {
        const uint64_t count = get(blob + 32 + 4 * i, 4);
        restore_table(&throttle->tables[i], entries, count, saved_us, now_us);
        entries += count * ENTRY_BYTES;
    }
    pthread_mutex_unlock(&throttle->lock);
    return true;
}
