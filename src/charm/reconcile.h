/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_RECONCILE_H
#define CHARM_RECONCILE_H

#include "base/error.h"
#include "charm/event.h"
#include "charm/pass.h"
#include "charm/status.h"
#include "juju/transport.h"

/*
 * One pass: observe Juju and LXD, plan, apply to LXD, publish on the relations, set the status.
 * It is the same in every hook, keeps nothing between hooks, and what an interrupted pass has left
 * undone is done by the next.
 *
 * Missing credentials, an LXD that cannot be asked or that refuses are no failure: they end in the
 * unit's status. Returns -1 with ERROR_HOOK where Juju must drop what was written in this hook.
 */
int reconcile(const struct juju_transport *juju, const struct event *event, struct error *error);

/* The same with a pass that has begun; the status that it ended in is the caller's to look at. */
int reconcile_pass(struct pass *pass, struct status *status, struct error *error);

#endif
