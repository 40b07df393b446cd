/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_PUBLISH_H
#define CHARM_PUBLISH_H

#include "charm/servers.h"
#include "juju/transport.h"

/* What one relation is told. */
struct answer {
    size_t *wishes; /* the numbers of its wishes */
    size_t count;
    struct strings registered; /* texts of those that all servers trust that could be asked */
    struct rejections rejections;
    char *written; /* which keys publishing has changed: "nodes, version"; or NULL */
};

/* Of all relations, by their place there. Zero-initialise. */
struct answers {
    struct answer *items;
    size_t count;
    size_t trusted;  /* certificates, each counted once */
    size_t rejected; /* certificates and what is none */
};

/* Put together what came of the wishes. No I/O; pointers into all that it is made of. */
void answers_make(struct answers *answers, const struct relations *relations,
                  const struct wishes *wishes, const struct servers *servers);
void answers_free(struct answers *answers);

/*
 * Answer the relations that live. Only settings that differ from what is published are written;
 * where no server was observed all stays as it is published. ERROR_HOOK.
 *
 * lxd: which nodes serve the relation, and which of its certificates all servers that could be
 * asked trust, or one refuses. Nodes of servers that were not observed stay as they are published.
 *
 * lxd-https has room for one server. It is the first one, as long as that trusts one of the
 * relation's certificates, with the fingerprints of those; what was refused, by whichever server,
 * is told always. It is told in our unit's settings, or where it is a cluster in our application's;
 * the other ones are empty. Where the first server was not observed all stays as it is published.
 */
int publish(struct answers *answers, const struct relations *relations,
            const struct servers *servers, const struct wishes *wishes,
            const struct juju_transport *juju, struct error *error);

#endif
