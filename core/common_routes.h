/*
 * common_routes.h - what every service answers: GET /, GET /health/live, GET /health/ready; and GET /metrics,
 * where the operator asks.
 */
#ifndef CORE_COMMON_ROUTES_H
#define CORE_COMMON_ROUTES_H

#include "core/router.h"

extern const struct route_set common_routes;
extern const struct route_set metrics_routes;

#endif
