#include "bench/requests.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define LINE_MAX_BYTES    1024
#define REQUEST_MAX_BYTES 65536

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* False at the end of the file. */
static int read_one(FILE *file, struct request *request)
{
    char line[LINE_MAX_BYTES];
    char *rest = NULL;

    if (fgets(line, sizeof line, file) == NULL)
        return 0;
    request->length = strtoul(line, &rest, 10);
    if (*rest != ' ' || request->length == 0 || request->length > REQUEST_MAX_BYTES)
        fail("malformed file of requests");
    rest[strcspn(rest, "\n")] = '\0';
    request->expected = strdup(rest + 1);
    char *bytes = malloc(request->length);
    assert(bytes != NULL && request->expected != NULL);
    request->expected_length = strlen(request->expected);
    if (fread(bytes, 1, request->length, file) != request->length)
        fail("file of requests is cut off");
    request->bytes = bytes;
    return 1;
}

void requests_read(struct requests *requests, const char *path, uint64_t seed)
{
    FILE *file = fopen(path, "re");
    struct request request;
    size_t room = 0;

    if (file == NULL)
        fail(path);
    *requests = (struct requests){.random = seed * 2 + 1};
    while (read_one(file, &request)) {
        if (requests->count == room) {
            room = room == 0 ? 1024 : room * 2;
            requests->at = reallocarray(requests->at, room, sizeof *requests->at);
            assert(requests->at != NULL);
        }
        requests->at[requests->count++] = request;
    }
    fclose(file);
    if (requests->count == 0)
        fail("file of requests is empty");
}

/* splitmix64 */
const struct request *requests_draw(struct requests *requests)
{
    uint64_t value = requests->random += 0x9e3779b97f4a7c15u;

    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    value ^= value >> 31;
    return &requests->at[value % requests->count];
}

uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int connect_to(unsigned port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        fail("cannot connect");
    return fd;
}
