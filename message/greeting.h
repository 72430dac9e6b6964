/*
 * greeting.h - the text for a role. Pure.
 */
#ifndef MESSAGE_GREETING_H
#define MESSAGE_GREETING_H

#include <stdbool.h>

/* The sentence for one who was found valid or not, administrator or not; static. */
const char *greeting_for(bool is_valid, bool is_admin);

#endif
