/*
 * query.h - the parameters behind a path's '?', as HTML forms write them and FastAPI reads them: pairs parted
 * by '&', percent-decoded, '+' for a space; of a name that comes twice the last one counts; without '=' the
 * value is empty.
 */
#ifndef CORE_QUERY_H
#define CORE_QUERY_H

#include <h2o.h>
#include <stddef.h>

enum query_outcome {
    QUERY_ABSENT,
    QUERY_FOUND,
    QUERY_TOO_LONG, /* it does not fit */
};

/* The query of a request, without its '?'; {NULL, 0} where there is none. Points into the request. */
h2o_iovec_t query_of(const h2o_req_t *req);

/*
 * The value of a parameter. QUERY_FOUND: `out` holds it, *length bytes and a NUL behind them; else nothing is
 * written. A '%' that two hexadecimal digits do not follow stands for itself. The value is the client's: it
 * may hold any byte, a NUL too, and need not be UTF-8.
 */
enum query_outcome query_read(h2o_iovec_t query, const char *name, char *out, size_t size, size_t *length);

#endif
