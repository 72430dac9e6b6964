#include "bench/answers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STATUS_AT 9 /* after "HTTP/1.1 " */

static bool is_header(const char *line, const char *name)
{
    return strncasecmp(line, name, strlen(name)) == 0;
}

/* `head` ends with the empty line. False: no length was given. */
static bool read_headers(const char *head, const char *end, struct answer *answer)
{
    bool has_length = false;

    for (const char *line = memchr(head, '\n', (size_t)(end - head)); line != NULL && line + 1 < end;
         line = memchr(line, '\n', (size_t)(end - line))) {
        line++;
        if (is_header(line, "content-length:")) {
            answer->body_length = strtoul(line + strlen("content-length:"), NULL, 10);
            has_length = true;
        } else if (is_header(line, "retry-after:")) {
            answer->has_retry_after = true;
        } else if (is_header(line, "connection: close")) {
            answer->closes = true;
        }
    }
    return has_length;
}

enum answer_outcome answer_read(const char *bytes, size_t length, struct answer *answer)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);

    *answer = (struct answer){0};
    if (end == NULL)
        return ANSWER_PARTIAL;
    end += 4;
    if (end - bytes < STATUS_AT + 4 || memcmp(bytes, "HTTP/1.1 ", STATUS_AT) != 0)
        return ANSWER_MALFORMED;
    answer->status = (unsigned)strtoul(bytes + STATUS_AT, NULL, 10);
    if (!read_headers(bytes, end, answer))
        return ANSWER_MALFORMED;
    answer->body = end;
    return answer->body_length <= length - (size_t)(end - bytes) ? ANSWER_WHOLE : ANSWER_PARTIAL;
}
