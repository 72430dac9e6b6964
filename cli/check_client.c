#include "cli/check_client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/terminal.h"
#include "core/ask.h"
#include "core/buffer.h"
#include "core/schema.h"

#define ASK_TIMEOUT_MS 15000

struct envelope {
    uint64_t status_code;
    struct text detail; /* JSON */
    struct text date_time;
};

static const struct field envelope_fields[] = {
    {.name = "status_code", .kind = FIELD_ID, .at = offsetof(struct envelope, status_code), .required = true},
    {.name = "detail", .kind = FIELD_RAW, .at = offsetof(struct envelope, detail), .required = true},
    {.name = "date_time", .kind = FIELD_TEXT, .at = offsetof(struct envelope, date_time), .required = true},
};

static const struct form envelope_form = {
    .fields = envelope_fields,
    .count = sizeof envelope_fields / sizeof envelope_fields[0],
    .size = sizeof(struct envelope),
};

struct token_pair {
    struct text token_type;
    struct text access_token;
    struct text refresh_token;
    uint64_t expires_in;
};

static const struct field token_fields[] = {
    {.name = "token_type",
     .kind = FIELD_TEXT,
     .at = offsetof(struct token_pair, token_type),
     .required = true},
    {.name = "access_token",
     .kind = FIELD_TEXT,
     .at = offsetof(struct token_pair, access_token),
     .required = true},
    {.name = "refresh_token",
     .kind = FIELD_TEXT,
     .at = offsetof(struct token_pair, refresh_token),
     .required = true},
    {.name = "expires_in", .kind = FIELD_ID, .at = offsetof(struct token_pair, expires_in), .required = true},
};

static const struct form token_form = {
    .fields = token_fields,
    .count = sizeof token_fields / sizeof token_fields[0],
    .size = sizeof(struct token_pair),
};

/* Reads JSON as a form; NULL if it is something else. */
static struct reading *read_form(const struct form *form, const char *json, size_t length, void *out)
{
    struct buffer faults;

    buffer_open(&faults);
    struct reading *reading = schema_read(form, json, length, out, &faults);
    if (faults.length > 0) {
        reading_close(reading);
        reading = NULL;
    }
    buffer_close(&faults);
    return reading;
}

static void show_masked(const char *arrow, const char *json, size_t length)
{
    struct buffer line;

    buffer_open(&line);
    terminal_add_masked_json(&line, json, length);
    printf("   %s %s\n", arrow, line.at);
    buffer_close(&line);
}

static void show_question(const struct check *check, const struct question *question)
{
    const unsigned number = check->good_count + check->bad_count + 1;

    printf("%s%u. %s%s\n", terminal_colour(stdout, TERMINAL_BOLD), number, question->title,
           terminal_colour(stdout, TERMINAL_PLAIN));
    printf("   > %s %s\n", question->method, question->path);
    if (question->token != NULL) {
        struct buffer masked;
        buffer_open(&masked);
        terminal_add_masked_token(&masked, question->token, strlen(question->token));
        printf("   > Authorization: Bearer %s\n", masked.at);
        buffer_close(&masked);
    }
    if (question->body != NULL) {
        printf("   > Content-Type: application/json\n");
        show_masked(">", question->body, strlen(question->body));
    }
}

static const char *trouble(enum relay_outcome outcome)
{
    switch (outcome) {
    case RELAY_UNREACHABLE:
        return "nobody answers there; is it running (token-relay up)?";
    case RELAY_TIMED_OUT:
        return "no answer came in time.";
    case RELAY_NO_ROOM: /* never: one question at a time */
    case RELAY_TOO_LARGE:
        return "the answer was far too long.";
    case RELAY_ANSWERED:
        break;
    }
    abort();
}

static bool send(struct check *check, const struct question *question, struct asked *asked)
{
    char authorization[AUTH_TOKEN_MAX_BYTES + 64];
    struct ask ask = {
        .base = check->url.base,
        .method = question->method,
        .path = question->path,
        .body = question->body,
        .timeout_ms = ASK_TIMEOUT_MS,
    };

    if (question->token != NULL) {
        snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", question->token);
        ask.headers[0] = authorization;
    }
    asker_ask(check->asker, &ask, asked);
    if (question->token != NULL)
        explicit_bzero(authorization, sizeof authorization);
    if (asked->outcome == RELAY_ANSWERED)
        return true;
    fflush(stdout);
    fprintf(stderr, "token-relay check: %s: %s\n", check->url.base, trouble(asked->outcome));
    check->unreachable = true;
    return false;
}

static bool take_tokens(struct check *check, struct text json)
{
    struct token_pair pair;
    struct reading *reading = read_form(&token_form, json.at, json.length, &pair);

    if (reading == NULL)
        return false;
    const bool good = strcmp(pair.token_type.at, "bearer") == 0 && pair.expires_in > 0 &&
                      auth_token_has_shape(pair.access_token.at, pair.access_token.length) &&
                      auth_token_has_shape(pair.refresh_token.at, pair.refresh_token.length);
    if (good)
        memcpy(check->access_token, pair.access_token.at, pair.access_token.length + 1);
    reading_close(reading);
    return good;
}

/* The detail is a JSON string: compared with its quotes. */
static bool detail_is(const struct question *question, struct text detail)
{
    struct buffer wanted;

    buffer_open(&wanted);
    buffer_add_json(&wanted, question->detail, strlen(question->detail));
    bool same = false;
    if (question->detail_kind == CHECK_DETAIL_IS)
        same = detail.length == wanted.length && memcmp(detail.at, wanted.at, wanted.length) == 0;
    else
        same = detail.length >= wanted.length && memcmp(detail.at, wanted.at, wanted.length - 1) == 0;
    buffer_close(&wanted);
    return same;
}

static bool judge(struct check *check, const struct question *question, const struct asked *asked)
{
    struct envelope envelope;
    struct reading *reading = read_form(&envelope_form, asked->body, asked->body_length, &envelope);

    if (reading == NULL)
        return false;
    bool good = envelope.status_code == asked->status;
    if ((question->may_exist && asked->status == 409) || (question->may_be_refused && asked->status == 403))
        good = good && envelope.detail.at[0] == '"';
    else if (asked->status != question->status)
        good = false;
    else if (question->detail_kind == CHECK_DETAIL_TOKENS)
        good = good && take_tokens(check, envelope.detail);
    else
        good = good && detail_is(question, envelope.detail);
    reading_close(reading);
    return good;
}

static void show_judgement(const struct question *question, bool good)
{
    printf("   %s%s%s  expected %u", terminal_colour(stdout, good ? TERMINAL_GREEN : TERMINAL_RED),
           terminal_mark(stdout, good), terminal_colour(stdout, TERMINAL_PLAIN), question->status);
    switch (question->detail_kind) {
    case CHECK_DETAIL_IS:
        printf(" \"%s\"", question->detail);
        break;
    case CHECK_DETAIL_BEGINS:
        printf(" \"%s...\"", question->detail);
        break;
    case CHECK_DETAIL_TOKENS:
        printf(" and a pair of tokens");
        break;
    }
    if (question->may_be_refused)
        printf(", or 403 or 409 where it exists already");
    else if (question->may_exist)
        printf(", or 409 where it exists already");
    printf("\n\n");
}

bool check_ask(struct check *check, const struct question *question)
{
    struct asked asked;

    assert(question->detail != NULL || question->detail_kind == CHECK_DETAIL_TOKENS);
    if (check->unreachable)
        return false;
    show_question(check, question);
    if (!send(check, question, &asked))
        return false;
    printf("   < %u\n", asked.status);
    show_masked("<", asked.body, asked.body_length);
    const bool good = judge(check, question, &asked);
    show_judgement(question, good);
    if (good)
        check->good_count++;
    else
        check->bad_count++;
    return good;
}

void check_forget(struct check *check)
{
    explicit_bzero(check->access_token, sizeof check->access_token);
}
