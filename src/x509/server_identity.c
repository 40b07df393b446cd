/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/server_identity.h"

#include <bearssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "ec/ec_all.h"
#include "x509/pem.h"

/* Days from 0 January of year 0, where BearSSL begins to count, to 1970. */
#define DAYS_TO_1970 719528

/* The public key and the name of a CA, as BearSSL wants them. */
struct anchor {
    br_x509_decoder_context decoder; /* holds the key */
    struct buffer name;
};

/* A chain as it was presented. */
struct chain {
    const uint8_t *const *der;
    const size_t *length;
    size_t count;
};

static int add_certificate(struct server_identity *identity, const struct pem_block *block,
                           struct error *error)
{
    if (identity->count == SERVER_IDENTITY_MAX)
        return error_set(error, ERROR_INPUT, "holds more than %d certificates",
                         SERVER_IDENTITY_MAX);
    identity->expected = mem_grow(identity->expected, identity->count, sizeof *identity->expected);
    if (certificate_from_block(&identity->expected[identity->count], block, error) != 0)
        return -1;
    identity->count++;
    return 0;
}

/* A certificate of which nothing else is known. */
static void expect_fingerprint(struct server_identity *identity, const char *fingerprint)
{
    identity->expected = mem_alloc(sizeof *identity->expected);
    memcpy(identity->expected->fingerprint, fingerprint, sizeof identity->expected->fingerprint);
    identity->count = 1;
}

int server_identity_parse(struct server_identity *identity, const char *pem, struct error *error)
{
    struct pem_block block;
    int found, result = 0;

    *identity = (struct server_identity){0};
    if (certificate_is_fingerprint(pem)) {
        expect_fingerprint(identity, pem);
        return 0;
    }
    while (result == 0 && (found = pem_next(&pem, &block, error)) != 0) {
        result = found < 0 ? -1 : add_certificate(identity, &block, error);
        pem_block_free(&block);
    }
    if (result == 0 && identity->count == 0)
        result = error_set(error, ERROR_INPUT,
                           "holds no PEM block, expected \"-----BEGIN CERTIFICATE-----\"");
    if (result != 0)
        server_identity_free(identity);
    return result;
}

static bool is_expected(const struct server_identity *identity, const struct certificate *leaf)
{
    for (size_t i = 0; i < identity->count; i++) {
        if (strcmp(identity->expected[i].fingerprint, leaf->fingerprint) == 0)
            return true;
    }
    return false;
}

static void append_name(void *context, const void *data, size_t length)
{
    buffer_append(context, data, length);
}

/* False where BearSSL does not know the CA's kind of key. */
static bool make_anchor(struct anchor *anchor, br_x509_trust_anchor *trust,
                        const struct certificate *ca)
{
    br_x509_decoder_init(&anchor->decoder, append_name, &anchor->name);
    br_x509_decoder_push(&anchor->decoder, ca->der, ca->length);
    const br_x509_pkey *key = br_x509_decoder_get_pkey(&anchor->decoder);
    if (key == NULL)
        return false;
    *trust = (br_x509_trust_anchor){
        .dn = {(unsigned char *)anchor->name.data, anchor->name.length},
        .flags = BR_X509_TA_CA,
        .pkey = *key,
    };
    return true;
}

/* BR_ERR_X509_ code of the chain against these anchors, 0 where it is fine. */
static unsigned run_validation(const br_x509_trust_anchor *trust, size_t count,
                               const struct chain *chain, int64_t now)
{
    br_x509_minimal_context context;
    const br_x509_class **engine = &context.vtable;
    unsigned usages = 0;

    br_x509_minimal_init(&context, &br_sha256_vtable, trust, count);
    br_x509_minimal_set_hash(&context, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(&context, br_sha384_ID, &br_sha384_vtable);
    br_x509_minimal_set_hash(&context, br_sha512_ID, &br_sha512_vtable);
    br_x509_minimal_set_rsa(&context, br_rsa_pkcs1_vrfy_get_default());
    br_x509_minimal_set_ecdsa(&context, &ec_all, br_ecdsa_i31_vrfy_asn1);
    br_x509_minimal_set_minrsa(&context, 2048 / 8);
    br_x509_minimal_set_time(&context, (uint32_t)(now / 86400) + DAYS_TO_1970,
                             (uint32_t)(now % 86400));
    (*engine)->start_chain(engine, NULL);
    for (size_t i = 0; i < chain->count; i++) {
        (*engine)->start_cert(engine, (uint32_t)chain->length[i]);
        (*engine)->append(engine, chain->der[i], chain->length[i]);
        (*engine)->end_cert(engine);
    }
    unsigned code = (*engine)->end_chain(engine);
    if (code != 0)
        return code;
    /* TLS 1.3 servers sign: a keyUsage must have digitalSignature (RFC 5280 4.2.1.3). */
    (*engine)->get_pkey(engine, &usages);
    return (usages & BR_KEYTYPE_SIGN) != 0 ? 0 : BR_ERR_X509_FORBIDDEN_KEY_USAGE;
}

static unsigned validate(const struct server_identity *identity, const struct chain *chain,
                         int64_t now)
{
    struct anchor *anchors = mem_alloc(identity->count * sizeof *anchors);
    br_x509_trust_anchor *trust = mem_alloc(identity->count * sizeof *trust);
    size_t count = 0;

    for (size_t i = 0; i < identity->count; i++) {
        const struct certificate *each = &identity->expected[i];

        if (each->is_ca && make_anchor(&anchors[i], &trust[count], each))
            count++;
    }
    unsigned code = run_validation(trust, count, chain, now);
    for (size_t i = 0; i < identity->count; i++)
        buffer_free(&anchors[i].name);
    free(anchors);
    free(trust);
    return code;
}

static bool names_ca(const struct server_identity *identity)
{
    for (size_t i = 0; i < identity->count; i++) {
        if (identity->expected[i].is_ca)
            return true;
    }
    return false;
}

static int refuse(const struct server_identity *identity, const struct certificate *presented,
                  const char *reason, struct error *error)
{
    const char *others = "";

    if (identity->count > 1)
        others = " or another one of the bundle";
    else if (names_ca(identity))
        others = " or one that it issued";
    return error_set(error, ERROR_IDENTITY, "presents certificate %.12s...%s, expected %.12s...%s",
                     presented->fingerprint, reason, identity->expected[0].fingerprint, others);
}

static void describe_dates(char *reason, size_t size, const char *whose,
                           const struct certificate *certificate, int64_t now)
{
    bool early = now < certificate->not_before;
    char date[CERTIFICATE_DATE_SIZE];

    certificate_date(date, early ? certificate->not_before : certificate->not_after);
    snprintf(reason, size, ", %s%s %s", whose, early ? "not valid before" : "expired on", date);
}

/* Refuse for the first certificate of the chain that is out of its dates. */
static int refuse_dates(const struct server_identity *identity, const struct chain *chain,
                        const struct certificate *leaf, int64_t now, struct error *error)
{
    char reason[64] = "";

    for (size_t i = 0; i < chain->count && reason[0] == '\0'; i++) {
        struct certificate each;

        if (certificate_from_der(&each, chain->der[i], chain->length[i], error) != 0)
            continue;
        if (!certificate_is_current(&each, now))
            describe_dates(reason, sizeof reason, i == 0 ? "" : "its issuer ", &each, now);
        certificate_free(&each);
    }
    return refuse(identity, leaf, reason, error);
}

/* Was the leaf issued by one of the expected certificates, for a server, and is it current? */
static int check_issued(const struct server_identity *identity, const struct chain *chain,
                        const struct certificate *leaf, struct error *error)
{
    int64_t now = time(NULL);

    if (!names_ca(identity))
        return refuse(identity, leaf, "", error);
    switch (validate(identity, chain, now)) {
    case 0:
        return leaf->server_auth ? 0 : refuse(identity, leaf, ", not for a server", error);
    case BR_ERR_X509_FORBIDDEN_KEY_USAGE:
        return refuse(identity, leaf, ", not for a server", error);
    case BR_ERR_X509_EXPIRED:
        return refuse_dates(identity, chain, leaf, now, error);
    case BR_ERR_X509_UNSUPPORTED:
        return refuse(identity, leaf, ", of an unsupported kind of key or signature", error);
    case BR_ERR_X509_WEAK_PUBLIC_KEY:
        return refuse(identity, leaf, ", with an RSA key of less than 2048 bits", error);
    case BR_ERR_X509_CRITICAL_EXTENSION:
        return refuse(identity, leaf, ", with an unsupported critical extension", error);
    default:
        return refuse(identity, leaf, "", error);
    }
}

int server_identity_check(const struct server_identity *identity, const uint8_t *const der[],
                          const size_t length[], size_t count, struct error *error)
{
    const struct chain chain = {der, length, count};
    struct certificate leaf;

    if (count == 0)
        return error_set(error, ERROR_IDENTITY, "presents no certificate");
    if (certificate_from_der(&leaf, der[0], length[0], error) != 0)
        return error_set(error, ERROR_IDENTITY, "presents a malformed certificate");
    int result = is_expected(identity, &leaf) ? 0 : check_issued(identity, &chain, &leaf, error);
    certificate_free(&leaf);
    return result;
}

void server_identity_free(struct server_identity *identity)
{
    for (size_t i = 0; i < identity->count; i++)
        certificate_free(&identity->expected[i]);
    free(identity->expected);
    *identity = (struct server_identity){0};
}
