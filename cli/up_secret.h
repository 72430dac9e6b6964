/*
 * up_secret.h - the secret key of a first run: made at random, and kept in .env of the working directory.
 */
#ifndef CLI_UP_SECRET_H
#define CLI_UP_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#define UP_SECRET_LENGTH 64 /* 48 random bytes, base64url (RFC 4648, section 5) */

/*
 * Makes a key and adds it to .env: what the file held stays, it keeps its owner, and its mode becomes 0600 at
 * most. The new file takes the place of the old one in one step and is on disk when this returns. False:
 * error holds one sentence, and .env is as it was.
 */
bool up_secret_make(char secret[UP_SECRET_LENGTH + 1], char *error, size_t error_size);

#endif
