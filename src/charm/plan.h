/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_PLAN_H
#define CHARM_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "charm/store.h"
#include "charm/wishes.h"

/*
 * What is to be done to one trust store, from what is asked for and what is there; and what came of
 * each wish. No I/O.
 *
 * A wish opens what is in its own list of projects, in the operator's limit, and in LXD. A
 * certificate opens what all its wishes open together: a wish can only give. What opens nothing is
 * not in the trust store. Entries of others are left as they are.
 *
 * To take away, be it by removing or by narrowing, it must be known that the unit stays, and that
 * nobody asks for what is taken: see relations.h. The operator's limit applies to every entry.
 */
struct terms {
    struct owner owner;
    struct projects limit; /* the option projects */
    const struct relations *relations;
    const struct wishes *wishes;
    bool may_take; /* it is known that our unit stays, or that all go */
    bool all_over; /* all go: nothing is asked for any more */
    int64_t now;   /* seconds since 1970 */
};

/* Of one LXD. */
struct surroundings {
    enum lxd_software software;
    const char *version;
    bool restricts;                 /* certificates to projects */
    const struct strings *projects; /* all that it has, sorted; NULL where we may not see all */
};

/* In the order in which they are taken: what takes away comes first. */
enum step_kind { STEP_REMOVE, STEP_NARROW, STEP_RENAME, STEP_WIDEN, STEP_ADD };

enum step_outcome {
    STEP_DUE,
    STEP_DONE,
    STEP_REFUSED, /* by LXD, with a reason */
    STEP_FAILED,  /* something else went wrong */
};

/* What is to be done to one entry. */
struct step {
    enum step_kind kind;
    char fingerprint[65];
    const struct certificate *certificate; /* STEP_ADD; a wish's */
    char *name;                            /* the entry's, now or from now on; owned */
    struct projects projects;              /* what it is to open, but for STEP_REMOVE */
    enum step_outcome outcome;
    char *reason; /* STEP_REFUSED; owned */
};

struct plan {
    struct step *steps;
    size_t count;
    struct strings missing; /* projects that are named, and that LXD does not have */
};

void plan_make(struct plan *plan, const struct terms *terms,
               const struct surroundings *surroundings, const struct store *store);

/* The same once more, since the store or the surroundings have changed; what LXD has refused stays
 * refused. */
void plan_remake(struct plan *plan, const struct terms *terms,
                 const struct surroundings *surroundings, const struct store *store);

/* Renaming to our own, on a person's word, entries that an earlier charm has made: those called by
 * their certificate's common name, unrestricted, whose certificate a relation asks for. */
void plan_adopt(struct plan *plan, const struct terms *terms, const struct store *store);

/* The removal of one entry, on a person's word. */
void plan_remove(struct plan *plan, const struct lxd_certificate *entry);

/* How many steps are to be taken still. */
size_t plan_due(const struct plan *plan);

/* The same, with those that LXD has refused. */
size_t plan_undone(const struct plan *plan);

void plan_free(struct plan *plan);

enum verdict {
    VERDICT_PENDING, /* to be let in, but not yet; or nobody knows */
    VERDICT_TRUSTED, /* a client that logs in with it now is let in */
    VERDICT_REJECTED,
};

/* What came of one wish. */
struct judgement {
    enum verdict verdict;
    char *reason; /* why it is rejected, or let in to less than was asked for; NULL; owned */
    bool beyond;  /* somebody else's entry opens more than the limit */
};

/*
 * Judge all wishes by the trust store as it is now, after the steps. The result is in the order of
 * the wishes, owned by the caller: judgements_free.
 */
struct judgement *plan_judge(const struct plan *plan, const struct terms *terms,
                             const struct surroundings *surroundings, const struct store *store);
void judgements_free(struct judgement *judgements, size_t count);

#endif
