/*
 * up_watch.h - the three children of `up` together: started in order, watched, drained in order.
 * One thread; watch_block_signals comes first, before any thread is made.
 */
#ifndef CLI_UP_WATCH_H
#define CLI_UP_WATCH_H

#include <stdbool.h>

#include "cli/up_child.h"
#include "core/config.h"

enum watch_child { WATCH_AUTH, WATCH_MESSAGE, WATCH_GATEWAY, WATCH_CHILDREN };

enum watch_outcome {
    WATCH_READY,   /* the gateway says that it is ready */
    WATCH_STOPPED, /* a signal asked to stop before that */
    WATCH_FAILED,  /* one sentence was printed, by the service that failed or by us */
};

struct watch {
    const struct config *config;
    struct child children[WATCH_CHILDREN];
    int signal_fd;
    bool stopping;       /* SIGTERM or SIGINT came */
    unsigned interrupts; /* SIGINTs: the second one ends all at once */
};

void watch_block_signals(void);

void watch_open(struct watch *watch, const struct config *config);
void watch_close(struct watch *watch); /* all children have ended */

enum watch_outcome watch_start(struct watch *watch);

/* Until a signal asks to stop: restarts who died, passes SIGHUP on. */
void watch_run(struct watch *watch);

/* Ends the gateway, then auth and message. True: all drained in time, by themselves. No child is left either
 * way. */
bool watch_drain(struct watch *watch);

#endif
