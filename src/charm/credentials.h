/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_CREDENTIALS_H
#define CHARM_CREDENTIALS_H

#include <cJSON.h>

#include "base/error.h"
#include "charm/event.h"
#include "juju/transport.h"
#include "lxd/endpoint.h"
#include "x509/certificate.h"
#include "x509/private_key.h"
#include "x509/server_identity.h"

/* What it takes to log in to LXD, decoded and checked. Holds a private key: never copy it. */
struct credentials {
    const char *source;         /* where they come from, for the log */
    struct endpoints endpoints; /* one at least; each a server, or a member of a cluster */
    struct certificate certificate;
    struct private_key key;
    struct server_identity server; /* who each of them must be */
    struct enrolment *enrolment;   /* what is left to do for that, or NULL: enrolment_finish */
};

/* The four parts that every source of credentials has. */
enum {
    CREDENTIAL_ENDPOINT,
    CREDENTIAL_CERTIFICATE,
    CREDENTIAL_KEY,
    CREDENTIAL_SERVER,
    CREDENTIAL_PARTS
};

/*
 * Decode the parts; the key must match the certificate. texts[i] may be NULL. ERROR_INPUT names
 * the part as names[i].
 */
int credentials_parse(struct credentials *credentials, const char *const names[CREDENTIAL_PARTS],
                      const char *const texts[CREDENTIAL_PARTS], struct error *error);

/* The same with an object of strings, as secrets hold it: endpoint, client-cert, ... */
int credentials_from_content(struct credentials *credentials, const cJSON *content,
                             struct error *error);

/*
 * Choose a source and decode it: the cloud's credential if the cloud is an LXD (cloud is
 * params.CloudSpec, or NULL without juju trust), else the config options. ERROR_INPUT says what
 * is missing or unusable, and what the operator of `application` can do.
 */
int credentials_choose(struct credentials *credentials, const cJSON *cloud, const cJSON *options,
                       const char *application, struct error *error);

/* The same with what credential-get says; but before all others comes the secret that the option
 * lxd_credentials names, and where there is none of them what lxd_trust_token enrols. It may write
 * files. */
int credentials_read(struct credentials *credentials, const struct juju_transport *juju,
                     const struct event *event, const cJSON *options, struct error *error);

void credentials_wipe(struct credentials *credentials);

#endif
