#include "core/relay_head.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "core/relay.h"

/* Copies a header's value if it is short and printable: it may be sent on, so it must not carry anything
 * else. */
static void take_value(char *out, size_t size, const char *value, size_t length)
{
    while (length > 0 && (*value == ' ' || *value == '\t'))
        value++, length--;
    while (length > 0 && (value[length - 1] == '\r' || value[length - 1] == '\n' || value[length - 1] == ' '))
        length--;
    if (length >= size)
        return;
    for (size_t i = 0; i < length; i++)
        if (value[i] < ' ' || value[i] > '~')
            return;
    memcpy(out, value, length);
    out[length] = '\0';
}

void relay_head_forget(struct call *call)
{
    struct relay_answer *answer = &call->answer;

    answer->retry_after[0] = answer->www_authenticate[0] = answer->error_code[0] = '\0';
    answer->rate_limit[0] = answer->rate_limit_policy[0] = '\0';
    for (size_t i = 0; i < RELAY_WANTED_MAX && call->wanted[i].name != NULL; i++) {
        assert(call->wanted[i].size > 0);
        call->wanted[i].value[0] = '\0';
    }
}

/* Takes the line's value if it is one of these headers. */
static void take_wanted(const struct relay_wanted *wanted, size_t count, const char *line, size_t length)
{
    for (size_t i = 0; i < count && wanted[i].name != NULL; i++) {
        const size_t name_length = strlen(wanted[i].name);
        if (length > name_length && strncasecmp(line, wanted[i].name, name_length) == 0)
            take_value(wanted[i].value, wanted[i].size, line + name_length, length - name_length);
    }
}

void relay_head_take(struct call *call, const char *line, size_t length)
{
    struct relay_answer *answer = &call->answer;
    const struct relay_wanted wanted[] = {
        {"retry-after:", answer->retry_after, sizeof answer->retry_after},
        {"www-authenticate:", answer->www_authenticate, sizeof answer->www_authenticate},
        {"error-code:", answer->error_code, sizeof answer->error_code},
        {"ratelimit:", answer->rate_limit, sizeof answer->rate_limit},
        {"ratelimit-policy:", answer->rate_limit_policy, sizeof answer->rate_limit_policy},
    };

    take_wanted(wanted, sizeof wanted / sizeof wanted[0], line, length);
    take_wanted(call->wanted, RELAY_WANTED_MAX, line, length);
}
