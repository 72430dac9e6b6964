#include "core/metrics.h"

#include "core/config.h"
#include "core/metrics_table.h"

const char metrics_version[] = TOKEN_RELAY_VERSION;

#define USERS_GATEWAY  CONFIG_GATEWAY
#define USERS_AUTH     CONFIG_AUTH
#define USERS_MESSAGE  CONFIG_MESSAGE
#define USERS_SERVICES (CONFIG_GATEWAY | CONFIG_AUTH | CONFIG_MESSAGE)

#define METRIC(...)
#define HISTOGRAM(...)
#define LABEL(ID, name, ...) static const char *const values_of_##ID[] = {__VA_ARGS__};
#include "core/metrics.def"
#undef LABEL

#define LABEL(ID, name, ...) static const char key_of_##ID[] = name;
#include "core/metrics.def"
#undef LABEL
#undef METRIC
#undef HISTOGRAM

#define LABEL_OF(ID)                                    \
    {                                                   \
        key_of_##ID, values_of_##ID, METRIC_VALUES_##ID \
    }
#define LABEL(...)
#define METRIC(ID, kind_, name_, used_by_, one, other, scale_, sentence_) \
    {.name = (name_),                                                     \
     .sentence = (sentence_),                                             \
     .kind = METRIC_##kind_,                                              \
     .scale = METRIC_##scale_,                                            \
     .used_by = USERS_##used_by_,                                         \
     .labels = {LABEL_OF(one), LABEL_OF(other)},                          \
     .first = METRIC_##ID},
#define HISTOGRAM(ID, name_, used_by_, label, scale_, sentence_, ...) \
    {.name = (name_),                                                 \
     .sentence = (sentence_),                                         \
     .kind = METRIC_HISTOGRAM,                                        \
     .scale = METRIC_##scale_,                                        \
     .used_by = USERS_##used_by_,                                     \
     .labels = {LABEL_OF(label), LABEL_OF(NONE)},                     \
     .first = METRIC_##ID,                                            \
     .bounds = (const uint64_t[]){__VA_ARGS__},                       \
     .bound_count = METRIC_BOUNDS_##ID},
const struct metric_row metric_rows[] = {
#include "core/metrics.def"
};
const size_t metric_row_count = sizeof metric_rows / sizeof metric_rows[0];

unsigned metrics_series_of_status(unsigned status)
{
    const char text[] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
                         (char)('0' + status % 10)};
    unsigned series = 0;

    assert(status < 1000);
    while (series < METRIC_VALUES_STATUS - 1 &&
           (values_of_STATUS[series][0] != text[0] || values_of_STATUS[series][1] != text[1] ||
            values_of_STATUS[series][2] != text[2]))
        series++;
    return series;
}

void metrics_sum(struct metrics *into, const struct metrics *from)
{
    for (unsigned i = 0; i < METRIC_CELL_COUNT; i++)
        metrics_add(into, (enum metric)i, 0, (int64_t)metrics_get(from, i));
}
