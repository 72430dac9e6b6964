/*
 * throttle_table.h - failures by keyed hash, bounded. A failure is forgotten after a time (the count leaks);
 * from a number of them on, each brings a wait, twice as long as the one before. Attempts under way count:
 * below that number only as many run at once as could fail, from there on one at a time.
 *
 *   remembered failures   0 ... free-1    free    free+1   free+2   ...
 *   wait after the last   none            1 s     2 s      4 s      ... up to wait_max
 *
 * A full table gives up the oldest of the lightest entries: to make it forget an entry of many failures, one
 * must fail as often with as many others as it has room for. Entries with attempts under way stay. Not for
 * sharing between threads (throttle.c locks). Times are microseconds of the wall clock, which may step: waits
 * are bounded anyway.
 */
#ifndef AUTH_THROTTLE_TABLE_H
#define AUTH_THROTTLE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THROTTLE_WEIGHTS 6 /* 0 failures, 1, 2-3, 4-7, 8-15, 16 and more */

struct throttle_limit {
    uint32_t free;
    uint32_t forget_s;   /* one failure is forgotten in this time */
    uint32_t wait_max_s; /* the longest wait */
};

struct throttle_entry {
    uint64_t key;
    int64_t empty_at_us; /* when the last failure is forgotten */
    int64_t free_at_us;  /* when the wait is over */
    uint32_t under_way;
    uint32_t chain; /* entries by number from 1; 0: none */
    uint32_t older;
    uint32_t newer;
    uint8_t weight;
};

struct throttle_list {
    uint32_t oldest;
    uint32_t newest;
};

struct throttle_table {
    struct throttle_limit limit;
    struct throttle_entry *entries; /* [entries_max + 1]; number 0 is not used */
    uint32_t *buckets;
    uint32_t bucket_mask;
    uint32_t entries_max;
    uint32_t touched; /* entries ever used: memory beyond is not even resident */
    uint32_t unused;  /* chain of those given up */
    uint32_t count;
    struct throttle_list lists[THROTTLE_WEIGHTS]; /* entries without attempts under way */
};

void throttle_table_open(struct throttle_table *table, const struct throttle_limit *limit,
                         uint32_t entries_max);
void throttle_table_close(struct throttle_table *table);

/* The entry, or NULL: nothing is remembered. */
struct throttle_entry *throttle_table_find(const struct throttle_table *table, uint64_t key);

/* Failures that entry (NULL: none) remembers. */
uint32_t throttle_remembered(const struct throttle_table *table, const struct throttle_entry *entry,
                             int64_t now_us);

/* Seconds until one more attempt may begin; 0: now. */
uint32_t throttle_table_wait(struct throttle_table *table, uint64_t key, int64_t now_us);

/* An attempt begins. False: the table is full of entries with attempts under way, and nothing happened. */
bool throttle_table_begin(struct throttle_table *table, uint64_t key, int64_t now_us);

/* It ended: counts as a failure (`failures` 1), or not (0); or its entry forgets all failures (FORGET). */
#define THROTTLE_FORGET UINT32_MAX
void throttle_table_end(struct throttle_table *table, uint64_t key, uint32_t failures, int64_t now_us);

/* Puts an entry as it was kept (throttle_blob.c); its times are bounded. */
void throttle_table_restore(struct throttle_table *table, uint64_t key, int64_t empty_at_us,
                            int64_t free_at_us, int64_t now_us);

#endif
