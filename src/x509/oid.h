/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_OID_H
#define X509_OID_H

#include "x509/der.h"

/* Object identifiers, the content of their DER. */

#define OID_EC_PUBLIC_KEY "\x2a\x86\x48\xce\x3d\x02\x01"   /* 1.2.840.10045.2.1 */
#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"     /* 1.2.840.113549.1.1.1 */
#define OID_RSA_PSS "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a" /* 1.2.840.113549.1.1.10 */
#define OID_MGF1 "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"    /* 1.2.840.113549.1.1.8 */
#define OID_DSA "\x2a\x86\x48\xce\x38\x04\x01"             /* 1.2.840.10040.4.1 */
#define OID_ED25519 "\x2b\x65\x70"                         /* 1.3.101.112 */
#define OID_ED448 "\x2b\x65\x71"                           /* 1.3.101.113 */

#define OID_SECP256R1 "\x2a\x86\x48\xce\x3d\x03\x01\x07" /* 1.2.840.10045.3.1.7 */
#define OID_SECP384R1 "\x2b\x81\x04\x00\x22"             /* 1.3.132.0.34 */
#define OID_SECP521R1 "\x2b\x81\x04\x00\x23"             /* 1.3.132.0.35 */

#define OID_SHA256 "\x60\x86\x48\x01\x65\x03\x04\x02\x01" /* 2.16.840.1.101.3.4.2.1 */
#define OID_SHA384 "\x60\x86\x48\x01\x65\x03\x04\x02\x02" /* 2.16.840.1.101.3.4.2.2 */
#define OID_SHA512 "\x60\x86\x48\x01\x65\x03\x04\x02\x03" /* 2.16.840.1.101.3.4.2.3 */

#define OID_RSA_SHA256 "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b" /* 1.2.840.113549.1.1.11 */
#define OID_RSA_SHA384 "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c" /* 1.2.840.113549.1.1.12 */
#define OID_RSA_SHA512 "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d" /* 1.2.840.113549.1.1.13 */
#define OID_ECDSA_SHA256 "\x2a\x86\x48\xce\x3d\x04\x03\x02"   /* 1.2.840.10045.4.3.2 */
#define OID_ECDSA_SHA384 "\x2a\x86\x48\xce\x3d\x04\x03\x03"   /* 1.2.840.10045.4.3.3 */
#define OID_ECDSA_SHA512 "\x2a\x86\x48\xce\x3d\x04\x03\x04"   /* 1.2.840.10045.4.3.4 */

#define OID_COMMON_NAME "\x55\x04\x03" /* 2.5.4.3 */

/* Extensions (RFC 5280 4.2.1) */
#define OID_KEY_USAGE "\x55\x1d\x0f"               /* 2.5.29.15 */
#define OID_SUBJECT_ALT_NAME "\x55\x1d\x11"        /* 2.5.29.17 */
#define OID_BASIC_CONSTRAINTS "\x55\x1d\x13"       /* 2.5.29.19 */
#define OID_NAME_CONSTRAINTS "\x55\x1d\x1e"        /* 2.5.29.30 */
#define OID_CRL_DISTRIBUTION_POINTS "\x55\x1d\x1f" /* 2.5.29.31 */
#define OID_CERTIFICATE_POLICIES "\x55\x1d\x20"    /* 2.5.29.32 */
#define OID_POLICY_MAPPINGS "\x55\x1d\x21"         /* 2.5.29.33 */
#define OID_POLICY_CONSTRAINTS "\x55\x1d\x24"      /* 2.5.29.36 */
#define OID_EXTENDED_KEY_USAGE "\x55\x1d\x25"      /* 2.5.29.37 */
#define OID_INHIBIT_ANY_POLICY "\x55\x1d\x36"      /* 2.5.29.54 */

#define OID_ANY_USAGE "\x55\x1d\x25\x00"                   /* 2.5.29.37.0 */
#define OID_SERVER_AUTH "\x2b\x06\x01\x05\x05\x07\x03\x01" /* 1.3.6.1.5.5.7.3.1 */

#define IS_OID(der, oid) der_equals(der, oid, sizeof(oid) - 1)

#endif
