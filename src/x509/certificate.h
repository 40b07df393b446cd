/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_CERTIFICATE_H
#define X509_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "x509/der.h"
#include "x509/pem.h"

#define CERTIFICATE_MAX_PEM 65536 /* bytes of PEM text accepted for one certificate */

/*
 * An X.509 certificate (RFC 5280) of any key type. Read as leniently as Go does, and so LXD:
 * whatever LXD registers is one (tests/e2e/test_odd_certificates.py). Its signature is not checked,
 * nor is what only path.h asks for.
 */
struct certificate {
    uint8_t *der; /* owned */
    size_t length;
    char fingerprint[65]; /* SHA-256 of the DER as 64 lower-case hex: LXD's name for it */
    char *common_name;  /* last CN of the subject, printable ASCII, owned; "" where there is none */
    int64_t not_before; /* seconds since 1970 */
    int64_t not_after;
    bool is_ca;       /* basicConstraints cA */
    bool server_auth; /* fit for a TLS server: serverAuth among extendedKeyUsage, or no such */
    int version;      /* 1 to 3 */
    bool has_surplus; /* there is more in it than RFC 5280 has a place for: Go passes over that */

    /* Its parts, in der; the content of each element, but for tbs, which is the element. */
    struct der tbs;             /* what is signed */
    struct der inner_algorithm; /* of the signature, as the certificate states it inside of tbs, */
    struct der algorithm;       /* and outside */
    struct der signature;       /* a BIT STRING */
    struct der issuer, subject; /* Name */
    struct der key;             /* SubjectPublicKeyInfo: public_key_read */
    struct der extensions;      /* certificate_next_extension; empty where there are none */
};

/* Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE,
 *                          extnValue OCTET STRING } */
struct extension {
    struct der id;
    bool critical;
    struct der value; /* the content of the OCTET STRING */
    bool has_surplus; /* more fields than these three */
};

/* The next of the certificate's extensions. */
bool certificate_next_extension(struct der *extensions, struct extension *extension);

/* BOOLEAN DEFAULT FALSE; false only where it is malformed. */
bool certificate_read_flag(struct der *der, bool *flag);

/* Copies the DER. ERROR_INPUT says what is wrong with it. */
int certificate_from_der(struct certificate *certificate, const uint8_t *der, size_t length,
                         struct error *error);

/* The same for a PEM block. A private key is an error that quotes nothing of it. */
int certificate_from_block(struct certificate *certificate, const struct pem_block *block,
                           struct error *error);

/* The first CERTIFICATE in the text. What follows is not read: the rest of a chain, as for LXD and
 * its clients. A private key before it is an error, other blocks are skipped. */
int certificate_from_pem(struct certificate *certificate, const char *pem, struct error *error);

/* SHA-256 as 64 lower-case hex digits. */
void certificate_fingerprint(char fingerprint[65], const void *der, size_t length);

/* Is the text (or NULL) of this form? */
bool certificate_is_fingerprint(const char *text);

/* A fingerprint as people and tools write it, in that form: blanks around it, capitals, colons
 * between the bytes, "sha256 Fingerprint=" or "certificate_fingerprint: " before it. */
bool certificate_read_fingerprint(char fingerprint[65], const char *text);

/* Is now (seconds since 1970) within its dates? */
bool certificate_is_current(const struct certificate *certificate, int64_t now);

/* A date as people read it, "2026-01-31", of any year up to 9999. */
#define CERTIFICATE_DATE_SIZE 11
void certificate_date(char date[CERTIFICATE_DATE_SIZE], int64_t seconds);

void certificate_free(struct certificate *certificate);

#endif
