/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Wycheproof's vectors against all cryptography that the TLS client uses, through the client's own
 * code wherever it has a hand in it. Usage: wycheproof FOLDER, with the vectors in their text form.
 *
 * A vector is "valid", "invalid" or "acceptable". What is valid must be accepted and, where there
 * is an output, give it; what is invalid must be refused. "Acceptable" is what libraries may treat
 * either way; here each is treated one way, and the functions below say which. A vector that asks
 * for what TLS 1.3 cannot express (another nonce length, a key in some odd ASN.1) is skipped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vectors.h"

/* The static functions of these are under test too. */
#include "tls/record.c"
#include "tls/signature.c"

enum verdict { REFUSED, ACCEPTED, WRONG_OUTPUT, SKIPPED };

static bool is_valid(const struct vectors *vector)
{
    return strcmp(vectors_text(vector, "result"), "valid") == 0;
}

static bool has_flag(const struct vectors *vector, const char *flag)
{
    return vectors_have(vector, "flags") && strstr(vectors_text(vector, "flags"), flag) != NULL;
}

static const br_hash_class *hash_by_name(const char *name)
{
    static const struct {
        const char *name;
        const br_hash_class *hash;
    } hashes[] = {
        {"SHA-256", &br_sha256_vtable},
        {"SHA-384", &br_sha384_vtable},
        {"SHA-512", &br_sha512_vtable},
    };

    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        if (strcmp(hashes[i].name, name) == 0)
            return hashes[i].hash;
    }
    return NULL;
}

static void hash_message(const struct vectors *vector, const br_hash_class *hash, uint8_t *digest)
{
    br_hash_compat_context context;
    uint8_t message[1024];
    size_t length = vectors_hex(vector, "msg", message, sizeof message);

    hash->init(&context.vtable);
    hash->update(&context.vtable, message, length);
    hash->out(&context.vtable, digest);
}

/* Acceptable are BER encodings of a good signature: refused, a signature has one encoding. */
static enum verdict check_ecdsa(const struct vectors *vector)
{
    const struct scheme *scheme = schemes; /* the first three are ECDSA, one for each hash */
    uint8_t point[133], digest[64], signature[1024];

    while (scheme->hash != hash_by_name(vectors_text(vector, "sha")))
        scheme++;
    br_ec_public_key key = {.curve = scheme->curve, .q = point};
    key.qlen = vectors_hex(vector, "key.uncompressed", point, sizeof point);
    hash_message(vector, scheme->hash, digest);
    size_t length = vectors_hex(vector, "sig", signature, sizeof signature);
    return ecdsa_verify(scheme, &key, digest, signature, length) ? ACCEPTED : REFUSED;
}

/* In TLS, MGF1 uses the hash of the signature and the salt is as long as it. */
static bool has_parameters_of_tls(const struct vectors *vector)
{
    const char *hash = vectors_text(vector, "sha");

    return strcmp(vectors_text(vector, "mgfSha"), hash) == 0 &&
           strtoul(vectors_text(vector, "sLen"), NULL, 10) == tls_hash_length(hash_by_name(hash));
}

/* A good signature with other parameters must be refused (a bad one may be good with ours). */
static enum verdict check_rsa_pss(const struct vectors *vector)
{
    const br_hash_class *hash = hash_by_name(vectors_text(vector, "sha"));
    uint8_t modulus[513], exponent[8], digest[64], signature[1024];

    if (hash == NULL || (!is_valid(vector) && !has_parameters_of_tls(vector)))
        return SKIPPED;
    br_rsa_public_key key = {.n = modulus, .e = exponent};
    key.nlen = vectors_hex(vector, "n", modulus, sizeof modulus);
    key.elen = vectors_hex(vector, "e", exponent, sizeof exponent);
    hash_message(vector, hash, digest);
    size_t length = vectors_hex(vector, "sig", signature, sizeof signature);
    return tls_rsa_pss_verify(&key, hash, digest, signature, length) ? ACCEPTED : REFUSED;
}

static bool expects_rsa_pss(const struct vectors *vector)
{
    return is_valid(vector) && has_parameters_of_tls(vector);
}

/*
 * The point in a SubjectPublicKeyInfo, which must be the usual one up to the point: TLS has no
 * ASN.1 here. 0 where it is another.
 */
static size_t point_of(const struct vectors *vector, uint16_t group, uint8_t *point, size_t size)
{
    static const uint8_t p256[] = {0x30, 0x13, 6,    7,    0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1,
                                   6,    8,    0x2a, 0x86, 0x48, 0xce, 0x3d, 3,    1,    7};
    static const uint8_t p384[] = {0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                   2,    1,    6, 5, 0x2b, 0x81, 4,    0,    0x22};
    uint8_t der[1024];
    struct reader reader = reader_over(der, vectors_hex(vector, "public", der, sizeof der));
    size_t known = group == TLS_SECP256R1 ? sizeof p256 : sizeof p384;

    if (reader_number(&reader, 1) != 0x30)
        return 0;
    struct reader content = reader_vector(&reader, 1);
    const uint8_t *algorithm = reader_bytes(&content, known);
    if (algorithm == NULL || memcmp(algorithm, group == TLS_SECP256R1 ? p256 : p384, known) != 0 ||
        reader_number(&content, 1) != 3)
        return 0;
    struct reader bits = reader_vector(&content, 1);
    if (!reader_done(&reader) || !reader_done(&content) || reader_number(&bits, 1) != 0 ||
        bits.left > size)
        return 0;
    memcpy(point, bits.data, bits.left);
    return bits.left;
}

static enum verdict check_key_exchange(const struct vectors *vector,
                                       struct tls_key_exchange *exchange, const uint8_t *share,
                                       size_t length)
{
    uint8_t secret[TLS_MAX_SECRET], expected[48];

    size_t secret_length =
        tls_key_exchange_finish(exchange, exchange->group, share, length, secret);
    if (secret_length == 0)
        return REFUSED;
    if (vectors_hex(vector, "shared", expected, sizeof expected) != secret_length ||
        memcmp(secret, expected, secret_length) != 0)
        return WRONG_OUTPUT;
    return ACCEPTED;
}

/* Acceptable are compressed points, which TLS 1.3 forbids (RFC 9846 4.3.8.2): refused. */
static enum verdict check_ecdh(const struct vectors *vector)
{
    uint16_t group =
        strcmp(vectors_text(vector, "curve"), "secp256r1") == 0 ? TLS_SECP256R1 : TLS_SECP384R1;
    size_t size = group == TLS_SECP256R1 ? 32 : 48;
    struct tls_key_exchange exchange = {
        .group = group, .private_length = size, .point_length = 1 + 2 * size};
    uint8_t point[256], number[48 + 64] = {0};

    size_t length = point_of(vector, group, point, sizeof point);
    if (length == 0)
        return SKIPPED;
    /* The vectors' numbers are as short as can be, or have a leading zero. */
    size_t private_length = vectors_hex(vector, "private", number + 48, 64);
    memcpy(exchange.private_key, number + 48 + private_length - size, size);
    return check_key_exchange(vector, &exchange, point, length);
}

/* Acceptable are twist and non-canonical points: X25519 is made for them. A shared secret of zero
 * is refused (RFC 9846 7.4.2). */
static enum verdict check_x25519(const struct vectors *vector)
{
    struct tls_key_exchange exchange = {
        .group = TLS_X25519, .private_length = 32, .point_length = 32};
    uint8_t share[64];

    vectors_hex(vector, "private", exchange.private_key, sizeof exchange.private_key);
    size_t length = vectors_hex(vector, "public", share, sizeof share);
    return check_key_exchange(vector, &exchange, share, length);
}

static bool expects_x25519(const struct vectors *vector)
{
    return !has_flag(vector, "ZeroSharedSecret");
}

/* ---- ML-KEM-768 ---- */

/* A value of just this length, or false. */
static bool read_exactly(const struct vectors *vector, const char *name, void *out, size_t length)
{
    static uint8_t value[8192];
    size_t got = vectors_hex(vector, name, value, sizeof value);

    memcpy(out, value, length);
    return got == length;
}

static enum verdict compare(const struct vectors *vector, const char *name, const void *got,
                            size_t length)
{
    uint8_t expected[sizeof(struct mlkem768)];

    return read_exactly(vector, name, expected, length) && memcmp(got, expected, length) == 0
               ? ACCEPTED
               : WRONG_OUTPUT;
}

/* Seeds and ciphertexts of another length are what the engine refuses a key share for. */
static enum verdict check_mlkem(const struct vectors *vector)
{
    uint8_t seed[MLKEM768_SEED], ciphertext[MLKEM768_CIPHERTEXT], secret[MLKEM768_SECRET];
    struct mlkem768 key;

    if (!read_exactly(vector, "seed", seed, sizeof seed) ||
        !read_exactly(vector, "c", ciphertext, sizeof ciphertext))
        return REFUSED;
    mlkem768_generate(&key, seed);
    mlkem768_decapsulate(&key, ciphertext, secret);
    if (vectors_have(vector, "ek") &&
        compare(vector, "ek", key.encapsulation_key, sizeof key.encapsulation_key) != ACCEPTED)
        return WRONG_OUTPUT;
    return compare(vector, "K", secret, sizeof secret);
}

static enum verdict check_mlkem_keys(const struct vectors *vector)
{
    uint8_t seed[MLKEM768_SEED];
    struct mlkem768 key;

    if (!read_exactly(vector, "seed", seed, sizeof seed))
        return REFUSED;
    mlkem768_generate(&key, seed);
    if (compare(vector, "ek", key.encapsulation_key, sizeof key.encapsulation_key) != ACCEPTED)
        return WRONG_OUTPUT;
    return compare(vector, "dk", &key, sizeof key);
}

static enum verdict encapsulate(const struct vectors *vector, const char *secret_name)
{
    uint8_t key[MLKEM768_ENCAPSULATION_KEY], random[32], ciphertext[MLKEM768_CIPHERTEXT];
    uint8_t secret[MLKEM768_SECRET];

    if (!read_exactly(vector, "ek", key, sizeof key) ||
        !read_exactly(vector, "m", random, sizeof random) ||
        !mlkem768_encapsulate(key, random, ciphertext, secret))
        return REFUSED;
    if (compare(vector, "c", ciphertext, sizeof ciphertext) != ACCEPTED)
        return WRONG_OUTPUT;
    return compare(vector, secret_name, secret, sizeof secret);
}

static enum verdict check_mlkem_encapsulation(const struct vectors *vector)
{
    return encapsulate(vector, "K");
}

static enum verdict decapsulate(const struct vectors *vector, const char *secret_name)
{
    uint8_t ciphertext[MLKEM768_CIPHERTEXT], secret[MLKEM768_SECRET];
    struct mlkem768 key;

    if (!read_exactly(vector, "dk", &key, sizeof key) ||
        !read_exactly(vector, "c", ciphertext, sizeof ciphertext))
        return REFUSED;
    mlkem768_decapsulate(&key, ciphertext, secret);
    return compare(vector, secret_name, secret, sizeof secret);
}

/* A decapsulation key never comes from outside: one that contradicts itself is no case. */
static enum verdict check_mlkem_decapsulation(const struct vectors *vector)
{
    return has_flag(vector, "InvalidDecapsulationKey") ? SKIPPED : decapsulate(vector, "K");
}

/* NIST's: one of each kind. */
static enum verdict check_acvp(const struct vectors *vector)
{
    struct mlkem768 key;
    uint8_t seed[MLKEM768_SEED];

    if (vectors_have(vector, "m"))
        return encapsulate(vector, "k");
    if (!vectors_have(vector, "d"))
        return decapsulate(vector, "k");
    if (!read_exactly(vector, "d", seed, 32) || !read_exactly(vector, "z", seed + 32, 32))
        return REFUSED;
    mlkem768_generate(&key, seed);
    return compare(vector, "dk", &key, sizeof key);
}

struct aead_input {
    uint8_t key[32], nonce[12], aad[1024], message[1024], sealed[1024], tag[16];
    size_t key_length, aad_length, length;
};

/* Only nonces of 96 bits, keys of 128 and 256 bits and whole tags exist in TLS. */
static bool read_aead(const struct vectors *vector, struct aead_input *input)
{
    const char *nonce_size = vectors_text(vector, "ivSize");
    const char *key_size = vectors_text(vector, "keySize");

    if (strcmp(nonce_size, "96") != 0 || strcmp(vectors_text(vector, "tagSize"), "128") != 0 ||
        (strcmp(key_size, "128") != 0 && strcmp(key_size, "256") != 0))
        return false;
    input->key_length = vectors_hex(vector, "key", input->key, sizeof input->key);
    vectors_hex(vector, "iv", input->nonce, sizeof input->nonce);
    vectors_hex(vector, "tag", input->tag, sizeof input->tag);
    input->aad_length = vectors_hex(vector, "aad", input->aad, sizeof input->aad);
    input->length = vectors_hex(vector, "msg", input->message, sizeof input->message);
    if (vectors_hex(vector, "ct", input->sealed, sizeof input->sealed) != input->length)
        return false;
    return true;
}

static void run_gcm(const struct aead_input *input, const br_block_ctr_class *aes, br_ghash ghash,
                    bool encrypt, uint8_t *data, uint8_t *tag)
{
    br_aes_gen_ctr_keys key;
    br_gcm_context gcm;

    aes->init(&key.vtable, input->key, input->key_length);
    br_gcm_init(&gcm, &key.vtable, ghash);
    br_gcm_reset(&gcm, input->nonce, sizeof input->nonce);
    br_gcm_aad_inject(&gcm, input->aad, input->aad_length);
    br_gcm_flip(&gcm);
    br_gcm_run(&gcm, encrypt, data, input->length);
    br_gcm_get_tag(&gcm, tag);
}

/* Where the tag is accepted, decrypting must give the message and encrypting ciphertext and tag. */
static enum verdict judge_aead(const struct aead_input *input, const uint8_t *opened,
                               const uint8_t *open_tag, const uint8_t *sealed,
                               const uint8_t *seal_tag)
{
    if (!bytes_equal_ct(open_tag, input->tag, sizeof input->tag))
        return REFUSED;
    if (memcmp(opened, input->message, input->length) != 0 ||
        memcmp(sealed, input->sealed, input->length) != 0 ||
        memcmp(seal_tag, input->tag, sizeof input->tag) != 0)
        return WRONG_OUTPUT;
    return ACCEPTED;
}

static enum verdict check_gcm_with(const struct aead_input *input, const br_block_ctr_class *aes,
                                   br_ghash ghash)
{
    uint8_t opened[1024], sealed[1024], open_tag[16], seal_tag[16];

    memcpy(opened, input->sealed, input->length);
    memcpy(sealed, input->message, input->length);
    run_gcm(input, aes, ghash, false, opened, open_tag);
    run_gcm(input, aes, ghash, true, sealed, seal_tag);
    return judge_aead(input, opened, open_tag, sealed, seal_tag);
}

/* In software, and with the CPU's instructions where it has them: both must agree. */
static enum verdict check_gcm(const struct vectors *vector)
{
    struct aead_input input;

    if (!read_aead(vector, &input))
        return SKIPPED;
    enum verdict software = check_gcm_with(&input, software_aes(), br_ghash_ctmul64);
    if (hardware_aes() != NULL && check_gcm_with(&input, hardware_aes(), best_ghash()) != software)
        return WRONG_OUTPUT;
    return software;
}

static enum verdict check_chacha20_poly1305(const struct vectors *vector)
{
    struct aead_input input;
    uint8_t opened[1024], sealed[1024], open_tag[16], seal_tag[16];

    if (!read_aead(vector, &input))
        return SKIPPED;
    memcpy(opened, input.sealed, input.length);
    memcpy(sealed, input.message, input.length);
    poly1305(input.key, input.nonce, opened, input.length, input.aad, input.aad_length, open_tag,
             best_chacha20(), 0);
    poly1305(input.key, input.nonce, sealed, input.length, input.aad, input.aad_length, seal_tag,
             best_chacha20(), 1);
    return judge_aead(&input, opened, open_tag, sealed, seal_tag);
}

/* TLS never asks for more than one block; the rest is chained here with the same HMAC. */
static enum verdict check_hkdf(const struct vectors *vector, const br_hash_class *hash)
{
    uint8_t salt[256], input[256], okm[64 * 255 + 1], key[64];
    uint8_t block[64 + 256 + 1];
    size_t length = tls_hash_length(hash), done = 0;
    size_t salt_length = vectors_hex(vector, "salt", salt, sizeof salt);
    size_t input_length = vectors_hex(vector, "ikm", input, sizeof input);
    size_t info_length = vectors_hex(vector, "info", block + length, 256);
    size_t size = strtoul(vectors_text(vector, "size"), NULL, 10);

    if (has_flag(vector, "SizeTooLarge"))
        return SKIPPED;
    tls_hkdf_extract(hash, key, salt, salt_length, input, input_length);
    for (uint8_t counter = 1; done < size; counter++) {
        size_t previous = counter == 1 ? 0 : length;
        block[length + info_length] = counter;
        tls_hkdf_extract(hash, block, key, length, block + length - previous,
                         previous + info_length + 1);
        memcpy(input, block, length);
        for (size_t i = 0; i < length && done < size; i++, done++)
            okm[done] = input[i];
    }
    uint8_t expected[sizeof okm];
    if (vectors_hex(vector, "okm", expected, sizeof expected) != size ||
        memcmp(okm, expected, size) != 0)
        return WRONG_OUTPUT;
    return ACCEPTED;
}

static enum verdict check_hkdf_sha256(const struct vectors *vector)
{
    return check_hkdf(vector, &br_sha256_vtable);
}

static enum verdict check_hkdf_sha384(const struct vectors *vector)
{
    return check_hkdf(vector, &br_sha384_vtable);
}

static const struct suite {
    const char *file;
    enum verdict (*check)(const struct vectors *vector);
    bool (*expects)(const struct vectors *vector); /* is it to be accepted? */
    unsigned count;                                /* of vectors that are judged, not skipped */
} suites[] = {
    {"ecdsa_secp256r1_sha256", check_ecdsa, is_valid, 387},
    {"ecdsa_secp384r1_sha384", check_ecdsa, is_valid, 408},
    {"ecdsa_secp521r1_sha512", check_ecdsa, is_valid, 447},
    {"rsa_pss_2048_sha256_mgf1_0", check_rsa_pss, expects_rsa_pss, 61},
    {"rsa_pss_2048_sha256_mgf1_32", check_rsa_pss, expects_rsa_pss, 103},
    {"rsa_pss_3072_sha256_mgf1_32", check_rsa_pss, expects_rsa_pss, 103},
    {"rsa_pss_4096_sha256_mgf1_32", check_rsa_pss, expects_rsa_pss, 103},
    {"rsa_pss_4096_sha512_mgf1_32", check_rsa_pss, expects_rsa_pss, 132},
    {"rsa_pss_misc", check_rsa_pss, expects_rsa_pss, 90},
    {"ecdh_secp256r1", check_ecdh, is_valid, 222},
    {"ecdh_secp384r1", check_ecdh, is_valid, 188},
    {"x25519", check_x25519, expects_x25519, 518},
    {"aes_gcm", check_gcm, is_valid, 97},
    {"chacha20_poly1305", check_chacha20_poly1305, is_valid, 293},
    {"hkdf_sha256", check_hkdf_sha256, is_valid, 102},
    {"hkdf_sha384", check_hkdf_sha384, is_valid, 99},
    {"mlkem_768", check_mlkem, is_valid, 193},
    {"mlkem_768_keygen_seed", check_mlkem_keys, is_valid, 100},
    {"mlkem_768_encaps", check_mlkem_encapsulation, is_valid, 265},
    {"mlkem_768_semi_expanded_decaps", check_mlkem_decapsulation, is_valid, 7},
    {"acvp_mlkem_768", check_acvp, is_valid, 3},
};

static unsigned passed, failed, skipped;

static void run_suite(const char *folder, const struct suite *suite)
{
    struct vectors vectors;
    char path[512];
    unsigned good = 0, bad = 0, left_out = 0;

    snprintf(path, sizeof path, "%s/%s_test.txt", folder, suite->file);
    if (suite->check == check_acvp && access(path, R_OK) != 0)
        return; /* the script says why */
    vectors_open(&vectors, path);
    while (vectors_next(&vectors)) {
        enum verdict verdict = suite->check(&vectors);
        if (verdict == SKIPPED) {
            left_out++;
        } else if (verdict == (suite->expects(&vectors) ? ACCEPTED : REFUSED)) {
            good++;
        } else {
            static const char *const words[] = {"refused", "accepted", "wrong output"};
            bad++;
            printf("%s:%u: %s, but this vector is %s\n", path, vectors.line, words[verdict],
                   vectors_text(&vectors, "result"));
        }
    }
    vectors_close(&vectors);
    if (good + bad != suite->count) {
        printf("%s: judged %u vectors, but they should be %u\n", path, good + bad, suite->count);
        bad++;
    }
    printf("  %-28s %4u passed, %u failed, %u skipped\n", suite->file, good, bad, left_out);
    passed += good;
    failed += bad;
    skipped += left_out;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: wycheproof FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        run_suite(argv[1], &suites[i]);
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed != 0;
}
