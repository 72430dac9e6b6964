#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "core/buffer.h"
#include "core/config.h"
#include "core/metrics_table.h"

#define OURS             "token_relay_"
#define MICROS_PER_ONE   1000000u
#define NUMBER_MAX_BYTES 32

/* What all samples of one exposition have in common. */
struct exposition {
    struct buffer *out;
    const struct metrics *metrics;
    const char *service;
};

static const char *const kinds[] = {"counter", "gauge", "histogram"};

/* A cell's number in the unit of the metric's name, without zeros at the end. */
static void write_number(const struct metric_row *row, uint64_t number, char text[NUMBER_MAX_BYTES])
{
    if (row->scale == METRIC_ONE || number % MICROS_PER_ONE == 0) {
        snprintf(text, NUMBER_MAX_BYTES, "%" PRIu64,
                 row->scale == METRIC_ONE ? number : number / MICROS_PER_ONE);
        return;
    }
    int length = snprintf(text, NUMBER_MAX_BYTES, "%" PRIu64 ".%06" PRIu64, number / MICROS_PER_ONE,
                          number % MICROS_PER_ONE);
    assert(length > 0 && length < NUMBER_MAX_BYTES);
    while (text[length - 1] == '0')
        text[--length] = '\0';
}

static void add_label(struct buffer *out, bool *begun, const char *key, const char *value)
{
    if (*key == '\0')
        return;
    buffer_add_char(out, *begun ? ',' : '{');
    buffer_add_text(out, key);
    buffer_add_text(out, "=\"");
    buffer_add_text(out, value); /* ours: nothing in it must be escaped */
    buffer_add_char(out, '"');
    *begun = true;
}

/* One line; `suffix` and `bound` are of a histogram. */
static void add_sample(const struct exposition *to, const struct metric_row *row, size_t series,
                       const char *suffix, const char *bound, const char *number)
{
    const struct metric_label *labels = row->labels;
    bool begun = false;

    buffer_add_text(to->out, row->name);
    buffer_add_text(to->out, suffix);
    if (strncmp(row->name, OURS, sizeof OURS - 1) == 0)
        add_label(to->out, &begun, "service", to->service);
    add_label(to->out, &begun, labels[0].key, labels[0].values[series / labels[1].count]);
    add_label(to->out, &begun, labels[1].key, labels[1].values[series % labels[1].count]);
    if (bound != NULL)
        add_label(to->out, &begun, "le", bound);
    if (begun)
        buffer_add_char(to->out, '}');
    buffer_add_char(to->out, ' ');
    buffer_add_text(to->out, number);
    buffer_add_char(to->out, '\n');
}

static void add_histogram(const struct exposition *to, const struct metric_row *row, size_t series)
{
    const unsigned base = row->first + (unsigned)(series * (row->bound_count + 2));
    char number[NUMBER_MAX_BYTES];
    char bound[NUMBER_MAX_BYTES];
    uint64_t count = 0;

    for (unsigned i = 0; i <= row->bound_count; i++) {
        count += metrics_get(to->metrics, base + i);
        if (i < row->bound_count)
            write_number(row, row->bounds[i], bound);
        else
            strcpy(bound, "+Inf");
        snprintf(number, sizeof number, "%" PRIu64, count);
        add_sample(to, row, series, "_bucket", bound, number);
    }
    write_number(row, metrics_get(to->metrics, base + (unsigned)row->bound_count + 1), bound);
    add_sample(to, row, series, "_sum", NULL, bound);
    add_sample(to, row, series, "_count", NULL, number);
}

static void add_row(const struct exposition *to, const struct metric_row *row)
{
    const size_t series_count = row->labels[0].count * row->labels[1].count;
    char number[NUMBER_MAX_BYTES];

    buffer_add_format(to->out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->sentence, row->name,
                      kinds[row->kind]);
    for (size_t series = 0; series < series_count; series++) {
        if (row->kind == METRIC_HISTOGRAM) {
            add_histogram(to, row, series);
            continue;
        }
        write_number(row, metrics_get(to->metrics, row->first + (unsigned)series), number);
        add_sample(to, row, series, "", NULL, number);
    }
}

void metrics_text(struct buffer *out, const struct metrics *metrics, const char *service, unsigned user)
{
    const struct exposition to = {out, metrics, service};

    for (size_t i = 0; i < metric_row_count; i++)
        if (metric_rows[i].used_by & user)
            add_row(&to, &metric_rows[i]);
}

/* ---- The table of README.md. ---- */

static void print_labels(FILE *out, const struct metric_row *row)
{
    for (size_t i = 0; i < 2 && *row->labels[i].key != '\0'; i++)
        fprintf(out, "%s`%s`", i > 0 ? ", " : "", row->labels[i].key);
}

static void print_users(FILE *out, unsigned users)
{
    static const struct {
        unsigned user;
        const char *name;
    } names[] = {{CONFIG_GATEWAY, "gateway"}, {CONFIG_AUTH, "auth"}, {CONFIG_MESSAGE, "message"}};
    const char *between = "";

    if (users == (CONFIG_GATEWAY | CONFIG_AUTH | CONFIG_MESSAGE)) {
        fputs("all", out);
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (users & names[i].user) {
            fprintf(out, "%s%s", between, names[i].name);
            between = ", ";
        }
}

void metrics_print(FILE *out)
{
    fputs("| metric | kind | labels | of | what it says |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < metric_row_count; i++) {
        const struct metric_row *row = &metric_rows[i];
        fprintf(out, "| `%s` | %s | ", row->name, kinds[row->kind]);
        print_labels(out, row);
        fputs(*row->labels[0].key != '\0' ? " | " : "| ", out);
        print_users(out, row->used_by);
        fprintf(out, " | %s |\n", row->sentence);
    }
}
