/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_PROBE_H
#define CHARM_PROBE_H

#include "charm/credentials.h"
#include "charm/server.h"

/*
 * What a person asks who wants to know whether all is well: log in to one endpoint, and say step by
 * step what is found there. Nothing is changed. The action check and the command line show it.
 */
struct probe_step {
    const char *name; /* "address", "certificate", "trust", "permission", "nodes" */
    char *text;       /* what was found, or what is wrong; owned */
};

struct probe {
    struct probe_step *steps;
    size_t count;
    struct error trouble; /* kind 0: all is well */
};

/* interest as of server.h. */
void probe_run(struct probe *probe, const struct endpoint *endpoint,
               const struct credentials *credentials, const struct interest *interest);
void probe_free(struct probe *probe);

#endif
