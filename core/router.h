/*
 * router.h - which route a request takes, and what every request must pass before its handler sees it.
 */
#ifndef CORE_ROUTER_H
#define CORE_ROUTER_H

#include <h2o.h>

#include "core/exchange.h"

/* The route of a path and method: the service's own, then those that every service has. NULL: there is none.
 */
const struct route *router_find(const struct service *service, const h2o_req_t *req);

/*
 * Judges path, method, service key, body size and content type, in the order of the contract, and calls the
 * route's handler or answers the fault. May free x.
 */
void router_enter(struct exchange *x);

#endif
