// links: core/client_address.c core/ip_address.c core/memory.c
/*
 * Any bytes as lines of a header that names the client: the first byte chooses Forwarded ('f') or a list,
 * each line feed begins a new line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/client_address.h"

#define LINES_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_so, const char *claim)
{
    if (is_so)
        return;
    fprintf(stderr, "not so: %s\n", claim);
    abort();
}

static size_t split(char *text, size_t length, struct client_address_line lines[LINES_MAX])
{
    size_t count = 1;

    lines[0] = (struct client_address_line){text, 0};
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n' && count < LINES_MAX)
            lines[count++] = (struct client_address_line){text + i + 1, 0};
        else
            lines[count - 1].length++;
    }
    return count;
}

static void check(const char *found)
{
    struct ip_address address;
    char again[IP_ADDRESS_TEXT_BYTES];

    if (strcmp(found, CLIENT_ADDRESS_UNKNOWN) == 0)
        return;
    require(ip_address_read(found, strlen(found), &address), "what is found is an address");
    require(!ip_address_is_loopback(&address), "it is no loopback address");
    ip_address_write(&address, again);
    require(strcmp(again, found) == 0, "it is in its shortest form");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct client_address_rule *rules[2];
    struct client_address_line lines[LINES_MAX];
    char found[IP_ADDRESS_TEXT_BYTES];
    char again[IP_ADDRESS_TEXT_BYTES];
    char error[256];

    if (size == 0)
        return 0;
    if (rules[0] == NULL) {
        rules[0] =
            client_address_open("10.0.0.0/8 2001:db8:ffff::/48", "X-Forwarded-For", error, sizeof error);
        rules[1] = client_address_open("10.0.0.0/8 2001:db8:ffff::/48", "Forwarded", error, sizeof error);
    }
    const struct client_address_rule *rule = rules[data[0] == 'f'];
    char *text = malloc(size); /* of its own, so that a read beyond it is seen */
    require(text != NULL, "there is memory");
    memcpy(text, data + 1, size - 1);
    const size_t count = split(text, size - 1, lines);
    client_address_find(rule, lines, count, found);
    check(found);

    /* Whatever a client wrote before it: the last proxy's line decides. */
    struct client_address_line with_proxy[LINES_MAX + 1];
    memcpy(with_proxy, lines, count * sizeof lines[0]);
    with_proxy[count] = (struct client_address_line){"for=192.0.2.7", 13};
    if (data[0] != 'f')
        with_proxy[count] = (struct client_address_line){"192.0.2.7", 9};
    client_address_find(rule, with_proxy, count + 1, again);
    require(strcmp(again, "192.0.2.7") == 0, "what the last proxy wrote is believed");
    free(text);
    return 0;
}
