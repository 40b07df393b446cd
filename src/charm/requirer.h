/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_REQUIRER_H
#define CHARM_REQUIRER_H

#include <stdbool.h>

#include "base/error.h"
#include "charm/event.h"
#include "juju/transport.h"

/*
 * The other end of the lxd interface, as an example and to try the integrator with: the same
 * program as a charm called lxd-requirer (tests/requirer). It makes a key and certificate, asks
 * every integrator that it is related to to register it, and logs in to LXD.
 */

/* Is the charm in this folder the requirer, by the name in its metadata.yaml? */
bool requirer_is_charm(const char *charm_folder);

/* One pass, as reconcile is; ERROR_HOOK. */
int requirer_run(const struct juju_transport *juju, const struct event *event, struct error *error);

#endif
