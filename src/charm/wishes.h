/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_WISHES_H
#define CHARM_WISHES_H

#include <stdbool.h>
#include <stddef.h>

#include "charm/relations.h"

/*
 * What is asked for, collected once. A wish is one certificate that one member of one relation asks
 * for, with the projects that it names, or all of LXD. No I/O.
 *
 * A relation has places for DATABAG_MAX_ENTRIES entries, whatever they hold, of DATABAG_MAX_TEXT
 * bytes together (as JSON prints them). They are given in rounds: each member's first entry, then
 * each one's second, and so on; within a round first those that a server has already, or that our
 * own databag names, then units by number, the application last. So nobody's first entry falls to
 * somebody's many. What finds no place is one rejection per member, with the count.
 */
struct wish {
    const struct relation *relation;
    const struct member *member;
    const struct entry *entry;       /* its certificate is one */
    const struct projects *projects; /* the member's, its application's, or the operator's */
};

/* All pointers into relations, and to the operator's default. Zero-initialise. */
struct wishes {
    struct wish *items; /* by fingerprint, then relation, then text */
    size_t count;
    struct rejections *rejections; /* of each relation: what is no wish */
};

/* Has a server an entry of ours with this fingerprint, whose name bears the relation's number? */
typedef bool wishes_known(const void *context, unsigned long relation, const char *fingerprint);

/* Collect from the relations that live. Who names no projects, and whose application names none,
 * asks for the default. */
void wishes_collect(struct wishes *wishes, const struct relations *relations,
                    const struct projects *default_projects, wishes_known *known,
                    const void *context);

/* Fingerprints of all that may become a wish, sorted: what to look for in trust stores. */
void wishes_candidates(const struct relations *relations, struct strings *fingerprints);

const char *wish_fingerprint(const struct wish *wish);

/* The first of the wishes behind `first` that is about another certificate. */
size_t wishes_next(const struct wishes *wishes, size_t first);

void wishes_free(struct wishes *wishes, const struct relations *relations);

#endif
