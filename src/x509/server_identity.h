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
 * expected certificates, whatever its dates (certificate_is_current tells), or if its chain ends
 * in one of them that is a CA certificate. Then the chain's dates are checked, and that the leaf
 * is for a server: a client's certificate of the same CA is none. The dates of an expected
 * certificate are never checked. Names are not compared: LXD's certificates carry only the host's
 * own name and loopback.
 */
struct server_identity {
    struct certificate *expected; /* owned */
    size_t count;
};

/* One or more certificates in a PEM bundle; or, in the place of one, its fingerprint alone: 64
 * lower-case hex digits. */
int server_identity_parse(struct server_identity *identity, const char *text, struct error *error);

/*
 * Check the chain that a server presented, leaf first. ERROR_IDENTITY names both fingerprints
 * (12 hex digits each): "presents certificate 0123456789ab..., expected ba9876543210...",
 * with a reason between the two where there is one: ", expired on 2026-01-31".
 */
int server_identity_check(const struct server_identity *identity, const uint8_t *const der[],
                          const size_t length[], size_t count, struct error *error);

void server_identity_free(struct server_identity *identity);

#endif
