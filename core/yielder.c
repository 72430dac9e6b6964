#include "core/yielder.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INTERVAL_NS 1000000

static _Thread_local struct yielder *of_this_thread;

static void set(struct yielder *yielder, long delay_ns)
{
    const struct itimerspec time = {.it_value.tv_nsec = delay_ns};

    if (yielder->has_timer)
        timer_settime(yielder->timer, 0, &time, NULL);
}

/* Async-signal-safe (signal-safety(7)): two system calls, which do not fail and so leave errno as it is. */
static void on_signal(int number)
{
    struct yielder *yielder = of_this_thread;

    (void)number;
    (void)sched_yield();
    if (yielder != NULL && yielder->is_started)
        set(yielder, INTERVAL_NS);
}

/* For the process, once; only a thread with a yielder gets the signal. */
static void take_signal(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigaction(SIGRTMIN, &action, NULL);
}

void yielder_open(struct yielder *yielder)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};

    pthread_once(&once, take_signal);
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    yielder->has_timer = timer_create(CLOCK_MONOTONIC, &event, &yielder->timer) == 0;
}

void yielder_close(struct yielder *yielder)
{
    if (yielder->has_timer)
        timer_delete(yielder->timer);
    yielder->has_timer = false;
}

void yielder_start(struct yielder *yielder)
{
    of_this_thread = yielder;
    yielder->is_started = 1;
    set(yielder, INTERVAL_NS);
}

void yielder_stop(struct yielder *yielder)
{
    yielder->is_started = 0;
    set(yielder, 0);
    of_this_thread = NULL;
}
