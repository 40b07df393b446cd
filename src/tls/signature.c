/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

#include "base/bytes.h"
#include "ec/ec_all.h"

/* Signature schemes (RFC 9846 4.3.3). curve 0: rsa_pss_rsae. */
static const struct scheme {
    uint16_t id;
    int curve;
    const br_hash_class *hash;
} schemes[] = {
    {0x0403, BR_EC_secp256r1, &br_sha256_vtable},
    {0x0503, BR_EC_secp384r1, &br_sha384_vtable},
    {0x0603, BR_EC_secp521r1, &br_sha512_vtable},
    {0x0804, 0, &br_sha256_vtable},
    {0x0805, 0, &br_sha384_vtable},
    {0x0806, 0, &br_sha512_vtable},
};
#define SCHEMES (sizeof schemes / sizeof schemes[0])

static const struct scheme *scheme_find(uint16_t id)
{
    for (size_t i = 0; i < SCHEMES; i++) {
        if (schemes[i].id == id)
            return &schemes[i];
    }
    return NULL;
}

void tls_signature_offer(struct writer *writer)
{
    for (size_t i = 0; i < SCHEMES; i++)
        writer_number(writer, 2, schemes[i].id);
    /* rsa_pkcs1_sha256, _sha384, _sha512: only ever for signatures inside certificates. */
    writer_number(writer, 2, 0x0401);
    writer_number(writer, 2, 0x0501);
    writer_number(writer, 2, 0x0601);
}

bool tls_signature_acceptable(uint16_t scheme)
{
    return scheme_find(scheme) != NULL;
}

uint16_t tls_signature_choose(const struct tls_configuration *configuration, struct reader list)
{
    while (list.left != 0 && !list.bad) {
        const struct scheme *scheme = scheme_find((uint16_t)reader_number(&list, 2));
        if (scheme == NULL)
            continue;
        if (configuration->ec_key != NULL && configuration->ec_key->curve == scheme->curve)
            return scheme->id;
        if (configuration->rsa_key != NULL && scheme->curve == 0)
            return scheme->id;
    }
    return 0;
}

bool tls_signature_fits(uint16_t scheme, const br_x509_pkey *key)
{
    const struct scheme *found = scheme_find(scheme);

    if (found == NULL)
        return false;
    if (key->key_type == BR_KEYTYPE_EC)
        return key->key.ec.curve == found->curve;
    return key->key_type == BR_KEYTYPE_RSA && found->curve == 0;
}

/* The signed content, hashed (RFC 9846 4.5.2). */
static void hash_content(const struct scheme *scheme, bool by_server,
                         const uint8_t *transcript_hash, size_t hash_length,
                         uint8_t digest[static 64])
{
    static const char by_server_text[] = "TLS 1.3, server CertificateVerify";
    static const char by_client_text[] = "TLS 1.3, client CertificateVerify";
    br_hash_compat_context context;
    uint8_t spaces[64];

    memset(spaces, ' ', sizeof spaces);
    scheme->hash->init(&context.vtable);
    scheme->hash->update(&context.vtable, spaces, sizeof spaces);
    /* with its NUL: the separator */
    scheme->hash->update(&context.vtable, by_server ? by_server_text : by_client_text,
                         sizeof by_server_text);
    scheme->hash->update(&context.vtable, transcript_hash, hash_length);
    scheme->hash->out(&context.vtable, digest);
}

/* One INTEGER of a signature: positive, minimal, at most size bytes of value. */
static bool integer_is_der(struct reader *reader, size_t size)
{
    if (reader_number(reader, 1) != 0x02)
        return false;
    size_t length = reader_number(reader, 1);
    const uint8_t *value = reader_bytes(reader, length);
    if (value == NULL || length == 0 || length >= 0x80 || (value[0] & 0x80) != 0)
        return false;
    if (value[0] == 0)
        return length > 1 && (value[1] & 0x80) != 0 && length - 1 <= size;
    return length <= size;
}

/*
 * BearSSL takes more than DER (a missing leading zero, long-form lengths, padding): not forgeries,
 * but a signature has exactly one encoding (X.690 10.1, RFC 3279 2.2.3).
 */
bool tls_ecdsa_signature_is_der(const uint8_t *signature, size_t length, size_t size)
{
    struct reader reader = reader_over(signature, length);

    if (reader_number(&reader, 1) != 0x30)
        return false;
    size_t content = reader_number(&reader, 1);
    if (content == 0x81) {
        content = reader_number(&reader, 1);
        if (content < 0x80)
            return false;
    } else if (content >= 0x80) {
        return false;
    }
    return content == reader.left && integer_is_der(&reader, size) &&
           integer_is_der(&reader, size) && reader_done(&reader);
}

static bool ecdsa_verify(const struct scheme *scheme, const br_ec_public_key *key,
                         const uint8_t *digest, const uint8_t *signature, size_t length)
{
    size_t order_length;

    ec_all.order(key->curve, &order_length);
    return tls_ecdsa_signature_is_der(signature, length, order_length) &&
           br_ecdsa_i31_vrfy_asn1(&ec_all, digest, tls_hash_length(scheme->hash), key, signature,
                                  length) == 1;
}

bool tls_signature_verify(uint16_t scheme, const br_x509_pkey *key, bool by_server,
                          const uint8_t *transcript_hash, size_t hash_length,
                          const uint8_t *signature, size_t length)
{
    const struct scheme *found = scheme_find(scheme);
    uint8_t digest[64];

    if (found == NULL || !tls_signature_fits(scheme, key))
        return false;
    hash_content(found, by_server, transcript_hash, hash_length, digest);
    if (found->curve == 0)
        return tls_rsa_pss_verify(&key->key.rsa, found->hash, digest, signature, length);
    return ecdsa_verify(found, &key->key.ec, digest, signature, length);
}

/*
 * A fault during the CRT computation would give the private key away (Boneh, DeMillo, Lipton): an
 * RSA signature leaves only if it verifies under the public key of our certificate.
 */
static bool rsa_signature_is_sound(const struct tls_configuration *configuration,
                                   const struct scheme *scheme, const uint8_t *digest,
                                   const uint8_t *signature, size_t length)
{
    struct public_key key;
    struct der info;

    return public_key_find(&info, configuration->certificate, configuration->certificate_length) &&
           public_key_read(&key, info) == NULL && key.key.key_type == BR_KEYTYPE_RSA &&
           tls_rsa_pss_verify(&key.key.key.rsa, scheme->hash, digest, signature, length);
}

static size_t rsa_sign(const struct tls_configuration *configuration, const struct scheme *scheme,
                       const uint8_t *digest, uint8_t *out)
{
    const br_rsa_private_key *key = configuration->rsa_key;
    size_t length = (key->n_bitlen + 7) / 8;
    uint8_t salt[64];

    configuration->random(configuration->random_context, salt, tls_hash_length(scheme->hash));
    if (!tls_rsa_pss_sign(key, scheme->hash, digest, salt, out) ||
        !rsa_signature_is_sound(configuration, scheme, digest, out, length)) {
        bytes_wipe(out, length <= 512 ? length : 512);
        return 0;
    }
    return length;
}

size_t tls_signature_sign(uint16_t scheme, const struct tls_configuration *configuration,
                          const uint8_t *transcript_hash, size_t hash_length, uint8_t *out)
{
    const struct scheme *found = scheme_find(scheme);
    uint8_t digest[64];

    if (found == NULL)
        return 0;
    hash_content(found, false, transcript_hash, hash_length, digest);
    if (found->curve == 0)
        return rsa_sign(configuration, found, digest, out);
    return br_ecdsa_i31_sign_asn1(&ec_all, found->hash, digest, configuration->ec_key, out);
}
