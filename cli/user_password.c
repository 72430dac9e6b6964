#include "cli/user_password.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "core/utf8.h"

#define HANDLED (sizeof handled / sizeof handled[0])

enum line { LINE_READ, LINE_ENDED, LINE_TOO_LONG, LINE_INTERRUPTED };

static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
static volatile sig_atomic_t caught;

static void note(int number)
{
    caught = number;
}

/* Byte by byte: what follows the line stays for whoever reads next, and no buffer keeps a copy. */
static enum line read_line(char *out, size_t size, size_t *length)
{
    bool too_long = false;

    *length = 0;
    for (;;) {
        char c = 0;
        const ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR && caught != 0)
            return LINE_INTERRUPTED;
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

/* Reads a line without echo; a signal meanwhile is acted on once the echo is back. */
static enum line ask(const char *prompt, struct new_password *password)
{
    struct sigaction before[HANDLED];
    const struct sigaction interrupting = {.sa_handler = note};
    struct termios shown;

    fputs(prompt, stderr);
    fflush(stderr);
    caught = 0;
    for (size_t i = 0; i < HANDLED; i++)
        sigaction(handled[i], &interrupting, &before[i]);
    const bool hidden = tcgetattr(STDIN_FILENO, &shown) == 0;
    if (hidden) {
        struct termios silent = shown;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    const enum line line = read_line(password->text, sizeof password->text, &password->length);
    if (hidden)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    for (size_t i = 0; i < HANDLED; i++)
        sigaction(handled[i], &before[i], NULL);
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
    assert(false);
    return NULL;
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
