/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_SERVER_IDENTITY_H
#define X509_SERVER_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "x509/certificate.h"

#define SERVER_IDENTITY_MAX 64 /* certificates in a bundle */

/*
 * Who a server must be. It is, if the leaf it presents has the SHA-256 fingerprint of one of the
 * expected certificates, whatever its dates and its names: LXD's certificates carry only the host's
 * own name and loopback. Or if a path leads from it to one of them that is a CA certificate
 * (path.h), and it is for the host that was connected to; the dates of the expected one do not
 * matter here either. A CA certificate that comes in the same bundle as one which it issued is no
 * anchor: the issued one is expected, and no other of that CA.
 */
struct server_identity {
    struct certificate *expected; /* owned */
    size_t count;
};

/* One or more certificates in a PEM bundle; or, in the place of one, its SHA-256 fingerprint alone,
 * as tools print it: 64 hex digits, capitals, colons, "sha256 Fingerprint=" before it. */
int server_identity_parse(struct server_identity *identity, const char *text, struct error *error);

/* Those of the expected certificates that are anchors of a path, count of them at most, borrowed;
 * returns how many. */
size_t server_identity_anchors(const struct server_identity *identity,
                               const struct certificate *anchors[]);

/* The certificates that a server presented, in DER, leaf first. */
struct server_chain {
    const uint8_t *const *der;
    const size_t *length; /* bytes of each */
    size_t count;
};

#define SERVER_IDENTITY_REMARK_SIZE 160

/*
 * Is it the server? `host` is what was connected to, an address without brackets or a DNS name;
 * `now` is in seconds since 1970.
 *
 * 0: it is. `remark` is then "", or what is to be mended about it, for a log line that begins "LXD
 * at <endpoint> ": the expected certificate, leaf or CA, is outside its dates, or a leaf's RSA key
 * is shorter than 2048 bits.
 *
 * -1: ERROR_IDENTITY names both fingerprints (12 hex digits each): "presents certificate
 * 0123456789ab..., expected ba9876543210...", with a reason between the two where there is one: ",
 * expired on 2026-01-31". Or it says that it is for another host, or that the expected one has a
 * key that cannot be used.
 */
int server_identity_check(const struct server_identity *identity, const struct server_chain *chain,
                          const char *host, int64_t now, char remark[SERVER_IDENTITY_REMARK_SIZE],
                          struct error *error);

void server_identity_free(struct server_identity *identity);

#endif
