/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_CREDENTIALS_H
#define CHARM_CREDENTIALS_H

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "lxd/api.h"
#include "lxd/endpoint.h"
#include "x509/certificate.h"
#include "x509/private_key.h"
#include "x509/server_identity.h"

/* What it takes to log in to LXD, decoded and checked. Holds a private key: never copy it.
 * Zero-initialise. Where they come from is sources.h's to say. */
struct credentials {
    const char *source; /* for sentences: "lxd_credentials", "credential-get", "config",
                         * "lxd_trust_token" */
    char *remark;       /* owned; a sentence for a WARNING and for the end of the status, where
                         * something is wrong though these credentials serve; else NULL */
    bool enrolled; /* a key of ours, that LXD trusts on a token's word: only another token mends it
                    */
    enum lxd_token token; /* of which kind that was */
    bool missing; /* where reading them failed: nothing is set at all, as at the beginning of every
                   * deployment, which is no ERROR in the log */
    struct endpoints endpoints; /* one at least; each a server, or a member of a cluster */
    struct certificate certificate;
    struct private_key key;
    struct server_identity server; /* who each of them must be */
};

/* The four parts that every source of credentials has. */
enum {
    CREDENTIAL_ENDPOINT,
    CREDENTIAL_CERTIFICATE,
    CREDENTIAL_KEY,
    CREDENTIAL_SERVER,
    CREDENTIAL_PARTS
};

/* Their names in a secret and in Juju's credentials: endpoint, client-cert, client-key,
 * server-cert. */
extern const char *const credentials_part_names[CREDENTIAL_PARTS];

/*
 * Decode the parts; the key must match the certificate. texts[i] may be NULL. ERROR_INPUT names
 * the part as names[i], and quotes nothing of a key. The certificate's dates are not looked at:
 * LXD may be of another mind. On failure nothing is left but zeros.
 */
int credentials_parse(struct credentials *credentials, const char *const names[CREDENTIAL_PARTS],
                      const char *const texts[CREDENTIAL_PARTS], struct error *error);

/* The same with an object of strings, as secrets hold it. */
int credentials_from_content(struct credentials *credentials, const cJSON *content,
                             struct error *error);

/* Is our own certificate out of its dates? LXD takes such a client for a stranger. Its day is in
 * date then: "expired on 2026-01-31" or "not valid before 2026-01-31". */
#define CREDENTIALS_DATE_SIZE 40
bool credentials_are_current(const struct credentials *credentials, int64_t now,
                             char date[CREDENTIALS_DATE_SIZE]);

void credentials_wipe(struct credentials *credentials);

#endif
