// links: core/dotenv.c core/dotenv_text.c
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/dotenv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *environment(const char *name)
{
    return strcmp(name, "E") == 0 ? "value" : NULL;
}

/* The same text gives the same values, and a bad line is one that is there. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t bad_line = 0;
    size_t bad_line_again = 0;
    struct dotenv *dotenv = dotenv_parse((const char *)data, size, environment, &bad_line);
    struct dotenv *again = dotenv_parse((const char *)data, size, environment, &bad_line_again);
    assert(bad_line == bad_line_again && bad_line <= size + 1);

    static const char *const names[] = {"A", "B", "SECRET_KEY", "export"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = dotenv_get(dotenv, names[i]);
        const char *same = dotenv_get(again, names[i]);
        assert((value == NULL) == (same == NULL));
        assert(value == NULL || (strcmp(value, same) == 0 && strlen(value) <= 4 << 20));
    }
    dotenv_free(dotenv);
    dotenv_free(again);
    return 0;
}
