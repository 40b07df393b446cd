/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "x509/server_identity.h"
#include "x509_files.h"

#define MAX_CHAIN 4

static char remark[SERVER_IDENTITY_REMARK_SIZE];

static int check_der(const struct server_identity *identity, const uint8_t *const der[],
                     const size_t length[], size_t count, struct error *error)
{
    const struct server_chain chain = {der, length, count};

    return server_identity_check(identity, &chain, "node-1", time(NULL), remark, error);
}

/* Check a chain of files, leaf first, against the certificates of files; both lists end with NULL.
 */
static int check_for(const char *host, int64_t now, const char *const expected[],
                     const char *const chain[], struct error *error)
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
    const struct server_chain presented_chain = {der, length, count};
    int result = server_identity_check(&identity, &presented_chain, host, now, remark, error);
    while (count > 0)
        certificate_free(&presented[--count]);
    server_identity_free(&identity);
    buffer_free(&bundle);
    return result;
}

static int check(const char *const expected[], const char *const chain[], struct error *error)
{
    return check_for("node-1", time(NULL), expected, chain, error);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_accepted(const char *const expected[], const char *const chain[])
{
    struct error error = {0};
    int result = check(expected, chain, &error);

    assert_string_equal(error.text, "");
    assert_int_equal(result, 0);
}

/* "presents the expected certificate <leaf>..., which <what>: renew it" */
static void assert_accepted_but(const char *leaf, const char *what)
{
    struct certificate certificate = x509_certificate(leaf);
    char *sentence = mem_printf("presents the expected certificate %.12s..., which %s: renew it",
                                certificate.fingerprint, what);

    assert_accepted(LIST(leaf), LIST(leaf));
    assert_string_equal(remark, sentence);
    free(sentence);
    certificate_free(&certificate);
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
    assert_string_equal(remark, "");
    assert_accepted(LIST("leaf-client.crt"), LIST("leaf-client.crt"));
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

static void remarks(void **state)
{
    (void)state;
    assert_accepted_but("leaf-expired.crt", "is outside its dates");
    assert_accepted_but("leaf-future.crt", "is outside its dates");
    assert_accepted_but("rsa-1024.crt", "has an RSA key of less than 2048 bits");

    struct certificate leaf = x509_certificate("leaf.crt"), ca = x509_certificate("ca-expired.crt");
    char *sentence = mem_printf("presents certificate %.12s... of the expected CA %.12s..., which "
                                "is outside its dates: renew the CA",
                                leaf.fingerprint, ca.fingerprint);
    assert_accepted(LIST("ca-expired.crt"), LIST("leaf.crt"));
    assert_string_equal(remark, sentence);
    free(sentence);
    certificate_free(&leaf);
    certificate_free(&ca);
}

/* What TLS could not use is said by its name, although it is the expected one. */
static void expected_but_useless(void **state)
{
    static const struct {
        const char *file, *fault;
    } cases[] = {
        {"ed25519.crt", "an Ed25519 key, which is not supported"},
        {"ec-secp256k1.crt", "an EC key of another curve than P-256, P-384 or P-521"},
        {"rsa-5120.crt", "an RSA key of more than 4096 bits, which is the most supported"},
        {"ec-compressed.crt", "an EC key that is a compressed point, which is not supported"},
        {"ec-explicit.crt", "an EC key with explicit parameters, which are not supported"},
        {"rsa-pss.crt", "an RSASSA-PSS key, which is not supported"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct certificate leaf = x509_certificate(cases[i].file);
        struct error error = {0};
        char *sentence =
            mem_printf("presents the expected certificate %.12s..., but with %s: give the server "
                       "an EC (P-256, P-384, P-521) or RSA (2048 to 4096 bits) key",
                       leaf.fingerprint, cases[i].fault);

        assert_int_equal(check(LIST(cases[i].file), LIST(cases[i].file), &error), -1);
        assert_int_equal(error.kind, ERROR_IDENTITY);
        assert_string_equal(error.text, sentence);
        free(sentence);
        certificate_free(&leaf);
    }
}

static void assert_host_refused(const char *leaf, const char *host, const char *names)
{
    struct certificate certificate = x509_certificate(leaf);
    struct error error = {0};
    char *sentence = mem_printf("presents certificate %.12s..., which is for %s, not for %s: pin "
                                "the certificate itself",
                                certificate.fingerprint, names, host);

    assert_int_equal(check_for(host, time(NULL), LIST("ca.crt"), LIST(leaf), &error), -1);
    assert_int_equal(error.kind, ERROR_IDENTITY);
    assert_string_equal(error.text, sentence);
    free(sentence);
    certificate_free(&certificate);
}

static void for_the_host(void **state)
{
    static const char *const accepted[] = {"node-1", "NODE-1", "node-1.", "127.0.0.1"};
    struct error error;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            check_for(accepted[i], time(NULL), LIST("ca.crt"), LIST("leaf.crt"), &error), 0);
    assert_host_refused("leaf.crt", "node-2", "node-1, 127.0.0.1");
    assert_host_refused("leaf.crt", "::1", "node-1, 127.0.0.1");
    assert_host_refused("leaf-bare.crt", "node-1", "no host"); /* the common name is none */
    /* An expected one is compared, and that is all. */
    assert_int_equal(check_for("node-2", 0, LIST("leaf.crt"), LIST("leaf.crt"), &error), 0);
}

/* The time is the caller's. */
static void at_a_time(void **state)
{
    const int64_t last = 1580515200; /* 2020-02-01 00:00:00 */
    struct error error;

    (void)state;
    assert_int_equal(check_for("node-1", last, LIST("ca.crt"), LIST("leaf-expired.crt"), &error),
                     0);
    assert_int_equal(
        check_for("node-1", last + 1, LIST("ca.crt"), LIST("leaf-expired.crt"), &error), -1);
}

#define BUNDLED "; a CA in a bundle with a certificate that it issued does not count"

/* fullchain.pem expects the leaf, not what else its CAs issue. */
static void bundles_of_a_leaf_and_its_ca(void **state)
{
    (void)state;
    assert_accepted(LIST("leaf.crt", "ca.crt"), LIST("leaf.crt", "ca.crt"));
    assert_refused(LIST("leaf.crt", "ca.crt"), LIST("leaf-any-usage.crt"), "", BUNDLED);
    assert_refused(LIST("ca.crt", "leaf.crt"), LIST("leaf-any-usage.crt", "ca.crt"), "", BUNDLED);
    assert_refused(LIST("leaf-by-intermediate.crt", "intermediate.crt", "ca.crt"),
                   LIST("leaf-any-usage.crt"), "", BUNDLED);
    /* One of the same name that did not issue it, and another one, count. */
    assert_accepted(LIST("leaf-rsa.crt", "ca.crt"), LIST("leaf.crt"));
    assert_accepted(LIST("leaf-rsa.crt", "ca-rsa.crt", "ca.crt"), LIST("leaf.crt"));
    assert_accepted(LIST("leaf.crt", "ca.crt", "intermediate.crt"),
                    LIST("leaf-by-intermediate.crt"));
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
    /* In any order, with strangers between, one of them malformed. */
    assert_accepted(LIST("ca.crt"), LIST("leaf-by-intermediate.crt", "ca.crt", "intermediate.crt"));
    assert_accepted(LIST("ca.crt"), LIST("leaf-by-intermediate.crt", "ec-p256.crt", "other-ca.crt",
                                         "intermediate.crt"));
    /* A path that fails gives way to another. */
    assert_accepted(LIST("ca.crt"), LIST("leaf-by-intermediate.crt", "intermediate.crt",
                                         "intermediate-expired.crt"));
    assert_accepted(LIST("ca.crt"), LIST("leaf-by-intermediate.crt", "intermediate-expired.crt",
                                         "intermediate.crt"));
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
    assert_refused(LIST("ca.crt"), LIST("leaf-by-leaf.crt", "leaf.crt", "ca.crt"),
                   ", its issuer no CA", ISSUED);
    assert_refused(LIST("ca-ed25519.crt"), LIST("leaf.crt"), "", ISSUED);
    assert_refused(LIST("ca-ed25519.crt"), LIST("leaf-by-ed25519.crt"),
                   ", its issuer with an Ed25519 key, which is not supported", ISSUED);
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
                   ", with an Ed25519 key, which is not supported", ISSUED);
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
    assert_int_equal(check_der(&identity, der, length, 0, &error), -1);
    assert_string_equal(error.text, "presents no certificate");
    assert_int_equal(check_der(&identity, der, length, 2, &error), 0);
    for (length[0] = 0; length[0] < leaf.length; length[0]++) {
        assert_int_equal(check_der(&identity, der, length, 1, &error), -1);
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
            assert_int_equal(check_der(&identity, der, length, 2, &error), -1);
            chain[i].der[at] ^= 1U << at % 8;
        }
    }
    assert_int_equal(check_der(&identity, der, length, 2, &error), 0);
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

/* Small letters, capitals, or capitals with colons, in the place of %s. */
static char *write_fingerprint(const char *form, const char *fingerprint, int written)
{
    const char *place = strstr(form, "%s");
    struct buffer text = {0};

    buffer_append(&text, form, (size_t)(place - form));
    for (size_t i = 0; i < 64; i++)
        buffer_printf(&text, "%s%c", written == 2 && i != 0 && i % 2 == 0 ? ":" : "",
                      written != 0 ? toupper(fingerprint[i]) : fingerprint[i]);
    buffer_append_string(&text, place + 2);
    return text.data;
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
    assert_int_equal(check_der(&identity, der, length, 1, &error), 0);
    assert_int_equal(check_der(&identity, der + 1, length + 1, 1, &error), -1);
    char *sentence = mem_printf("presents certificate %.12s..., expected %.12s...",
                                other.fingerprint, leaf.fingerprint);
    assert_string_equal(error.text, sentence);
    free(sentence);
    server_identity_free(&identity);

    /* It is no CA's: who is issued by it is another one. */
    assert_int_equal(server_identity_parse(&identity, other.fingerprint, &error), 0);
    assert_int_equal(check_der(&identity, der, length, 2, &error), -1);
    server_identity_free(&identity);

    /* As tools print it. */
    static const char *const forms[] = {"%s\n", " %s ", "sha256 Fingerprint=%s",
                                        "SHA256 Fingerprint=%s\n", "certificate_fingerprint: %s"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        for (int written = 0; written < 3; written++) {
            char *text = write_fingerprint(forms[i], leaf.fingerprint, written);

            assert_int_equal(server_identity_parse(&identity, text, &error), 0);
            assert_int_equal(check_der(&identity, der, length, 1, &error), 0);
            server_identity_free(&identity);
            free(text);
        }
    }

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
    check_bundle("", "holds no PEM block, expected \"-----BEGIN CERTIFICATE-----\" or a SHA-256 "
                     "fingerprint of 64 hex digits");
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
        cmocka_unit_test(pinned_certificates),
        cmocka_unit_test(issued_by_a_ca),
        cmocka_unit_test(not_issued_by_the_ca),
        cmocka_unit_test(out_of_dates),
        cmocka_unit_test(not_for_a_server),
        cmocka_unit_test(beyond_the_validator),
        cmocka_unit_test(malformed_chains),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(wrong_bundles),
        cmocka_unit_test(pinned_fingerprint),
        cmocka_unit_test(remarks),
        cmocka_unit_test(expected_but_useless),
        cmocka_unit_test(for_the_host),
        cmocka_unit_test(at_a_time),
        cmocka_unit_test(bundles_of_a_leaf_and_its_ca),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
