/*
 * session.h - a session as the stores keep it: from a login to its end. An ended session is no longer in the
 * store.
 */
#ifndef STORAGE_SESSION_H
#define STORAGE_SESSION_H

#include <stdint.h>

/* Ids of sessions and tokens: 128 random bits, base64url without padding. */
#define SESSION_ID_LENGTH            22
#define SESSION_ADDRESS_MAX_BYTES    63
#define SESSION_USER_AGENT_MAX_BYTES 255 /* what is longer is cut */
#define NETWORK_MAX_BYTES            47  /* a client network as text: "192.0.2.7/32", "2001:db8:1:2::/64" */

/* Times are microseconds since the epoch, UTC; 0 means never. Texts are NUL-terminated. */
struct session {
    char id[SESSION_ID_LENGTH + 1]; /* "sid" of its tokens */
    uint64_t user_id;
    int64_t created_at_us;   /* the login */
    int64_t refreshed_at_us; /* the login, or the last refresh */
    int64_t ends_at_us;      /* whatever happens */
    int64_t idle_ends_at_us; /* unless it is refreshed before */
    char client_address[SESSION_ADDRESS_MAX_BYTES + 1];
    char user_agent[SESSION_USER_AGENT_MAX_BYTES + 1];

    /* The pair of tokens in force, by their ids ("jti"), and when it was issued: enough to make the same pair
     * again. */
    char access_id[SESSION_ID_LENGTH + 1];
    char refresh_id[SESSION_ID_LENGTH + 1];
    int64_t issued_at_s;

    /* The refresh token that this pair replaced, and when it was first used; "" before the first refresh. */
    char spent_refresh_id[SESSION_ID_LENGTH + 1];
    int64_t spent_at_us;
};

#endif
