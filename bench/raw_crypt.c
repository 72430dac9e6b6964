/*
 * raw_crypt.c - the ceiling of logins: how many verifications crypt(3) does in a second on all cores.
 *
 *   raw_crypt HASH PASSWORD SECONDS [THREADS]     prints {"verifications_per_second": ...}
 */
#include <assert.h>
#include <crypt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 256

struct hasher {
    pthread_t thread;
    const char *hash;
    const char *password;
    double seconds;
    double per_second;
    bool failed;
};

static double now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void *verify(void *argument)
{
    struct hasher *hasher = argument;
    struct crypt_data *data = calloc(1, sizeof *data);
    const double start = now();
    double end = start;
    uint64_t count = 0;

    assert(data != NULL);
    while (end - start < hasher->seconds && !hasher->failed) {
        const char *found = crypt_r(hasher->password, hasher->hash, data);
        hasher->failed = found == NULL || strcmp(found, hasher->hash) != 0;
        count++;
        end = now();
    }
    hasher->per_second = (double)count / (end - start);
    free(data);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct hasher hashers[THREADS_MAX];
    const long threads = argc == 5 ? strtol(argv[4], NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);
    double sum = 0;

    if (argc < 4 || argc > 5 || threads < 1 || threads > THREADS_MAX) {
        fputs("usage: raw_crypt HASH PASSWORD SECONDS [THREADS]\n", stderr);
        return 2;
    }
    for (long i = 0; i < threads; i++) {
        hashers[i] = (struct hasher){.hash = argv[1], .password = argv[2], .seconds = strtod(argv[3], NULL)};
        if (pthread_create(&hashers[i].thread, NULL, verify, &hashers[i]) != 0)
            return 1;
    }
    for (long i = 0; i < threads; i++) {
        pthread_join(hashers[i].thread, NULL);
        sum += hashers[i].per_second;
        if (hashers[i].failed) {
            fputs("raw_crypt: the hash is not of this password\n", stderr);
            return 1;
        }
    }
    printf("{\"verifications_per_second\": %.2f, \"threads\": %ld}\n", sum, threads);
    return 0;
}
