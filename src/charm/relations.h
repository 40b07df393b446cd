/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_RELATIONS_H
#define CHARM_RELATIONS_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "charm/databag.h"
#include "charm/event.h"
#include "charm/servers.h"
#include "juju/transport.h"

/* One relation of the api endpoint, as its members and we ourselves have written it. */
struct relation {
    char *id;             /* "api:3" */
    unsigned long number; /* 3 */
    char *application;    /* the remote one */
    bool readable;        /* false: what its members want is not known in this pass */
    struct request request;
    cJSON *published; /* our unit's own settings */
    char *written;    /* which keys relation_publish has changed: "nodes, version"; or NULL */
    size_t rejected;  /* how many rejections relation_publish has reported */
};

/* Zero-initialise. In ascending order of their numbers. */
struct relations {
    struct relation *items;
    size_t count;
};

/*
 * Read all relations but the one that the event ends; of a departing unit nothing is read. A
 * relation that cannot be read is logged and marked. Settings that no parser takes are their
 * member's fault: a rejection, no failure. ERROR_HOOK where there is no list of relations.
 */
int relations_read(struct relations *relations, const struct juju_transport *juju,
                   const struct event *event, struct error *error);

/* The nodes that we have published, on whichever relation, also on the one that the event ends.
 * Only our unit writes there. */
void relations_known_nodes(const struct relations *relations, const struct juju_transport *juju,
                           const struct event *event, struct endpoints *known);

/*
 * Answer one readable relation: which nodes serve it, and which of its certificates are trusted by
 * all servers that were observed (one at least), or refused by one, according to their plans.
 * Nodes of servers that were not observed stay as they are published. Only settings that differ
 * from what is published are written; a changed list of rejections is logged.
 */
int relation_publish(struct relation *relation, const struct juju_transport *juju,
                     const struct servers *servers, struct error *error);

void relations_free(struct relations *relations);

#endif
