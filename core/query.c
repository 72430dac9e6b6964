#include "core/query.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

h2o_iovec_t query_of(const h2o_req_t *req)
{
    if (req->query_at == SIZE_MAX)
        return h2o_iovec_init(NULL, 0);
    assert(req->query_at < req->path.len);
    return h2o_iovec_init(req->path.base + req->query_at + 1, req->path.len - req->query_at - 1);
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Takes one decoded byte off the front of `text`, which is not empty. */
static char next_byte(h2o_iovec_t *text)
{
    const bool escaped = text->len >= 3 && text->base[0] == '%' && digit_of(text->base[1]) >= 0 &&
                         digit_of(text->base[2]) >= 0;
    const char byte = escaped                ? (char)(digit_of(text->base[1]) * 16 + digit_of(text->base[2]))
                      : text->base[0] == '+' ? ' '
                                             : text->base[0];
    const size_t length = escaped ? 3 : 1;

    assert(text->len >= length);
    text->base += length;
    text->len -= length;
    return byte;
}

static bool decodes_to(h2o_iovec_t text, const char *word)
{
    while (text.len > 0 && *word != '\0')
        if (next_byte(&text) != *word++)
            return false;
    return text.len == 0 && *word == '\0';
}

/* Takes what stands before the next `separator`, and it, off the front of `text`. */
static h2o_iovec_t next_part(h2o_iovec_t *text, char separator)
{
    const char *end = text->len == 0 ? NULL : memchr(text->base, separator, text->len);
    const size_t length = end == NULL ? text->len : (size_t)(end - text->base);
    const h2o_iovec_t part = h2o_iovec_init(text->base, length);
    const size_t taken = end == NULL ? length : length + 1;

    text->base += taken;
    text->len -= taken;
    return part;
}

enum query_outcome query_read(h2o_iovec_t query, const char *name, char *out, size_t size, size_t *length)
{
    h2o_iovec_t value = {NULL, 0};
    bool found = false;

    assert(size > 0 && *name != '\0');
    while (query.len > 0) {
        h2o_iovec_t pair = next_part(&query, '&');
        const h2o_iovec_t key = next_part(&pair, '=');
        if (decodes_to(key, name)) {
            found = true;
            value = pair;
        }
    }
    if (!found)
        return QUERY_ABSENT;

    size_t decoded = 0;
    for (h2o_iovec_t rest = value; rest.len > 0; decoded++)
        next_byte(&rest);
    if (decoded >= size)
        return QUERY_TOO_LONG;
    for (size_t i = 0; i < decoded; i++)
        out[i] = next_byte(&value);
    out[decoded] = '\0';
    *length = decoded;
    return QUERY_FOUND;
}
