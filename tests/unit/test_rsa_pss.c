/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing, for every key size that a client may have and every hash, and what a verifier must
 * refuse. Signatures made by others are in the Wycheproof suite and in RFC 8448's traces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "tls/internal.h"
#include "x509/certificate.h"
#include "x509/private_key.h"
#include "x509_files.h"

static const br_hash_class *const hashes[] = {&br_sha256_vtable, &br_sha384_vtable,
                                              &br_sha512_vtable};

struct pair {
    struct private_key key;
    struct certificate certificate;
    br_x509_decoder_context decoder;
    const br_rsa_public_key *public_key;
};

static void load(struct pair *pair, const char *name)
{
    struct error error;
    char *path = mem_printf("%s.key", name);
    char *pem = x509_file(path);

    if (private_key_from_pem(&pair->key, pem, &error) != 0)
        fail_msg("%s: %s", name, error.text);
    free(pem);
    free(path);
    path = mem_printf("%s.crt", name);
    pem = x509_file(path);
    assert_int_equal(certificate_from_pem(&pair->certificate, pem, &error), 0);
    free(pem);
    free(path);
    br_x509_decoder_init(&pair->decoder, NULL, NULL);
    br_x509_decoder_push(&pair->decoder, pair->certificate.der, pair->certificate.length);
    assert_int_equal(br_x509_decoder_last_error(&pair->decoder), 0);
    pair->public_key = &br_x509_decoder_get_pkey(&pair->decoder)->key.rsa;
}

static void unload(struct pair *pair)
{
    private_key_wipe(&pair->key);
    certificate_free(&pair->certificate);
}

static void sign_and_verify(const struct pair *pair, const br_hash_class *hash)
{
    uint8_t digest[64], salt[64], signature[512];
    size_t length = pair->public_key->nlen;

    memset(digest, 0x11, sizeof digest);
    memset(salt, 0x22, sizeof salt);
    assert_true(tls_rsa_pss_sign(&pair->key.rsa, hash, digest, salt, signature));
    assert_true(tls_rsa_pss_verify(pair->public_key, hash, digest, signature, length));

    assert_false(tls_rsa_pss_verify(pair->public_key, hash, digest, signature, length - 1));
    for (size_t i = 0; i < 3; i++) {
        if (hashes[i] != hash)
            assert_false(
                tls_rsa_pss_verify(pair->public_key, hashes[i], digest, signature, length));
    }
    for (size_t i = 0; i < length; i += 31) {
        signature[i] ^= 0x10;
        assert_false(tls_rsa_pss_verify(pair->public_key, hash, digest, signature, length));
        signature[i] ^= 0x10;
    }
    digest[0] ^= 1;
    assert_false(tls_rsa_pss_verify(pair->public_key, hash, digest, signature, length));
}

static void every_size_and_hash(void **state)
{
    static const char *const names[] = {"rsa-2048", "rsa-4096"};
    static struct pair pair;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        load(&pair, names[i]);
        for (size_t j = 0; j < 3; j++)
            sign_and_verify(&pair, hashes[j]);
        unload(&pair);
    }
}

/* A signature is a number below the modulus; the same number plus the modulus is another text. */
static void not_below_the_modulus(void **state)
{
    static struct pair pair;
    uint8_t signature[512], digest[64] = {0};

    (void)state;
    load(&pair, "rsa-2048");
    memset(signature, 0xff, sizeof signature);
    assert_false(tls_rsa_pss_verify(pair.public_key, &br_sha256_vtable, digest, signature, 256));
    memcpy(signature, pair.public_key->n, 256);
    assert_false(tls_rsa_pss_verify(pair.public_key, &br_sha256_vtable, digest, signature, 256));
    memset(signature, 0, sizeof signature);
    assert_false(tls_rsa_pss_verify(pair.public_key, &br_sha256_vtable, digest, signature, 256));
    unload(&pair);
}

/* RFC 8017 9.1.2: each part of the encoded message has to be there. The public exponent 1 makes
 * the signature the encoded message itself, so that every part can be bent. */
static void every_part_of_the_encoding(void **state)
{
    uint8_t modulus[256], one[1] = {1}, digest[32], salt[32], em[256];
    br_rsa_public_key identity = {modulus, sizeof modulus, one, sizeof one};
    static struct pair pair;
    uint8_t signature[256];

    (void)state;
    load(&pair, "rsa-2048");
    memset(digest, 3, sizeof digest);
    memset(salt, 4, sizeof salt);
    assert_true(tls_rsa_pss_sign(&pair.key.rsa, &br_sha256_vtable, digest, salt, signature));
    memcpy(em, signature, sizeof em);
    assert_true(br_rsa_public_get_default()(em, sizeof em, pair.public_key));
    unload(&pair);

    memset(modulus, 0xff, sizeof modulus); /* odd, and above every EM */
    assert_true(tls_rsa_pss_verify(&identity, &br_sha256_vtable, digest, em, sizeof em));
    static const size_t bent[] = {0, 1, 100, 190, 191, 222, 223, 254, 255};
    for (size_t i = 0; i < sizeof bent / sizeof bent[0]; i++) {
        em[bent[i]] ^= bent[i] == 0 ? 0x80 : 1;
        assert_false(tls_rsa_pss_verify(&identity, &br_sha256_vtable, digest, em, sizeof em));
        em[bent[i]] ^= bent[i] == 0 ? 0x80 : 1;
    }
    assert_true(tls_rsa_pss_verify(&identity, &br_sha256_vtable, digest, em, sizeof em));
}

/* RSA-1024 has no room for SHA-512 and a salt as long (RFC 8017 9.1.1 step 3). */
static void too_small_for_the_hash(void **state)
{
    uint8_t modulus[128], exponent[] = {1, 0, 1}, zeros[128] = {0};
    br_rsa_public_key key = {modulus, sizeof modulus, exponent, sizeof exponent};

    (void)state;
    memset(modulus, 0xff, sizeof modulus);
    assert_false(tls_rsa_pss_verify(&key, &br_sha512_vtable, zeros, zeros, sizeof zeros));
    key.nlen = 0;
    assert_false(tls_rsa_pss_verify(&key, &br_sha256_vtable, zeros, zeros, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_and_hash),
        cmocka_unit_test(not_below_the_modulus),
        cmocka_unit_test(every_part_of_the_encoding),
        cmocka_unit_test(too_small_for_the_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
