#include "core/relay_answer.h"

#include <string.h>
#include <strings.h>

/* Copies a header's value if it is short and printable: it may be sent on, so it must not carry anything
 * else. */
static void take_value(char out[RELAY_HEADER_MAX_BYTES + 1], const char *value, size_t length)
{
    while (length > 0 && (*value == ' ' || *value == '\t'))
        value++, length--;
    while (length > 0 && (value[length - 1] == '\r' || value[length - 1] == '\n' || value[length - 1] == ' '))
        length--;
    if (length > RELAY_HEADER_MAX_BYTES)
        return;
    for (size_t i = 0; i < length; i++)
        if (value[i] < ' ' || value[i] > '~')
            return;
    memcpy(out, value, length);
    out[length] = '\0';
}

void relay_answer_forget(struct relay_answer *answer)
{
    answer->retry_after[0] = answer->www_authenticate[0] = answer->error_code[0] = '\0';
}

static void take_header(struct relay_answer *answer, const char *line, size_t length)
{
    const struct {
        const char *name;
        char *value;
    } wanted[] = {
        {"retry-after:", answer->retry_after},
        {"www-authenticate:", answer->www_authenticate},
        {"error-code:", answer->error_code},
    };

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const size_t name_length = strlen(wanted[i].name);
        if (length > name_length && strncasecmp(line, wanted[i].name, name_length) == 0)
            take_value(wanted[i].value, line + name_length, length - name_length);
    }
}

void relay_answer_take_line(struct relay_answer *answer, const char *line, size_t length, bool *head_is_whole)
{
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        relay_answer_forget(answer);
        *head_is_whole = false;
    } else if (length > 0 && (*line == '\r' || *line == '\n')) {
        *head_is_whole = true;
    } else if (!*head_is_whole) {
        take_header(answer, line, length);
    }
}
