/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_OPTIONS_H
#define CHARM_OPTIONS_H

#include "base/error.h"
#include "charm/credentials.h"
#include "juju/transport.h"

#define OPTIONS_EXPIRY_WARNING_DAYS 30 /* charmcraft.yaml's default */

/* The application's configuration, read once a run. Texts are owned, as they were set, and NULL
 * where an option is not set or of another type; some are secret. */
struct options {
    char *parts[CREDENTIAL_PARTS]; /* lxd_endpoint, lxd_client_cert, lxd_client_key,
                                    * lxd_server_cert; blank ones are NULL */
    char *credentials;             /* lxd_credentials, without blanks around it; blank is NULL */
    char *trust_token;             /* lxd_trust_token; blank is NULL */
    char *projects;                /* projects; "" and blanks as they are: they name none */
    char *default_projects;        /* default-projects; the same */
    int expiry_warning_days;       /* lxd_expiry_warning_days */
};

/* The options' names, in the order of the parts. */
extern const char *const options_part_names[CREDENTIAL_PARTS];

/* config-get. ERROR_HOOK; ERROR_INPUT where its answer is of no use. On failure there is nothing to
 * wipe. */
int options_read(struct options *options, const struct juju_transport *juju, struct error *error);

void options_wipe(struct options *options);

#endif
