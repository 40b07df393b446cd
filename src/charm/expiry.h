/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_EXPIRY_H
#define CHARM_EXPIRY_H

#include "base/buffer.h"
#include "x509/certificate.h"

#define EXPIRY_DEFAULT_DAYS 30

/* Certificates that end soon, or have ended. No I/O. */
struct expiry {
    int64_t now, limit; /* seconds since 1970: who ends before the limit is told of */
    int64_t first;      /* the earliest end among those */
    struct strings sentences;
};

/* Warn of those that end within so many days from now. */
void expiry_begin(struct expiry *expiry, int64_t now, int days);

/* Have a look at one, "<whose> 0123456789ab...". It counts once, however often it is shown. */
void expiry_note(struct expiry *expiry, const struct certificate *certificate, const char *whose);

void expiry_free(struct expiry *expiry);

#endif
