#include "core/client_address.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

#define HEADER_NAME_MAX_BYTES 64
#define NODE_MAX_BYTES        64 /* "[" IPv6 "]:" port, with room to spare */

struct client_address_rule {
    char header[HEADER_NAME_MAX_BYTES + 1]; /* lower case */
    bool is_forwarded;
    size_t count;
    struct ip_network networks[];
};

/* --- at start --- */

static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool read_header_name(struct client_address_rule *rule, const char *name)
{
    const size_t length = strlen(name);

    if (length > HEADER_NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_token_char(name[i]))
            return false;
        rule->header[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i]);
    }
    rule->is_forwarded = strcmp(rule->header, "forwarded") == 0;
    return true;
}

#define SEPARATORS ", \t"

static size_t word_count(const char *text)
{
    size_t count = 0;

    for (text += strspn(text, SEPARATORS); *text != '\0'; text += strspn(text, SEPARATORS)) {
        text += strcspn(text, SEPARATORS);
        count++;
    }
    return count;
}

/* The word that is no network, or NULL. */
static const char *read_networks(struct client_address_rule *rule, const char *text)
{
    for (text += strspn(text, SEPARATORS); *text != '\0'; text += strspn(text, SEPARATORS)) {
        const size_t length = strcspn(text, SEPARATORS);
        if (!ip_network_read(text, length, &rule->networks[rule->count]))
            return text;
        rule->count++;
        text += length;
    }
    return NULL;
}

struct client_address_rule *client_address_open(const char *trusted_proxies, const char *header, char *error,
                                                size_t error_size)
{
    const size_t count = word_count(trusted_proxies);
    struct client_address_rule *rule = memory_zeroed(sizeof *rule + count * sizeof rule->networks[0]);
    const char *wrong = read_networks(rule, trusted_proxies);

    if (wrong != NULL)
        snprintf(error, error_size,
                 "TRUSTED_PROXIES: \"%.*s\" is no address and no network; right would be 192.0.2.7, "
                 "10.0.0.0/8 or 2001:db8::/32",
                 (int)strcspn(wrong, SEPARATORS), wrong);
    else if (!read_header_name(rule, header))
        snprintf(error, error_size,
                 "CLIENT_ADDRESS_HEADER is no name of a header; right would be X-Forwarded-For");
    else
        return rule;
    client_address_close(rule);
    return NULL;
}

void client_address_close(struct client_address_rule *rule)
{
    free(rule);
}

/* --- at each request --- */

const char *client_address_header(const struct client_address_rule *rule)
{
    return rule->header;
}

static bool is_trusted(const struct client_address_rule *rule, const struct ip_address *address)
{
    for (size_t i = 0; i < rule->count; i++)
        if (ip_network_has(&rule->networks[i], address))
            return true;
    return false;
}

bool client_address_is_believed(const struct client_address_rule *rule, const char *peer)
{
    struct ip_address address;

    if (rule->header[0] == '\0')
        return false;
    /* Who may open our socket's file is no stranger, and nothing else could tell its clients apart. */
    if (strcmp(peer, "unix") == 0)
        return true;
    return ip_address_read(peer, strlen(peer), &address) && is_trusted(rule, &address);
}

/* What was found so far, going from left to right: the last one that is not trusted wins. */
struct search {
    const struct client_address_rule *rule;
    struct ip_address found;
    enum { FOUND_NOTHING, FOUND_TRUSTED, FOUND_CLIENT, FOUND_UNKNOWN } state;
};

static void trim(const char **at, size_t *length)
{
    while (*length > 0 && (**at == ' ' || **at == '\t'))
        (*at)++, (*length)--;
    while (*length > 0 && ((*at)[*length - 1] == ' ' || (*at)[*length - 1] == '\t'))
        (*length)--;
}

/* RFC 7239, section 6: an address, "[IPv6]", and behind either a ":port". */
static bool read_node(const char *at, size_t length, struct ip_address *out)
{
    const char *end = length == 0 ? NULL : memchr(at, *at == '[' ? ']' : ':', length);

    if (end == NULL)
        return ip_address_read(at, length, out);
    if (*at == '[') {
        const size_t rest = length - (size_t)(end + 1 - at);
        return (rest == 0 || end[1] == ':') && memchr(at, ':', (size_t)(end - at)) != NULL &&
               ip_address_read(at + 1, (size_t)(end - at) - 1, out);
    }
    const size_t rest = length - (size_t)(end + 1 - at);
    if (memchr(end + 1, ':', rest) != NULL) /* more than one: IPv6 without a port */
        return ip_address_read(at, length, out);
    return ip_address_read(at, (size_t)(end - at), out);
}

static void take_unknown(struct search *search)
{
    search->state = FOUND_UNKNOWN;
}

static void take_node(struct search *search, const char *at, size_t length)
{
    struct ip_address address;

    if (!read_node(at, length, &address)) {
        take_unknown(search);
    } else if (!is_trusted(search->rule, &address)) {
        search->state = FOUND_CLIENT;
        search->found = address;
    } else if (search->state == FOUND_NOTHING) {
        search->state = FOUND_TRUSTED;
        search->found = address;
    }
}

static void search_list(struct search *search, const char *at, size_t length)
{
    while (length > 0) {
        const char *comma = memchr(at, ',', length);
        const size_t whole = comma == NULL ? length : (size_t)(comma - at);
        const char *node = at;
        size_t node_length = whole;
        trim(&node, &node_length);
        if (node_length > 0) /* empty elements do not count: RFC 9110, section 5.6.1.2 */
            take_node(search, node, node_length);
        at += whole + (comma != NULL);
        length -= whole + (comma != NULL);
    }
}

/* One "name=value" of Forwarded (RFC 7239, section 4), its value without quotes. */
struct pair {
    bool is_for;
    char value[NODE_MAX_BYTES]; /* cut: what is longer is no address */
    size_t length;
};

static void keep(struct pair *pair, char c)
{
    if (pair->length < sizeof pair->value)
        pair->value[pair->length++] = c;
}

/* At the opening quote. False: it is not closed. RFC 9110, section 5.6.4. */
static bool read_quoted(const char **at, const char *end, struct pair *pair)
{
    for ((*at)++; *at < end && **at != '"'; (*at)++) {
        if (**at == '\\' && ++*at == end)
            return false;
        keep(pair, **at);
    }
    if (*at == end)
        return false;
    (*at)++;
    return true;
}

static bool read_pair(const char **at, const char *end, struct pair *pair)
{
    const char *name = *at;

    while (*at < end && is_token_char(**at))
        (*at)++;
    pair->is_for = *at - name == 3 && (name[0] | 32) == 'f' && (name[1] | 32) == 'o' && (name[2] | 32) == 'r';
    pair->length = 0;
    if (*at == name || *at == end || *(*at)++ != '=' || *at == end)
        return false;
    if (**at == '"')
        return read_quoted(at, end, pair);
    /* Wider than a token, for those who forget to quote an IPv6 address. */
    while (*at < end && strchr(";, \t\"", **at) == NULL)
        keep(pair, *(*at)++);
    return pair->length > 0;
}

static void skip(const char **at, const char *end, const char *these)
{
    while (*at < end && **at != '\0' && strchr(these, **at) != NULL)
        (*at)++;
}

/* One element, up to its comma or the end. False: it cannot be read, nor what follows it. */
static bool search_element(struct search *search, const char **at, const char *end)
{
    struct pair node = {0};
    size_t for_count = 0;

    while (*at < end && **at != ',') {
        struct pair pair;
        if (!read_pair(at, end, &pair))
            return false;
        if (pair.is_for) {
            node = pair;
            for_count++;
        }
        skip(at, end, " \t");
        if (*at < end && **at != ';' && **at != ',')
            return false;
        if (*at < end && **at == ';')
            skip(at, end, "; \t");
    }
    if (for_count == 1 && node.length < sizeof node.value)
        take_node(search, node.value, node.length);
    else
        take_unknown(search);
    return true;
}

static void search_forwarded(struct search *search, const char *at, size_t length)
{
    const char *end = at + length;

    for (skip(&at, end, ", \t"); at < end; skip(&at, end, ", \t")) {
        if (!search_element(search, &at, end)) {
            take_unknown(search);
            return;
        }
    }
}

void client_address_find(const struct client_address_rule *rule, const struct client_address_line *lines,
                         size_t count, char out[IP_ADDRESS_TEXT_BYTES])
{
    struct search search = {.rule = rule, .state = FOUND_NOTHING};

    assert(count > 0 && rule->header[0] != '\0');
    for (size_t i = 0; i < count; i++)
        (rule->is_forwarded ? search_forwarded : search_list)(&search, lines[i].at, lines[i].length);
    const bool found = search.state == FOUND_CLIENT || search.state == FOUND_TRUSTED;
    if (found && !ip_address_is_loopback(&search.found))
        ip_address_write(&search.found, out);
    else
        strcpy(out, CLIENT_ADDRESS_UNKNOWN);
}
