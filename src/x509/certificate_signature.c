/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/certificate_signature.h"

#include <bearssl.h>
#include <string.h>

#include "base/pss.h"
#include "ec/ec_all.h"
#include "x509/oid.h"

enum kind { RSA_PKCS1, RSA_PSS, ECDSA };

struct algorithm {
    enum kind kind;
    const br_hash_class *hash;
    const unsigned char *hash_oid; /* as BearSSL wants it */
    size_t salt_length;
};

static bool read_algorithm(struct algorithm *algorithm, struct der der)
{
    static const struct {
        const char *oid;
        size_t oid_length;
        struct algorithm algorithm;
    } known[] = {
#define OID(oid) oid, sizeof(oid) - 1
        {OID(OID_RSA_SHA256), {RSA_PKCS1, &br_sha256_vtable, BR_HASH_OID_SHA256, 0}},
        {OID(OID_RSA_SHA384), {RSA_PKCS1, &br_sha384_vtable, BR_HASH_OID_SHA384, 0}},
        {OID(OID_RSA_SHA512), {RSA_PKCS1, &br_sha512_vtable, BR_HASH_OID_SHA512, 0}},
        {OID(OID_ECDSA_SHA256), {ECDSA, &br_sha256_vtable, NULL, 0}},
        {OID(OID_ECDSA_SHA384), {ECDSA, &br_sha384_vtable, NULL, 0}},
        {OID(OID_ECDSA_SHA512), {ECDSA, &br_sha512_vtable, NULL, 0}},
    };
    struct der oid;

    if (!der_read(&der, DER_OID, &oid))
        return false;
    if (IS_OID(&oid, OID_RSA_PSS)) {
        algorithm->kind = RSA_PSS;
        return public_key_read_pss(der, &algorithm->hash, &algorithm->salt_length);
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (der_equals(&oid, known[i].oid, known[i].oid_length)) {
            *algorithm = known[i].algorithm;
            return der_skip_optional(&der, DER_NULL) && der.length == 0;
        }
    }
    return false;
}

static size_t hash_size(const br_hash_class *hash)
{
    return (hash->desc >> BR_HASHDESC_OUT_OFF) & BR_HASHDESC_OUT_MASK;
}

static bool verify_pkcs1(const br_rsa_public_key *key, const struct algorithm *algorithm,
                         const uint8_t *digest, const struct der *signature)
{
    uint8_t signed_digest[64];
    size_t size = hash_size(algorithm->hash);

    return br_rsa_pkcs1_vrfy_get_default()(signature->data, signature->length, algorithm->hash_oid,
                                           size, key, signed_digest) == 1 &&
           memcmp(signed_digest, digest, size) == 0;
}

/* ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } (RFC 3279 2.2.3). BearSSL would take more
 * than DER, and a zero. */
static bool verify_ecdsa(const br_ec_public_key *key, const struct algorithm *algorithm,
                         const uint8_t *digest, const struct der *signature)
{
    struct der numbers, r, s;
    size_t size;

    ec_all.order(key->curve, &size);
    return der_open(signature->data, signature->length, DER_SEQUENCE, &numbers) &&
           der_read_unsigned(&numbers, &r) && der_read_unsigned(&numbers, &s) &&
           numbers.length == 0 && r.length != 0 && r.length <= size && s.length != 0 &&
           s.length <= size &&
           br_ecdsa_i31_vrfy_asn1(&ec_all, digest, hash_size(algorithm->hash), key, signature->data,
                                  signature->length) == 1;
}

enum certificate_signature certificate_signature_check(const struct certificate *certificate,
                                                       const struct public_key *key)
{
    struct algorithm algorithm;
    struct der signature = certificate->signature;
    br_hash_compat_context context;
    uint8_t digest[64];
    bool is_good = false;

    if (!der_equals(&certificate->algorithm, certificate->inner_algorithm.data,
                    certificate->inner_algorithm.length) ||
        signature.length == 0 || signature.data[0] != 0)
        return CERTIFICATE_NOT_SIGNED;
    if (!read_algorithm(&algorithm, certificate->algorithm))
        return CERTIFICATE_SIGNATURE_UNSUPPORTED;
    if ((algorithm.kind == ECDSA) != (key->key.key_type == BR_KEYTYPE_EC) ||
        (key->pss_only && algorithm.kind != RSA_PSS) ||
        (key->hash != NULL && key->hash != algorithm.hash))
        return CERTIFICATE_NOT_SIGNED;
    signature = (struct der){signature.data + 1, signature.length - 1}; /* no unused bits */
    algorithm.hash->init(&context.vtable);
    algorithm.hash->update(&context.vtable, certificate->tbs.data, certificate->tbs.length);
    algorithm.hash->out(&context.vtable, digest);
    switch (algorithm.kind) {
    case RSA_PKCS1:
        is_good = verify_pkcs1(&key->key.key.rsa, &algorithm, digest, &signature);
        break;
    case RSA_PSS:
        is_good = pss_verify(&key->key.key.rsa, algorithm.hash, digest, algorithm.salt_length,
                             signature.data, signature.length);
        break;
    case ECDSA:
        is_good = verify_ecdsa(&key->key.key.ec, &algorithm, digest, &signature);
        break;
    }
    return is_good ? CERTIFICATE_SIGNED : CERTIFICATE_NOT_SIGNED;
}
