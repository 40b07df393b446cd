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
#include "x509/oid.h"

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
        !der_next(&attribute, &tag, &value))
        return false;
    if (subject != NULL && IS_OID(&type, OID_COMMON_NAME))
        set_common_name(subject, &value);
    return true;
}

/* Name ::= SEQUENCE OF SET OF AttributeTypeAndValue; subject is NULL for the issuer's. */
static bool parse_name(struct certificate *subject, struct der *tbs, struct der *content)
{
    struct der name, set;

    if (!der_read(tbs, DER_SEQUENCE, &name))
        return false;
    *content = name;
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

/* Z, or an offset from UTC in hours and minutes, which is not zero. */
static bool parse_zone(const struct der *zone, int *minutes)
{
    *minutes = 0;
    if (der_equals(zone, "Z", 1))
        return true;
    if (zone->length != 5 || (zone->data[0] != '+' && zone->data[0] != '-'))
        return false;
    int hour = two_digits(zone->data + 1), minute = two_digits(zone->data + 3);
    if (hour < 0 || minute < 0 || minute > 59)
        return false;
    *minutes = zone->data[0] == '+' ? hour * 60 + minute : -(hour * 60 + minute);
    return *minutes != 0;
}

/* MMDDHHMM, SS where there are seconds, and the zone, of a year. */
static bool parse_date(int year, struct der text, bool has_seconds, int64_t *seconds)
{
    size_t parts = has_seconds ? 5 : 4;
    int part[5] = {0}, minutes;

    if (text.length < 2 * parts)
        return false;
    for (size_t i = 0; i < parts; i++) {
        part[i] = two_digits(text.data + 2 * i);
        if (part[i] < 0)
            return false;
    }
    struct der zone = {text.data + 2 * parts, text.length - 2 * parts};
    if (!parse_zone(&zone, &minutes))
        return false;
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = part[0] - 1,
                    .tm_mday = part[1],
                    .tm_hour = part[2],
                    .tm_min = part[3],
                    .tm_sec = part[4]};
    *seconds = timegm(&tm) - minutes * 60;
    /* timegm turns 30 February into 1 March: what it changed was no date. */
    return tm.tm_mon == part[0] - 1 && tm.tm_mday == part[1] && tm.tm_hour == part[2] &&
           tm.tm_min == part[3] && tm.tm_sec == part[4];
}

/* RFC 5280 4.1.2.5: YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ; and what Go reads besides, and so LXD: an
 * offset in the place of Z, and UTCTime without seconds (X.680 47.3). */
static bool parse_time(struct der *validity, int64_t *seconds)
{
    struct der text;

    if (der_read(validity, DER_UTC_TIME, &text)) {
        int year = text.length >= 11 ? two_digits(text.data) : -1;
        struct der rest = {text.data + 2, text.length - 2};
        bool has_seconds = year >= 0 && text.data[10] >= '0' && text.data[10] <= '9';
        return year >= 0 &&
               parse_date(year < 50 ? 2000 + year : 1900 + year, rest, has_seconds, seconds);
    }
    if (!der_read(validity, DER_GENERALIZED_TIME, &text) || text.length < 15)
        return false;
    int century = two_digits(text.data), year = two_digits(text.data + 2);
    struct der rest = {text.data + 4, text.length - 4};
    return century >= 0 && year >= 0 && parse_date(century * 100 + year, rest, true, seconds);
}

static bool parse_validity(struct certificate *certificate, struct der *tbs)
{
    struct der validity;

    return der_read(tbs, DER_SEQUENCE, &validity) &&
           parse_time(&validity, &certificate->not_before) &&
           parse_time(&validity, &certificate->not_after) && validity.length == 0;
}

/* AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL } */
static bool parse_algorithm(struct der *der, struct der *content)
{
    struct der algorithm, parameters;
    uint8_t tag;

    if (!der_read(der, DER_SEQUENCE, &algorithm))
        return false;
    *content = algorithm;
    return der_skip(&algorithm, DER_OID) &&
           (algorithm.length == 0 || der_next(&algorithm, &tag, &parameters));
}

static bool parse_public_key(struct certificate *certificate, struct der *tbs)
{
    struct der key, algorithm;

    if (!der_read(tbs, DER_SEQUENCE, &key))
        return false;
    certificate->key = key;
    return parse_algorithm(&key, &algorithm) && der_skip(&key, DER_BIT_STRING) && key.length == 0;
}

/* BOOLEAN DEFAULT FALSE */
bool certificate_read_flag(struct der *der, bool *flag)
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
static bool parse_basic_constraints(struct certificate *certificate, struct der value)
{
    struct der constraints;

    return der_read(&value, DER_SEQUENCE, &constraints) &&
           certificate_read_flag(&constraints, &certificate->is_ca);
}

/* ExtKeyUsageSyntax ::= SEQUENCE OF OBJECT IDENTIFIER */
static bool parse_extended_key_usage(struct certificate *certificate, struct der value)
{
    struct der usages, usage;

    certificate->server_auth = false;
    if (!der_read(&value, DER_SEQUENCE, &usages))
        return false;
    while (usages.length != 0) {
        if (!der_read(&usages, DER_OID, &usage))
            return false;
        if (IS_OID(&usage, OID_SERVER_AUTH) || IS_OID(&usage, OID_ANY_USAGE))
            certificate->server_auth = true;
    }
    return true;
}

bool certificate_next_extension(struct der *extensions, struct extension *extension)
{
    struct der fields;

    if (!der_read(extensions, DER_SEQUENCE, &fields) ||
        !der_read(&fields, DER_OID, &extension->id) ||
        !certificate_read_flag(&fields, &extension->critical) ||
        !der_read(&fields, DER_OCTET_STRING, &extension->value))
        return false;
    extension->has_surplus = fields.length != 0;
    return true;
}

static bool parse_extensions(struct certificate *certificate, struct der *tbs)
{
    struct der explicit, extensions;
    struct extension extension;

    if (!der_at(tbs, DER_EXPLICIT(3)))
        return true;
    if (!der_read(tbs, DER_EXPLICIT(3), &explicit) ||
        !der_read(&explicit, DER_SEQUENCE, &extensions))
        return false;
    certificate->has_surplus = explicit.length != 0;
    certificate->extensions = extensions;
    while (extensions.length != 0) {
        if (!certificate_next_extension(&extensions, &extension))
            return false;
        if (IS_OID(&extension.id, OID_BASIC_CONSTRAINTS) &&
            !parse_basic_constraints(certificate, extension.value))
            return false;
        if (IS_OID(&extension.id, OID_EXTENDED_KEY_USAGE) &&
            !parse_extended_key_usage(certificate, extension.value))
            return false;
        certificate->has_surplus = certificate->has_surplus || extension.has_surplus;
    }
    return true;
}

/* Version ::= INTEGER { v1(0), v2(1), v3(2) }, [0] EXPLICIT DEFAULT v1 */
static bool parse_version(struct certificate *certificate, struct der *tbs)
{
    struct der version, number;

    certificate->version = 1;
    if (!der_at(tbs, DER_EXPLICIT(0)))
        return true;
    if (!der_read(tbs, DER_EXPLICIT(0), &version) || !der_read(&version, DER_INTEGER, &number) ||
        version.length != 0 || number.length != 1 || number.data[0] > 2)
        return false;
    certificate->version = number.data[0] + 1;
    return true;
}

/* RFC 5280 4.1. This and parse_certificate return the name of the part that is malformed, or
 * NULL. */
static const char *parse_tbs(struct certificate *certificate, struct der tbs)
{
    if (!parse_version(certificate, &tbs))
        return "version";
    if (!der_skip(&tbs, DER_INTEGER))
        return "serial number";
    if (!parse_algorithm(&tbs, &certificate->inner_algorithm))
        return "signature algorithm";
    if (!parse_name(NULL, &tbs, &certificate->issuer))
        return "issuer";
    if (!parse_validity(certificate, &tbs))
        return "validity";
    if (!parse_name(certificate, &tbs, &certificate->subject))
        return "subject";
    if (!parse_public_key(certificate, &tbs))
        return "public key";
    if (!der_skip_optional(&tbs, DER_CONTEXT(1)) || !der_skip_optional(&tbs, DER_CONTEXT(2)))
        return "unique identifier";
    if (!parse_extensions(certificate, &tbs))
        return "extensions";
    certificate->has_surplus = certificate->has_surplus || tbs.length != 0;
    return NULL;
}

static const char *parse_certificate(struct certificate *certificate)
{
    struct der outer, tbs;

    if (!der_open(certificate->der, certificate->length, DER_SEQUENCE, &outer))
        return "outermost SEQUENCE";
    const uint8_t *start = outer.data;
    if (!der_read(&outer, DER_SEQUENCE, &tbs))
        return "tbsCertificate";
    certificate->tbs = (struct der){start, (size_t)(outer.data - start)};
    const char *malformed = parse_tbs(certificate, tbs);
    if (malformed != NULL)
        return malformed;
    if (!parse_algorithm(&outer, &certificate->algorithm) ||
        !der_read(&outer, DER_BIT_STRING, &certificate->signature))
        return "signature";
    certificate->has_surplus = certificate->has_surplus || outer.length != 0;
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

bool certificate_read_fingerprint(char fingerprint[65], const char *text)
{
    static const char blanks[] = " \t\r\n";
    const char *heading = strcasestr(text, "fingerprint");
    size_t count = 0;

    if (heading != NULL)
        text = heading + strlen("fingerprint") + strspn(heading + strlen("fingerprint"), "=: ");
    for (text += strspn(text, blanks); *text != '\0' && count < 64; text++) {
        if (*text >= 'A' && *text <= 'F')
            fingerprint[count++] = (char)(*text + ('a' - 'A'));
        else if (*text != ':' || count == 0 || count % 2 != 0)
            fingerprint[count++] = *text;
    }
    fingerprint[count] = '\0';
    return certificate_is_fingerprint(fingerprint) && text[strspn(text, blanks)] == '\0';
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

/* "X509 CERTIFICATE" is OpenSSL's older word for the same. */
static bool is_certificate(const struct pem_block *block)
{
    return strcmp(block->label, "CERTIFICATE") == 0 ||
           strcmp(block->label, "X509 CERTIFICATE") == 0;
}

int certificate_from_block(struct certificate *certificate, const struct pem_block *block,
                           struct error *error)
{
    *certificate = (struct certificate){0};
    if (pem_is_private_key(block))
        return error_set(error, ERROR_INPUT, "holds a private key, expected a certificate");
    if (!is_certificate(block))
        return error_set(error, ERROR_INPUT, "holds PEM block \"%s\", expected \"CERTIFICATE\"",
                         block->label);
    return certificate_from_der(certificate, block->der, block->length, error);
}

int certificate_from_pem(struct certificate *certificate, const char *pem, struct error *error)
{
    struct error skipped;
    struct pem_block block;
    int found;

    *certificate = (struct certificate){0};
    if (strnlen(pem, CERTIFICATE_MAX_PEM + 1) > CERTIFICATE_MAX_PEM)
        return error_set(error, ERROR_INPUT, "longer than %d bytes, expected a certificate",
                         CERTIFICATE_MAX_PEM);
    error_set(&skipped, ERROR_INPUT,
              "holds no PEM block, expected \"-----BEGIN CERTIFICATE-----\"");
    while ((found = pem_next(&pem, &block, error)) == 1) {
        bool skip = !is_certificate(&block) && !pem_is_private_key(&block);
        int result = certificate_from_block(certificate, &block, skip ? &skipped : error);

        pem_block_free(&block);
        if (!skip)
            return result;
    }
    if (found == 0)
        *error = skipped;
    return -1;
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
