#include "core/fault.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

static const struct fault_row rows[] = {
#define FAULT(name, status, sentence) {#name, status, sentence},
#include "core/fault.def"
#undef FAULT
};

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {307, "Temporary Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

const struct fault_row *fault_row(enum fault fault)
{
    assert((size_t)fault < FAULT_COUNT);
    return &rows[fault];
}

const char *status_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    assert(false && "a status without a reason phrase");
    return "Unknown";
}
