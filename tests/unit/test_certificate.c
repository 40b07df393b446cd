/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "vectors.h"
#include "x509/certificate.h"
#include "x509/der.h"
#include "x509_files.h"

/* Take der without PEM, from memory of its exact size. */
static int parse_der(struct certificate *certificate, const uint8_t *der, size_t length)
{
    uint8_t *copy = memcpy(malloc(length != 0 ? length : 1), der, length);
    struct error error = {0};
    int result = certificate_from_der(certificate, copy, length, &error);

    free(copy);
    if (result != 0) {
        assert_int_equal(error.kind, ERROR_INPUT);
        assert_memory_equal(error.text, "not an X.509 certificate (malformed ", 36);
        assert_null(certificate->der);
    }
    return result;
}

static void check_error(const char *pem, const char *message)
{
    struct certificate certificate;
    struct error error = {0};

    assert_int_equal(certificate_from_pem(&certificate, pem, &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, message);
    assert_null(certificate.der);
}

/* Of every certificate, with every kind of key: openssl computed the same. */
static void fingerprints(void **state)
{
    struct vectors vectors;

    (void)state;
    vectors_open(&vectors, VECTORS_DIR "/x509/fingerprints.txt");
    assert_true(vectors_next(&vectors));
    assert_true(vectors.count > 20);
    for (size_t i = 0; i < vectors.count; i++) {
        struct certificate certificate = x509_certificate(vectors.entries[i].name);

        assert_string_equal(certificate.fingerprint, vectors.entries[i].value);
        certificate_free(&certificate);
    }
    vectors_close(&vectors);
}

static void common_names(void **state)
{
    static const char *const names[][2] = {{"ec-p256.crt", "ec-p256"},
                                           {"names.crt", "Zo?? ???"},
                                           {"nameless.crt", ""},
                                           {"ca.crt", "Example CA"}};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct certificate certificate = x509_certificate(names[i][0]);

        assert_string_equal(certificate.common_name, names[i][1]);
        certificate_free(&certificate);
    }
}

static void dates(void **state)
{
    struct certificate certificate = x509_certificate("ec-p256.crt"); /* GeneralizedTime */

    (void)state;
    assert_int_equal(certificate.not_before, 1577836800);
    assert_int_equal(certificate.not_after, 4102444799);
    assert_false(certificate_is_current(&certificate, 1577836799));
    assert_true(certificate_is_current(&certificate, 1577836800));
    assert_true(certificate_is_current(&certificate, 4102444799));
    assert_false(certificate_is_current(&certificate, 4102444800));
    certificate_free(&certificate);
    certificate = x509_certificate("short-dates.crt"); /* UTCTime, both sides of 2000 */
    assert_int_equal(certificate.not_before, 920246398);
    assert_int_equal(certificate.not_after, 2524607999);
    certificate_free(&certificate);
}

static void extensions(void **state)
{
    static const struct {
        const char *name;
        bool is_ca, server_auth;
    } expected[] = {
        {"ca.crt", true, true},
        {"leaf.crt", false, true},
        {"leaf-client.crt", false, false},
        {"leaf-any-usage.crt", false, true},
        {"leaf-bare.crt", false, true},
        {"leaf-critical.crt", false, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct certificate certificate = x509_certificate(expected[i].name);

        assert_int_equal(certificate.is_ca, expected[i].is_ca);
        assert_int_equal(certificate.server_auth, expected[i].server_auth);
        certificate_free(&certificate);
    }
}

static void wrong_pem(void **state)
{
    char *certificate = x509_file("ec-p256.crt"), *key = x509_file("ed25519.key");
    char *key_first = mem_printf("%s%s", key, certificate),
         *with_parameters = x509_file("ec-p256.key");

    (void)state;
    check_error("", "holds no PEM block, expected \"-----BEGIN CERTIFICATE-----\"");
    check_error("text", "holds no PEM block, expected \"-----BEGIN CERTIFICATE-----\"");
    check_error(key_first, "holds a private key, expected a certificate");
    check_error(with_parameters, "holds a private key, expected a certificate");
    check_error(key, "holds a private key, expected a certificate");
    check_error("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
                "holds PEM block \"EC PARAMETERS\", expected \"CERTIFICATE\"");
    check_error("-----BEGIN CERTIFICATE-----\nBggqhkjOPQMBBw==\n-----END CERTIFICATE-----\n",
                "not an X.509 certificate (malformed outermost SEQUENCE)");
    check_error("-----BEGIN CERTIFICATE-----\nBgg",
                "PEM block is cut off: no \"-----END CERTIFICATE-----\"");
    free(certificate);
    free(key);
    free(key_first);
    free(with_parameters);
}

/* As LXD and its clients read it, and OpenSSL. */
static void the_first_certificate_counts(void **state)
{
    char *first = x509_file("leaf-by-intermediate.crt"), *second = x509_file("intermediate.crt"),
         *key = x509_file("leaf.key"), *body = mem_string(first);
    struct certificate expected = x509_certificate("leaf-by-intermediate.crt");

    (void)state;
    char *base64 = strchr(body, '\n') + 1;
    *strstr(base64, "-----END") = '\0';
    char *texts[] = {
        mem_printf("%s%s", first, second),
        mem_printf("%s%s", first, key),
        mem_printf("%s-----BEGIN CERTIFICATE-----\nBgg", first),
        mem_printf("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                   "-----END EC PARAMETERS-----\n%s",
                   first),
        mem_printf("-----BEGIN X509 CERTIFICATE-----\n%s-----END X509 CERTIFICATE-----\n", base64),
        mem_printf("-----BEGIN CERTIFICATE-----\nSubject: node\n\n%s-----END CERTIFICATE-----\n",
                   base64),
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct certificate certificate;
        struct error error = {0};

        assert_int_equal(certificate_from_pem(&certificate, texts[i], &error), 0);
        assert_string_equal(error.text, "");
        assert_string_equal(certificate.fingerprint, expected.fingerprint);
        certificate_free(&certificate);
        free(texts[i]);
    }
    certificate_free(&expected);
    free(first);
    free(second);
    free(key);
    free(body);
}

static void pem_is_bounded(void **state)
{
    char *certificate = x509_file("ec-p256.crt");
    size_t length = strlen(certificate);
    char *text = mem_alloc(CERTIFICATE_MAX_PEM + 2);
    struct certificate parsed;
    struct error error;

    (void)state;
    memcpy(text, certificate, length);
    memset(text + length, '\n', CERTIFICATE_MAX_PEM - length);
    assert_int_equal(certificate_from_pem(&parsed, text, &error), 0);
    certificate_free(&parsed);
    text[CERTIFICATE_MAX_PEM] = '\n';
    check_error(text, "longer than 65536 bytes, expected a certificate");
    free(text);
    free(certificate);
}

static void every_truncation_and_extension_is_refused(void **state)
{
    struct certificate whole = x509_certificate("leaf.crt"), parsed;
    uint8_t *longer = mem_alloc(whole.length + 1);

    (void)state;
    for (size_t length = 0; length < whole.length; length++)
        assert_int_equal(parse_der(&parsed, whole.der, length), -1);
    memcpy(longer, whole.der, whole.length);
    assert_int_equal(parse_der(&parsed, longer, whole.length + 1), -1);
    free(longer);
    certificate_free(&whole);
}

/* Whatever one wrong byte makes of it, it is refused or it is a certificate with all its parts. */
static void every_changed_byte_is_survived(void **state)
{
    static const char *const names[] = {"leaf.crt", "ca.crt", "names.crt", "short-dates.crt"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct certificate whole = x509_certificate(names[i]), parsed;

        for (size_t at = 0; at < whole.length; at++) {
            const uint8_t byte = whole.der[at];

            for (unsigned change = 1; change < 256; change++) {
                whole.der[at] = (uint8_t)(byte ^ change);
                if (parse_der(&parsed, whole.der, whole.length) != 0)
                    continue;
                assert_int_equal(strlen(parsed.fingerprint), 64);
                assert_non_null(parsed.common_name);
                certificate_free(&parsed);
            }
            whole.der[at] = byte;
        }
        certificate_free(&whole);
    }
}

/* Replace the first occurrence of `from` in the certificate's DER by `to` and parse it. */
static int parse_changed(const char *name, const char *from, const char *to, size_t length)
{
    struct certificate whole = x509_certificate(name), parsed;
    uint8_t *place = memmem(whole.der, whole.length, from, length);

    assert_non_null(place);
    memcpy(place, to, length);
    int result = parse_der(&parsed, whole.der, whole.length);
    if (result == 0)
        certificate_free(&parsed);
    certificate_free(&whole);
    return result;
}

static void dates_that_are_none(void **state)
{
    static const char *const texts[] = {"200001000000Z", "201301000000Z", "200100000000Z",
                                        "200132000000Z", "200230000000Z", "210229000000Z",
                                        "200101240000Z", "200101006000Z", "200101000060Z",
                                        "20010100000-Z", "2001010000000", " 00101000000Z"};

    (void)state;
    assert_int_equal(parse_changed("leaf.crt", "200101000000Z", "200229235959Z", 13), 0);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(parse_changed("leaf.crt", "200101000000Z", texts[i], 13), -1);
    assert_int_equal(parse_changed("leaf.crt", "20991231235959Z", "20991331235959Z", 15), -1);
    assert_int_equal(parse_changed("leaf.crt", "20991231235959Z", "20-91231235959Z", 15), -1);
    assert_int_equal(parse_changed("leaf.crt", "\x18\x0f", "\x19\x0f", 2),
                     -1); /* another string type */
}

/* Parse leaf.crt with another start of its validity, of any length; the lengths of what is around
 * it are those of 2, 2 and 1 bytes. */
static bool parse_start(uint8_t tag, const char *text, int64_t *start)
{
    struct certificate whole = x509_certificate("leaf.crt"), parsed;
    size_t length = strlen(text), more = length - 13;
    const uint8_t *end = whole.der + whole.length;
    uint8_t *place = memmem(whole.der, whole.length, "200101000000Z", 13);
    uint8_t *der = mem_alloc(whole.length + length), *at = der;

    assert_non_null(place);
    size_t before = (size_t)(place - whole.der);
    memcpy(der, whole.der, before);
    at[before - 1] = (uint8_t)length;
    at[before - 2] = tag;
    at[before - 3] = (uint8_t)(at[before - 3] + more);
    for (size_t header = 0; header <= 4; header += 4) {
        size_t sum = ((size_t)at[header + 2] << 8 | at[header + 3]) + more;

        at[header + 2] = (uint8_t)(sum >> 8);
        at[header + 3] = (uint8_t)sum;
    }
    memcpy(der + before, text, length);
    memcpy(der + before + length, place + 13, (size_t)(end - place) - 13);
    int result = parse_der(&parsed, der, whole.length + more);
    if (result == 0) {
        *start = parsed.not_before;
        certificate_free(&parsed);
    }
    free(der);
    certificate_free(&whole);
    return result == 0;
}

/* What Go reads, and so LXD (X.680 47.3; not RFC 5280). */
static void dates_with_offsets(void **state)
{
    static const struct {
        uint8_t tag;
        const char *text;
        int64_t start; /* 0: no date */
    } cases[] = {
        {DER_UTC_TIME, "200101000000Z", 1577836800},
        {DER_UTC_TIME, "2001010000Z", 1577836800},
        {DER_UTC_TIME, "200101000001+0100", 1577833201},
        {DER_UTC_TIME, "2001010000-0030", 1577838600},
        {DER_UTC_TIME, "500101000000Z", -631152000},
        {DER_UTC_TIME, "2001010000", 0},
        {DER_UTC_TIME, "200101000000", 0},
        {DER_UTC_TIME, "2001010000+0000", 0},
        {DER_UTC_TIME, "2001010000+0060", 0},
        {DER_UTC_TIME, "2001010000+01", 0},
        {DER_UTC_TIME, "20010100Z", 0},
        {DER_UTC_TIME, "", 0},
        {DER_GENERALIZED_TIME, "20200101000000Z", 1577836800},
        {DER_GENERALIZED_TIME, "20200101000000+0100", 1577833200},
        {DER_GENERALIZED_TIME, "20200101000000-2359", 1577923140},
        {DER_GENERALIZED_TIME, "202001010000Z", 0},
        {DER_GENERALIZED_TIME, "20200101000000.0Z", 0},
        {DER_GENERALIZED_TIME, "20200101000000-0000", 0},
        {DER_GENERALIZED_TIME, "20200101000000*0100", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t start = 0;

        if (parse_start(cases[i].tag, cases[i].text, &start) != (cases[i].start != 0) ||
            start != cases[i].start)
            fail_msg("%s: %lld", cases[i].text, (long long)start);
    }
}

static void structure(void **state)
{
    (void)state;
    assert_int_equal(parse_changed("leaf.crt", "\x30\x82", "\x30\x80", 2),
                     -1); /* indefinite length */
    assert_int_equal(parse_changed("leaf.crt", "\x30\x82", "\x30\x84", 2), -1); /* huge length */
    assert_int_equal(parse_changed("leaf.crt", "\xa0\x03", "\xa1\x03", 2),
                     -1); /* [1] before the serial */
    assert_int_equal(parse_changed("leaf.crt", "\x06\x03\x55\x04\x03", "\x05\x03\x55\x04\x03", 5),
                     -1);
    assert_int_equal(parse_changed("leaf.crt", "\x03\x55\x1d\x25\x04", "\x03\x55\x1d\x25\x05", 5),
                     -1);
    assert_int_equal(
        parse_changed("ca.crt", "\x01\x01\xff\x04\x05\x30\x03", "\x01\x01\xff\x04\x05\x30\x02", 7),
        -1);
    assert_int_equal(parse_changed("ca.crt", "\x30\x03\x01\x01\xff", "\x30\x03\x01\x01\x00", 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingerprints),
        cmocka_unit_test(common_names),
        cmocka_unit_test(dates),
        cmocka_unit_test(extensions),
        cmocka_unit_test(wrong_pem),
        cmocka_unit_test(the_first_certificate_counts),
        cmocka_unit_test(pem_is_bounded),
        cmocka_unit_test(every_truncation_and_extension_is_refused),
        cmocka_unit_test(every_changed_byte_is_survived),
        cmocka_unit_test(dates_that_are_none),
        cmocka_unit_test(dates_with_offsets),
        cmocka_unit_test(structure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
