/*
 * lmdb_files.h - private to storage/: are the files of an open store still where they were?
 */
#ifndef STORAGE_LMDB_FILES_H
#define STORAGE_LMDB_FILES_H

#include <stdbool.h>
#include <sys/types.h>

enum { LMDB_FILE_COUNT = 2 }; /* data.mdb, lock.mdb */

struct lmdb_files {
    char *folder; /* absolute: the working directory may change */
    struct {
        dev_t device;
        ino_t inode;
    } files[LMDB_FILE_COUNT];
};

/* After the environment was opened. False: errno says why. Forget frees. */
bool lmdb_files_remember(struct lmdb_files *files, const char *folder);
void lmdb_files_forget(struct lmdb_files *files);

/* Two stat(2) calls. The writer's thread. */
bool lmdb_files_are_there(const struct lmdb_files *files);

#endif
