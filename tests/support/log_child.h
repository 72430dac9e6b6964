/* log_child.h - a child process whose standard error is the log file, taken over by the log. */
#ifndef TESTS_SUPPORT_LOG_CHILD_H
#define TESTS_SUPPORT_LOG_CHILD_H

#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/support/log_lines.h"

/* What a test does with standard error happens in a child, whose fd 2 is the log file. True: it was killed.
 */
static inline int in_child(void (*what)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        int fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        dup2(fd, STDERR_FILENO);
        close(fd);
        what();
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static inline void open_taking_over(void)
{
    char error[256];
    struct log_options options = {
        .service = "gateway", .level = LOG_INFO, .queue_max_bytes = 1 << 20, .take_over_stderr = true};
    if (!log_open(&options, error, sizeof(error)))
        _exit(1);
}

static inline void print(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) != (ssize_t)strlen(text))
        _exit(2);
}

#endif
