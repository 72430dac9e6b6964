/*
 * forge.h - makes tokens that token.c never would: any header, any payload, any key. For tests and fuzzers.
 * Needs libcrypto.
 */
#ifndef TESTS_SUPPORT_FORGE_H
#define TESTS_SUPPORT_FORGE_H

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

/* Enough for a token of FORGE_JSON_MAX bytes of JSON: four characters for three bytes. */
#define FORGE_JSON_MAX  12288
#define FORGE_TOKEN_MAX (FORGE_JSON_MAX * 4 / 3 + 128)

/* Appends base64url without padding at out[length]; returns the new length. */
static inline size_t forge_base64url(char *out, size_t length, const void *data, size_t size)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *bytes = data;
    unsigned held = 0;
    unsigned bits = 0;

    for (size_t i = 0; i < size; i++) {
        held = (held << 8 | bytes[i]) & 0xFFFF;
        for (bits += 8; bits >= 6; bits -= 6)
            out[length++] = alphabet[held >> (bits - 6) & 63];
    }
    if (bits > 0)
        out[length++] = alphabet[held << (6 - bits) & 63];
    out[length] = '\0';
    return length;
}

/* Signs header.payload with HMAC by this digest into out (FORGE_TOKEN_MAX bytes); returns the token's length.
 */
static inline size_t forge_token(char *out, const char *header, size_t header_length, const char *payload,
                                 size_t payload_length, const EVP_MD *digest, const void *key,
                                 size_t key_length)
{
    unsigned char signature[EVP_MAX_MD_SIZE];
    unsigned signature_length = 0;

    assert(header_length + payload_length <= FORGE_JSON_MAX);
    size_t length = forge_base64url(out, 0, header, header_length);
    out[length++] = '.';
    length = forge_base64url(out, length, payload, payload_length);
    HMAC(digest, key, (int)key_length, (const unsigned char *)out, length, signature, &signature_length);
    out[length++] = '.';
    return forge_base64url(out, length, signature, signature_length);
}

#endif
