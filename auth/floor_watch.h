/*
 * floor_watch.h - keeps the refusal floor true: counts the store's password methods at start and once a
 * minute.
 */
#ifndef AUTH_FLOOR_WATCH_H
#define AUTH_FLOOR_WATCH_H

struct loop;
struct floor_watch;

/* On the loop's thread; the loop's service is auth. */
struct floor_watch *floor_watch_open(struct loop *loop);

/* Once the loop has drained. NULL is allowed. */
void floor_watch_close(struct floor_watch *watch);

#endif
