/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JUJU_TRANSPORT_H
#define JUJU_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* What a transport keeps of one answer, in bytes; the rest is read and thrown away. */
#define JUJU_MAX_OUTPUT (8 * 1024 * 1024)
#define JUJU_MAX_MESSAGE (64 * 1024)

/* How long one call may take: a command may have to wait for the controller. */
#define JUJU_CALL_MS (120 * 1000)

/* What a hook command answered. The caller wipes both buffers. */
struct juju_reply {
    int code; /* exit status */
    bool cut; /* output is only the first JUJU_MAX_OUTPUT bytes */
    struct buffer output;
    struct buffer message; /* its stderr */
};

/*
 * How hook commands are reached. arguments[0] is the command's name; the list ends with NULL.
 * input (may be NULL) becomes its standard input. Returns -1 with ERROR_HOOK where the command
 * could not be run or did not end; a command that ran and failed is a reply with its code.
 */
struct juju_transport {
    void *context;
    bool captured; /* stdout and stderr are not Juju's log, but go into an action's result */
    int (*call)(void *context, const char *const arguments[], const void *input, size_t length,
                struct juju_reply *reply, struct error *error);
    void (*enclose)(void *context); /* juju_enclose; NULL: nothing to be done */
};

/* All files are done with: from here on, what relations and LXD say is read. */
static inline void juju_enclose(const struct juju_transport *juju)
{
    if (juju->enclose != NULL)
        juju->enclose(juju->context);
}

#endif
