#include "core/config.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/config_parse.h"
#include "core/config_table.h"
#include "core/dotenv.h"

#define DOTENV_FILE_MAX_BYTES (1 << 20)
#define SHOWN_VALUE_MAX_BYTES 80

static const char make_secret[] = "make one with: openssl rand -base64 48";

/* What a load in progress knows. */
struct loading {
    struct config config;
    const struct dotenv *dotenv; /* NULL: no .env */
    char *error;
    size_t error_size;
};

/* A value as found: where it comes from is part of every complaint. */
struct found {
    const char *text;
    const char *source;
};

static void *field_of(struct config *config, const struct config_row *row)
{
    assert(row->name != NULL && row->offset < sizeof(*config));
    return (char *)config + row->offset;
}

static char *copy_or_exit(const char *text, size_t length)
{
    char *copy = strndup(text, length);
    if (copy == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return copy;
}

/* ---- Complaints: one sentence, with the name, where the value was found, and the value unless it may be
 * secret. ---- */

static bool complain(struct loading *load, const struct config_row *row, const struct found *found,
                     const char *why)
{
    snprintf(load->error, load->error_size, "%s %s (set in %s)", row->name, why, found->source);
    return false;
}

/* The value in printable ASCII, cut. */
static void shown(const char *value, char out[SHOWN_VALUE_MAX_BYTES + 4])
{
    size_t length = strnlen(value, SHOWN_VALUE_MAX_BYTES + 1);
    bool is_cut = length > SHOWN_VALUE_MAX_BYTES;
    if (is_cut)
        length = SHOWN_VALUE_MAX_BYTES;
    for (size_t i = 0; i < length; i++)
        out[i] = value[i] >= ' ' && value[i] <= '~' ? value[i] : '?';
    memcpy(out + length, is_cut ? "..." : "", is_cut ? 4 : 1);
}

static bool complain_value(struct loading *load, const struct config_row *row, const struct found *found,
                           const char *why)
{
    assert(row->kind != CONFIG_KIND_SECRET && row->kind != CONFIG_KIND_TEXT);
    char value[SHOWN_VALUE_MAX_BYTES + 4];
    shown(found->text, value);
    snprintf(load->error, load->error_size, "%s=%s %s (set in %s)", row->name, value, why, found->source);
    return false;
}

/* ---- One kind each. ---- */

static bool load_secret(struct loading *load, const struct config_row *row, const struct found *found)
{
    char why[160];
    size_t length = strlen(found->text);
    if (strcmp(found->text, "Secret_Key-2024") == 0) {
        snprintf(why, sizeof(why), "is the key of the old example, which everybody knows; %s", make_secret);
        return complain(load, row, found, why);
    }
    if (length != 0 && length < row->min) {
        snprintf(why, sizeof(why), "has %zu bytes, but at least %" PRIu64 " are needed; %s", length, row->min,
                 make_secret);
        return complain(load, row, found, why);
    }
    if (length > row->max) {
        snprintf(why, sizeof(why), "has %zu bytes, but at most %" PRIu64 " are allowed; %s", length, row->max,
                 make_secret);
        return complain(load, row, found, why);
    }
    *(config_secret *)field_of(&load->config, row) = copy_or_exit(found->text, length);
    return true;
}

/* A text may hold a password (a database's URL), so it is not shown either. */
static bool load_text(struct loading *load, const struct config_row *row, const struct found *found)
{
    size_t length = strlen(found->text);
    if (length != 0 && (length < row->min || length > row->max)) {
        char why[120];
        snprintf(why, sizeof(why), "has %zu bytes, but must have from %" PRIu64 " to %" PRIu64, length,
                 row->min, row->max);
        return complain(load, row, found, why);
    }
    *(config_text *)field_of(&load->config, row) = copy_or_exit(found->text, length);
    return true;
}

static bool load_number(struct loading *load, const struct config_row *row, const struct found *found)
{
    bool is_size = row->kind == CONFIG_KIND_SIZE;
    uint64_t number = 0;
    bool is_number =
        is_size ? config_parse_size(found->text, &number) : config_parse_count(found->text, &number);
    if (!is_number || number < row->min || number > row->max) {
        char why[160];
        snprintf(why, sizeof(why), "must be a %s from %" PRIu64 " to %" PRIu64 "%s",
                 is_size ? "size" : "whole number", row->min, row->max,
                 is_size ? " bytes, as a plain number or with KiB, MiB or GiB behind it" : "");
        return complain_value(load, row, found, why);
    }
    *(uint64_t *)field_of(&load->config, row) = number;
    return true;
}

static bool complain_choice(struct loading *load, const struct config_row *row, const struct found *found,
                            const char *const *words)
{
    char why[200];
    if (words[1] == NULL) {
        snprintf(why, sizeof(why), "is not supported; use %s", words[0]);
        return complain_value(load, row, found, why);
    }
    size_t length = (size_t)snprintf(why, sizeof(why), "must be %s", words[0]);
    for (size_t i = 1; words[i] != NULL; i++) {
        const char *between = words[i + 1] == NULL ? " or " : ", ";
        length += (size_t)snprintf(why + length, sizeof(why) - length, "%s%s", between, words[i]);
        assert(length < sizeof(why));
    }
    return complain_value(load, row, found, why);
}

static bool load_choice(struct loading *load, const struct config_row *row, const struct found *found)
{
    const char *const *words = config_choice_words(row->name);
    for (config_choice i = 0; words[i] != NULL; i++) {
        if (strcasecmp(words[i], found->text) == 0) {
            *(config_choice *)field_of(&load->config, row) = i;
            return true;
        }
    }
    return complain_choice(load, row, found, words);
}

static bool load_url(struct loading *load, const struct config_row *row, const struct found *found)
{
    const char *why = NULL;
    if (config_parse_url(found->text, field_of(&load->config, row), &why))
        return true;
    assert(why != NULL);
    /* A user name or password in it is not repeated. */
    return strchr(found->text, '@') != NULL ? complain(load, row, found, why)
                                            : complain_value(load, row, found, why);
}

static bool load_address(struct loading *load, const struct config_row *row, const struct found *found)
{
    const char *why = NULL;
    if (*found->text == '\0')
        return true; /* follows a URL, below */
    return config_parse_address(found->text, field_of(&load->config, row), &why) ||
           complain_value(load, row, found, why);
}

static bool load_address_or_off(struct loading *load, const struct config_row *row, const struct found *found)
{
    return strcasecmp(found->text, "off") == 0 || load_address(load, row, found); /* off: all zero */
}

static bool load_value(struct loading *load, const struct config_row *row, const struct found *found)
{
    switch (row->kind) {
    case CONFIG_KIND_TEXT:
        return load_text(load, row, found);
    case CONFIG_KIND_SECRET:
        return load_secret(load, row, found);
    case CONFIG_KIND_COUNT:
    case CONFIG_KIND_SIZE:
        return load_number(load, row, found);
    case CONFIG_KIND_CHOICE:
        return load_choice(load, row, found);
    case CONFIG_KIND_ADDRESS:
        return load_address(load, row, found);
    case CONFIG_KIND_ADDRESS_OR_OFF:
        return load_address_or_off(load, row, found);
    case CONFIG_KIND_URL:
        return load_url(load, row, found);
    }
    abort();
}

/* ---- The walk over the table. ---- */

/* Environment over .env over default. */
static struct found find_value(const struct loading *load, const struct config_row *row, unsigned users)
{
    if ((row->used_by & users) != 0) {
        const char *text = getenv(row->name);
        if (text != NULL && *text != '\0')
            return (struct found){text, "the environment"};
        text = load->dotenv == NULL ? NULL : dotenv_get(load->dotenv, row->name);
        if (text != NULL && *text != '\0')
            return (struct found){text, ".env"};
    }
    return (struct found){row->default_text, "config.def"};
}

static bool load_row(struct loading *load, const struct config_row *row, unsigned users)
{
    struct found found = find_value(load, row, users);
    if (row->kind == CONFIG_KIND_SECRET || row->kind == CONFIG_KIND_TEXT)
        return load_value(load, row, &found);

    /* White space around a number, a word or an address means nothing. */
    size_t start = strspn(found.text, " \t\r\n");
    size_t end = strlen(found.text);
    while (end > start && strchr(" \t\r\n", found.text[end - 1]) != NULL)
        end--;
    char *trimmed = copy_or_exit(found.text + start, end - start);
    found.text = trimmed;
    bool is_good = load_value(load, row, &found);
    free(trimmed);
    return is_good;
}

static bool load_rows(struct loading *load, unsigned users)
{
    for (size_t i = 0; i < config_rows_count; i++)
        if (config_rows[i].name != NULL && !load_row(load, &config_rows[i], users))
            return false;
    return true;
}

static void follow_url(struct config_address *address, const char *host, const struct config_url *url)
{
    if (address->host[0] != '\0')
        return;
    const bool is_unix = url->socket_path[0] != '\0';
    snprintf(address->host, sizeof(address->host), "%s", is_unix ? url->host : host);
    memcpy(address->socket_path, url->socket_path, sizeof(address->socket_path));
    address->port = url->port;
}

static void fill_in(struct loading *load, unsigned users)
{
    struct config *config = &load->config;
    follow_url(&config->gateway_listen, "0.0.0.0", &config->user_service_url);
    follow_url(&config->auth_listen, "127.0.0.1", &config->auth_service_url);
    follow_url(&config->message_listen, "127.0.0.1", &config->message_service_url);

    const struct config_row *row = config_row_find("DATABASE_URL");
    assert(row != NULL);
    config->database_url_is_set = find_value(load, row, users).text != row->default_text;
}

/* ---- The .env file. ---- */

/* Reads to the end, at most DOTENV_FILE_MAX_BYTES. False: errno says why. */
static bool read_whole(int fd, char *bytes, size_t *length)
{
    *length = 0;
    while (*length < DOTENV_FILE_MAX_BYTES) {
        ssize_t count = read(fd, bytes + *length, DOTENV_FILE_MAX_BYTES - *length);
        if (count == 0)
            return true;
        if (count > 0)
            *length += (size_t)count;
        else if (errno != EINTR)
            return false;
    }
    errno = EFBIG;
    return false;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

static struct dotenv *parse_and_warn(const char *bytes, size_t length)
{
    size_t bad_line = 0;
    struct dotenv *dotenv = dotenv_parse(bytes, length, environment, &bad_line);
    if (bad_line != 0)
        fprintf(stderr, "warning: .env line %zu cannot be read and is skipped\n", bad_line);
    return dotenv;
}

/* True with *dotenv NULL: there is no such file. */
static bool read_dotenv(struct dotenv **dotenv, char *error, size_t error_size)
{
    *dotenv = NULL;
    int fd = open(".env", O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    if (fd < 0 && errno == ENOENT)
        return true;

    char *bytes = fd < 0 ? NULL : malloc(DOTENV_FILE_MAX_BYTES);
    size_t length = 0;
    bool is_read = bytes != NULL && read_whole(fd, bytes, &length);
    if (is_read)
        *dotenv = parse_and_warn(bytes, length);
    else
        snprintf(error, error_size, "cannot read .env: %s", strerror(errno));
    if (bytes != NULL)
        explicit_bzero(bytes, DOTENV_FILE_MAX_BYTES);
    free(bytes);
    if (fd >= 0)
        close(fd);
    return is_read;
}

/* ---- What others call. ---- */

bool config_load(struct config *config, unsigned users, char *error, size_t error_size)
{
    assert(config != NULL && error != NULL && error_size > 0 && users != 0);
    struct dotenv *dotenv = NULL;
    if (!read_dotenv(&dotenv, error, error_size))
        return false;
    struct loading load = {.dotenv = dotenv, .error = error, .error_size = error_size};
    bool is_good = load_rows(&load, users);
    if (is_good) {
        fill_in(&load, users);
        *config = load.config;
    } else {
        config_free(&load.config);
    }
    dotenv_free(dotenv);
    return is_good;
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config_rows_count; i++) {
        const struct config_row *row = &config_rows[i];
        if (row->name == NULL || (row->kind != CONFIG_KIND_TEXT && row->kind != CONFIG_KIND_SECRET))
            continue;
        char **text = field_of(config, row);
        if (*text != NULL)
            explicit_bzero(*text, strlen(*text));
        free(*text);
        *text = NULL;
    }
}

bool config_address_is_loopback(const struct config_address *address)
{
    assert(address != NULL);
    struct in_addr v4;
    struct in6_addr v6;
    if (strcasecmp(address->host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, address->host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, address->host, &v6) != 1)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}
