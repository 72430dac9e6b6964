/*
 * metrics.h - the figures of metrics.def. Each loop has cells of its own and only its thread writes them: a
 * count is an add to memory, without a lock or contention. Whoever asks for /metrics sums the cells of all
 * loops.
 *
 * What is counted by hot code is inline here.
 */
#ifndef CORE_METRICS_H
#define CORE_METRICS_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

extern const char metrics_version[];

/* How many values each label has: METRIC_VALUES_STATUS; how many bounds each histogram: METRIC_BOUNDS_... */
#define LABEL(ID, key, ...) \
    METRIC_VALUES_##ID = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *),
#define METRIC(...)
#define HISTOGRAM(ID, name, used_by, label, scale, sentence, ...) \
    METRIC_BOUNDS_##ID = sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t),
enum {
#include "core/metrics.def"
};
#undef LABEL
#undef METRIC
#undef HISTOGRAM

/* Where a metric's cells begin. A histogram has for each series its buckets, one without an end, and the sum.
 */
#define LABEL(...)
#define METRIC(ID, kind, name, used_by, first, second, scale, sentence) \
    METRIC_##ID, METRIC_LAST_OF_##ID = METRIC_##ID + METRIC_VALUES_##first * METRIC_VALUES_##second - 1,
#define HISTOGRAM(ID, name, used_by, label, scale, sentence, ...) \
    METRIC_##ID, METRIC_LAST_OF_##ID = METRIC_##ID + METRIC_VALUES_##label * (METRIC_BOUNDS_##ID + 2) - 1,
enum metric {
#include "core/metrics.def"
    METRIC_CELL_COUNT
};
#undef METRIC
#undef HISTOGRAM

#define METRIC(...)
#define HISTOGRAM(ID, ...) HISTOGRAM_##ID,
enum metric_histogram {
#include "core/metrics.def"
    HISTOGRAM_COUNT
};
#undef HISTOGRAM

struct metric_buckets {
    enum metric first;
    unsigned count; /* of bounds */
    const uint64_t *bounds;
};

#define HISTOGRAM(ID, name, used_by, label, scale, sentence, ...) \
    {METRIC_##ID, METRIC_BOUNDS_##ID, (const uint64_t[]){__VA_ARGS__}},
static const struct metric_buckets metric_buckets[HISTOGRAM_COUNT] = {
#include "core/metrics.def"
};
#undef LABEL
#undef METRIC
#undef HISTOGRAM

struct metrics {
    atomic_uint_fast64_t cells[METRIC_CELL_COUNT];
};

/* Adds to the cell of a series (the value of its label; two labels: first * values of the second + second).
 * Only the thread whose metrics these are. Gauges go down by metrics_add(..., -1). */
static inline void metrics_add(struct metrics *metrics, enum metric metric, unsigned series, int64_t number)
{
    atomic_uint_fast64_t *cell = &metrics->cells[metric + series];

    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + (uint64_t)number,
                          memory_order_relaxed);
}

static inline void metrics_count(struct metrics *metrics, enum metric metric, unsigned series)
{
    metrics_add(metrics, metric, series, 1);
}

static inline void metrics_set(struct metrics *metrics, enum metric metric, unsigned series, uint64_t number)
{
    atomic_store_explicit(&metrics->cells[metric + series], number, memory_order_relaxed);
}

static inline uint64_t metrics_get(const struct metrics *metrics, unsigned cell)
{
    assert(cell < METRIC_CELL_COUNT);
    return atomic_load_explicit(&metrics->cells[cell], memory_order_relaxed);
}

static inline void metrics_observe(struct metrics *metrics, enum metric_histogram histogram, unsigned series,
                                   uint64_t number)
{
    const struct metric_buckets *buckets = &metric_buckets[histogram];
    const unsigned base = series * (buckets->count + 2);
    unsigned bucket = 0;

    while (bucket < buckets->count && number > buckets->bounds[bucket])
        bucket++;
    metrics_count(metrics, buckets->first, base + bucket);
    metrics_add(metrics, buckets->first, base + buckets->count + 1, (int64_t)number);
}

/* The series of an answer's status. */
unsigned metrics_series_of_status(unsigned status);

/* Adds all cells of `from`, another thread's too, to those of `into`. */
void metrics_sum(struct metrics *into, const struct metrics *from);

#endif
