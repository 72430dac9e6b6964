/*
 * throttle_watch.h - keeps the throttle's counts over a restart: every few seconds, if they changed, a blob
 * of them goes into the store, and once more at the end.
 */
#ifndef AUTH_THROTTLE_WATCH_H
#define AUTH_THROTTLE_WATCH_H

struct auth;
struct loop;
struct throttle_watch;

/* Reads what was kept. Before the loops; a blob that cannot be read is as none. */
void throttle_watch_restore(struct auth *auth);

/* On the loop's thread; the loop's service is auth. */
struct throttle_watch *throttle_watch_open(struct loop *loop);
/* Once the loop has drained. NULL is allowed. */
void throttle_watch_close(struct throttle_watch *watch);

/* The last time, once the loops have ended. */
void throttle_watch_keep(struct auth *auth);

#endif
