/*
 * throttle.h - who must wait before a password is looked at, and before a signup. Counts failed logins three
 * ways, whether the name exists or not:
 *
 *   login            name (ASCII case does not matter) and client network    all of it forgotten at a right
 * password login-network    client network login-name       name, over all networks but those its user is
 * known in: whoever fails elsewhere cannot keep the owner out signup           client network; every signup
 * that was hashed for counts
 *
 * How waits grow, and how a full table stays fair: throttle_table.h. Decided before a hash is spent:
 *
 *   throttle_login ──▶ verdict.wait_s > 0: 429 with throttle_headers; nothing was counted, the permit is not
 * open └──▶ 0: the attempt is under way ──▶ the hash ──▶ throttle_settle, exactly once, whatever happened
 *
 * With a login: known = the name is a user's and user_store_knows_network(store, user.id, network); never for
 * the network "unknown". THROTTLE_FAILED for a wrong name, password, or a deactivated account;
 * THROTTLE_SUCCEEDED for a right one; THROTTLE_NOT_TRIED only where no hash was spent (JOB_CANCELLED,
 * JOB_TOO_OLD, queue full) or the store or crypt failed. A client that leaves changes nothing about what its
 * attempt was. The same goes for the current password of PUT /password, with the user's own name. With a
 * signup: after the fields are judged, before the look whether the name is taken, so that names cannot be
 * asked for without end; SUCCEEDED and FAILED both count.
 *
 * Any thread; a call holds a lock for well under 10 us, throttle_save for a table's length at a time. Names
 * are kept as keyed hashes, the key in the blob.
 */
#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/throttle_table.h"

struct config;
struct throttle;

enum throttle_policy {
    THROTTLE_LOGIN,
    THROTTLE_LOGIN_NETWORK,
    THROTTLE_LOGIN_NAME,
    THROTTLE_SIGNUP,
    THROTTLE_POLICY_COUNT
};

struct throttle_options {
    bool is_on; /* false: everything goes on at once */
    uint32_t entries_max;
    struct throttle_limit limits[THROTTLE_POLICY_COUNT];
};
struct throttle_options throttle_options_of(const struct config *config);

/* Out of memory, or a kernel without random bytes, exits. */
struct throttle *throttle_open(const struct throttle_options *options);
void throttle_close(struct throttle *throttle);

struct throttle_attempt {
    const char *name; /* as submitted; any bytes */
    size_t name_length;
    const char *network; /* as client_network_of says */
    bool is_known;       /* the user logged in from this network before */
};

/* An attempt under way: keep it until throttle_settle. Zeroed: none is. */
struct throttle_permit {
    uint64_t keys[THROTTLE_POLICY_COUNT];
    uint8_t policies; /* a bit for each that counts it; 0: not open */
};

/* For headers; of the policy that holds the attempt up longest, else of the first that counts it. */
struct throttle_verdict {
    uint32_t wait_s; /* 0: go on */
    enum throttle_policy policy;
    uint32_t quota;     /* 0: throttling is off, and there are no headers */
    uint32_t window_s;  /* in which the whole quota is forgotten */
    uint32_t remaining; /* attempts that may fail after this one before waits begin; 0 while it waits */
    uint32_t reset_s;   /* until there is one more */
};

/* now_us: microseconds since the epoch (clock_wall_us). *permit is open only where wait_s is 0. */
struct throttle_verdict throttle_login(struct throttle *throttle, const struct throttle_attempt *attempt,
                                       int64_t now_us, struct throttle_permit *permit);
struct throttle_verdict throttle_signup(struct throttle *throttle, const char *network, int64_t now_us,
                                        struct throttle_permit *permit);

/* Closes the permit; no-op where it is not open. */
enum throttle_result { THROTTLE_FAILED, THROTTLE_SUCCEEDED, THROTTLE_NOT_TRIED };
void throttle_settle(struct throttle *throttle, struct throttle_permit *permit, enum throttle_result result,
                     int64_t now_us);

/*
 * Retry-After, RateLimit-Policy ("login";q=10;w=9000) and RateLimit ("login";r=0;t=30), as Structured Fields
 * (RFC 9651) of draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4. False: throttling is off.
 * retry_after is "" where there is nothing to wait for.
 */
struct throttle_headers {
    char policy[64];
    char limit[64];
    char retry_after[16];
};
bool throttle_headers(const struct throttle_verdict *verdict, struct throttle_headers *out);

/*
 * Over a restart: a blob of at most `size` bytes (at least 4 KiB), the heaviest entries first; attempts under
 * way are kept as failures. throttle_changes grows with each change that is worth keeping: save when it
 * differs, about every ten seconds, and after the drain. Restore before the loops start: false, and empty as
 * opened, where the blob is of another version or damaged.
 */
#define THROTTLE_BLOB_NAME      "throttle"
#define THROTTLE_BLOB_MAX_BYTES (1024 * 1024)
uint64_t throttle_changes(struct throttle *throttle);
size_t throttle_save(struct throttle *throttle, uint8_t *blob, size_t size, int64_t now_us);
bool throttle_restore(struct throttle *throttle, const uint8_t *blob, size_t length, int64_t now_us);

#endif
