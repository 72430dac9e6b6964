/*
 * log_stderr.h - what libraries print to file descriptor 2, read here and passed on as events
 * "library_output": at most ten a second (the rest counted in "library_output_dropped"), cut at 256 bytes.
 * libh2o prints bytes of clients there, a line per odd frame. Private to core/log*.c.
 */
#ifndef CORE_LOG_STDERR_H
#define CORE_LOG_STDERR_H

/*
 * Puts a pipe in the place of fd 2, read by a thread, and returns a descriptor of what fd 2 was; -1: errno
 * says why. The pipe never blocks who writes into it. On SIGABRT, SIGSEGV and SIGBUS what was printed last
 * goes to the old fd 2, so that a failed assertion is heard.
 */
int log_stderr_take(void);

/* Puts fd 2 and the signals back, passes on what is left, ends the thread. */
void log_stderr_give_back(void);

/* After that: closes the descriptor that log_stderr_take returned. */
void log_stderr_close(void);

#endif
