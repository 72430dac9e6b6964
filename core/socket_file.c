#include "core/socket_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES    2000
#define LOCK_PAUSE_NS 1000000

_Static_assert(sizeof((struct sockaddr_un){0}.sun_path) == CONFIG_SOCKET_PATH_MAX_BYTES + 1,
               "what config_parse takes fits");

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(path);

    assert(length > 0 && length <= CONFIG_SOCKET_PATH_MAX_BYTES);
    memcpy(address.sun_path, path, length + 1);
    return address;
}

/* Two that start at once must not take each other's new socket for a left one: bound, but not listening yet.
 */
static int lock_directory(const char *path, const char **fault)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    char directory[CONFIG_SOCKET_PATH_MAX_BYTES + 1];
    const char *slash = strrchr(path, '/');
    const size_t length = slash == NULL ? 0 : (size_t)(slash - path) + 1;

    memcpy(directory, path, length);
    directory[length] = '\0';
    const int fd = open(length == 0 ? "." : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        *fault = errno == ENOENT ? "its directory does not exist" : strerror(errno);
        return -1;
    }
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK || i == LOCK_TRIES) {
            *fault = errno == EWOULDBLOCK ? "its directory is locked by another process" : strerror(errno);
            close(fd);
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    return fd;
}

/* What connecting says: ECONNREFUSED where nobody listens. A full queue has somebody behind it. */
static int try_to_connect(const struct sockaddr_un *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = 0;

    if (fd == -1 || connect(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        result = errno;
    if (fd != -1)
        close(fd);
    return result == EAGAIN || result == EPROTOTYPE ? 0 : result;
}

/* False, with *fault: it is in use, or no socket. */
static bool remove_left(const struct sockaddr_un *address, const char **fault)
{
    struct stat status;

    if (lstat(address->sun_path, &status) != 0) {
        *fault = strerror(errno);
        return false;
    }
    if (!S_ISSOCK(status.st_mode)) { /* to connect to a plain file is refused too */
        *fault = "a file that is no socket has that name";
        return false;
    }
    const int result = try_to_connect(address);
    if (result == ECONNREFUSED && unlink(address->sun_path) == 0)
        return true;
    *fault = strerror(result == 0 ? EADDRINUSE : result == ECONNREFUSED ? errno : result);
    return false;
}

static bool bind_and_listen(int fd, const char *path, const char **fault)
{
    const struct sockaddr_un address = address_of(path);
    const struct sockaddr *where = (const struct sockaddr *)&address;

    /* On Linux bind gives the file the mode that the socket has, so nobody else gets in for a moment either.
     */
    bool is_bound = fchmod(fd, 0600) == 0 && bind(fd, where, sizeof address) == 0;
    if (!is_bound && errno == EADDRINUSE) {
        if (!remove_left(&address, fault))
            return false;
        is_bound = bind(fd, where, sizeof address) == 0;
    }
    if (is_bound && listen(fd, SOMAXCONN) == 0)
        return true;
    *fault = strerror(errno);
    return false;
}

int socket_file_listen(const char *path, const char **fault)
{
    const int lock = lock_directory(path, fault);

    if (lock == -1)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        *fault = strerror(errno);
    } else if (!bind_and_listen(fd, path, fault)) {
        close(fd);
        fd = -1;
    }
    close(lock);
    return fd;
}

void socket_file_note(int fd, struct socket_file *file)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof address;
    struct stat status;

    *file = (struct socket_file){0};
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0 || address.sun_family != AF_UNIX ||
        address.sun_path[0] == '\0' || lstat(address.sun_path, &status) != 0)
        return;
    memcpy(file->path, address.sun_path, strnlen(address.sun_path, CONFIG_SOCKET_PATH_MAX_BYTES));
    file->device = status.st_dev;
    file->inode = status.st_ino;
}

void socket_file_remove(struct socket_file *file)
{
    struct stat status;

    if (file->path[0] == '\0')
        return;
    if (lstat(file->path, &status) == 0 && S_ISSOCK(status.st_mode) && status.st_dev == file->device &&
        status.st_ino == file->inode)
        (void)unlink(file->path); /* what cannot be removed is taken over by the next start */
    file->path[0] = '\0';
}
