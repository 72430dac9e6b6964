/*
 * token.h - JSON Web Tokens (RFC 7519), JWS compact form, HS256 (RFC 7515, RFC 7518), by libjwt.
 * The only file that includes <jwt.h> is token.c.
 *
 * The algorithm comes from the configuration, never from the token. Everything here is stateless and may be
 * called from any thread; keys are read-only after token_keys_set.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/user_store.h"

#define TOKEN_MAX_BYTES        4096
#define TOKEN_KEY_MIN_BYTES    32 /* RFC 7518, section 3.2: as long as the hash output */
#define TOKEN_KEY_MAX_BYTES    1024
#define TOKEN_ID_BYTES         22 /* 128 random bits, base64url without padding */
#define TOKEN_REFRESH_AUDIENCE "token-relay:refresh"

enum token_use { TOKEN_ACCESS, TOKEN_REFRESH };

enum token_outcome {
    TOKEN_VALID,
    TOKEN_EXPIRED, /* everything right but the time: now >= exp */
    TOKEN_INVALID, /* malformed, forged, of another algorithm or use, or with a claim missing or wrong */
    TOKEN_FAILED,  /* could not be judged or made: out of memory, no random bytes */
};

/* The keys tokens are signed with. The previous one is accepted while a new one comes in. */
struct token_keys {
    unsigned char current[TOKEN_KEY_MAX_BYTES];
    size_t current_length;
    unsigned char previous[TOKEN_KEY_MAX_BYTES];
    size_t previous_length; /* 0: there is none */
};

struct token_claims {
    char subject[USER_NAME_MAX_BYTES + 1]; /* "sub": the username */
    uint64_t user_id;                      /* "uid" */
    char session_id[TOKEN_ID_BYTES + 1];   /* "sid" */
    char token_id[TOKEN_ID_BYTES + 1];     /* "jti" */
    int64_t issued_at_s;                   /* "iat", seconds since the epoch */
    int64_t expires_at_s;                  /* "exp" */
    enum token_use use;                    /* "use": access or refresh; refresh also carries "aud" */
};

/*
 * Checks and copies the secrets; previous may be NULL or empty. Refuses, with one sentence in error, a secret
 * under 32 bytes or over 1,024, and the example secret of the system that this one replaces.
 */
bool token_keys_set(struct token_keys *keys, const char *current, const char *previous, char *error,
                    size_t error_size);
void token_keys_wipe(struct token_keys *keys);

/* Writes a new random identifier for "sid" or "jti". False when the kernel has no random bytes. */
bool token_id_make(char id[TOKEN_ID_BYTES + 1]);

/* Signs the claims with the current key into out, NUL-terminated. TOKEN_VALID or TOKEN_FAILED. */
enum token_outcome token_issue(const struct token_keys *keys, const struct token_claims *claims,
                               char out[TOKEN_MAX_BYTES + 1]);

/*
 * Judges a token of `length` bytes (need not be NUL-terminated) as one of `use`, at `now_s` seconds since the
 * epoch, without leeway. *claims is set for TOKEN_VALID and TOKEN_EXPIRED. Shape and size are checked before
 * libjwt sees it.
 */
enum token_outcome token_verify(const struct token_keys *keys, const char *token, size_t length,
                                enum token_use use, int64_t now_s, struct token_claims *claims);

#endif
