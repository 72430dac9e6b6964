/*
 * common_routes.h - what every service answers: GET /, GET /health/live, GET /health/ready.
 */
#ifndef CORE_COMMON_ROUTES_H
#define CORE_COMMON_ROUTES_H

#include <stddef.h>

#include "core/exchange.h"

extern const struct route common_routes[];
extern const size_t common_route_count;

#endif
