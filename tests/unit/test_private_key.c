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
#include "x509/pem.h"
#include "x509/private_key.h"
#include "x509_files.h"

#define USE "use an EC (P-256, P-384, P-521) or RSA (2048 to 4096 bits) key"

static void check_error(const char *pem, const char *message)
{
    static const struct private_key wiped;
    struct private_key key;
    struct error error = {0};

    assert_int_equal(private_key_from_pem(&key, pem, &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, message);
    assert_memory_equal(&key, &wiped, sizeof key);
}

static void check_file(const char *name, const char *message)
{
    char *pem = x509_file(name);

    check_error(pem, message);
    free(pem);
}

/* The first private key of a file as DER. */
static struct pem_block key_block(const char *name)
{
    char *pem = x509_file(name);
    const char *cursor = pem;
    struct pem_block block;
    struct error error;

    while (pem_next(&cursor, &block, &error) == 1 && !pem_is_private_key(&block))
        pem_block_free(&block);
    assert_non_null(block.der);
    free(pem);
    return block;
}

static void every_form_matches_its_certificate(void **state)
{
    static const struct {
        const char *name;
        int type, curve;
    } keys[] = {
        {"ec-p256", BR_KEYTYPE_EC, BR_EC_secp256r1},
        {"ec-p384", BR_KEYTYPE_EC, BR_EC_secp384r1},
        {"ec-p521", BR_KEYTYPE_EC, BR_EC_secp521r1},
        {"rsa-2048", BR_KEYTYPE_RSA, 0},
        {"rsa-4096", BR_KEYTYPE_RSA, 0},
    };
    static const char *const forms[] = {".key", "-pkcs8.key"};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof keys / sizeof keys[0]; i++) {
        char *crt = mem_printf("%s.crt", keys[i / 2].name);
        char *file = mem_printf("%s%s", keys[i / 2].name, forms[i % 2]), *pem = x509_file(file);
        struct certificate certificate = x509_certificate(crt);
        struct private_key key;
        struct error error;

        assert_int_equal(private_key_from_pem(&key, pem, &error), 0);
        assert_int_equal(key.type, keys[i / 2].type);
        if (key.type == BR_KEYTYPE_EC)
            assert_int_equal(key.ec.curve, keys[i / 2].curve);
        assert_int_equal(private_key_matches(&key, &certificate, &error), 0);
        private_key_wipe(&key);
        certificate_free(&certificate);
        free(pem);
        free(file);
        free(crt);
    }
}

static void others_do_not_match(void **state)
{
    static const char *const pairs[][2] = {
        {"ca.key", "ec-p384.crt"},        {"ec-p256.key", "ec-p384.crt"},
        {"ec-p256.key", "rsa-2048.crt"},  {"rsa-2048.key", "ec-p256.crt"},
        {"rsa-2048.key", "rsa-4096.crt"}, {"rsa-2048.key", "rsa-1024.crt"},
        {"ec-p256.key", "ed25519.crt"},   {"ec-p256.key", "ec-secp256k1.crt"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *pem = x509_file(pairs[i][0]), message[100];
        struct certificate certificate = x509_certificate(pairs[i][1]);
        struct private_key key;
        struct error error = {0};

        snprintf(message, sizeof message, "the private key does not belong to certificate %.12s...",
                 certificate.fingerprint);
        assert_int_equal(private_key_from_pem(&key, pem, &error), 0);
        assert_int_equal(private_key_matches(&key, &certificate, &error), -1);
        assert_int_equal(error.kind, ERROR_INPUT);
        assert_string_equal(error.text, message);
        private_key_wipe(&key);
        certificate_free(&certificate);
        free(pem);
    }
}

static void unsupported_keys(void **state)
{
    (void)state;
    check_file("ed25519.key", "Ed25519 keys are not supported: " USE);
    check_file("ed448.key", "Ed448 keys are not supported: " USE);
    check_file("x25519.key", "keys of this kind are not supported: " USE);
    check_file("rsa-pss.key", "RSASSA-PSS keys are not supported: " USE);
    check_file("ec-secp256k1.key", "EC key of an unsupported curve: " USE);
    check_file("ec-p224.key", "EC key of an unsupported curve: " USE);
    check_file("ec-p256-explicit.key", "EC key of an unsupported curve: " USE);
    check_file("rsa-1024.key", "RSA key of 1024 bits: 2048 is the least supported");
    check_file("rsa-1024-pkcs8.key", "RSA key of 1024 bits: 2048 is the least supported");
    check_file("rsa-8192.key", "RSA key of 8192 bits: 4096 is the most supported");
    check_file("rsa-8192-pkcs8.key", "RSA key of 8192 bits: 4096 is the most supported");
    check_error("-----BEGIN OPENSSH PRIVATE KEY-----\nZm9v\n-----END OPENSSH PRIVATE KEY-----\n",
                "PEM block \"OPENSSH PRIVATE KEY\" is not supported: " USE);
}

static void encrypted_keys(void **state)
{
    (void)state;
    check_file("ec-p256-encrypted.key", "encrypted key: decrypt it first with \"openssl pkey\"");
    check_file("ec-p256-encrypted-legacy.key",
               "EC PRIVATE KEY is encrypted: decrypt it first with \"openssl pkey\"");
}

static void no_key(void **state)
{
    static const char message[] =
        "holds no private key, expected \"-----BEGIN PRIVATE KEY-----\" or alike";

    (void)state;
    check_error("", message);
    check_error("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
                message);
    check_file("ca.crt", message);
    check_error("-----BEGIN PRIVATE KEY-----\nMIGH",
                "PEM block is cut off: no \"-----END PRIVATE KEY-----\"");
}

/* Parse der under label; a key that is accepted is tried on the certificate. */
static bool accepts(const struct pem_block *block, const struct certificate *certificate,
                    bool *matches)
{
    char *pem = pem_encode(block->label, block->der, block->length);
    struct private_key key;
    struct error error;
    bool accepted = private_key_from_pem(&key, pem, &error) == 0;

    *matches = accepted && private_key_matches(&key, certificate, &error) == 0;
    private_key_wipe(&key);
    free(pem);
    return accepted;
}

static void every_truncation_is_refused(void **state)
{
    static const char *const names[] = {"ec-p256.key", "ec-p521-pkcs8.key", "rsa-2048.key",
                                        "rsa-2048-pkcs8.key"};
    struct certificate certificate = x509_certificate("ec-p256.crt");

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct pem_block block = key_block(names[i]);
        const size_t length = block.length;
        bool matches;

        while (--block.length > 0)
            assert_false(accepts(&block, &certificate, &matches));
        block.length = length;
        pem_block_free(&block);
    }
    certificate_free(&certificate);
}

static void trailing_bytes_are_refused(void **state)
{
    static const char *const names[] = {"ec-p256.key", "ec-p256-pkcs8.key", "rsa-2048.key",
                                        "rsa-2048-pkcs8.key"};
    struct certificate certificate = x509_certificate("ec-p256.crt");

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct pem_block block = key_block(names[i]);
        bool matches;

        block.der = mem_resize(block.der, block.length + 1);
        block.der[block.length++] = 0;
        assert_false(accepts(&block, &certificate, &matches));
        pem_block_free(&block);
    }
    certificate_free(&certificate);
}

static void every_changed_byte_is_survived(void **state)
{
    static const char *const names[][2] = {
        {"ec-p256.key", "ec-p256.crt"},
        {"ec-p384-pkcs8.key", "ec-p384.crt"},
        {"rsa-2048.key", "rsa-2048.crt"},
        {"rsa-2048-pkcs8.key", "rsa-2048.crt"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct certificate certificate = x509_certificate(names[i][1]);
        struct pem_block block = key_block(names[i][0]);
        bool matches;

        for (size_t at = 0; at < block.length; at++) {
            block.der[at] ^= 1U << at % 8;
            accepts(&block, &certificate, &matches);
            block.der[at] ^= 1U << at % 8;
        }
        assert_true(accepts(&block, &certificate, &matches));
        assert_true(matches);
        pem_block_free(&block);
        certificate_free(&certificate);
    }
}

/* The scalar of a SEC1 key for P-256 is at 7, 32 bytes. */
static void scalars_out_of_range(void **state)
{
    struct certificate certificate = x509_certificate("ec-p256.crt");
    struct pem_block block = key_block("ec-p256.key");
    size_t length;
    const unsigned char *order = br_ec_all_m31.order(BR_EC_secp256r1, &length);
    bool matches;

    (void)state;
    assert_int_equal(length, 32);
    assert_memory_equal(block.der + 5, "\x04\x20", 2);
    block.der[block.length - 1] ^= 1; /* its public key is not believed then */
    memset(block.der + 7, 0, length);
    assert_false(accepts(&block, &certificate, &matches));
    block.der[7 + 31] = 1;
    assert_true(accepts(&block, &certificate, &matches));
    assert_false(matches);
    memcpy(block.der + 7, order, length);
    assert_false(accepts(&block, &certificate, &matches));
    block.der[7 + 31]--;
    assert_true(accepts(&block, &certificate, &matches));
    memset(block.der + 7, 0xff, length);
    assert_false(accepts(&block, &certificate, &matches));
    pem_block_free(&block);
    certificate_free(&certificate);
}

/* Some writers leave out a scalar's leading zeros, others put one too many. */
static void scalars_of_any_length(void **state)
{
    static const char one[] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "MBICAQEEAQGgCgYIKoZIzj0DAQc=\n"
                              "-----END EC PRIVATE KEY-----\n";
    struct private_key key;
    struct error error;

    (void)state;
    assert_int_equal(private_key_from_pem(&key, one, &error), 0);
    assert_int_equal(key.ec.xlen, 32);
    assert_int_equal(key.ec.x[0], 0);
    assert_int_equal(key.ec.x[31], 1);
    private_key_wipe(&key);

    struct pem_block block = key_block("ec-p256.key");
    uint8_t wider[19 + 33] = {0x30, 0x32, 2, 1, 1, 4, 33, 0};
    memcpy(wider + 8, block.der + 7, 32);
    memcpy(wider + 40, "\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 12);
    char *pem = pem_encode("EC PRIVATE KEY", wider, sizeof wider);
    assert_int_equal(private_key_from_pem(&key, pem, &error), 0);
    assert_memory_equal(key.ec.x, block.der + 7, 32);
    private_key_wipe(&key);
    wider[7] = 1;
    free(pem);
    pem = pem_encode("EC PRIVATE KEY", wider, sizeof wider);
    check_error(pem, "malformed private key");
    free(pem);
    pem_block_free(&block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_matches_its_certificate),
        cmocka_unit_test(others_do_not_match),
        cmocka_unit_test(unsupported_keys),
        cmocka_unit_test(encrypted_keys),
        cmocka_unit_test(no_key),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(trailing_bytes_are_refused),
        cmocka_unit_test(every_changed_byte_is_survived),
        cmocka_unit_test(scalars_out_of_range),
        cmocka_unit_test(scalars_of_any_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
