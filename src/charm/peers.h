/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_PEERS_H
#define CHARM_PEERS_H

#include <stdbool.h>

#include "charm/event.h"
#include "charm/goal.h"
#include "charm/leadership.h"
#include "charm/servers.h"
#include "juju/transport.h"

/*
 * What the leader tells our other units, in the application's databag of the peer relation:
 *   leader   its unit's name
 *   digest   sixteen digits of what LXD has for us: a change of it wakes them
 *   refused  JSON list of what LXD did not take, which only who asks for it is told:
 *            {"endpoint":"https://...","fingerprint":"<64 hex>","reason":"..."}
 * Nothing of it is secret. Juju 4 makes no peer relation on a refresh: then nobody is told.
 */
#define PEERS_MAX_REFUSED 200

/* The leader's word; nothing where this unit does not lead. going: it goes as the last one, then
 * all is emptied. Only what differs from what was told before is written, and all of it in
 * leader-elected; nothing where there has been no other unit to hear it. ERROR_HOOK. */
int peers_tell(const struct servers *servers, struct goal *goal, bool going,
               struct leadership *leadership, const struct event *event, struct error *error);

/* Take what the leader has said: what is due, and was refused to it, is refused. Returns the
 * leader's name where it is leaving itself, owned by the caller, or NULL. */
char *peers_hear(struct servers *servers, const struct goal *goal, const struct event *event,
                 const struct juju_transport *juju);

/* Has the leader said the last word on just what this unit sees? Then it is through. */
bool peers_agree(const struct servers *servers, const struct event *event,
                 const struct juju_transport *juju);

/* Who leads: this unit, or who has told so last; owned by the caller. NULL where nobody has. */
char *peers_find_leader(struct leadership *leadership, const struct event *event);

/* Is it known that no other unit has run that stays? Those that goal-state alone names know
 * nothing yet. */
bool peers_are_gone(const struct goal *goal, const struct juju_transport *juju);

#endif
