/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JUJU_PROCESS_H
#define JUJU_PROCESS_H

#include <stddef.h>

#include "base/error.h"
#include "juju/transport.h"

/*
 * Run a program: found on PATH, with the environment of this one and of its descriptors those alone
 * that are not close-on-exec. input (may be NULL) becomes its standard input. SIGPIPE must be
 * ignored here; the program has it as usual. ERROR_HOOK where it cannot be run, is ended by a
 * signal, or takes longer than timeout_ms milliseconds and is killed.
 */
int process_run(const char *const arguments[], const void *input, size_t length, int timeout_ms,
                struct juju_reply *reply, struct error *error);

/* Hook commands as child processes, JUJU_CALL_MS each. */
extern const struct juju_transport process_transport;

#endif
