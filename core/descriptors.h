/*
 * descriptors.h - the file descriptors a process may have (RLIMIT_NOFILE), and what they are for.
 */
#ifndef CORE_DESCRIPTORS_H
#define CORE_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct descriptor_share {
    uint64_t connections; /* of clients, in all */
    uint64_t calls; /* to other services, under way at once on each loop; 0: this service calls nobody */
};

/*
 * Raises the soft limit as far as is wanted and allowed, and cuts *share down to what fits: calls get at most
 * half of what there is. False, with one sentence in error, where so little is left that the service would
 * not work.
 */
bool descriptors_share(unsigned loop_count, struct descriptor_share *share, char *error, size_t error_size);

#endif
