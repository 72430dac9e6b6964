#include "cli/up_child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/memory.h"

#define EXIT_NOT_EXECUTED 127

static bool names(const char *entry, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

static bool is_withheld(const struct child *child, const char *entry)
{
    if (names(entry, UP_READY_FD_NAME) || names(entry, "SECRET_KEY"))
        return true;
    return child->secret == NULL && names(entry, "SECRET_KEY_PREVIOUS");
}

/* An environment of its own for execve: ours, less what the child must not see. The last two are to be freed.
 */
static char **make_environment(const struct child *child, int ready_fd)
{
    size_t count = 0;
    size_t kept = 0;

    while (environ[count] != NULL)
        count++;
    char **environment = memory_zeroed((count + 3) * sizeof *environment);
    for (size_t i = 0; i < count; i++) {
        if (!is_withheld(child, environ[i]))
            environment[kept++] = memory_copied(environ[i], strlen(environ[i]));
    }
    if (child->secret != NULL) {
        char entry[2048];
        const int length = snprintf(entry, sizeof entry, "SECRET_KEY=%s", child->secret);
        assert(length > 0 && (size_t)length < sizeof entry);
        environment[kept++] = memory_copied(entry, (size_t)length);
        explicit_bzero(entry, sizeof entry);
    }
    if (ready_fd >= 0) {
        char entry[64];
        const int length = snprintf(entry, sizeof entry, UP_READY_FD_NAME "=%d", ready_fd);
        environment[kept++] = memory_copied(entry, (size_t)length);
    }
    assert(kept <= count + 2);
    return environment;
}

static void free_environment(char **environment)
{
    for (size_t i = 0; environment[i] != NULL; i++) {
        explicit_bzero(environment[i], strlen(environment[i]));
        free(environment[i]);
    }
    free(environment);
}

/* Between fork and exec in a process with threads: async-signal-safe calls only. */
__attribute__((noreturn)) static void become(const char *name, char *const *environment, int ready_fd,
                                             pid_t parent)
{
    char *const arguments[] = {(char[]){"token-relay"}, (char *)(uintptr_t)name, NULL};
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* Did the parent die before the kernel knew that we want to be told? */
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    const int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd >= 0)
        dup2(null_fd, STDIN_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    if (ready_fd >= 0)
        fcntl(ready_fd, F_SETFD, 0);
    execve("/proc/self/exe", arguments, environment);
    _exit(EXIT_NOT_EXECUTED);
}

bool child_start(struct child *child, bool awaited)
{
    int ends[2] = {-1, -1};
    const pid_t parent = getpid();

    assert(child->pid == 0 && child->ready_fd < 0);
    if (awaited && pipe2(ends, O_CLOEXEC) != 0)
        return false;
    char **environment = make_environment(child, ends[1]);
    const pid_t pid = fork();
    if (pid == 0)
        become(child->name, environment, ends[1], parent);
    const int number = errno;
    free_environment(environment);
    if (awaited)
        close(ends[1]);
    if (pid < 0) {
        if (awaited)
            close(ends[0]);
        errno = number;
        return false;
    }
    setpgid(pid, pid); /* whoever of the two comes first */
    child->pid = pid;
    child->ready_fd = ends[0];
    child->started_us = clock_monotonic_us();
    child->restart_at_us = 0;
    return true;
}

void child_ended(struct child *child, int status)
{
    const uint64_t now_us = clock_monotonic_us();

    assert(child->pid != 0);
    if (child->pause_ms == 0 || now_us - child->started_us >= UP_GOOD_LIFE_US)
        child->pause_ms = UP_PAUSE_FIRST_MS;
    else
        child->pause_ms = child->pause_ms * 2 < UP_PAUSE_MAX_MS ? child->pause_ms * 2 : UP_PAUSE_MAX_MS;
    child->restart_at_us = now_us + child->pause_ms * 1000;
    child->pid = 0;
    child->status = status;
    child->ended_badly = !(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
                         !(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    if (child->ready_fd >= 0)
        close(child->ready_fd);
    child->ready_fd = -1;
}

void child_signal(const struct child *child, int number)
{
    if (child->pid != 0)
        kill(child->pid, number);
}
