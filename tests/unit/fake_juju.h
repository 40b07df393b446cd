/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAKE_JUJU_H
#define FAKE_JUJU_H

#include "base/buffer.h"
#include "juju/transport.h"

/* What a hook command answers. */
struct fake_answer {
    const char *command; /* with its arguments, separated by blanks */
    int code;
    const char *output;
    const char *message;
};

/*
 * Hook commands that answer from a table (it ends with a NULL command) and remember how they were
 * called. What is not in the table succeeds in silence. Zero-initialise but for answers.
 */
struct fake_juju {
    const struct fake_answer *answers;
    struct strings calls;
    struct strings inputs; /* one a call, "" where it had none */
    bool cut;              /* say of every answer that it was longer */
    bool dead;             /* no command can be run */
};

struct juju_transport fake_juju_transport(struct fake_juju *fake);
void fake_juju_free(struct fake_juju *fake);

#endif
