/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_ACTIONS_H
#define CHARM_ACTIONS_H

#include "base/error.h"
#include "charm/event.h"
#include "juju/transport.h"

/*
 * What operators ask for by juju run (charmcraft.yaml has the list): run the event's action.
 * What goes wrong ends in the action's failure, with a sentence, beside what it has found out or
 * done until then. Returns -1 with ERROR_HOOK where a hook command failed.
 */
int action_run(const struct juju_transport *juju, const struct event *event, struct error *error);

#endif
