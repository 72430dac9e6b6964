#include "core/authorization.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool has_blank(h2o_iovec_t text)
{
    return text.len > 0 &&
           (memchr(text.base, ' ', text.len) != NULL || memchr(text.base, '\t', text.len) != NULL);
}

enum authorization authorization_read(const struct exchange *x, h2o_iovec_t *token)
{
    static const char scheme[] = "bearer";
    const size_t scheme_length = sizeof scheme - 1;
    size_t count;
    h2o_iovec_t value = exchange_header(x, "authorization", &count);

    if (count > 1)
        return AUTHORIZATION_UNUSABLE;
    if (value.len >= scheme_length && strncasecmp(value.base, scheme, scheme_length) == 0 &&
        (value.len == scheme_length || is_blank(value.base[scheme_length]))) {
        value.base += scheme_length;
        value.len -= scheme_length;
        while (value.len > 0 && is_blank(*value.base))
            value.base++, value.len--;
    } else if (has_blank(value)) {
        return AUTHORIZATION_OTHER;
    }
    if (value.len == 0)
        return AUTHORIZATION_ABSENT;
    if (value.len > AUTHORIZATION_MAX_BYTES || has_blank(value))
        return AUTHORIZATION_UNUSABLE;
    *token = value;
    return AUTHORIZATION_TOKEN;
}
