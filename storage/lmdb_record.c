#include "storage/lmdb_record.h"

#include <assert.h>
#include <string.h>

enum { FLAG_ADMIN = 1, FLAG_ACTIVE = 2, FLAGS_KNOWN = 3 };

void number_encode(uint64_t number, unsigned char out[8])
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (unsigned char)(number >> (56 - 8 * i));
}

uint64_t number_decode(const unsigned char bytes[8])
{
    uint64_t number = 0;
    for (unsigned i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

unsigned char *record_put_text(unsigned char *at, const char *text, size_t max_bytes)
{
    size_t length = strlen(text);
    assert(length <= max_bytes && max_bytes <= UINT16_MAX);
    (void)max_bytes;
    at[0] = (unsigned char)(length >> 8);
    at[1] = (unsigned char)length;
    memcpy(at + 2, text, length);
    return at + 2 + length;
}

size_t record_encode(const struct user *user, unsigned char out[RECORD_MAX_BYTES])
{
    out[0] = RECORD_VERSION;
    out[1] = (unsigned char)((user->is_admin ? FLAG_ADMIN : 0) | (user->is_active ? FLAG_ACTIVE : 0));
    number_encode((uint64_t)user->created_at_us, out + 2);
    number_encode((uint64_t)user->updated_at_us, out + 10);
    number_encode((uint64_t)user->deactivated_at_us, out + 18);
    unsigned char *at = out + RECORD_FIXED_BYTES;
    at = record_put_text(at, user->username, USER_NAME_MAX_BYTES);
    at = record_put_text(at, user->email, USER_EMAIL_MAX_BYTES);
    at = record_put_text(at, user->password_hash, USER_HASH_MAX_BYTES);
    at = record_put_text(at, user->password_method, USER_METHOD_MAX_BYTES);
    size_t length = (size_t)(at - out);
    assert(length <= RECORD_MAX_BYTES);
    return length;
}

bool record_take_text(struct span *rest, struct span *text, size_t max_bytes)
{
    if (rest->length < 2)
        return false;
    text->at = rest->at + 2;
    text->length = (size_t)rest->at[0] << 8 | rest->at[1];
    if (text->length > max_bytes || text->length > rest->length - 2)
        return false;
    rest->at += 2 + text->length;
    rest->length -= 2 + text->length;
    return memchr(text->at, '\0', text->length) == NULL;
}

void record_copy_text(char *out, const struct span *text)
{
    memcpy(out, text->at, text->length);
    out[text->length] = '\0';
}

/* All is checked before anything is copied: out stays as it was, and no copy of a hash is left behind. */
enum record_outcome record_decode(const unsigned char *bytes, size_t length, uint64_t id, struct user *out)
{
    if (length == 0 || bytes[0] == 0)
        return RECORD_DAMAGED;
    if (bytes[0] > RECORD_VERSION)
        return RECORD_NEWER;
    if (length < RECORD_FIXED_BYTES || (bytes[1] & ~FLAGS_KNOWN) != 0)
        return RECORD_DAMAGED;
    struct span rest = {bytes + RECORD_FIXED_BYTES, length - RECORD_FIXED_BYTES};
    struct span username;
    struct span email;
    struct span hash;
    struct span method;
    if (!record_take_text(&rest, &username, USER_NAME_MAX_BYTES) ||
        !record_take_text(&rest, &email, USER_EMAIL_MAX_BYTES) ||
        !record_take_text(&rest, &hash, USER_HASH_MAX_BYTES) ||
        !record_take_text(&rest, &method, USER_METHOD_MAX_BYTES))
        return RECORD_DAMAGED;
    if (rest.length != 0 || username.length == 0 || email.length == 0)
        return RECORD_DAMAGED;
    out->id = id;
    out->is_admin = (bytes[1] & FLAG_ADMIN) != 0;
    out->is_active = (bytes[1] & FLAG_ACTIVE) != 0;
    out->created_at_us = (int64_t)number_decode(bytes + 2);
    out->updated_at_us = (int64_t)number_decode(bytes + 10);
    out->deactivated_at_us = (int64_t)number_decode(bytes + 18);
    record_copy_text(out->username, &username);
    record_copy_text(out->email, &email);
    record_copy_text(out->password_hash, &hash);
    record_copy_text(out->password_method, &method);
    return RECORD_OK;
}
