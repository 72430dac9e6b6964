#include "core/config.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/config_table.h"

#define LINE_MAX_COLUMNS 100

/* Words of `text` over lines that each start with `margin`. */
static void print_wrapped(FILE *out, const char *margin, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column != 0 && column + 1 + word > LINE_MAX_COLUMNS) {
            fputc('\n', out);
            column = 0;
        }
        column += (size_t)fprintf(out, "%s%.*s", column == 0 ? margin : " ", (int)word, text);
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

/* 1048576 is "1MiB": as one would write it in .env. */
static size_t size_text(uint64_t bytes, char *out, size_t out_size)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    for (; unit < 3 && bytes >= 1024 && bytes % 1024 == 0; unit++)
        bytes /= 1024;
    return (size_t)snprintf(out, out_size, "%" PRIu64 "%s", bytes, units[unit]);
}

/* The sentence, then what is allowed. */
static void describe(const struct config_row *row, char *out, size_t out_size)
{
    size_t length = (size_t)snprintf(out, out_size, "%s", row->sentence);
    if (row->kind == CONFIG_KIND_COUNT) {
        snprintf(out + length, out_size - length, " From %" PRIu64 " to %" PRIu64 ".", row->min, row->max);
    } else if (row->kind == CONFIG_KIND_SIZE) {
        char min[32];
        char max[32];
        size_text(row->min, min, sizeof(min));
        size_text(row->max, max, sizeof(max));
        snprintf(out + length, out_size - length, " From %s to %s.", min, max);
    } else if (row->kind == CONFIG_KIND_SECRET) {
        snprintf(out + length, out_size - length, " From %" PRIu64 " to %" PRIu64 " bytes.", row->min,
                 row->max);
    }
    assert(strlen(out) + 1 < out_size);
}

static void print_env(FILE *out, const struct config_row *row, const char *description)
{
    if (row->section != NULL) {
        fprintf(out, "\n# ---- %s ----\n", row->section);
        return;
    }
    fputc('\n', out);
    print_wrapped(out, "# ", description);
    fprintf(out, "#%s=%s\n", row->name, row->default_text);
}

static void print_markdown(FILE *out, const struct config_row *row, const char *description)
{
    if (row->section != NULL)
        fprintf(out, "\n**%s**\n\n| setting | default | what it does |\n|---|---|---|\n", row->section);
    else if (*row->default_text == '\0')
        fprintf(out, "| `%s` | | %s |\n", row->name, description);
    else
        fprintf(out, "| `%s` | `%s` | %s |\n", row->name, row->default_text, description);
}

static void print_text(FILE *out, const struct config_row *row, const char *description)
{
    if (row->section != NULL) {
        fprintf(out, "\n%s\n", row->section);
        return;
    }
    fprintf(out, *row->default_text == '\0' ? "  %s\n" : "  %s=%s\n", row->name, row->default_text);
    print_wrapped(out, "      ", description);
}

void config_print(FILE *out, enum config_print form)
{
    assert(out != NULL);
    if (form != CONFIG_PRINT_MARKDOWN)
        print_wrapped(
            out, form == CONFIG_PRINT_ENV ? "# " : "",
            "The settings of token-relay and their defaults. They are read from the environment, then from "
            "the file .env in the working directory; a name that is set to nothing counts as not set.");
    if (form == CONFIG_PRINT_ENV)
        print_wrapped(out, "# ",
                      "To change one, copy this file to .env and take away the # in front of its name.");

    for (size_t i = 0; i < config_rows_count; i++) {
        const struct config_row *row = &config_rows[i];
        char description[600] = "";
        if (row->section == NULL)
            describe(row, description, sizeof(description));
        if (form == CONFIG_PRINT_ENV)
            print_env(out, row, description);
        else if (form == CONFIG_PRINT_MARKDOWN)
            print_markdown(out, row, description);
        else
            print_text(out, row, description);
    }
}
