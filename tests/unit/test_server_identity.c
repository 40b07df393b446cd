/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "x509/server_identity.h"
#include "x509_files.h"

#define MAX_CHAIN 4

/* Check a chain of files, leaf first, against the certificates of files; both lists end with NULL.
 */
static int check(const char *const expected[], const char *const chain[], struct error *error)
{
    struct buffer bundle = {0};
    struct server_identity identity;
    struct certificate presented[MAX_CHAIN];
    const uint8_t *der[MAX_CHAIN];
    size_t length[MAX_CHAIN], count = 0;

    for (size_t i = 0; expected[i] != NULL; i++) {
        char *text = x509_file(expected[i]);

        buffer_append_string(&bundle, text);
        free(text);
    }
    assert_int_equal(server_identity_parse(&identity, bundle.data, error), 0);
    for (; chain[count] != NULL; count++) {
        presented[count] = x509_certificate(chain[count]);
        der[count] = presented[count].der;
        length[count] = presented[count].length;
    }
    int result = server_identity_check(&identity, der, length, count, error);
    while (count > 0)
        certificate_free(&presented[--count]);
    server_identity_free(&identity);
    buffer_free(&bundle);
    return result;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_accepted(const char *const expected[], const char *const chain[])
{
    struct error error = {0};
    int result = check(expected, chain, &error);

    assert_string_equal(error.text, "");
    assert_int_equal(result, 0);
}

/* "presents certificate <leaf>...<reason>, expected <first expected>...<others>" */
static void assert_refused(const char *const expected[], const char *const chain[],
                           const char *reason, const char *others)
{
    struct certificate leaf = x509_certificate(chain[0]), first = x509_certificate(expected[0]);
    struct error error = {0};
    char message[sizeof error.text];

    snprintf(message, sizeof message, "presents certificate %.12s...%s, expected %.12s...%s",
             leaf.fingerprint, reason, first.fingerprint, others);
    assert_int_equal(check(expected, chain, &error), -1);
    assert_int_equal(error.kind, ERROR_IDENTITY);
    assert_string_equal(error.text, message);
    certificate_free(&leaf);
    certificate_free(&first);
}

#define ISSUED " or one that it issued"

static void pinned_certificates(void **state)
{
    (void)state;
    assert_accepted(LIST("ec-p384.crt"), LIST("ec-p384.crt"));
    assert_accepted(LIST("ec-p256.crt", "ec-p384.crt"), LIST("ec-p384.crt"));
    assert_accepted(LIST("leaf-expired.crt"), LIST("leaf-expired.crt"));
    assert_accepted(LIST("leaf-client.crt"), LIST("leaf-client.crt"));
    assert_accepted(LIST("ed25519.crt"), LIST("ed25519.crt"));
    assert_accepted(LIST("ca.crt"), LIST("ca.crt"));
    assert_refused(LIST("ec-p384.crt"), LIST("ec-p256.crt"), "", "");
    assert_refused(LIST("ec-p384.crt", "ec-p521.crt"), LIST("ec-p256.crt"), "",
                   " or another one of the bundle");
    assert_refused(LIST("ec-p384.crt"), LIST("leaf-expired.crt"), "", "");
    /* Only the leaf proves that it has its key. */
    assert_refused(LIST("ec-p384.crt"), LIST("ec-p256.crt", "ec-p384.crt"), "", "");
    /* What is no CA vouches for nothing. */
    assert_refused(LIST("leaf.crt"), LIST("leaf-by-leaf.crt", "leaf.crt"), "", "");
}

static void issued_by_a_ca(void **state)
{
    (void)state;
    assert_accepted(LIST("ca.crt"), LIST("leaf.crt"));
    assert_accepted(LIST("ca.crt"), LIST("leaf.crt", "ca.crt"));
    assert_accepted(LIST("ec-p256.crt", "other-ca.crt", "ca.crt"), LIST("leaf.crt"));
    assert_accepted(LIST("ca-rsa.crt"), LIST("leaf-rsa.crt"));
    assert_accepted(LIST("ca.crt"), LIST("leaf-by-intermediate.crt", "intermediate.crt"));
    assert_accepted(LIST("ca.crt"), LIST("leaf-by-intermediate.crt", "intermediate.crt", "ca.crt"));
    assert_accepted(LIST("intermediate.crt"), LIST("leaf-by-intermediate.crt"));
    assert_accepted(LIST("ca.crt"), LIST("leaf-any-usage.crt"));
    assert_accepted(LIST("ca.crt"), LIST("leaf-bare.crt"));
    assert_accepted(LIST("ca-expired.crt"), LIST("leaf.crt"));
}

static void not_issued_by_the_ca(void **state)
{
    (void)state;
    assert_refused(LIST("other-ca.crt"), LIST("leaf.crt"), "", ISSUED);
    assert_refused(LIST("other-ca.crt"), LIST("leaf.crt", "ca.crt"), "", ISSUED);
    assert_refused(LIST("ca.crt"), LIST("ec-p384.crt"), "", ISSUED);
    assert_refused(LIST("ca.crt"), LIST("ec-p384.crt", "ca.crt"), "", ISSUED);
    assert_refused(LIST("ca.crt"), LIST("leaf-by-intermediate.crt"), "", ISSUED);
    assert_refused(LIST("ca.crt"), LIST("leaf-by-intermediate.crt", "ca.crt"), "", ISSUED);
    assert_refused(LIST("ca.crt"), LIST("leaf-by-leaf.crt", "leaf.crt", "ca.crt"), "", ISSUED);
    assert_refused(LIST("ca-ed25519.crt"), LIST("leaf.crt"), "", ISSUED);
}

static void out_of_dates(void **state)
{
    (void)state;
    assert_refused(LIST("ca.crt"), LIST("leaf-expired.crt"), ", expired on 2020-02-01", ISSUED);
    assert_refused(LIST("ca.crt"), LIST("leaf-future.crt"), ", not valid before 2098-01-01",
                   ISSUED);
    assert_refused(LIST("ca.crt"), LIST("leaf-by-intermediate.crt", "intermediate-expired.crt"),
                   ", its issuer expired on 2020-02-01", ISSUED);
}

static void not_for_a_server(void **state)
{
    (void)state;
    assert_refused(LIST("ca.crt"), LIST("leaf-client.crt"), ", not for a server", ISSUED);
    assert_refused(LIST("ca.crt"), LIST("leaf-encipherment.crt"), ", not for a server", ISSUED);
}

static void beyond_the_validator(void **state)
{
    (void)state;
    assert_refused(LIST("ca.crt"), LIST("leaf-critical.crt"),
                   ", with an unsupported critical extension", ISSUED);
    assert_refused(LIST("ca.crt"), LIST("leaf-weak.crt"),
                   ", with an RSA key of less than 2048 bits", ISSUED);
    assert_refused(LIST("ca.crt"), LIST("leaf-ed25519.crt"),
                   ", of an unsupported kind of key or signature", ISSUED);
}

static void malformed_chains(void **state)
{
    char *pem = x509_file("ca.crt");
    struct certificate leaf = x509_certificate("leaf.crt");
    struct server_identity identity;
    struct error error;
    const uint8_t *der[] = {leaf.der, leaf.der};
    size_t length[] = {leaf.length, 0};

    (void)state;
    assert_int_equal(server_identity_parse(&identity, pem, &error), 0);
    assert_int_equal(server_identity_check(&identity, der, length, 0, &error), -1);
    assert_string_equal(error.text, "presents no certificate");
    assert_int_equal(server_identity_check(&identity, der, length, 2, &error), 0);
    for (length[0] = 0; length[0] < leaf.length; length[0]++) {
        assert_int_equal(server_identity_check(&identity, der, length, 1, &error), -1);
        assert_int_equal(error.kind, ERROR_IDENTITY);
        assert_string_equal(error.text, "presents a malformed certificate");
    }
    certificate_free(&leaf);
    server_identity_free(&identity);
    free(pem);
}

/* No single change of a leaf or an intermediate is accepted, nor does any crash the validator. */
static void every_changed_byte_is_refused(void **state)
{
    char *pem = x509_file("ca.crt");
    struct certificate chain[] = {x509_certificate("leaf-by-intermediate.crt"),
                                  x509_certificate("intermediate.crt")};
    const uint8_t *der[] = {chain[0].der, chain[1].der};
    const size_t length[] = {chain[0].length, chain[1].length};
    struct server_identity identity;
    struct error error;

    (void)state;
    assert_int_equal(server_identity_parse(&identity, pem, &error), 0);
    for (size_t i = 0; i < 2; i++) {
        for (size_t at = 0; at < length[i]; at++) {
            chain[i].der[at] ^= 1U << at % 8;
            assert_int_equal(server_identity_check(&identity, der, length, 2, &error), -1);
            chain[i].der[at] ^= 1U << at % 8;
        }
    }
    assert_int_equal(server_identity_check(&identity, der, length, 2, &error), 0);
    server_identity_free(&identity);
    certificate_free(&chain[0]);
    certificate_free(&chain[1]);
    free(pem);
}

static void check_bundle(const char *pem, const char *message)
{
    struct server_identity identity;
    struct error error = {0};

    assert_int_equal(server_identity_parse(&identity, pem, &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, message);
    assert_null(identity.expected);
    assert_int_equal(identity.count, 0);
}

static void pinned_fingerprint(void **state)
{
    struct certificate leaf = x509_certificate("leaf.crt"), other = x509_certificate("ca.crt");
    const uint8_t *der[] = {leaf.der, other.der};
    const size_t length[] = {leaf.length, other.length};
    struct server_identity identity;
    struct error error;
    char digits[66];

    (void)state;
    assert_int_equal(server_identity_parse(&identity, leaf.fingerprint, &error), 0);
    assert_int_equal(server_identity_check(&identity, der, length, 1, &error), 0);
    assert_int_equal(server_identity_check(&identity, der + 1, length + 1, 1, &error), -1);
    char *sentence = mem_printf("presents certificate %.12s..., expected %.12s...",
                                other.fingerprint, leaf.fingerprint);
    assert_string_equal(error.text, sentence);
    free(sentence);
    server_identity_free(&identity);

    /* It is no CA's: who is issued by it is another one. */
    assert_int_equal(server_identity_parse(&identity, other.fingerprint, &error), 0);
    assert_int_equal(server_identity_check(&identity, der, length, 2, &error), -1);
    server_identity_free(&identity);

    snprintf(digits, sizeof digits, "%s0", leaf.fingerprint);
    assert_int_equal(server_identity_parse(&identity, digits, &error), -1);
    digits[63] = '\0';
    assert_int_equal(server_identity_parse(&identity, digits, &error), -1);
    certificate_free(&leaf);
    certificate_free(&other);
}

static void wrong_bundles(void **state)
{
    char *certificate = x509_file("ca.crt"), *key = x509_file("ed25519.key");
    char *with_key = mem_printf("%s%s", certificate, key),
         *cut = mem_printf("%s-----BEGIN X-----", certificate);
    struct buffer many = {0};

    (void)state;
    check_bundle("", "holds no PEM block, expected \"-----BEGIN CERTIFICATE-----\"");
    check_bundle(with_key, "holds a private key, expected a certificate");
    check_bundle(cut, "PEM block is cut off: no \"-----END X-----\"");
    for (int i = 0; i <= SERVER_IDENTITY_MAX; i++)
        buffer_append_string(&many, certificate);
    check_bundle(many.data, "holds more than 64 certificates");
    buffer_free(&many);
    free(certificate);
    free(key);
    free(with_key);
    free(cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pinned_certificates),  cmocka_unit_test(issued_by_a_ca),
        cmocka_unit_test(not_issued_by_the_ca), cmocka_unit_test(out_of_dates),
        cmocka_unit_test(not_for_a_server),     cmocka_unit_test(beyond_the_validator),
        cmocka_unit_test(malformed_chains),     cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(wrong_bundles),        cmocka_unit_test(pinned_fingerprint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
