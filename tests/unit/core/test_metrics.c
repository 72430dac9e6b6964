// links: core/metrics.c core/metrics_text.c core/buffer.c core/memory.c core/fault.c
// libs: pthread
// defines: SOURCE_ROOT
// tsan
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ctype.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "core/config.h"
#include "core/fault.h"
#include "core/metrics_table.h"

#define SERVICES (CONFIG_GATEWAY | CONFIG_AUTH | CONFIG_MESSAGE)

static bool ends_in(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static size_t series_of(const struct metric_row *row)
{
    return row->labels[0].count * row->labels[1].count;
}

/* ---- The table. ---- */

static void every_name_is_one_that_prometheus_takes_and_there_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < metric_row_count; i++) {
        const char *name = metric_rows[i].name;
        assert_true(strncmp(name, "token_relay_", 12) == 0 || strncmp(name, "process_", 8) == 0);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        for (size_t other = 0; other < i; other++)
            assert_string_not_equal(name, metric_rows[other].name);
    }
}

static void counters_and_only_they_end_in_total(void **state)
{
    (void)state;
    for (size_t i = 0; i < metric_row_count; i++)
        if (ends_in(metric_rows[i].name, "_total") != (metric_rows[i].kind == METRIC_COUNTER))
            fail_msg("%s", metric_rows[i].name);
}

static void what_is_counted_in_millionths_is_named_in_whole_units(void **state)
{
    (void)state;
    for (size_t i = 0; i < metric_row_count; i++) {
        const char *name = metric_rows[i].name;
        const bool has_fractions =
            ends_in(name, "_seconds") || ends_in(name, "_seconds_total") || ends_in(name, "_ratio");
        if (has_fractions != (metric_rows[i].scale == METRIC_MICRO))
            fail_msg("%s", name);
        assert_null(strstr(name, "milli"));
        assert_null(strstr(name, "micro"));
    }
}

static void every_metric_has_a_sentence_and_a_service(void **state)
{
    (void)state;
    for (size_t i = 0; i < metric_row_count; i++) {
        const struct metric_row *row = &metric_rows[i];
        assert_true(ends_in(row->sentence, "."));
        assert_null(strpbrk(row->sentence, "\\\n|"));
        assert_true((row->used_by & SERVICES) != 0);
        assert_int_equal(row->used_by & ~(unsigned)SERVICES, 0);
    }
}

static void labels_have_keys_and_values_that_need_no_escape(void **state)
{
    (void)state;
    for (size_t i = 0; i < metric_row_count; i++)
        for (size_t l = 0; l < 2; l++) {
            const struct metric_label *label = &metric_rows[i].labels[l];
            assert_true(label->count > 0);
            assert_true(*label->key != '\0' || label->count == 1);
            assert_string_not_equal(label->key, "le");
            assert_string_not_equal(label->key, "service");
            for (size_t v = 0; v < label->count; v++) {
                assert_null(strpbrk(label->values[v], "\"\\\n"));
                assert_true((*label->values[v] == '\0') == (*label->key == '\0'));
                for (size_t other = 0; other < v; other++)
                    assert_string_not_equal(label->values[v], label->values[other]);
            }
        }
}

static void buckets_ascend(void **state)
{
    size_t histograms = 0;

    (void)state;
    for (size_t i = 0; i < metric_row_count; i++) {
        const struct metric_row *row = &metric_rows[i];
        assert_int_equal(row->kind == METRIC_HISTOGRAM, row->bound_count > 0);
        for (size_t b = 1; b < row->bound_count; b++)
            assert_true(row->bounds[b - 1] < row->bounds[b]);
        if (row->kind != METRIC_HISTOGRAM)
            continue;
        assert_int_equal(metric_buckets[histograms].first, row->first);
        assert_int_equal(metric_buckets[histograms].count, row->bound_count);
        histograms++;
    }
    assert_int_equal(histograms, HISTOGRAM_COUNT);
}

static void every_cell_belongs_to_one_metric(void **state)
{
    size_t next = 0;

    (void)state;
    for (size_t i = 0; i < metric_row_count; i++) {
        const struct metric_row *row = &metric_rows[i];
        assert_int_equal(row->first, next);
        next += series_of(row) * (row->kind == METRIC_HISTOGRAM ? row->bound_count + 2 : 1);
    }
    assert_int_equal(next, METRIC_CELL_COUNT);
}

static void every_status_of_an_answer_has_a_series_of_its_own(void **state)
{
    static const unsigned others[] = {200, 201, 307, 499};
    const unsigned other = METRIC_VALUES_STATUS - 1;

    (void)state;
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        assert_int_not_equal(metrics_series_of_status(fault_row((enum fault)fault)->status), other);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_not_equal(metrics_series_of_status(others[i]), other);
    assert_int_equal(metrics_series_of_status(200), 0);
    assert_int_equal(metrics_series_of_status(999), other);
    assert_int_equal(metrics_series_of_status(0), other);
}

/* ---- Counting. ---- */

static uint64_t bucket_of_questions(const struct metrics *metrics, unsigned target, unsigned bucket)
{
    return metrics_get(metrics,
                       METRIC_GATHER_QUESTIONS + target * (METRIC_BOUNDS_GATHER_QUESTIONS + 2) + bucket);
}

static void a_number_falls_into_the_bucket_whose_bound_it_does_not_pass(void **state)
{
    struct metrics metrics = {0};

    (void)state;
    metrics_observe(&metrics, HISTOGRAM_GATHER_QUESTIONS, 1, 0);
    metrics_observe(&metrics, HISTOGRAM_GATHER_QUESTIONS, 1, 1);
    metrics_observe(&metrics, HISTOGRAM_GATHER_QUESTIONS, 1, 2);
    metrics_observe(&metrics, HISTOGRAM_GATHER_QUESTIONS, 1, 3);
    metrics_observe(&metrics, HISTOGRAM_GATHER_QUESTIONS, 1, 64);
    metrics_observe(&metrics, HISTOGRAM_GATHER_QUESTIONS, 1, 65);
    assert_int_equal(bucket_of_questions(&metrics, 1, 0), 2); /* up to 1 */
    assert_int_equal(bucket_of_questions(&metrics, 1, 1), 1); /* 2 */
    assert_int_equal(bucket_of_questions(&metrics, 1, 2), 1); /* 4 */
    assert_int_equal(bucket_of_questions(&metrics, 1, METRIC_BOUNDS_GATHER_QUESTIONS - 1), 1);
    assert_int_equal(bucket_of_questions(&metrics, 1, METRIC_BOUNDS_GATHER_QUESTIONS), 1); /* no bound */
    assert_int_equal(bucket_of_questions(&metrics, 1, METRIC_BOUNDS_GATHER_QUESTIONS + 1), 135);
    for (unsigned i = 0; i < METRIC_BOUNDS_GATHER_QUESTIONS + 2; i++)
        assert_int_equal(bucket_of_questions(&metrics, 0, i), 0);
}

static void a_gauge_goes_up_and_down_over_loops(void **state)
{
    struct metrics loops[2] = {0};
    struct metrics sum = {0};

    (void)state;
    metrics_add(&loops[0], METRIC_REQUESTS_IN_FLIGHT, 0, 3);
    metrics_add(&loops[0], METRIC_REQUESTS_IN_FLIGHT, 0, -1);
    metrics_count(&loops[1], METRIC_REQUESTS_IN_FLIGHT, 0);
    metrics_sum(&sum, &loops[0]);
    metrics_sum(&sum, &loops[1]);
    assert_int_equal(metrics_get(&sum, METRIC_REQUESTS_IN_FLIGHT), 3);
}

#define THREADS       4
#define COUNTS_EACH   20000
#define SERIES_OF_401 5

static void *count_many(void *metrics)
{
    for (unsigned i = 0; i < COUNTS_EACH; i++) {
        metrics_count(metrics, METRIC_REQUESTS, SERIES_OF_401);
        metrics_observe(metrics, HISTOGRAM_REQUEST_DURATION, 0, i);
    }
    return NULL;
}

static uint64_t requests_so_far(const struct metrics metrics[THREADS])
{
    struct metrics sum = {0};

    for (size_t i = 0; i < THREADS; i++)
        metrics_sum(&sum, &metrics[i]);
    return metrics_get(&sum, METRIC_REQUESTS + SERIES_OF_401);
}

static void counts_of_several_threads_add_up_while_others_look(void **state)
{
    static struct metrics metrics[THREADS];
    pthread_t threads[THREADS];
    uint64_t last = 0;

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, &metrics[i]), 0);
    for (int looks = 0; looks < 100; looks++) {
        const uint64_t now = requests_so_far(metrics);
        assert_true(now >= last && now <= THREADS * COUNTS_EACH);
        last = now;
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(requests_so_far(metrics), THREADS * COUNTS_EACH);
}

/* ---- The text. ---- */

static void assert_has_line(const char *text, const char *line)
{
    char wanted[300];

    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    if (strstr(text, wanted) == NULL)
        fail_msg("no line: %s", line);
}

static void histograms_are_written_cumulated_in_the_unit_of_their_name(void **state)
{
    struct metrics metrics = {0};
    struct buffer out;

    (void)state;
    metrics_observe(&metrics, HISTOGRAM_REQUEST_DURATION, 0, 90);
    metrics_observe(&metrics, HISTOGRAM_REQUEST_DURATION, 0, 1500000);
    metrics_observe(&metrics, HISTOGRAM_REQUEST_DURATION, 0, 99000000);
    buffer_open(&out);
    metrics_text(&out, &metrics, "message", CONFIG_MESSAGE);
#define NAME "token_relay_request_duration_seconds"
    assert_has_line(out.at, "# TYPE " NAME " histogram");
    assert_has_line(out.at, NAME "_bucket{service=\"message\",le=\"0.0001\"} 1");
    assert_has_line(out.at, NAME "_bucket{service=\"message\",le=\"1\"} 1");
    assert_has_line(out.at, NAME "_bucket{service=\"message\",le=\"2.5\"} 2");
    assert_has_line(out.at, NAME "_bucket{service=\"message\",le=\"10\"} 2");
    assert_has_line(out.at, NAME "_bucket{service=\"message\",le=\"+Inf\"} 3");
    assert_has_line(out.at, NAME "_sum{service=\"message\"} 100.50009");
    assert_has_line(out.at, NAME "_count{service=\"message\"} 3");
#undef NAME
    buffer_close(&out);
}

static void series_are_written_with_all_their_labels(void **state)
{
    struct metrics metrics = {0};
    struct buffer out;

    (void)state;
    metrics_count(&metrics, METRIC_REQUESTS, metrics_series_of_status(404));
    metrics_add(&metrics, METRIC_GATHER_CALLS, 1 * METRIC_VALUES_GATHERED + 2, 7);
    metrics_set(&metrics, METRIC_PROCESS_MEMORY, 0, 123456789012);
    buffer_open(&out);
    metrics_text(&out, &metrics, "gateway", CONFIG_GATEWAY);
    assert_has_line(out.at, "token_relay_requests_total{service=\"gateway\",status=\"404\"} 1");
    assert_has_line(out.at, "token_relay_requests_total{service=\"gateway\",status=\"200\"} 0");
    assert_has_line(
        out.at,
        "token_relay_gather_calls_total{service=\"gateway\",target=\"messages\",outcome=\"timed_out\"} 7");
    assert_has_line(out.at,
                    "token_relay_build_info{service=\"gateway\",version=\"" TOKEN_RELAY_VERSION "\"} 0");
    assert_has_line(out.at, "process_resident_memory_bytes 123456789012");
    buffer_close(&out);
}

static void a_service_tells_what_it_has_and_nothing_of_others(void **state)
{
    const struct metrics metrics = {0};
    struct buffer out;

    (void)state;
    buffer_open(&out);
    metrics_text(&out, &metrics, "auth", CONFIG_AUTH);
    assert_non_null(strstr(out.at, "token_relay_store_users{"));
    assert_non_null(strstr(out.at, "token_relay_requests_total{"));
    assert_null(strstr(out.at, "gather"));
    buffer_close(&out);
}

static void readme_has_the_table(void **state)
{
    static const char begins[] = "<!-- metrics -->\n\n";
    char *wanted = NULL;
    size_t wanted_length = 0;
    FILE *out = open_memstream(&wanted, &wanted_length);
    FILE *file = fopen(SOURCE_ROOT "/README.md", "r");
    char *text = calloc(1, 1 << 20);

    (void)state;
    assert_true(out != NULL && file != NULL && text != NULL);
    metrics_print(out);
    fclose(out);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    char *table = strstr(text, begins);
    assert_non_null(table);
    table += sizeof begins - 1;
    char *end = strstr(table, "<!-- end of metrics -->");
    assert_non_null(end);
    *end = '\0';
    assert_string_equal(table, wanted); /* ./dev settings writes it */
    free(text);
    free(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_one_that_prometheus_takes_and_there_once),
        cmocka_unit_test(counters_and_only_they_end_in_total),
        cmocka_unit_test(what_is_counted_in_millionths_is_named_in_whole_units),
        cmocka_unit_test(every_metric_has_a_sentence_and_a_service),
        cmocka_unit_test(labels_have_keys_and_values_that_need_no_escape),
        cmocka_unit_test(buckets_ascend),
        cmocka_unit_test(every_cell_belongs_to_one_metric),
        cmocka_unit_test(every_status_of_an_answer_has_a_series_of_its_own),
        cmocka_unit_test(a_number_falls_into_the_bucket_whose_bound_it_does_not_pass),
        cmocka_unit_test(a_gauge_goes_up_and_down_over_loops),
        cmocka_unit_test(counts_of_several_threads_add_up_while_others_look),
        cmocka_unit_test(histograms_are_written_cumulated_in_the_unit_of_their_name),
        cmocka_unit_test(series_are_written_with_all_their_labels),
        cmocka_unit_test(a_service_tells_what_it_has_and_nothing_of_others),
        cmocka_unit_test(readme_has_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
