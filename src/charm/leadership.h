/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_LEADERSHIP_H
#define CHARM_LEADERSHIP_H

#include <stdbool.h>

#include "juju/transport.h"

/*
 * Does this unit lead its application? Juju is asked where something depends on it, which in most
 * hooks nothing does, and once in a pass: until leadership_renew. Begins with the transport, and
 * zeros. Where Juju does not say that is a WARNING, and the unit is taken for one that does not
 * lead: it changes nothing.
 */
struct leadership {
    const struct juju_transport *juju;
    enum { LEADERSHIP_NOT_ASKED, LEADERSHIP_HELD, LEADERSHIP_NOT_HELD } answer;
};

bool leadership_held(struct leadership *leadership);

/* A yes is old by now: the next who wants to know asks again. A no stays. */
void leadership_renew(struct leadership *leadership);

#endif
