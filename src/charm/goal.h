/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_GOAL_H
#define CHARM_GOAL_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "charm/event.h"
#include "juju/transport.h"

/*
 * What goal-state says, and what is remembered of it. Juju's lists of relations are each agent's
 * own and can be old; goal-state comes from the controller, but leaves out cross-model requirers
 * and the units of a subordinate whose principal is another application. So what it has once shown
 * to this unit, and does not show now, has left; what it never showed says nothing.
 *
 * The memory is the unit's own, kept by state-set together with the rest of the hook:
 *   shown-3   numbers of the units of relation 3's application that goal-state has shown: "0-4,7"
 *   left-3    those that have left since, and are still listed
 *   gone      numbers of relations that were found gone, and are still listed
 *   dying     our unit is leaving: "others" stay, or it is the "last"
 * and what other files keep under keys of their own.
 */
struct goal {
    cJSON *state;  /* goal-state's answer; NULL where it could not be had */
    cJSON *memory; /* an object of strings; NULL where it could not be had, then nothing is kept */
    cJSON *kept;   /* what is to be kept anew: strings, "" to delete */
};

/* What becomes of our unit. */
enum fate {
    FATE_UNKNOWN, /* nobody says: nothing is taken away in this pass, and nothing published */
    FATE_STAYS,
    FATE_LEAVES, /* others stay: it changes nothing, and says nothing */
    FATE_LAST,   /* all units are leaving: whoever runs removes all that is ours */
};

/* Ask Juju: goal-state up to three times. What cannot be had is a WARNING and no failure. */
void goal_read(struct goal *goal, const struct juju_transport *juju);

/*
 * Update-status proves that our unit stays, since a dying one starts none; JUJU_DEPARTING_UNIT
 * tells in relation-departed, and goal-state everywhere: "dying" never ends, so it is kept. Where
 * it fails in relation-broken, stop or remove of a unit that is known to leave, with none known to
 * stay, it is the last.
 */
enum fate goal_fate(struct goal *goal, const struct event *event);

/* Does it name this unit, of our own application? False also where it does not answer. */
bool goal_names_our(const struct goal *goal, const char *unit);

/* Does it name this unit, and no other of our own application? */
bool goal_is_single(const struct goal *goal, const char *unit);

/* Does it say that this unit of our own application is dying? */
bool goal_is_dying(const struct goal *goal, const char *unit);

/* Does it name at least one unit of a related application, and are all that it names listed, but
 * for the one that leaves with this event ("" for none), which it may name still? */
bool goal_is_complete(const struct goal *goal, const char *application,
                      const struct strings *listed, const char *leaving);

/*
 * Which of the units that relation-list names have left? What it shows now is kept, and what it
 * has shown of them before. ERROR_HOOK where one is not named, and the memory could not be had: it
 * may have left, and is not to be let in again for that.
 */
int goal_find_left(struct goal *goal, unsigned long relation, const struct strings *listed,
                   struct strings *left, struct error *error);

/* A set of numbers as it is kept: "0-4,7". Zero-initialise; owned by the caller (free). */
struct numbers {
    unsigned long *items; /* ascending */
    size_t count;
};

void numbers_add(struct numbers *numbers, unsigned long number);
bool numbers_contain(const struct numbers *numbers, unsigned long number);

/* Relations that were found gone. */
void goal_recall_gone(const struct goal *goal, struct numbers *gone);

/* Keep these as gone, and forget what was shown of all relations but those that are listed. */
void goal_keep_relations(struct goal *goal, const struct numbers *gone,
                         const struct numbers *listed);

/* A value of the memory, or NULL; what to keep there from now on (NULL: nothing). */
const char *goal_recall(const struct goal *goal, const char *key);
void goal_keep(struct goal *goal, const char *key, const char *value);

/* Keep what has changed. A refusal is a WARNING and no failure. */
void goal_write(struct goal *goal, const struct juju_transport *juju);

void goal_free(struct goal *goal);

#endif
