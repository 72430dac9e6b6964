/*
 * up_child.h - one service as a child process of `up`.
 *
 * A child has a process group of its own, so that Ctrl-C on the terminal reaches `up` alone; it is sent
 * SIGTERM when `up` dies, however that happens (PR_SET_PDEATHSIG; so children are started by the main thread,
 * which lives as long as the process does). It inherits standard output and error and no other descriptor.
 * Only auth is handed a secret.
 */
#ifndef CLI_UP_CHILD_H
#define CLI_UP_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define UP_READY_FD_NAME "TOKEN_RELAY_READY_FD"

#define UP_PAUSE_FIRST_MS 100
#define UP_PAUSE_MAX_MS   10000
#define UP_GOOD_LIFE_US   60000000 /* after so long a life the pauses start again from the first */

struct child {
    const char *name;   /* "auth": the command */
    const char *secret; /* SECRET_KEY for its environment; NULL: it gets none */
    pid_t pid;          /* 0: not running */
    int ready_fd; /* one byte comes when it listens, an end without a byte when it died; -1: not awaited */
    bool ended_badly; /* the last end: neither code 0 nor by our SIGTERM */
    int status;       /* of the last end, as waitpid gives it */
    uint64_t started_us;
    uint64_t pause_ms;      /* before the next restart; 0: none yet */
    uint64_t restart_at_us; /* 0: no restart is due */
};

/* Starts the child; `awaited` opens ready_fd. False: the kernel refused (errno). */
bool child_start(struct child *child, bool awaited);

/* Notes that the child ended with a waitpid status, and when to restart it. */
void child_ended(struct child *child, int status);

/* Sends a signal to the child if it runs. */
void child_signal(const struct child *child, int number);

#endif
