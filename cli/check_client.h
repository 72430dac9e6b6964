/*
 * check_client.h - the demonstration client's hand: asks one question, shows it and its answer (no password,
 * no token in full), and judges whether that was as it should be.
 */
#ifndef CLI_CHECK_CLIENT_H
#define CLI_CHECK_CLIENT_H

#include <stdbool.h>

#include "auth/contract.h"
#include "core/config.h"

struct asker;

struct check {
    struct asker *asker;
    struct config_url url;
    unsigned good_count;
    unsigned bad_count;
    bool unreachable;                            /* said once, on standard error; nothing more is asked */
    char access_token[AUTH_TOKEN_MAX_BYTES + 1]; /* of the last login that went well; secret */
};

/* What an answer's detail must be. */
enum check_detail {
    CHECK_DETAIL_IS,     /* this text */
    CHECK_DETAIL_BEGINS, /* a text that begins so */
    CHECK_DETAIL_TOKENS, /* a pair of tokens; the access token goes to check->access_token */
};

struct question {
    const char *title;
    const char *method;
    const char *path;
    const char *body;  /* JSON, or NULL */
    const char *token; /* for Authorization: Bearer, or NULL */
    unsigned status;   /* expected */
    enum check_detail detail_kind;
    const char *detail;
    /* Signed up before is as good: 409, and for an administrator 403, which is decided first. */
    bool may_exist;
    bool may_be_refused;
};

/* True if the answer was as it should be. */
bool check_ask(struct check *check, const struct question *question);

/* Wipes the token. */
void check_forget(struct check *check);

#endif
