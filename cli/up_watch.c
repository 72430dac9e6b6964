#include "cli/up_watch.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/up_health.h"
#include "core/ask.h"
#include "core/clock.h"
#include "core/log.h"

#define START_TIMEOUT_MS 20000
#define READY_TIMEOUT_MS 20000
#define READY_PAUSE_MS   2
#define READY_ASK_MS     500
#define DRAIN_GRACE_MS   2000 /* beyond the services' own DRAIN_TIMEOUT_MS */
#define FOREVER          UINT64_MAX

static void handled_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
}

void watch_block_signals(void)
{
    sigset_t set;

    handled_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void watch_open(struct watch *watch, const struct config *config)
{
    static const char *const names[WATCH_CHILDREN] = {
        [WATCH_AUTH] = "auth", [WATCH_MESSAGE] = "message", [WATCH_GATEWAY] = "gateway"};
    sigset_t set;

    *watch = (struct watch){.config = config};
    for (size_t i = 0; i < WATCH_CHILDREN; i++)
        watch->children[i] = (struct child){.name = names[i], .ready_fd = -1};
    watch->children[WATCH_AUTH].secret = config->secret_key;
    handled_signals(&set);
    watch->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (watch->signal_fd < 0) {
        fprintf(stderr, "token-relay up: cannot receive signals (%s).\n", strerror(errno));
        abort();
    }
}

void watch_close(struct watch *watch)
{
    for (size_t i = 0; i < WATCH_CHILDREN; i++)
        assert(watch->children[i].pid == 0);
    close(watch->signal_fd);
}

static void log_end(const struct child *child, bool expected)
{
    const bool exited = WIFEXITED(child->status);
    const int number = exited ? WEXITSTATUS(child->status) : WTERMSIG(child->status);
    const bool fine = expected && !child->ended_badly;

    if (fine)
        log_event(LOG_INFO, "child_ended", LOG_STRING("child", child->name));
    else
        log_event(LOG_ERROR, "child_died", LOG_STRING("child", child->name),
                  LOG_NUMBER(exited ? "code" : "signal", number));
}

static void reap(struct watch *watch)
{
    int status = 0;
    pid_t pid = 0;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < WATCH_CHILDREN; i++) {
            struct child *child = &watch->children[i];
            if (child->pid != pid)
                continue;
            child_ended(child, status);
            log_end(child, watch->stopping);
        }
    }
}

static void pass_on_hangup(struct watch *watch)
{
    log_reopen();
    for (size_t i = 0; i < WATCH_CHILDREN; i++)
        child_signal(&watch->children[i], SIGHUP);
}

static void take_signal(struct watch *watch, const struct signalfd_siginfo *info)
{
    switch (info->ssi_signo) {
    case SIGINT:
        watch->interrupts++;
        watch->stopping = true;
        break;
    case SIGTERM:
        watch->stopping = true;
        break;
    case SIGHUP:
        /* From the kernel it says that our terminal is gone; from anyone else, that the log was rotated. */
        if (info->ssi_code == SI_KERNEL)
            watch->stopping = true;
        else
            pass_on_hangup(watch);
        break;
    default:
        assert(info->ssi_signo == SIGCHLD);
    }
}

static int timeout_ms_until(uint64_t until_us)
{
    const uint64_t now_us = clock_monotonic_us();

    if (until_us == FOREVER)
        return -1;
    return until_us > now_us ? (int)((until_us - now_us + 999) / 1000) : 0;
}

/* Waits for signals, and handles them. */
static void wait_for_signals(struct watch *watch, uint64_t until_us)
{
    struct pollfd polled = {.fd = watch->signal_fd, .events = POLLIN};
    struct signalfd_siginfo info;

    poll(&polled, 1, timeout_ms_until(until_us));
    while (read(watch->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        take_signal(watch, &info);
}

/* Waits for a byte or the end of an awaited child, or for signals, and handles those. */
static void wait_for_children(struct watch *watch, uint64_t until_us)
{
    struct pollfd polled[1 + WATCH_CHILDREN] = {{.fd = watch->signal_fd, .events = POLLIN}};

    for (size_t i = 0; i < WATCH_CHILDREN; i++)
        polled[1 + i] = (struct pollfd){.fd = watch->children[i].ready_fd, .events = POLLIN};
    poll(polled, 1 + WATCH_CHILDREN, timeout_ms_until(until_us));
    wait_for_signals(watch, 0);
}

/* True if the byte came, or nobody waits for it any more. *died: the end came instead. */
static bool take_ready(struct child *child, bool *died)
{
    struct pollfd polled = {.fd = child->ready_fd, .events = POLLIN};
    char byte = 0;

    if (child->ready_fd < 0)
        return child->pid != 0;
    if (poll(&polled, 1, 0) != 1)
        return false;
    if (read(child->ready_fd, &byte, 1) != 1) {
        *died = true;
        return false;
    }
    close(child->ready_fd);
    child->ready_fd = -1;
    return true;
}

/* A service that ends with 1 has said why. */
static void explain(struct watch *watch, struct child *child)
{
    const uint64_t until_us = clock_monotonic_us() + 1000000;

    while (child->pid != 0 && clock_monotonic_us() < until_us) {
        if (waitpid(child->pid, &child->status, WNOHANG) == child->pid) {
            child_ended(child, child->status);
            break;
        }
        wait_for_signals(watch, until_us);
    }
    if (child->pid == 0 && WIFEXITED(child->status) && WEXITSTATUS(child->status) == EXIT_FAILURE)
        return;
    if (child->pid != 0)
        fprintf(stderr, "token-relay up: %s gave up listening.\n", child->name);
    else if (WIFSIGNALED(child->status))
        fprintf(stderr, "token-relay up: %s was ended by signal %d before it was ready.\n", child->name,
                WTERMSIG(child->status));
    else
        fprintf(stderr, "token-relay up: %s ended with code %d before it was ready.\n", child->name,
                WEXITSTATUS(child->status));
}

static enum watch_outcome fail_in_time(const char *what)
{
    fprintf(stderr, "token-relay up: %s was not ready within %d seconds.\n", what, START_TIMEOUT_MS / 1000);
    return WATCH_FAILED;
}

/* Until all that were started listen. */
static enum watch_outcome await_listening(struct watch *watch)
{
    const uint64_t until_us = clock_monotonic_us() + START_TIMEOUT_MS * 1000ULL;

    while (!watch->stopping) {
        struct child *late = NULL;
        for (size_t i = 0; i < WATCH_CHILDREN; i++) {
            struct child *child = &watch->children[i];
            bool died = false;
            if (child->ready_fd < 0 || take_ready(child, &died))
                continue;
            if (died) {
                explain(watch, child);
                return WATCH_FAILED;
            }
            late = child;
        }
        if (late == NULL)
            return WATCH_READY;
        if (clock_monotonic_us() >= until_us)
            return fail_in_time(late->name);
        wait_for_children(watch, until_us);
    }
    return WATCH_STOPPED;
}

static struct child *find_dead(struct watch *watch)
{
    for (size_t i = 0; i < WATCH_CHILDREN; i++) {
        struct child *child = &watch->children[i];
        if (waitpid(child->pid, &child->status, WNOHANG) == child->pid) {
            child_ended(child, child->status);
            return child;
        }
    }
    return NULL;
}

/* Until the gateway, which asks auth, says that it is ready. */
static enum watch_outcome await_ready(struct watch *watch)
{
    const uint64_t until_us = clock_monotonic_us() + READY_TIMEOUT_MS * 1000ULL;
    char base[HEALTH_BASE_MAX_BYTES];
    enum watch_outcome outcome = WATCH_STOPPED;
    struct asker *asker = asker_open();

    health_base(&watch->config->gateway_listen, base);
    while (!watch->stopping) {
        struct child *dead = find_dead(watch);
        if (dead != NULL) {
            explain(watch, dead);
            outcome = WATCH_FAILED;
            break;
        }
        if (health_is_ready(asker, base, READY_ASK_MS)) {
            outcome = WATCH_READY;
            break;
        }
        if (clock_monotonic_us() >= until_us) {
            outcome = fail_in_time("the gateway");
            break;
        }
        wait_for_signals(watch, clock_monotonic_us() + READY_PAUSE_MS * 1000);
    }
    asker_close(asker);
    return outcome;
}

static bool start(struct child *child)
{
    if (child_start(child, true))
        return true;
    fprintf(stderr, "token-relay up: cannot start %s (%s).\n", child->name, strerror(errno));
    return false;
}

enum watch_outcome watch_start(struct watch *watch)
{
    if (!start(&watch->children[WATCH_AUTH]) || !start(&watch->children[WATCH_MESSAGE]))
        return WATCH_FAILED;
    enum watch_outcome outcome = await_listening(watch);
    if (outcome != WATCH_READY)
        return outcome;
    if (!start(&watch->children[WATCH_GATEWAY]))
        return WATCH_FAILED;
    outcome = await_listening(watch);
    return outcome == WATCH_READY ? await_ready(watch) : outcome;
}

/* Starts who is due; returns when the next one is. */
static uint64_t restart_due(struct watch *watch)
{
    const uint64_t now_us = clock_monotonic_us();
    uint64_t next_us = FOREVER;

    for (size_t i = 0; i < WATCH_CHILDREN; i++) {
        struct child *child = &watch->children[i];
        if (child->pid != 0)
            continue;
        assert(child->restart_at_us != 0);
        if (child->restart_at_us > now_us) {
            next_us = child->restart_at_us < next_us ? child->restart_at_us : next_us;
        } else if (child_start(child, false)) {
            log_event(LOG_INFO, "child_restarted", LOG_STRING("child", child->name),
                      LOG_NUMBER("pid", child->pid));
        } else {
            log_event(LOG_ERROR, "child_not_started", LOG_STRING("child", child->name),
                      LOG_NUMBER("errno", errno));
            child->restart_at_us = now_us + UP_PAUSE_MAX_MS * 1000;
            next_us = child->restart_at_us < next_us ? child->restart_at_us : next_us;
        }
    }
    return next_us;
}

void watch_run(struct watch *watch)
{
    while (!watch->stopping) {
        reap(watch);
        wait_for_signals(watch, restart_due(watch));
    }
    log_event(LOG_INFO, "draining", LOG_NUMBER("pid", getpid()));
}

/* Ends children first..last together. */
static bool end_children(struct watch *watch, enum watch_child first, enum watch_child last)
{
    const uint64_t until_us =
        clock_monotonic_us() + (watch->config->drain_timeout_ms + DRAIN_GRACE_MS) * 1000;
    bool clean = true;
    bool killed = false;

    for (size_t i = first; i <= last; i++)
        child_signal(&watch->children[i], SIGTERM);
    for (;;) {
        bool running = false;
        reap(watch);
        for (size_t i = first; i <= last; i++)
            running = running || watch->children[i].pid != 0;
        if (!running)
            break;
        if (!killed && (watch->interrupts >= 2 || clock_monotonic_us() >= until_us)) {
            for (size_t i = first; i <= last; i++)
                child_signal(&watch->children[i], SIGKILL);
            killed = true;
        }
        wait_for_signals(watch, killed ? FOREVER : until_us);
    }
    for (size_t i = first; i <= last; i++)
        clean = clean && !watch->children[i].ended_badly;
    return clean && !killed;
}

bool watch_drain(struct watch *watch)
{
    watch->stopping = true;
    /* Who was dead before is no fault of this drain. */
    reap(watch);
    for (size_t i = 0; i < WATCH_CHILDREN; i++)
        watch->children[i].ended_badly = false;
    const bool gateway = end_children(watch, WATCH_GATEWAY, WATCH_GATEWAY);
    const bool others = end_children(watch, WATCH_AUTH, WATCH_MESSAGE);

    return gateway && others;
}
