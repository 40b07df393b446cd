/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_ENROLMENT_H
#define CHARM_ENROLMENT_H

#include <cJSON.h>
#include <stdbool.h>

#include "base/error.h"
#include "charm/credentials.h"
#include "charm/event.h"
#include "juju/transport.h"

/*
 * Credentials of our own, that LXD trusts on the word of a trust token (lxd_trust_token).
 *
 * What there is to keep is a JSON object of strings: endpoint, client-cert, client-key and
 * server-cert (its fingerprint), as credentials_from_content reads them; "token", the SHA-256 of
 * the token; and "enrolled", "no" or "yes". Where Juju has secrets it ends up in one that the
 * application owns, which all units read. Before that it is in a file of the leader's (0600):
 * written before the token leaves us, marked once LXD has taken it, and deleted by the first hook
 * that sees the secret. So wherever a hook is killed or its writes are dropped, the key is there.
 * An older Juju leaves it in the file, which the other units cannot read.
 */
struct enrolment;

/*
 * Before the sandbox closes: find credentials that were enrolled before, or make what is to be
 * enrolled, if the token is another one than they came of and we are the leader. *found is false
 * where there are neither a token nor credentials. ERROR_INPUT, ERROR_UNREACHABLE where the leader
 * is to enrol yet, ERROR_HOOK.
 */
int enrolment_read(struct credentials *credentials, const struct juju_transport *juju,
                   const struct event *event, const char *token, bool *found, struct error *error);

/*
 * In the sandbox: do what is left to do for these credentials, if anything; they are complete
 * then. The server must have the token's fingerprint before anything is asked of it. Errors of
 * lxd_open and lxd_get_server; ERROR_INPUT where the server is another one, or refuses the token;
 * ERROR_HOOK.
 */
int enrolment_finish(struct credentials *credentials, const struct juju_transport *juju,
                     const struct event *event, struct error *error);

void enrolment_free(struct enrolment *enrolment); /* NULL is fine */

#endif
