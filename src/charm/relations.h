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

/* One relation of an endpoint of ours, as its members and we ourselves have written it. */
struct relation {
    char *id;             /* "api:3" */
    unsigned long number; /* 3 */
    bool https;           /* endpoint https, interface lxd-https; else api, interface lxd */
    char *application;    /* the remote one */
    bool readable;        /* false: what its members want is not known in this pass */
    struct request request;
    cJSON *published;             /* our unit's own settings */
    cJSON *application_published; /* https: our application's; NULL: we do not lead it */
    char *written;   /* which keys relation_publish has changed: "nodes, version"; or NULL */
    size_t rejected; /* how many rejections relation_publish has reported */
};

/* Zero-initialise. Of both endpoints, in ascending order of their numbers. */
struct relations {
    struct relation *items;
    size_t count;
};

/*
 * Read all relations but the one that the event ends; of a departing unit nothing is read. A
 * relation that cannot be read is logged and marked. Settings that no parser takes are their
 * member's fault: a rejection, no failure. ERROR_HOOK where a list of relations cannot be had.
 */
int relations_read(struct relations *relations, const struct juju_transport *juju,
                   const struct event *event, struct error *error);

/* The nodes that we have published, on whichever relation, also on the one that the event ends.
 * Only our own units write there. */
void relations_known_nodes(const struct relations *relations, const struct juju_transport *juju,
                           const struct event *event, struct endpoints *known);

/*
 * Answer one readable relation, according to the plans of the servers that were observed (one at
 * least). Only settings that differ from what is published are written.
 *
 * lxd: which nodes serve it, and which of its certificates are trusted by all servers, or refused
 * by one. Nodes of servers that were not observed stay as they are published. A changed list of
 * rejections is logged.
 *
 * lxd-https has room for one server and for no rejections. It is the first server, as long as that
 * trusts one of the relation's certificates, in our unit's settings, or where it is a cluster in
 * our application's; the other ones are empty. Where the first server was not observed all stays as
 * it is published. Rejections are logged each time.
 */
int relation_publish(struct relation *relation, const struct juju_transport *juju,
                     const struct servers *servers, struct error *error);

void relations_free(struct relations *relations);

#endif
