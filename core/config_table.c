#include "core/config_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"

#define USERS_GATEWAY  (CONFIG_GATEWAY | CONFIG_UP)
#define USERS_AUTH     (CONFIG_AUTH | CONFIG_UP)
#define USERS_MESSAGE  (CONFIG_MESSAGE | CONFIG_UP)
#define USERS_SERVICES (CONFIG_GATEWAY | CONFIG_AUTH | CONFIG_MESSAGE | CONFIG_UP)
#define USERS_STORE    (CONFIG_AUTH | CONFIG_TOOL | CONFIG_UP)
#define USERS_UP       CONFIG_UP

#define SECTION(title) {.section = (title)},
#define CHOICES(NAME, ...)
#define SETTING(member, NAME, kind_, default_value, min_, max_, used_by_, sentence_) \
    {.name = #NAME,                                                                  \
     .default_text = (default_value),                                                \
     .sentence = (sentence_),                                                        \
     .offset = offsetof(struct config, member),                                      \
     .min = (min_),                                                                  \
     .max = (max_),                                                                  \
     .used_by = USERS_##used_by_,                                                    \
     .kind = CONFIG_KIND_##kind_},
const struct config_row config_rows[] = {
#include "core/config.def"
};
#undef SECTION
#undef CHOICES
#undef SETTING

const size_t config_rows_count = sizeof(config_rows) / sizeof(config_rows[0]);

#define CHOICE_WORDS_MAX 8

struct choice {
    const char *name;
    const char *words[CHOICE_WORDS_MAX];
};

#define SECTION(title)
#define SETTING(...)
#define CHOICES(NAME, ...) {.name = #NAME, .words = {__VA_ARGS__, NULL}},
static const struct choice choices[] = {
#include "core/config.def"
};
#undef SECTION
#undef CHOICES
#undef SETTING

const char *const *config_choice_words(const char *name)
{
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
        if (strcmp(choices[i].name, name) == 0)
            return choices[i].words;
    abort(); /* a CHOICE without CHOICES in config.def */
}

const char *config_choice_word(const char *name, config_choice value)
{
    const char *const *words = config_choice_words(name);
    for (config_choice i = 0; i < value; i++)
        assert(words[i] != NULL);
    assert(words[value] != NULL);
    return words[value];
}

const struct config_row *config_row_find(const char *name)
{
    for (size_t i = 0; i < config_rows_count; i++)
        if (config_rows[i].name != NULL && strcmp(config_rows[i].name, name) == 0)
            return &config_rows[i];
    return NULL;
}
