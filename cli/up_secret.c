#include "cli/up_secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buffer.h"
#include "core/dotenv.h"

#define SECRET_BYTES   48
#define FILE_MAX_BYTES ((size_t)1 << 20)

/* The file that is to be replaced: .env, or what it is a link to. */
struct place {
    char path[PATH_MAX];
    char draft[PATH_MAX + 8]; /* beside it, for rename(2) */
    bool exists;
    struct stat status;
};

static bool refuse(char *error, size_t error_size, const char *what, int number)
{
    snprintf(
        error, error_size,
        "There is no SECRET_KEY, and .env in this folder %s (%s); set SECRET_KEY, or start where .env can be "
        "written.",
        what, strerror(number));
    return false;
}

static bool make_random(char secret[UP_SECRET_LENGTH + 1])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[SECRET_BYTES];

    _Static_assert(SECRET_BYTES % 3 == 0 && SECRET_BYTES / 3 * 4 == UP_SECRET_LENGTH, "no padding");
    /* Up to 256 bytes come whole, once the kernel has any (getrandom(2)). */
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return false;
    for (size_t i = 0; i < SECRET_BYTES / 3; i++) {
        const unsigned group =
            (unsigned)bytes[3 * i] << 16 | (unsigned)bytes[3 * i + 1] << 8 | (unsigned)bytes[3 * i + 2];
        for (size_t j = 0; j < 4; j++)
            secret[4 * i + j] = digits[group >> (18 - 6 * j) & 63];
    }
    secret[UP_SECRET_LENGTH] = '\0';
    explicit_bzero(bytes, sizeof bytes);
    return true;
}

static bool find_place(struct place *place)
{
    if (realpath(".env", place->path) != NULL) {
        place->exists = true;
        if (stat(place->path, &place->status) != 0)
            return false;
        if (!S_ISREG(place->status.st_mode)) {
            errno = S_ISDIR(place->status.st_mode) ? EISDIR : EINVAL;
            return false;
        }
    } else {
        if (errno != ENOENT)
            return false;
        place->exists = false;
        strcpy(place->path, ".env");
    }
    snprintf(place->draft, sizeof place->draft, "%s.XXXXXX", place->path);
    return true;
}

static bool read_old(const struct place *place, struct buffer *text)
{
    char piece[4096];
    ssize_t got = 0;

    if (!place->exists)
        return true;
    const int fd = open(place->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    while ((got = read(fd, piece, sizeof piece)) > 0 && text->length <= FILE_MAX_BYTES)
        buffer_add(text, piece, (size_t)got);
    const int number = got < 0 ? errno : EFBIG;
    explicit_bzero(piece, sizeof piece);
    close(fd);
    errno = number;
    return got == 0;
}

static void add_secret(struct buffer *text, const char *secret)
{
    if (text->length > 0 && text->at[text->length - 1] != '\n')
        buffer_add_char(text, '\n');
    buffer_add_text(text,
                    "# Signs the tokens: whoever knows it can be anyone. Made at random on the first run.\n"
                    "SECRET_KEY=");
    buffer_add_text(text, secret);
    buffer_add_char(text, '\n');
}

/* False for a file that ends within an open quote, for one. */
static bool reads_back(const struct buffer *text, const char *secret)
{
    size_t bad_line = 0;
    struct dotenv *dotenv = dotenv_parse(text->at, text->length, NULL, &bad_line);
    const char *value = dotenv_get(dotenv, "SECRET_KEY");
    const bool same = value != NULL && strcmp(value, secret) == 0;

    dotenv_free(dotenv);
    return same;
}

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
    return true;
}

/* Gives the draft the old file's owner, and what of its mode does not let others in. */
static bool set_owner(int fd, const struct place *place)
{
    if (!place->exists)
        return true;
    if (place->status.st_uid != geteuid() && fchown(fd, place->status.st_uid, place->status.st_gid) != 0)
        return false;
    return fchmod(fd, (place->status.st_mode & 0600) | 0400) == 0;
}

/* A file that came into being meanwhile is left alone, where the file system can tell. */
static bool put_in_place(const struct place *place)
{
    if (place->exists)
        return rename(place->draft, place->path) == 0;
    if (renameat2(AT_FDCWD, place->draft, AT_FDCWD, place->path, RENAME_NOREPLACE) == 0)
        return true;
    return (errno == EINVAL || errno == ENOSYS) && rename(place->draft, place->path) == 0;
}

static bool sync_folder(const struct place *place)
{
    char copy[PATH_MAX];

    memcpy(copy, place->path, sizeof copy);
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const bool synced = fsync(fd) == 0;
    close(fd);
    return synced;
}

static bool replace(struct place *place, const struct buffer *text)
{
    const int fd = mkostemp(place->draft, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return false;
    bool done = write_all(fd, text->at, text->length) && set_owner(fd, place) && fsync(fd) == 0;
    int number = errno;
    close(fd);
    if (done) {
        done = put_in_place(place);
        number = errno;
    }
    if (!done) {
        unlink(place->draft);
        errno = number;
        return false;
    }
    return sync_folder(place);
}

static bool add_to_file(const char *secret, struct buffer *text, char *error, size_t error_size)
{
    struct place place;

    if (!find_place(&place) || !read_old(&place, text))
        return refuse(error, error_size, "cannot be read", errno);
    add_secret(text, secret);
    if (!reads_back(text, secret))
        return refuse(error, error_size, "cannot take one more line", EILSEQ);
    if (!replace(&place, text))
        return refuse(error, error_size, "cannot be written", errno);
    return true;
}

bool up_secret_make(char secret[UP_SECRET_LENGTH + 1], char *error, size_t error_size)
{
    struct buffer text;

    assert(secret != NULL && error != NULL && error_size > 0);
    if (!make_random(secret)) {
        snprintf(error, error_size,
                 "There is no SECRET_KEY, and the kernel has no random bytes to make one of.");
        return false;
    }
    buffer_open(&text);
    const bool added = add_to_file(secret, &text, error, error_size);
    buffer_close(&text);
    if (!added)
        explicit_bzero(secret, UP_SECRET_LENGTH + 1);
    return added;
}
