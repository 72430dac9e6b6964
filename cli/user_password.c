#include "cli/user_password.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "core/utf8.h"

#define HANDLED (sizeof handled / sizeof handled[0])

enum line { LINE_READ, LINE_ENDED, LINE_TOO_LONG, LINE_INTERRUPTED };

static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
static volatile sig_atomic_t caught;
static int wake[2] = {-1,
                      -1}; /* any thread may be the one that is interrupted: the reader is told by a pipe */

static void note(int number)
{
    const int before = errno;

    caught = number;
    if (write(wake[1], "", 1) != 1)
        _exit(128 + number);
    errno = before;
}

/* False: a signal came first. */
static bool wait_for_input(void)
{
    struct pollfd polled[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = wake[0], .events = POLLIN}};

    while (poll(polled, 2, -1) < 0 && errno == EINTR)
        continue;
    return polled[1].revents == 0;
}

/* Byte by byte: what follows the line stays for whoever reads next, and no buffer keeps a copy. */
static enum line read_line(char *out, size_t size, size_t *length)
{
    bool too_long = false;

    *length = 0;
    for (;;) {
        char c = 0;
        if (!wait_for_input())
            return LINE_INTERRUPTED;
        const ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 && *length == 0)
            return LINE_ENDED;
        if (got <= 0 || c == '\n')
            break;
        if (*length + 1 < size)
            out[(*length)++] = c;
        else
            too_long = true;
    }
    out[*length] = '\0';
    return too_long ? LINE_TOO_LONG : LINE_READ;
}

bool line_read(char *line, size_t size)
{
    size_t length = 0;
    return read_line(line, size, &length) == LINE_READ;
}

/* Hides what is typed; false where that cannot be done. */
static bool hide(struct termios *shown)
{
    if (tcgetattr(STDIN_FILENO, shown) != 0)
        return false;
    struct termios silent = *shown;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    return tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
}

/* Reads a line without echo; a signal meanwhile is acted on once the echo is back. */
static enum line ask(const char *prompt, struct new_password *password)
{
    struct sigaction before[HANDLED];
    const struct sigaction interrupting = {.sa_handler = note};
    struct termios shown;

    if (pipe2(wake, O_CLOEXEC) != 0)
        return LINE_ENDED;
    caught = 0;
    for (size_t i = 0; i < HANDLED; i++)
        sigaction(handled[i], &interrupting, &before[i]);
    const bool hidden = hide(&shown);
    /* Who waits for the prompt may type at once: echo is off, and nothing will be flushed. */
    fputs(prompt, stderr);
    fflush(stderr);
    const enum line line = read_line(password->text, sizeof password->text, &password->length);
    if (hidden)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &shown);
    for (size_t i = 0; i < HANDLED; i++)
        sigaction(handled[i], &before[i], NULL);
    close(wake[0]);
    close(wake[1]);
    wake[0] = wake[1] = -1;
    fputc('\n', stderr);
    if (caught != 0)
        raise(caught);
    return line;
}

static const char *fault_of(enum line line)
{
    switch (line) {
    case LINE_READ:
        return NULL;
    case LINE_ENDED:
        return "No password was given.";
    case LINE_TOO_LONG:
        return "The password is too long.";
    case LINE_INTERRUPTED:
        return "Nothing was done.";
    }
    abort();
}

static const char *read_twice(struct new_password *password)
{
    struct new_password again;

    const char *fault = fault_of(ask("Password: ", password));
    if (fault != NULL)
        return fault;
    fault = fault_of(ask("Once more: ", &again));
    if (fault == NULL &&
        (again.length != password->length || memcmp(again.text, password->text, again.length) != 0))
        fault = "The two passwords differ.";
    password_wipe(&again, sizeof again);
    return fault;
}

/* A client could never send, as JSON, what is not UTF-8. */
static bool is_utf8(const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        const size_t size = utf8_length(text + at, length - at);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

bool new_password_read(struct new_password *password, size_t max_bytes, char *error, size_t error_size)
{
    const char *fault = NULL;

    assert(max_bytes <= PASSWORD_MAX_BYTES);
    if (isatty(STDIN_FILENO) == 1)
        fault = read_twice(password);
    else
        fault = fault_of(read_line(password->text, sizeof password->text, &password->length));
    if (fault == NULL && memchr(password->text, '\0', password->length) != NULL)
        fault = "The password must not contain a NUL.";
    if (fault == NULL && !is_utf8(password->text, password->length))
        fault = "The password must be UTF-8.";
    if (fault != NULL)
        snprintf(error, error_size, "%s", fault);
    else if (password->length < PASSWORD_MIN_BYTES || password->length > max_bytes)
        snprintf(error, error_size, "The password must have from %d to %zu bytes.", PASSWORD_MIN_BYTES,
                 max_bytes);
    else
        return true;
    password_wipe(password, sizeof *password);
    return false;
}
