#include "auth/throttle.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "auth/throttle_state.h"
#include "core/config.h"
#include "core/memory.h"

#define SECOND_US   1000000
#define BIT(policy) (1u << (policy))

static const char *const policy_names[THROTTLE_POLICY_COUNT] = {
    [THROTTLE_LOGIN] = "login",
    [THROTTLE_LOGIN_NETWORK] = "login-network",
    [THROTTLE_LOGIN_NAME] = "login-name",
    [THROTTLE_SIGNUP] = "signup",
};

static struct throttle_limit limit_of(const struct config *config, uint64_t free, uint64_t forget_s)
{
    return (struct throttle_limit){(uint32_t)free, (uint32_t)forget_s,
                                   (uint32_t)config->throttle_wait_max_seconds};
}

struct throttle_options throttle_options_of(const struct config *config)
{
    return (struct throttle_options){
        .is_on = config->throttle == CONFIG_THROTTLE_ON,
        .entries_max = (uint32_t)config->throttle_entries_max,
        .limits =
            {
                [THROTTLE_LOGIN] =
                    limit_of(config, config->throttle_login_free, config->throttle_login_forget_seconds),
                [THROTTLE_LOGIN_NETWORK] =
                    limit_of(config, config->throttle_network_free, config->throttle_network_forget_seconds),
                [THROTTLE_LOGIN_NAME] =
                    limit_of(config, config->throttle_name_free, config->throttle_name_forget_seconds),
                [THROTTLE_SIGNUP] =
                    limit_of(config, config->throttle_signup_free, config->throttle_signup_forget_seconds),
            },
    };
}

struct throttle *throttle_open(const struct throttle_options *options)
{
    struct throttle *throttle = memory_zeroed(sizeof *throttle);

    throttle->is_on = options->is_on;
    pthread_mutex_init(&throttle->lock, NULL);
    if (getrandom(throttle->key, sizeof throttle->key, 0) != (ssize_t)sizeof throttle->key) {
        fputs("token-relay: the kernel has no random bytes\n", stderr);
        abort();
    }
    for (int i = 0; i < THROTTLE_POLICY_COUNT; i++)
        throttle_table_open(&throttle->tables[i], &options->limits[i], options->entries_max);
    return throttle;
}

void throttle_close(struct throttle *throttle)
{
    if (throttle == NULL)
        return;
    for (int i = 0; i < THROTTLE_POLICY_COUNT; i++)
        throttle_table_close(&throttle->tables[i]);
    pthread_mutex_destroy(&throttle->lock);
    explicit_bzero(throttle->key, sizeof throttle->key);
    free(throttle);
}

/* --- keys --- */

static void add_folded(struct siphash *hash, const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const char c = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i]);
        siphash_add(hash, &c, 1);
    }
}

/* A network holds no line feed, so that network and name cannot run into each other. */
static uint64_t key_of(const struct throttle *throttle, const char *network, const char *name,
                       size_t name_length)
{
    struct siphash hash;

    siphash_open(&hash, throttle->key);
    siphash_add(&hash, network, strlen(network));
    siphash_add(&hash, "\n", 1);
    add_folded(&hash, name, name_length);
    return siphash_close(&hash);
}

/* --- verdicts --- */

/* With this attempt counted as one more that may fail. */
static struct throttle_verdict figures(const struct throttle *throttle, enum throttle_policy policy,
                                       uint64_t key, int64_t now_us)
{
    const struct throttle_table *table = &throttle->tables[policy];
    const struct throttle_entry *entry = throttle_table_find(table, key);
    const uint32_t forget_s = table->limit.forget_s;
    const uint32_t failures = throttle_remembered(table, entry, now_us);
    const uint64_t taken = (uint64_t)failures + (entry == NULL ? 0 : entry->under_way);
    const uint32_t free = table->limit.free;
    struct throttle_verdict verdict = {
        .policy = policy,
        .quota = free,
        .window_s = free > UINT32_MAX / forget_s ? UINT32_MAX : free * forget_s,
        .remaining = taken < free ? free - (uint32_t)taken : 0,
        .reset_s = forget_s,
    };

    if (entry != NULL && failures > 0)
        verdict.reset_s = (uint32_t)(((entry->empty_at_us - now_us) / SECOND_US) % forget_s) + 1;
    return verdict;
}

static enum throttle_policy first_of(uint8_t policies)
{
    assert(policies != 0);
    return (enum throttle_policy)__builtin_ctz(policies);
}

/* Under the lock. The longest wait of all that count the attempt; it is held up by one, not by the sum. */
static struct throttle_verdict judge(struct throttle *throttle, const struct throttle_permit *permit,
                                     int64_t now_us)
{
    enum throttle_policy longest = first_of(permit->policies);
    uint32_t wait_s = 0;

    for (enum throttle_policy policy = 0; policy < THROTTLE_POLICY_COUNT; policy++) {
        if ((permit->policies & BIT(policy)) == 0)
            continue;
        const uint32_t wanted_s =
            throttle_table_wait(&throttle->tables[policy], permit->keys[policy], now_us);
        if (wanted_s > wait_s) {
            wait_s = wanted_s;
            longest = policy;
        }
    }
    struct throttle_verdict verdict = figures(throttle, longest, permit->keys[longest], now_us);
    verdict.wait_s = wait_s;
    if (wait_s > 0) {
        verdict.remaining = 0;
        verdict.reset_s = wait_s;
    }
    return verdict;
}

/* Under the lock. All of them count it, or none. */
static bool begin(struct throttle *throttle, const struct throttle_permit *permit, int64_t now_us)
{
    for (enum throttle_policy policy = 0; policy < THROTTLE_POLICY_COUNT; policy++) {
        if ((permit->policies & BIT(policy)) == 0 ||
            throttle_table_begin(&throttle->tables[policy], permit->keys[policy], now_us))
            continue;
        while (policy-- > 0)
            if (permit->policies & BIT(policy))
                throttle_table_end(&throttle->tables[policy], permit->keys[policy], 0, now_us);
        return false;
    }
    return true;
}

static struct throttle_verdict ask(struct throttle *throttle, struct throttle_permit *permit, int64_t now_us)
{
    pthread_mutex_lock(&throttle->lock);
    struct throttle_verdict verdict = judge(throttle, permit, now_us);
    if (verdict.wait_s == 0 && !begin(throttle, permit, now_us)) {
        verdict.wait_s = verdict.reset_s = 1;
        verdict.remaining = 0;
    }
    pthread_mutex_unlock(&throttle->lock);
    if (verdict.wait_s > 0)
        *permit = (struct throttle_permit){0};
    else if (verdict.remaining > 0)
        verdict.remaining--;
    return verdict;
}

struct throttle_verdict throttle_login(struct throttle *throttle, const struct throttle_attempt *attempt,
                                       int64_t now_us, struct throttle_permit *permit)
{
    *permit = (struct throttle_permit){0};
    if (!throttle->is_on)
        return (struct throttle_verdict){0};
    permit->policies = BIT(THROTTLE_LOGIN) | BIT(THROTTLE_LOGIN_NETWORK);
    permit->keys[THROTTLE_LOGIN] = key_of(throttle, attempt->network, attempt->name, attempt->name_length);
    permit->keys[THROTTLE_LOGIN_NETWORK] = key_of(throttle, attempt->network, "", 0);
    permit->keys[THROTTLE_LOGIN_NAME] = key_of(throttle, "", attempt->name, attempt->name_length);
    if (!attempt->is_known)
        permit->policies |= BIT(THROTTLE_LOGIN_NAME);
    return ask(throttle, permit, now_us);
}

struct throttle_verdict throttle_signup(struct throttle *throttle, const char *network, int64_t now_us,
                                        struct throttle_permit *permit)
{
    *permit = (struct throttle_permit){0};
    if (!throttle->is_on)
        return (struct throttle_verdict){0};
    permit->policies = BIT(THROTTLE_SIGNUP);
    permit->keys[THROTTLE_SIGNUP] = key_of(throttle, network, "", 0);
    return ask(throttle, permit, now_us);
}

/* How a result counts: a right password clears the name in its network alone, or its owner would clear the
 * way for everybody else. */
static uint32_t counted_as(enum throttle_policy policy, enum throttle_result result)
{
    switch (result) {
    case THROTTLE_FAILED:
        return 1;
    case THROTTLE_SUCCEEDED:
        return policy == THROTTLE_SIGNUP ? 1 : policy == THROTTLE_LOGIN ? THROTTLE_FORGET : 0;
    case THROTTLE_NOT_TRIED:
        return 0;
    }
    abort();
}

void throttle_settle(struct throttle *throttle, struct throttle_permit *permit, enum throttle_result result,
                     int64_t now_us)
{
    if (permit->policies == 0)
        return;
    pthread_mutex_lock(&throttle->lock);
    for (enum throttle_policy policy = 0; policy < THROTTLE_POLICY_COUNT; policy++)
        if (permit->policies & BIT(policy))
            throttle_table_end(&throttle->tables[policy], permit->keys[policy], counted_as(policy, result),
                               now_us);
    throttle->changes += result != THROTTLE_NOT_TRIED;
    pthread_mutex_unlock(&throttle->lock);
    *permit = (struct throttle_permit){0};
}

bool throttle_headers(const struct throttle_verdict *verdict, struct throttle_headers *out)
{
    const char *name = policy_names[verdict->policy];

    *out = (struct throttle_headers){0};
    if (verdict->quota == 0)
        return false;
    snprintf(out->policy, sizeof out->policy, "\"%s\";q=%" PRIu32 ";w=%" PRIu32, name, verdict->quota,
             verdict->window_s);
    snprintf(out->limit, sizeof out->limit, "\"%s\";r=%" PRIu32 ";t=%" PRIu32, name, verdict->remaining,
             verdict->reset_s);
    if (verdict->wait_s > 0)
        snprintf(out->retry_after, sizeof out->retry_after, "%" PRIu32, verdict->wait_s);
    return true;
}

uint64_t throttle_changes(struct throttle *throttle)
{
    pthread_mutex_lock(&throttle->lock);
    const uint64_t changes = throttle->changes;
    pthread_mutex_unlock(&throttle->lock);
    return changes;
}
