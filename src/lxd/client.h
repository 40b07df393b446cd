/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_CLIENT_H
#define LXD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "lxd/endpoint.h"
#include "x509/certificate.h"
#include "x509/private_key.h"
#include "x509/server_identity.h"

/* What it takes to talk to an LXD server; all borrowed for the client's life. */
struct lxd_credentials {
    const struct certificate *certificate; /* ours */
    const struct private_key *key;
    const struct server_identity *server;
};

/* One server over one kept-alive connection. Opaque: TLS and HTTP are inside. */
struct lxd_client;

/* GET /1.0 */
struct lxd_server {
    bool trusted;      /* auth == "trusted" */
    char *name;        /* environment.server_name; owned, "" where absent (untrusted) */
    char *version;     /* environment.server_version */
    bool clustered;    /* environment.server_clustered */
};

/* One element of GET /1.0/certificates?recursion=1 */
struct lxd_certificate {
    char fingerprint[65];
    char *name; /* owned */
    char *type; /* "client", "server", "metrics"; owned */
    bool restricted;
};

struct lxd_certificates {
    struct lxd_certificate *items;
    size_t count;
};

/*
 * Connect and shake hands (5 s at most, and not past deadline, a net_clock_ms value that bounds
 * the client's whole life). Every error text begins with "LXD at <endpoint> ". On success
 * *client is the caller's (lxd_close); on failure NULL. A pinned certificate out of its dates
 * is accepted and noted: lxd_warning.
 */
int lxd_open(struct lxd_client **client, const struct endpoint *endpoint,
             const struct lxd_credentials *credentials, int64_t deadline, struct error *error);

/* One sentence to log once, or NULL. Borrowed. */
const char *lxd_warning(const struct lxd_client *client);

int lxd_get_server(struct lxd_client *client, struct lxd_server *server, struct error *error);
int lxd_list_certificates(struct lxd_client *client, struct lxd_certificates *list,
                          struct error *error);

/* GET /1.0/certificates/<fp>. *found is false on 404. */
int lxd_get_certificate(struct lxd_client *client, const char *fingerprint, bool *found,
                        struct lxd_certificate *certificate, struct error *error);

/*
 * POST /1.0/certificates: type client, base64 DER, no password key. Success also where the
 * certificate turns out to be there already (409, or 400 on old versions): *entry is then what
 * GET says, else what was sent. After a time-out or 5xx, GET decides. ERROR_REFUSED carries LXD's reason for this
 * certificate, ERROR_UNTRUSTED that we may not add at all (403).
 */
int lxd_add_certificate(struct lxd_client *client, const struct certificate *certificate,
                        const char *name, struct lxd_certificate *entry, struct error *error);

/* DELETE; 404 is success. After a time-out or 5xx, GET decides. */
int lxd_remove_certificate(struct lxd_client *client, const char *fingerprint,
                           struct error *error);

void lxd_server_free(struct lxd_server *server);
void lxd_certificate_free(struct lxd_certificate *certificate);
void lxd_certificates_free(struct lxd_certificates *list);
void lxd_close(struct lxd_client *client); /* NULL is fine; sends close_notify */

#endif
