#include "core/clock.h"

#include <assert.h>
#include <string.h>
#include <time.h>

/* Writes `number` as exactly `digits` decimal digits, zeros in front; returns the place after them. */
static char *put_digits(char *at, int64_t number, int digits)
{
    assert(number >= 0);
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
    assert(number == 0);
    return at + digits;
}

/* "YYYY-MM-DD?HH:MM:SS" with `between` for the question mark; returns the place after it. */
static char *put_date_time(char *at, const struct tm *parts, char between)
{
    at = put_digits(at, (int64_t)parts->tm_year + 1900, 4);
    *at++ = '-';
    at = put_digits(at, parts->tm_mon + 1, 2);
    *at++ = '-';
    at = put_digits(at, parts->tm_mday, 2);
    *at++ = between;
    at = put_digits(at, parts->tm_hour, 2);
    *at++ = ':';
    at = put_digits(at, parts->tm_min, 2);
    *at++ = ':';
    return put_digits(at, parts->tm_sec, 2);
}

const char *clock_local(struct clock *clock)
{
    assert(clock != NULL);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (clock->second == now.tv_sec && clock->local[0] != '\0')
        return clock->local;

    struct tm parts;
    if (localtime_r(&now.tv_sec, &parts) == NULL)
        memset(&parts, 0, sizeof(parts)); /* a year beyond int: not a time this machine can be set to */
    char *end = put_date_time(clock->local, &parts, ' ');
    assert(end == clock->local + CLOCK_LOCAL_LENGTH);
    *end = '\0';
    clock->second = now.tv_sec;
    return clock->local;
}

uint64_t clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert(now.tv_sec >= 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_LENGTH + 1])
{
    int64_t second = wall_us / 1000000;
    int64_t microsecond = wall_us % 1000000;
    if (microsecond < 0) { /* before 1970: the rest counts from the second before */
        microsecond += 1000000;
        second--;
    }
    struct tm parts;
    time_t time = (time_t)second;
    if (gmtime_r(&time, &parts) == NULL || parts.tm_year > 9999 - 1900 || parts.tm_year < -1900) {
        time = 0; /* RFC 3339 has four digits for the year, and no sign */
        microsecond = 0;
        gmtime_r(&time, &parts);
    }
    char *end = put_date_time(out, &parts, 'T');
    *end++ = '.';
    end = put_digits(end, microsecond, 6);
    *end++ = 'Z';
    *end = '\0';
    assert(end == out + CLOCK_RFC3339_LENGTH);
}
