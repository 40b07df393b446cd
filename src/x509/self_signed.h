/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_SELF_SIGNED_H
#define X509_SELF_SIGNED_H

#include "base/buffer.h"
#include "x509/certificate.h"
#include "x509/private_key.h"

/*
 * A fresh P-384 key and a certificate that it has signed for itself, as LXD makes them for its own
 * clients: good for ten years and for client authentication. Appends two PEM blocks, CERTIFICATE
 * and EC PRIVATE KEY: to be wiped. The common name is printable ASCII.
 */
void self_signed_make(struct buffer *pem, const char *common_name);

/* Read what was made. On success both are the caller's. */
int self_signed_read(const char *pem, struct certificate *certificate, struct private_key *key,
                     struct error *error);

#endif
