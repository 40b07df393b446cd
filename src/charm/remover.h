/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_REMOVER_H
#define CHARM_REMOVER_H

#include <cJSON.h>
#include <stdbool.h>

#include "charm/event.h"
#include "juju/transport.h"

/*
 * Who may remove certificates from LXD. Every unit sees a relation-departed or -broken when it
 * is itself being removed, although the relation lives on for the others; and the last unit
 * may go without ever having been the leader.
 */
enum remover_fate {
    REMOVER_STAYS,  /* our unit is not being removed (or nobody knows): the leader removes */
    REMOVER_LEAVES, /* it is, others stay: it removes nothing */
    REMOVER_LAST,   /* all units are being removed: each may */
};

/* What goal-state says of our unit: units being removed are "dying", dead ones are left out. */
enum remover_fate remover_judge(const cJSON *goal_state, const char *unit);

/* Ask Juju, as little as the event allows. Where Juju cannot tell the answer is no, with a WARNING.
 */
bool remover_allowed(const struct juju_transport *juju, const struct event *event);

#endif
