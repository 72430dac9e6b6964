#include "core/config_parse.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <strings.h>

/* Reads the digits at *text and moves it behind them. False: none there, or over 64 bits. */
static bool read_digits(const char **text, uint64_t *out)
{
    const char *at = *text;
    uint64_t number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, digit, &number))
            return false;
    }
    if (at == *text)
        return false;
    *text = at;
    *out = number;
    return true;
}

bool config_parse_count(const char *text, uint64_t *out)
{
    uint64_t number = 0;
    if (!read_digits(&text, &number) || *text != '\0')
        return false;
    *out = number;
    return true;
}

bool config_parse_size(const char *text, uint64_t *out)
{
    static const struct {
        const char *suffix;
        uint64_t bytes;
    } units[] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};

    uint64_t number = 0;
    if (!read_digits(&text, &number))
        return false;
    text += strspn(text, " ");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcasecmp(text, units[i].suffix) == 0)
            return !__builtin_mul_overflow(number, units[i].bytes, out);
    return false;
}

/* Copies a host of `length` bytes. Names and IPv4 are told apart by the resolver, not here. */
static bool take_host(const char *host, size_t length, bool in_brackets, char out[256])
{
    if (length == 0 || length > 255)
        return false;
    memcpy(out, host, length);
    out[length] = '\0';
    struct in6_addr address;
    if (in_brackets)
        return inet_pton(AF_INET6, out, &address) == 1;
    return out[0] != '-' && out[0] != '.' &&
           strspn(out, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == length;
}

/* Takes "host", "[ipv6]" from *text and moves it behind. */
static bool read_host(const char **text, char out[256])
{
    const char *at = *text;
    if (*at == '[') {
        const char *bracket = strchr(at, ']');
        if (bracket == NULL || !take_host(at + 1, (size_t)(bracket - at - 1), true, out))
            return false;
        *text = bracket + 1;
        return true;
    }
    size_t length = strcspn(at, ":/");
    *text = at + length;
    return take_host(at, length, false, out);
}

static bool read_port(const char **text, uint64_t min, uint16_t *out)
{
    uint64_t port = 0;
    if (!read_digits(text, &port) || port < min || port > 65535)
        return false;
    *out = (uint16_t)port;
    return true;
}

static bool refuse(const char **why, const char *sentence)
{
    *why = sentence;
    return false;
}

/* What is wrong with a URL that has more than a service's address in it; NULL: nothing. */
static const char *url_extra(const char *after_scheme)
{
    size_t authority = strcspn(after_scheme, "/?#");
    if (memchr(after_scheme, '@', authority) != NULL)
        return "must not carry a user name or password";
    const char *rest = after_scheme + authority;
    if (*rest != '\0' && strcmp(rest, "/") != 0)
        return "must end after the port: a path, query or fragment has no place in it";
    return NULL;
}

static bool is_unix(const char *text)
{
    return strncasecmp(text, CONFIG_UNIX_SCHEME, strlen(CONFIG_UNIX_SCHEME)) == 0;
}

/* Takes what is behind "unix:". */
static bool read_socket_path(const char *text, char out[CONFIG_SOCKET_PATH_MAX_BYTES + 1], const char **why)
{
    const char *path = text + strlen(CONFIG_UNIX_SCHEME);
    const size_t length = strlen(path);

    _Static_assert(CONFIG_SOCKET_PATH_MAX_BYTES == 107, "the sentence says so");
    if (length == 0 || path[length - 1] == '/')
        return refuse(why, "must name a file behind unix:, such as unix:/run/token-relay/auth.socket");
    if (length > CONFIG_SOCKET_PATH_MAX_BYTES)
        return refuse(why, "must have a path of at most 107 bytes behind unix:, which is all that a Unix "
                           "socket's address has room for");
    memcpy(out, path, length + 1);
    return true;
}

bool config_parse_url(const char *text, struct config_url *out, const char **why)
{
    static const char form[] = "must be like http://HOST:PORT, with a port from 1 to 65535, or unix:PATH";
    if (is_unix(text)) {
        struct config_url local = {.host = "localhost"};
        if (!read_socket_path(text, local.socket_path, why))
            return false;
        snprintf(local.base, sizeof(local.base), CONFIG_UNIX_SCHEME "%s", local.socket_path);
        *out = local;
        return true;
    }
    if (strncasecmp(text, "https://", 8) == 0)
        return refuse(why, "must start with http://, since the services speak plain HTTP with each other");
    if (strncasecmp(text, "http://", 7) != 0)
        return refuse(why, form);
    const char *extra = url_extra(text + 7);
    if (extra != NULL)
        return refuse(why, extra);

    struct config_url url = {.port = 80};
    const char *at = text + 7;
    bool in_brackets = *at == '[';
    if (!read_host(&at, url.host))
        return refuse(why, form);
    if (*at == ':') {
        at++;
        if (!read_port(&at, 1, &url.port))
            return refuse(why, form);
    }
    if (*at != '\0' && strcmp(at, "/") != 0)
        return refuse(why, form);
    int length = snprintf(url.base, sizeof(url.base), in_brackets ? "http://[%s]:%u" : "http://%s:%u",
                          url.host, (unsigned)url.port);
    assert(length > 0 && (size_t)length < sizeof(url.base));
    *out = url;
    return true;
}

bool config_parse_address(const char *text, struct config_address *out, const char **why)
{
    static const char form[] =
        "must be like HOST:PORT, [IPV6]:PORT or :PORT, with a port from 0 to 65535, or unix:PATH";
    if (is_unix(text)) {
        struct config_address local = {.host = "localhost"};
        if (!read_socket_path(text, local.socket_path, why))
            return false;
        *out = local;
        return true;
    }
    struct config_address address = {.host = "0.0.0.0"};
    const char *at = text;
    if (*at != ':' && !read_host(&at, address.host))
        return refuse(why, form);
    if (*at != ':')
        return refuse(why, form);
    at++;
    if (!read_port(&at, 0, &address.port) || *at != '\0')
        return refuse(why, form);
    *out = address;
    return true;
}
