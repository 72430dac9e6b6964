/*
 * lmdb_files.c - are the files of an open store still where they were? LMDB works on what it has open: were
 * they removed, or put back from a copy, it would go on writing where nobody will ever look again. Two
 * stat(2) calls for each write transaction.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "storage/lmdb_files.h"
#include "storage/lmdb_store.h"

static const char *const names[LMDB_FILE_COUNT] = {LMDB_FILE_DATA, LMDB_FILE_LOCK};

static bool look(const struct lmdb_files *files, size_t which, struct stat *status)
{
    char path[PATH_MAX + 16];

    snprintf(path, sizeof(path), "%s/%s", files->folder, names[which]);
    return stat(path, status) == 0;
}

bool lmdb_files_remember(struct lmdb_files *files, const char *folder)
{
    struct stat status;

    files->folder = realpath(folder, NULL);
    if (files->folder == NULL)
        return false;
    for (size_t i = 0; i < LMDB_FILE_COUNT; i++) {
        if (!look(files, i, &status))
            return false;
        files->files[i].device = status.st_dev;
        files->files[i].inode = status.st_ino;
    }
    return true;
}

void lmdb_files_forget(struct lmdb_files *files)
{
    free(files->folder);
    files->folder = NULL;
}

bool lmdb_files_are_there(const struct lmdb_files *files)
{
    struct stat status;

    for (size_t i = 0; i < LMDB_FILE_COUNT; i++)
        if (!look(files, i, &status) || status.st_dev != files->files[i].device ||
            status.st_ino != files->files[i].inode)
            return false;
    return true;
}
