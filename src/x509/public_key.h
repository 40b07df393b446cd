/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_PUBLIC_KEY_H
#define X509_PUBLIC_KEY_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "x509/der.h"

#define PUBLIC_KEY_MIN_RSA 2048 /* bits of what may vouch for others */
#define PUBLIC_KEY_MAX_RSA 4096 /* BearSSL's limit */

/* A public key as BearSSL wants it: EC P-256, P-384, P-521, or RSA. It points into the DER. */
struct public_key {
    br_x509_pkey key;
    unsigned bits;             /* of an RSA modulus; 0 for EC */
    const br_hash_class *hash; /* RSASSA-PSS key that is for this hash alone, or NULL */
    bool pss_only;             /* a key of type RSASSA-PSS (RFC 4055 1.2): no PKCS#1 signatures */
};

/*
 * The content of a SubjectPublicKeyInfo (RFC 5280 4.1.2.7). Returns NULL, or why the key cannot be
 * used, in words to follow "with": "an Ed25519 key, which is not supported".
 */
const char *public_key_read(struct public_key *key, struct der info);

/* The content of the SubjectPublicKeyInfo of a certificate in DER, of which nothing else is looked
 * at. False where there is none. */
bool public_key_find(struct der *info, const uint8_t *der, size_t length);

#define PUBLIC_KEY_BYTES (PUBLIC_KEY_MAX_RSA / 8 + 8)

/* Let the key point into `bytes`, a copy, and no more into the DER. */
void public_key_keep(struct public_key *key, uint8_t bytes[PUBLIC_KEY_BYTES]);

/* The parameters of RSASSA-PSS (RFC 4055 3.1): the hash, which must be MGF1's as well, and the
 * salt's length in bytes. False where they are malformed, or of another kind (SHA-1). */
bool public_key_read_pss(struct der parameters, const br_hash_class **hash, size_t *salt_length);

/* The curve that ECParameters name (RFC 5480 2.1.1), as BearSSL numbers it, or 0. */
int public_key_curve(struct der *parameters);

#endif
