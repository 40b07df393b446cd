/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_PRIVATE_KEY_H
#define X509_PRIVATE_KEY_H

#include <bearssl.h>

#include "base/error.h"
#include "x509/certificate.h"

/* A decoded private key. The br_ views point into storage: never copy the struct. */
struct private_key {
    int type; /* BR_KEYTYPE_EC or BR_KEYTYPE_RSA */
    br_ec_private_key ec;
    br_rsa_private_key rsa;
    unsigned char public[512]; /* RSA: the modulus, (n_bitlen + 7) / 8 bytes; EC: the BIT STRING
                                * of the public key, with its number of unused bits; else 0 */
    unsigned char storage[5 * 256]; /* the five CRT numbers of RSA-4096 */
};

/*
 * From PEM text: SEC1 or PKCS#8 for EC P-256, P-384, P-521; PKCS#1 or PKCS#8 for RSA of 2048
 * to 4096 bits. Other blocks before it (EC PARAMETERS) are skipped. ERROR_INPUT names what is
 * not supported (Ed25519, encrypted keys, RSA outside the range) and what to use instead.
 */
int private_key_from_pem(struct private_key *key, const char *pem, struct error *error);

/*
 * Does the key belong to the certificate? ERROR_INPUT where not. A public key that the private
 * key's file tells is believed: to compute it costs as much as a signature, and if it is another
 * one the server refuses what we sign.
 */
int private_key_matches(const struct private_key *key, const struct certificate *certificate,
                        struct error *error);

void private_key_wipe(struct private_key *key);

#endif
