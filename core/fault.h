/*
 * fault.h - the ways a request can fail (fault.def), by name.
 */
#ifndef CORE_FAULT_H
#define CORE_FAULT_H

enum fault {
#define FAULT(name, status, sentence) FAULT_##name,
#include "core/fault.def"
#undef FAULT
    FAULT_COUNT
};

struct fault_row {
    const char *name;     /* Error-Code */
    unsigned status;      /* HTTP */
    const char *sentence; /* "": made for the occasion */
};

/* The row of a fault; static. */
const struct fault_row *fault_row(enum fault fault);

/* The reason phrase of a status that this program sends (RFC 9110, section 15); static. */
const char *status_reason(unsigned status);

#endif
