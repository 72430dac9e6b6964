/*
 * names.h - what a username and an e-mail address may look like at signup. Pure functions on valid UTF-8,
 * made to be rules of a form. Lengths are checked elsewhere. Login asks none of this: it takes any name.
 *
 * Each returns NULL for a text that is right, else one static sentence that says what is wrong and never
 * repeats it.
 */
#ifndef AUTH_NAMES_H
#define AUTH_NAMES_H

#include <stddef.h>

/*
 * No control characters (general category Cc), nothing invisible (bidi controls, zero-width and other
 * characters without a shape of their own), no line or paragraph separator, no ":" (the separator of HTTP
 * Basic credentials, RFC 7617, section 2), no white space at either end.
 */
const char *username_rule(const char *text, size_t length);

/* No white space, no control characters, exactly one "@" with something on both sides. */
const char *email_rule(const char *text, size_t length);

#endif
