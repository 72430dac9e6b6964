/*
 * metrics_table.h - the rows of metrics.def, and what is made from them.
 */
#ifndef CORE_METRICS_TABLE_H
#define CORE_METRICS_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/metrics.h"

struct buffer;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metric_scale { METRIC_ONE, METRIC_MICRO };

struct metric_label {
    const char *key; /* "": no label */
    const char *const *values;
    size_t count;
};

struct metric_row {
    const char *name;
    const char *sentence;
    enum metric_kind kind;
    enum metric_scale scale;
    unsigned used_by; /* a set of enum config_user */
    struct metric_label labels[2];
    enum metric first;      /* cell */
    const uint64_t *bounds; /* of a histogram */
    size_t bound_count;
};

extern const struct metric_row metric_rows[];
extern const size_t metric_row_count;

/* The Prometheus text (version 0.0.4) of what `user` (an enum config_user) has. */
void metrics_text(struct buffer *out, const struct metrics *metrics, const char *service, unsigned user);
#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The Markdown table of README.md. */
void metrics_print(FILE *out);

#endif
