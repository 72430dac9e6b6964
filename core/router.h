/*
 * router.h - which route a request takes, and what every request must pass before its handler sees it.
 */
#ifndef CORE_ROUTER_H
#define CORE_ROUTER_H

#include <h2o.h>

#include "core/exchange.h"
#include "core/fault.h"

/* What one listener lets in: the routes, in the order in which they are looked at. */
#define ROUTE_SETS_MAX 3
struct route_set {
    const struct route *routes;
    size_t count;
};
struct entrance {
    h2o_handler_t handler;
    struct route_set sets[ROUTE_SETS_MAX];
};

/* The route of a path and method. NULL: there is none. */
const struct route *router_find(const struct entrance *entrance, const h2o_req_t *req);

/*
 * What is wrong with the path or method of a request that libh2o refuses before a handler sees it:
 * FAULT_NOT_FOUND, FAULT_METHOD_NOT_ALLOWED (allow: the methods that the path has), or FAULT_COUNT for
 * nothing.
 */
#define ROUTER_ALLOW_MAX_BYTES 64
enum fault router_judge_early(const h2o_req_t *req, char allow[ROUTER_ALLOW_MAX_BYTES]);

/*
 * Judges path, method, service key, body size and content type, in the order of the contract, and calls the
 * route's handler or answers the fault. May free x.
 */
void router_enter(struct exchange *x);

#endif
