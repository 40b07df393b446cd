/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_RELATIONS_H
#define CHARM_RELATIONS_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "charm/databag.h"
#include "charm/event.h"
#include "charm/goal.h"
#include "charm/leadership.h"
#include "juju/transport.h"
#include "lxd/endpoint.h"

/*
 * What is known of a relation. Juju's lists are each agent's own, and can be old.
 *
 *   our own databag of it is readable             LIVING, with the members that relation-list names
 *   the event is its relation-broken              ENDING: over
 *   a higher number has the same endpoint and     REPLACED: removed by force and made anew. Both
 *     remote application                          numbers have one databag, and a hook that touches
 *                                                 it by both fails for ever: nothing of the lower
 *                                                 one is read or written
 *   our own databag is refused with "permission   GONE: removed by force, without hooks; listed
 *     denied", and goal-state names our unit or,  until the agent restarts, and gone as long as
 *     in update-status, another one is readable   it is listed, whatever can be read of it
 *   anything else                                 UNKNOWN, of that relation alone
 *
 * A member has left where Juju has no such unit in a relation whose own databag is readable, or
 * where goal-state has once shown it and does not now. What a member wrote that no parser takes is
 * its own fault: it has no wishes, and is rejected with the reason.
 */
enum relation_state {
    RELATION_UNKNOWN,
    RELATION_LIVING,
    RELATION_ENDING,
    RELATION_REPLACED,
    RELATION_GONE,
};

struct relation {
    char *id;             /* "api:3" */
    unsigned long number; /* 3 */
    bool https;           /* endpoint https, interface lxd-https; else api, interface lxd */
    char *application;    /* the remote one; NULL where it is not known */
    enum relation_state state;
    bool complete; /* living, and none of its members is still to be shown to this unit */

    struct member *members; /* whose wishes count: units by number, then the application */
    size_t member_count;
    struct strings ended; /* fingerprints that members asked for who leave, or have left */
    struct strings held;  /* fingerprints that our own databag of it names as trusted; of an unknown
                             one also those that members are seen to ask for */

    cJSON *published;             /* our unit's own settings */
    cJSON *application_published; /* https: our application's; NULL: we do not lead it */
};

/* Zero-initialise. Of both endpoints, in ascending order of their numbers. */
struct relations {
    struct relation *items;
    size_t count;
    bool everything; /* update-status: Juju runs it when no other hook is pending */
};

/*
 * Read all relations: first all lists, then databags. What could not be read is logged, at WARNING.
 * What is to be remembered is kept with the goal. ERROR_HOOK where relation-ids fails.
 */
int relations_read(struct relations *relations, const struct juju_transport *juju,
                   const struct event *event, struct goal *goal, struct leadership *leadership,
                   struct error *error);

/* Are all wishes known? In update-status they are, but for those of unknown relations; else where
 * every relation that lives or is unknown is complete. */
bool relations_are_complete(const struct relations *relations);

/* What is known of an entry of ours that nobody asks for. */
enum relations_claim {
    CLAIM_OVER,    /* what asked for it is known to be over */
    CLAIM_PERHAPS, /* somebody may ask for it whom this unit has not seen yet */
    CLAIM_UNKNOWN, /* it belongs to a relation of which nothing is known in this pass */
};

/*
 * The entry with this fingerprint, whose name bears this relation's number. It is over if its
 * relation is, or is complete; if a living relation's databag of ours has it, so that this unit has
 * seen who asked for it; or if it is a member's that leaves; in update-status in any case. But an
 * unknown relation keeps its entries: those that bear its number, that our own databag of it has,
 * or that its members are seen to ask for.
 */
enum relations_claim relations_claim(const struct relations *relations, unsigned long number,
                                     const char *fingerprint);

/* By its number; NULL where it is not listed. */
const struct relation *relations_find(const struct relations *relations, unsigned long number);

/* "builder (api:3)": as statuses and the log call it. Owned by the caller. */
char *relation_describe(const struct relation *relation);

/* All nodes that our own databags have published, those of the ending relation too. */
void relations_known_nodes(const struct relations *relations, struct nodes *known);

void relations_free(struct relations *relations);

#endif
