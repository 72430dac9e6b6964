/*
 * json_scan.h - is this text JSON, strictly? cJSON takes much that is not (embedding it safely is this file's
 * job).
 */
#ifndef CORE_JSON_SCAN_H
#define CORE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_DEPTH_MAX 64

/*
 * Checks `length` bytes against RFC 8259 and what the API adds: UTF-8 throughout (RFC 3629), no \u0000, no
 * lone surrogate escape, no duplicate key within one object (after unescaping), nesting of at most
 * JSON_DEPTH_MAX. False: *wrong_at is the offset of the first byte that is wrong: of an escape its backslash,
 * of a duplicate key its quote, of a text that ends too early `length`. True leaves *wrong_at alone. No
 * recursion; time grows with length.
 */
bool json_scan(const char *text, size_t length, size_t *wrong_at);

/* The rest is for what json_scan let through: it walks without checking again, and needs no length or NUL. */

bool json_is_object(const char *json);

/* The value of an object's member number `index` (from 0, and there must be as many), with white space around
 * it. */
const char *json_member(const char *object, size_t index, size_t *length);

/* Writes a value without its white space: at most `length` bytes, no NUL. Returns how many. */
size_t json_compact(const char *json, size_t length, char *to);

#endif
