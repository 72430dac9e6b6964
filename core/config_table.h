/*
 * config_table.h - config.def as data, for those who walk it: the loader and the printer. Private to
 * core/config*.c.
 */
#ifndef CORE_CONFIG_TABLE_H
#define CORE_CONFIG_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum config_kind {
    CONFIG_KIND_TEXT,
    CONFIG_KIND_SECRET,
    CONFIG_KIND_COUNT,
    CONFIG_KIND_SIZE,
    CONFIG_KIND_CHOICE,
    CONFIG_KIND_ADDRESS,
    CONFIG_KIND_ADDRESS_OR_OFF,
    CONFIG_KIND_URL,
};

struct config_row {
    const char *section; /* the title of a section that starts here; else NULL, and the rest is a setting */
    const char *name;
    const char *default_text;
    const char *sentence;
    size_t offset; /* in struct config */
    uint64_t min;
    uint64_t max;
    unsigned used_by; /* a set of enum config_user */
    enum config_kind kind;
};

extern const struct config_row config_rows[];
extern const size_t config_rows_count;

/* The words of a CHOICE, ended by NULL. */
const char *const *config_choice_words(const char *name);

/* "RELAY_TIMEOUT_MS" and so on: the row, or NULL. */
const struct config_row *config_row_find(const char *name);

#endif
