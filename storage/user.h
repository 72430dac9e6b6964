/* user.h - a user as the stores keep it. */
#ifndef STORAGE_USER_H
#define STORAGE_USER_H

#include <stdbool.h>
#include <stdint.h>

/* Sizes of the texts of a user, without the closing NUL. A username has at most 64 code points. */
#define USER_NAME_MAX_BYTES   256
#define USER_EMAIL_MAX_BYTES  254
#define USER_HASH_MAX_BYTES   255
#define USER_METHOD_MAX_BYTES 31

/* Texts are NUL-terminated UTF-8. Times are microseconds since the epoch, UTC; 0 means never. */
struct user {
    uint64_t id; /* from 1, never reused */
    bool is_admin;
    bool is_active;
    int64_t created_at_us;
    int64_t updated_at_us;
    int64_t deactivated_at_us;
    char username[USER_NAME_MAX_BYTES + 1]; /* the spelling given at signup */
    char email[USER_EMAIL_MAX_BYTES + 1];
    char password_hash[USER_HASH_MAX_BYTES + 1]; /* crypt(5); secret */
    /* Method and cost of the hash, opaque here; users are counted by it. */
    char password_method[USER_METHOD_MAX_BYTES + 1];
};

#endif
