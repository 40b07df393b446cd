/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JUJU_TRANSPORT_H
#define JUJU_TRANSPORT_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* What a hook command answered. The caller wipes both buffers. */
struct juju_reply {
    int code; /* exit status */
    struct buffer output;
    struct buffer message; /* its stderr */
};

/*
 * How hook commands are reached. arguments[0] is the command's name; the list ends with NULL.
 * input (may be NULL) becomes its standard input. Returns -1 with ERROR_HOOK where the command
 * could not be run at all; a command that ran and failed is a reply with its code.
 */
struct juju_transport {
    void *context;
    int (*call)(void *context, const char *const arguments[], const void *input, size_t length,
                struct juju_reply *reply, struct error *error);
};

/* Hook commands as child processes, found on PATH. */
extern const struct juju_transport juju_process_transport;

#endif
