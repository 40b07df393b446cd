/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_PATH_H
#define X509_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "x509/certificate.h"

#define PATH_MAX_SIGNATURES 100    /* checked in one search, so that no server makes us work */
#define PATH_MAX_COMPARISONS 10000 /* of a name with a name constraint */
#define PATH_REASON_SIZE 160

/*
 * The search for a path from a server's certificate to a trust anchor (RFC 5280 6.1), each
 * certificate signed by the key of the next. What the server sent is a set: any order, strangers,
 * several paths (RFC 9846 4.4.3); a path that fails gives way to another.
 *
 * Every CA in it, the anchor included, must be one (basicConstraints; of an anchor of X.509 version
 * 1 that issued itself it is believed), have keyCertSign where it has a keyUsage and serverAuth
 * where it has an extendedKeyUsage, permit as many CAs below it as there are (those that issued
 * themselves do not count), permit the names below it, have an RSA key of 2048 bits or more, and
 * be within its dates, but for the anchor. None may have an extension twice, one that is malformed,
 * or a critical one that is not known. The policies of certificates are of no concern.
 * The server's must have digitalSignature where it has a keyUsage.
 */
struct path {
    /* In. The server's own is the first; borrowed. */
    const struct certificate *presented;
    size_t count;
    const struct certificate *const *anchors;
    size_t anchor_count;
    int64_t now; /* seconds since 1970 */

    /* Out */
    const struct certificate *anchor; /* in which it ends */
    struct der names;                 /* the subjectAltName of the server's own */
    char reason[PATH_REASON_SIZE]; /* where none was found: why, ", expired on 2026-01-31"; or "" */
};

bool path_find(struct path *path);

#endif
