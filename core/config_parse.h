/*
 * config_parse.h - one value of a setting, from text. For core/config*.c and tools. True: *out is set. False:
 * *why is the end of a sentence that starts with the setting's name and value, "must be ...", static.
 */
#ifndef CORE_CONFIG_PARSE_H
#define CORE_CONFIG_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"

/* Decimal digits only; false also beyond 64 bits. */
bool config_parse_count(const char *text, uint64_t *out);

/* The same with KiB, MiB or GiB behind it, in any case, or nothing (bytes). */
bool config_parse_size(const char *text, uint64_t *out);

bool config_parse_url(const char *text, struct config_url *out, const char **why);
bool config_parse_address(const char *text, struct config_address *out, const char **why);

#endif
