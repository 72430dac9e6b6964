/* lmdb_folder.c - the folder of a store: made if absent, refused if it is not ours or is open in this
 * process. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/lmdb_store.h"

/* Two LMDB environments of one folder in one process would drop each other's locks without a word. */
static pthread_mutex_t places_lock = PTHREAD_MUTEX_INITIALIZER;
static struct lmdb_place *places;

static bool refuse(char *error, size_t error_size, const char *path, const char *why)
{
    snprintf(error, error_size, "The user store lmdb:%s %s.", path, why);
    return false;
}

static bool refuse_errno(char *error, size_t error_size, const char *path, const char *what)
{
    char why[160];
    snprintf(why, sizeof(why), "%s: %s", what, strerrordesc_np(errno));
    return refuse(error, error_size, path, why);
}

int lmdb_folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int code = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return code;
}

static int sync_parent(const char *path)
{
    char parent[PATH_MAX];
    snprintf(parent, sizeof(parent), "%s/..", path);
    return lmdb_folder_sync(parent);
}

/* False also where the file exists and belongs to somebody else. */
static bool file_is_ours(const char *folder, const char *name)
{
    char path[PATH_MAX + 16];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (stat(path, &status) != 0)
        return errno == ENOENT;
    return status.st_uid == geteuid();
}

static bool claim(struct lmdb_place *place, const struct stat *status)
{
    place->device = status->st_dev;
    place->inode = status->st_ino;
    pthread_mutex_lock(&places_lock);
    bool is_open = false;
    for (const struct lmdb_place *other = places; other != NULL; other = other->next)
        is_open = is_open || (other->device == place->device && other->inode == place->inode);
    if (!is_open) {
        place->next = places;
        places = place;
    }
    pthread_mutex_unlock(&places_lock);
    return !is_open;
}

bool lmdb_folder_claim(struct lmdb_place *place, const char *path, char *error, size_t error_size)
{
    struct stat status;
    if (path[0] == '\0')
        return refuse(error, error_size, path, "names no folder: write lmdb:PATH");
    if (strlen(path) >= PATH_MAX - 16)
        return refuse(error, error_size, "PATH", "has too long a path");
    bool is_new = mkdir(path, 0700) == 0;
    if (!is_new && errno != EEXIST)
        return refuse_errno(error, error_size, path, "cannot be made");
    if (stat(path, &status) != 0)
        return refuse_errno(error, error_size, path, "cannot be looked at");
    if (!S_ISDIR(status.st_mode))
        return refuse(error, error_size, path, "is not a folder");
    if (status.st_uid != geteuid())
        return refuse(error, error_size, path, "belongs to another user: run this as its owner");
    if (!file_is_ours(path, LMDB_FILE_DATA) || !file_is_ours(path, LMDB_FILE_LOCK))
        return refuse(error, error_size, path, "holds files of another user: run this as their owner");
    errno = is_new ? sync_parent(path) : 0;
    if (errno != 0)
        return refuse_errno(error, error_size, path, "cannot be made durable");
    if (!claim(place, &status))
        return refuse(error, error_size, path, "is open in this process already");
    return true;
}

void lmdb_folder_release(struct lmdb_place *place)
{
    pthread_mutex_lock(&places_lock);
    struct lmdb_place **link = &places;
    while (*link != place) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = place->next;
    pthread_mutex_unlock(&places_lock);
}
