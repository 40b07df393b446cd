/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_UPGRADE_H
#define CHARM_UPGRADE_H

#include "juju/transport.h"

/*
 * Delete what the Python charm of the same name leaves in the charm's folder: its state database,
 * readable for everybody and with the administrator's private key in it, and copies of the
 * credentials. Logs one INFO line where there was something; follows no link.
 */
void upgrade_clean(const struct juju_transport *juju, const char *charm_folder);

#endif
