/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_EVENT_H
#define CHARM_EVENT_H

#include <stdbool.h>

#include "base/error.h"

enum event_kind {
    EVENT_OTHER, /* also hooks that we have never heard of */
    EVENT_UPDATE_STATUS,
    EVENT_RELATION_DEPARTED,
    EVENT_RELATION_BROKEN,
    EVENT_STOP, /* stop and remove: the unit goes, or (Kubernetes) its pod is moved */
    EVENT_ACTION,
};

/*
 * What Juju's environment says about this run. Strings are borrowed from the environment and are
 * never NULL, "" where Juju tells nothing; unit, application and model UUID are always there and
 * well-formed.
 */
struct event {
    enum event_kind kind;
    const char *name; /* the hook's or action's; "" under juju exec */
    const char *unit;
    char *application; /* owned */
    const char *model_uuid;
    const char *relation_id; /* "api:3" */
    const char *remote_unit; /* "" in -created and -broken */
    const char *remote_application;
    const char *departing_unit; /* in -departed: the one that goes, perhaps ours */
    const char *charm_folder;   /* "." if unset */
    unsigned long juju_major;   /* Juju's version: 2, 3, 4; 0 if it is not told */
};

/* Is this run an action? */
bool event_is_action(void);

/* ERROR_HOOK where Juju's own variables are missing or malformed. */
int event_read(struct event *event, struct error *error);

/* Does this unit, which is (or was) at the other end of the relation, leave with this event? */
bool event_departs(const struct event *event, const char *relation_id, const char *unit);

/* Is this relation ending with this event? */
bool event_breaks(const struct event *event, const char *relation_id);

void event_free(struct event *event);

#endif
