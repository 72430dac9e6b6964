/*
 * socket_file.h - a Unix socket that is listened on, and the file that names it. The file outlives a process
 * that is killed, so a start takes over what nobody listens on, and nothing else.
 */
#ifndef CORE_SOCKET_FILE_H
#define CORE_SOCKET_FILE_H

#include <sys/types.h>

#include "core/config.h"

/* Whose file it is; path "" for an address of another kind. */
struct socket_file {
    char path[CONFIG_SOCKET_PATH_MAX_BYTES + 1];
    dev_t device;
    ino_t inode;
};

/*
 * Listens on a socket of mode 0600 (non-blocking, close-on-exec); its directory must exist. A socket file
 * that refuses connections is replaced; one that accepts them is "Address already in use". Returns the
 * descriptor, or -1 with *fault, which is valid until the next call.
 */
int socket_file_listen(const char *path, const char **fault);

/* Takes down which file a descriptor that has just begun to listen is bound to. */
void socket_file_note(int fd, struct socket_file *file);

/* Removes the file, if it is still the same. Once; further calls do nothing. */
void socket_file_remove(struct socket_file *file);

#endif
