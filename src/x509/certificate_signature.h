/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_CERTIFICATE_SIGNATURE_H
#define X509_CERTIFICATE_SIGNATURE_H

#include "x509/certificate.h"
#include "x509/public_key.h"

enum certificate_signature {
    CERTIFICATE_SIGNED,     /* by this key */
    CERTIFICATE_NOT_SIGNED, /* by this key, or by none */
    CERTIFICATE_SIGNATURE_UNSUPPORTED,
};

/* RSA PKCS#1 v1.5, RSASSA-PSS and ECDSA, each with SHA-256, SHA-384 or SHA-512; what is older
 * counts as unsupported. The signature must be in DER, and its algorithm the same in both places.
 */
enum certificate_signature certificate_signature_check(const struct certificate *certificate,
                                                       const struct public_key *key);

#endif
