#include "auth/refusal_floor.h"

#include <assert.h>
#include <string.h>

/* A verification under load takes longer than the average one: the floor lies above it by this much. */
#define MARGIN_PERCENT 125
/* The average moves by an eighth of the difference with each verification. */
#define SMOOTHING 8

void refusal_floor_open(struct refusal_floor *floor)
{
    memset(floor, 0, sizeof *floor);
    pthread_mutex_init(&floor->lock, NULL);
}

void refusal_floor_close(struct refusal_floor *floor)
{
    pthread_mutex_destroy(&floor->lock);
}

/* With the lock held. NULL: not known, and no room. */
static struct method_time *find(struct refusal_floor *floor, const char *label, bool make)
{
    for (size_t i = 0; i < floor->count; i++)
        if (strcmp(floor->methods[i].label, label) == 0)
            return &floor->methods[i];
    if (!make || floor->count == REFUSAL_FLOOR_METHODS_MAX)
        return NULL;

    struct method_time *method = &floor->methods[floor->count++];
    *method = (struct method_time){0};
    strncpy(method->label, label, PASSWORD_METHOD_MAX_BYTES);
    return method;
}

static void recompute(struct refusal_floor *floor)
{
    uint64_t slowest_us = 0;

    for (size_t i = 0; i < floor->count; i++)
        if (floor->methods[i].users > 0 && floor->methods[i].average_us > slowest_us)
            slowest_us = floor->methods[i].average_us;
    atomic_store(&floor->floor_us, slowest_us * MARGIN_PERCENT / 100);
}

void refusal_floor_note(struct refusal_floor *floor, const char *label, uint64_t elapsed_us)
{
    pthread_mutex_lock(&floor->lock);
    struct method_time *method = find(floor, label, true);
    if (method != NULL && method->average_us == 0)
        method->average_us = elapsed_us;
    else if (method != NULL)
        method->average_us += elapsed_us / SMOOTHING - method->average_us / SMOOTHING;
    recompute(floor);
    pthread_mutex_unlock(&floor->lock);
}

/* What the store has, copied out, because measuring takes long and must not hold the lock. */
struct census {
    struct method_time methods[REFUSAL_FLOOR_METHODS_MAX];
    size_t count;
};

static void count_method(void *context, const char *label, uint64_t users)
{
    struct census *census = context;

    if (census->count == REFUSAL_FLOOR_METHODS_MAX)
        return;
    struct method_time *method = &census->methods[census->count++];
    *method = (struct method_time){.users = users};
    strncpy(method->label, label, PASSWORD_METHOD_MAX_BYTES);
}

static uint64_t known_average_us(struct refusal_floor *floor, const char *label)
{
    pthread_mutex_lock(&floor->lock);
    const struct method_time *method = find(floor, label, false);
    const uint64_t average_us = method == NULL ? 0 : method->average_us;
    pthread_mutex_unlock(&floor->lock);
    return average_us;
}

void refusal_floor_refresh(struct refusal_floor *floor, struct user_store *store,
                           struct password_hasher *hasher, const char *own)
{
    struct census census = {.count = 0};

    count_method(&census, own, 1); /* first: it must not be the one for which there is no room */
    if (user_store_methods(store, count_method, &census) != STORE_OK)
        return;
    for (size_t i = 0; i < census.count; i++)
        if (known_average_us(floor, census.methods[i].label) == 0)
            census.methods[i].average_us = password_measure_us(hasher, census.methods[i].label);

    pthread_mutex_lock(&floor->lock);
    for (size_t i = 0; i < floor->count; i++)
        floor->methods[i].users = 0;
    for (size_t i = 0; i < census.count; i++) {
        struct method_time *method = find(floor, census.methods[i].label, true);
        if (method == NULL)
            continue;
        method->users = census.methods[i].users;
        if (method->average_us == 0)
            method->average_us = census.methods[i].average_us;
    }
    recompute(floor);
    pthread_mutex_unlock(&floor->lock);
}

uint64_t refusal_floor_us(const struct refusal_floor *floor)
{
    return atomic_load(&floor->floor_us);
}
