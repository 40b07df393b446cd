/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_FILES_H
#define X509_FILES_H

#include "x509/certificate.h"

/* The keys and certificates of tests/vectors/x509. A missing file ends the process. */

char *x509_file(const char *name); /* its text; free it */

/* Of a .crt file; certificate_free it. */
struct certificate x509_certificate(const char *name);

#endif
