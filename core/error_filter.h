/*
 * error_filter.h - what libh2o refuses itself (a body over 64 KiB, a bad chunk, an unknown expectation) is
 * text; this filter makes it the error of the contract, headers, log line and all.
 */
#ifndef CORE_ERROR_FILTER_H
#define CORE_ERROR_FILTER_H

#include <h2o.h>

/* Registers the filter; needed on every path and on the host's fallback path, before any context is made. */
void error_filter_register(h2o_pathconf_t *path);

#endif
