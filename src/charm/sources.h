/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_SOURCES_H
#define CHARM_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "charm/credentials.h"
#include "charm/enrolment.h"
#include "charm/event.h"
#include "charm/leadership.h"
#include "charm/options.h"
#include "juju/transport.h"

/*
 * Where credentials come from, in this order; the first that is set counts, whether it is of use or
 * not:
 *
 *   lxd_credentials  a secret: endpoint, client-cert, client-key, server-cert, of which the options
 *                    lxd_endpoint, ... may tell what the secret does not; or trust-token
 *   credential-get   the cloud's, where the application is trusted and the cloud is an LXD
 *   config           the options lxd_endpoint, lxd_client_cert, lxd_client_key, lxd_server_cert
 *   lxd_trust_token  a key of our own, enrolled; also what was enrolled before the option was reset
 */

/* This unit, in this run. */
struct sources_self {
    struct leadership *leadership;
    bool may_enrol; /* false in actions, and while this unit is leaving */
};

/*
 * Before the sandbox closes: reads secrets, credentials and, where an enrolment is due, opens or
 * makes a file; changes nothing else. *enrolment is what is left to do for the credentials
 * (enrolment_run, enrolment_free), NULL where nothing is. Every text but ERROR_HOOK's begins with
 * the name of the source, of the option that is wrong, or with "missing credentials: ".
 * ERROR_INPUT: the operator has to mend what is set, or to set something. ERROR_WAITING:
 * credential-get fails, or somebody has to enrol first. ERROR_HOOK. On failure *credentials holds
 * nothing but, perhaps, `missing`.
 */
int sources_read(struct credentials *credentials, struct enrolment **enrolment,
                 const struct juju_transport *juju, const struct event *event,
                 const struct options *options, const struct sources_self *self,
                 struct error *error);

/*
 * What the operator has to do where LXD does not trust these credentials, as it applies: they have
 * expired, they were enrolled, or LXD is to be told of the certificate. Words to follow "...: ", to
 * be freed.
 */
char *sources_remedy(const struct credentials *credentials, const struct event *event,
                     enum lxd_software software, int64_t now);

#endif
