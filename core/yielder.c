#include "core/yielder.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INTERVAL_NS 1000000

static void on_signal(int number)
{
    (void)number;
    (void)sched_yield(); /* a system call and nothing else: errno stays, for it cannot fail */
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

static void set(struct yielder *yielder, long interval_ns)
{
    const struct itimerspec time = {.it_interval.tv_nsec = interval_ns, .it_value.tv_nsec = interval_ns};

    if (yielder->has_timer)
        timer_settime(yielder->timer, 0, &time, NULL);
}

void yielder_start(struct yielder *yielder)
{
    set(yielder, INTERVAL_NS);
}

void yielder_stop(struct yielder *yielder)
{
    set(yielder, 0);
}
