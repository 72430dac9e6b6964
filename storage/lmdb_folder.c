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

enum file_state { FILE_RIGHT, FILE_FOREIGN, FILE_HIDDEN, FILE_EMPTY };

/* Absent is right: it will be made. Empty is not: LMDB would begin a new store in it, without a word. */
static enum file_state file_state(const char *folder, const char *name)
{
    char path[PATH_MAX + 16];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (stat(path, &status) != 0)
        return errno == ENOENT ? FILE_RIGHT : FILE_HIDDEN;
    if (status.st_uid != geteuid())
        return FILE_FOREIGN;
    return status.st_size == 0 && strcmp(name, LMDB_FILE_DATA) == 0 ? FILE_EMPTY : FILE_RIGHT;
}

static bool files_are_right(const char *path, char *error, size_t error_size)
{
    enum file_state state = file_state(path, LMDB_FILE_DATA);

    if (state == FILE_RIGHT)
        state = file_state(path, LMDB_FILE_LOCK);
    switch (state) {
    case FILE_FOREIGN:
        return refuse(error, error_size, path, "holds files of another user: run this as their owner");
    case FILE_HIDDEN:
        return refuse_errno(error, error_size, path, "cannot be looked into");
    case FILE_EMPTY:
        return refuse(error, error_size, path,
                      "has an empty " LMDB_FILE_DATA
                      ": its users are gone, or its first start was cut off; bring a "
                      "copy back, or remove that file to begin with an empty store");
    case FILE_RIGHT:
        break;
    }
    return true;
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
    if (!files_are_right(path, error, error_size))
        return false;
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
