/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/certificate.h"

#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "x509/der.h"

#define OID_COMMON_NAME "\x55\x04\x03"        /* 2.5.4.3 */
#define OID_BASIC_CONSTRAINTS "\x55\x1d\x13"  /* 2.5.29.19 */
#define OID_EXTENDED_KEY_USAGE "\x55\x1d\x25" /* 2.5.29.37 */
#define OID_ANY_USAGE "\x55\x1d\x25\x00"      /* 2.5.29.37.0 */
#define OID_SERVER_AUTH "\x2b\x06\x01\x05\x05\x07\x03\x01"

#define IS_OID(der, oid) der_equals(der, oid, sizeof(oid) - 1)

static void set_common_name(struct certificate *certificate, const struct der *value)
{
    char *name = mem_string_n((const char *)value->data, value->length);

    for (size_t i = 0; i < value->length; i++) {
        if (name[i] < ' ' || name[i] > '~')
            name[i] = '?';
    }
    free(certificate->common_name);
    certificate->common_name = name;
}

/* AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY } */
static bool parse_attribute(struct certificate *subject, struct der *set)
{
    struct der attribute, type, value;
    uint8_t tag;

    if (!der_read(set, DER_SEQUENCE, &attribute) || !der_read(&attribute, DER_OID, &type) ||
        !der_next(&attribute, &tag, &value) || attribute.length != 0)
        return false;
    if (subject != NULL && IS_OID(&type, OID_COMMON_NAME))
        set_common_name(subject, &value);
    return true;
}

/* Name ::= SEQUENCE OF SET OF AttributeTypeAndValue; subject is NULL for the issuer's. */
static bool parse_name(struct certificate *subject, struct der *tbs)
{
    struct der name, set;

    if (!der_read(tbs, DER_SEQUENCE, &name))
        return false;
    while (name.length != 0) {
        if (!der_read(&name, DER_SET, &set))
            return false;
        while (set.length != 0) {
            if (!parse_attribute(subject, &set))
                return false;
        }
    }
    return true;
}

/* Two digits at text, or -1. */
static int two_digits(const uint8_t *text)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
        return -1;
    return (text[0] - '0') * 10 + (text[1] - '0');
}

/* MMDDHHMMSSZ of a year. */
static bool parse_date(int year, const uint8_t *text, int64_t *seconds)
{
    int part[5];

    for (int i = 0; i < 5; i++) {
        part[i] = two_digits(text + 2 * i);
        if (part[i] < 0)
            return false;
    }
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = part[0] - 1,
                    .tm_mday = part[1],
                    .tm_hour = part[2],
                    .tm_min = part[3],
                    .tm_sec = part[4]};
    *seconds = timegm(&tm);
    /* timegm turns 30 February into 1 March: what it changed was no date. */
    return text[10] == 'Z' && tm.tm_mon == part[0] - 1 && tm.tm_mday == part[1] &&
           tm.tm_hour == part[2] && tm.tm_min == part[3] && tm.tm_sec == part[4];
}

/* RFC 5280 4.1.2.5: YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ */
static bool parse_time(struct der *validity, int64_t *seconds)
{
    struct der text;

    if (der_read(validity, DER_UTC_TIME, &text)) {
        int year = text.length == 13 ? two_digits(text.data) : -1;
        return year >= 0 &&
               parse_date(year < 50 ? 2000 + year : 1900 + year, text.data + 2, seconds);
    }
    if (!der_read(validity, DER_GENERALIZED_TIME, &text) || text.length != 15)
        return false;
    int century = two_digits(text.data), year = two_digits(text.data + 2);
    return century >= 0 && year >= 0 && parse_date(century * 100 + year, text.data + 4, seconds);
}

static bool parse_validity(struct certificate *certificate, struct der *tbs)
{
    struct der validity;

    return der_read(tbs, DER_SEQUENCE, &validity) &&
           parse_time(&validity, &certificate->not_before) &&
           parse_time(&validity, &certificate->not_after) && validity.length == 0;
}

/* AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL } */
static bool parse_algorithm(struct der *der)
{
    struct der algorithm, parameters;
    uint8_t tag;

    if (!der_read(der, DER_SEQUENCE, &algorithm) || !der_skip(&algorithm, DER_OID))
        return false;
    return algorithm.length == 0 ||
           (der_next(&algorithm, &tag, &parameters) && algorithm.length == 0);
}

static bool parse_public_key(struct der *tbs)
{
    struct der key;

    return der_read(tbs, DER_SEQUENCE, &key) && parse_algorithm(&key) &&
           der_skip(&key, DER_BIT_STRING) && key.length == 0;
}

/* BOOLEAN DEFAULT FALSE */
static bool parse_flag(struct der *der, bool *flag)
{
    struct der value;

    *flag = false;
    if (!der_at(der, DER_BOOLEAN))
        return true;
    if (!der_read(der, DER_BOOLEAN, &value) || value.length != 1)
        return false;
    *flag = value.data[0] != 0;
    return true;
}

/* BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL } */
static bool parse_basic_constraints(struct certificate *certificate, const struct der *value)
{
    struct der constraints;

    return der_open(value->data, value->length, DER_SEQUENCE, &constraints) &&
           parse_flag(&constraints, &certificate->is_ca) &&
           der_skip_optional(&constraints, DER_INTEGER) && constraints.length == 0;
}

/* ExtKeyUsageSyntax ::= SEQUENCE OF OBJECT IDENTIFIER */
static bool parse_extended_key_usage(struct certificate *certificate, const struct der *value)
{
    struct der usages, usage;

    certificate->server_auth = false;
    if (!der_open(value->data, value->length, DER_SEQUENCE, &usages))
        return false;
    while (usages.length != 0) {
        if (!der_read(&usages, DER_OID, &usage))
            return false;
        if (IS_OID(&usage, OID_SERVER_AUTH) || IS_OID(&usage, OID_ANY_USAGE))
            certificate->server_auth = true;
    }
    return true;
}

/* Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE,
 *                          extnValue OCTET STRING } */
static bool parse_extension(struct certificate *certificate, struct der *extensions)
{
    struct der extension, id, value;
    bool critical;

    if (!der_read(extensions, DER_SEQUENCE, &extension) || !der_read(&extension, DER_OID, &id) ||
        !parse_flag(&extension, &critical) || !der_read(&extension, DER_OCTET_STRING, &value) ||
        extension.length != 0)
        return false;
    if (IS_OID(&id, OID_BASIC_CONSTRAINTS))
        return parse_basic_constraints(certificate, &value);
    if (IS_OID(&id, OID_EXTENDED_KEY_USAGE))
        return parse_extended_key_usage(certificate, &value);
    return true;
}

static bool parse_extensions(struct certificate *certificate, struct der *tbs)
{
    struct der explicit, extensions;

    if (!der_at(tbs, DER_EXPLICIT(3)))
        return true;
    if (!der_read(tbs, DER_EXPLICIT(3), &explicit) ||
        !der_open(explicit.data, explicit.length, DER_SEQUENCE, &extensions))
        return false;
    while (extensions.length != 0) {
        if (!parse_extension(certificate, &extensions))
            return false;
    }
    return true;
}

/* RFC 5280 4.1. This and parse_certificate return the name of the part that is malformed, or
 * NULL. */
static const char *parse_tbs(struct certificate *certificate, struct der tbs)
{
    if (!der_skip_optional(&tbs, DER_EXPLICIT(0)))
        return "version";
    if (!der_skip(&tbs, DER_INTEGER))
        return "serial number";
    if (!parse_algorithm(&tbs))
        return "signature algorithm";
    if (!parse_name(NULL, &tbs))
        return "issuer";
    if (!parse_validity(certificate, &tbs))
        return "validity";
    if (!parse_name(certificate, &tbs))
        return "subject";
    if (!parse_public_key(&tbs))
        return "public key";
    if (!der_skip_optional(&tbs, DER_CONTEXT(1)) || !der_skip_optional(&tbs, DER_CONTEXT(2)))
        return "unique identifier";
    if (!parse_extensions(certificate, &tbs) || tbs.length != 0)
        return "extensions";
    return NULL;
}

static const char *parse_certificate(struct certificate *certificate)
{
    struct der outer, tbs;

    if (!der_open(certificate->der, certificate->length, DER_SEQUENCE, &outer))
        return "outermost SEQUENCE";
    if (!der_read(&outer, DER_SEQUENCE, &tbs))
        return "tbsCertificate";
    const char *malformed = parse_tbs(certificate, tbs);
    if (malformed != NULL)
        return malformed;
    if (!parse_algorithm(&outer) || !der_skip(&outer, DER_BIT_STRING) || outer.length != 0)
        return "signature";
    return NULL;
}

void certificate_fingerprint(char fingerprint[65], const void *der, size_t length)
{
    br_sha256_context context;
    uint8_t hash[br_sha256_SIZE];

    br_sha256_init(&context);
    br_sha256_update(&context, der, length);
    br_sha256_out(&context, hash);
    bytes_to_hex(fingerprint, hash, sizeof hash);
}

bool certificate_is_fingerprint(const char *text)
{
    return text != NULL && strspn(text, "0123456789abcdef") == 64 && text[64] == '\0';
}

int certificate_from_der(struct certificate *certificate, const uint8_t *der, size_t length,
                         struct error *error)
{
    *certificate = (struct certificate){.length = length, .server_auth = true};
    certificate->der = mem_alloc(length);
    memcpy(certificate->der, der, length);
    certificate->common_name = mem_string("");
    const char *malformed = parse_certificate(certificate);
    if (malformed != NULL) {
        certificate_free(certificate);
        return error_set(error, ERROR_INPUT, "not an X.509 certificate (malformed %s)", malformed);
    }
    certificate_fingerprint(certificate->fingerprint, der, length);
    return 0;
}

int certificate_from_block(struct certificate *certificate, const struct pem_block *block,
                           struct error *error)
{
    *certificate = (struct certificate){0};
    if (pem_is_private_key(block))
        return error_set(error, ERROR_INPUT, "holds a private key, expected a certificate");
    if (strcmp(block->label, "CERTIFICATE") != 0)
        return error_set(error, ERROR_INPUT, "holds PEM block \"%s\", expected \"CERTIFICATE\"",
                         block->label);
    return certificate_from_der(certificate, block->der, block->length, error);
}

/* How many PEM blocks there are, or -1 where one is malformed. */
static int count_blocks(const char *pem, struct error *error)
{
    struct pem_block block;
    int found, count = 0;

    while ((found = pem_next(&pem, &block, error)) == 1) {
        pem_block_free(&block);
        count++;
    }
    return found < 0 ? -1 : count;
}

int certificate_from_pem(struct certificate *certificate, const char *pem, struct error *error)
{
    struct pem_block block;

    *certificate = (struct certificate){0};
    if (strnlen(pem, CERTIFICATE_MAX_PEM + 1) > CERTIFICATE_MAX_PEM)
        return error_set(error, ERROR_INPUT, "longer than %d bytes, expected one certificate",
                         CERTIFICATE_MAX_PEM);
    int count = count_blocks(pem, error);
    if (count < 0)
        return -1;
    if (count == 0)
        return error_set(error, ERROR_INPUT,
                         "holds no PEM block, expected \"-----BEGIN CERTIFICATE-----\"");
    if (count > 1)
        return error_set(error, ERROR_INPUT, "holds %d PEM blocks, expected one certificate",
                         count);
    pem_next(&pem, &block, error);
    int result = certificate_from_block(certificate, &block, error);
    pem_block_free(&block);
    return result;
}

bool certificate_is_current(const struct certificate *certificate, int64_t now)
{
    return certificate->not_before <= now && now <= certificate->not_after;
}

void certificate_date(char date[CERTIFICATE_DATE_SIZE], int64_t seconds)
{
    time_t time = seconds;
    const struct tm *tm = gmtime(&time);

    snprintf(date, CERTIFICATE_DATE_SIZE, "%04d-%02d-%02d", tm->tm_year + 1900, tm->tm_mon + 1,
             tm->tm_mday);
}

void certificate_free(struct certificate *certificate)
{
    free(certificate->der);
    free(certificate->common_name);
    *certificate = (struct certificate){0};
}
