/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/public_key.h"

#include <string.h>

#include "x509/oid.h"

#define MAX_EXPONENT 8 /* bytes: a long one would cost the verifier, not the signer */

static const br_hash_class *hash_of(const struct der *oid)
{
    if (IS_OID(oid, OID_SHA256))
        return &br_sha256_vtable;
    if (IS_OID(oid, OID_SHA384))
        return &br_sha384_vtable;
    return IS_OID(oid, OID_SHA512) ? &br_sha512_vtable : NULL;
}

/* AlgorithmIdentifier of a hash, without parameters or with NULL (RFC 4055 2.1) */
static bool read_hash(struct der *der, const br_hash_class **hash)
{
    struct der algorithm, oid;

    if (!der_read(der, DER_SEQUENCE, &algorithm) || !der_read(&algorithm, DER_OID, &oid) ||
        !der_skip_optional(&algorithm, DER_NULL) || algorithm.length != 0)
        return false;
    *hash = hash_of(&oid);
    return *hash != NULL;
}

/* RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] DEFAULT sha1, maskGenAlgorithm [1] DEFAULT
 * mgf1SHA1, saltLength [2] INTEGER DEFAULT 20, trailerField [3] INTEGER DEFAULT 1 } */
bool public_key_read_pss(struct der parameters, const br_hash_class **hash, size_t *salt_length)
{
    struct der fields, field, algorithm, oid, number;
    const br_hash_class *mask_hash;

    if (!der_open(parameters.data, parameters.length, DER_SEQUENCE, &fields) ||
        !der_read(&fields, DER_EXPLICIT(0), &field) || !read_hash(&field, hash) ||
        field.length != 0)
        return false;
    if (!der_read(&fields, DER_EXPLICIT(1), &field) ||
        !der_open(field.data, field.length, DER_SEQUENCE, &algorithm) ||
        !der_read(&algorithm, DER_OID, &oid) || !IS_OID(&oid, OID_MGF1) ||
        !read_hash(&algorithm, &mask_hash) || algorithm.length != 0 || mask_hash != *hash)
        return false;
    *salt_length = 20;
    if (der_at(&fields, DER_EXPLICIT(2))) {
        if (!der_read(&fields, DER_EXPLICIT(2), &field) || !der_read_unsigned(&field, &number) ||
            field.length != 0 || number.length > 2)
            return false;
        *salt_length = 0;
        for (size_t i = 0; i < number.length; i++)
            *salt_length = *salt_length << 8 | number.data[i];
    }
    if (der_at(&fields, DER_EXPLICIT(3))) {
        if (!der_read(&fields, DER_EXPLICIT(3), &field) || !der_read_unsigned(&field, &number) ||
            field.length != 0 || !der_equals(&number, "\x01", 1))
            return false;
    }
    return fields.length == 0;
}

static unsigned bit_length(const struct der *number)
{
    unsigned bits = 8 * (unsigned)number->length;

    for (unsigned top = number->length != 0 ? number->data[0] : 0x80; top < 0x80; top <<= 1)
        bits--;
    return bits;
}

/* RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 8017 A.1.1) */
static const char *read_rsa(struct public_key *key, const struct der *bytes)
{
    struct der numbers, modulus, exponent;

    if (!der_open(bytes->data, bytes->length, DER_SEQUENCE, &numbers) ||
        !der_read_unsigned(&numbers, &modulus) || !der_read_unsigned(&numbers, &exponent) ||
        numbers.length != 0 || modulus.length == 0 || exponent.length == 0 ||
        (modulus.data[modulus.length - 1] & exponent.data[exponent.length - 1] & 1) == 0 ||
        (exponent.length == 1 && exponent.data[0] == 1))
        return "a malformed RSA key";
    key->bits = bit_length(&modulus);
    if (key->bits > PUBLIC_KEY_MAX_RSA)
        return "an RSA key of more than 4096 bits, which is the most supported";
    if (exponent.length > MAX_EXPONENT)
        return "an RSA key whose exponent has more than 64 bits";
    key->key.key_type = BR_KEYTYPE_RSA;
    key->key.key.rsa = (br_rsa_public_key){(unsigned char *)modulus.data, modulus.length,
                                           (unsigned char *)exponent.data, exponent.length};
    return NULL;
}

int public_key_curve(struct der *parameters)
{
    struct der oid;

    if (!der_read(parameters, DER_OID, &oid) || parameters->length != 0)
        return 0;
    if (IS_OID(&oid, OID_SECP256R1))
        return BR_EC_secp256r1;
    if (IS_OID(&oid, OID_SECP384R1))
        return BR_EC_secp384r1;
    return IS_OID(&oid, OID_SECP521R1) ? BR_EC_secp521r1 : 0;
}

/* RFC 5480 2.2: the point uncompressed, 4 and its two coordinates. */
static const char *read_ec(struct public_key *key, struct der *parameters, const struct der *point)
{
    if (der_at(parameters, DER_SEQUENCE))
        return "an EC key with explicit parameters, which are not supported";
    int curve = public_key_curve(parameters);
    if (curve == 0)
        return "an EC key of another curve than P-256, P-384 or P-521";
    if (point->length != 0 && (point->data[0] == 2 || point->data[0] == 3))
        return "an EC key that is a compressed point, which is not supported";
    size_t size = curve == BR_EC_secp256r1 ? 32 : curve == BR_EC_secp384r1 ? 48 : 66;
    if (point->length != 1 + 2 * size || point->data[0] != 4)
        return "a malformed EC key";
    key->key.key_type = BR_KEYTYPE_EC;
    key->key.key.ec = (br_ec_public_key){curve, (unsigned char *)point->data, point->length};
    return NULL;
}

const char *public_key_read(struct public_key *key, struct der info)
{
    struct der algorithm, oid, bits;
    size_t salt_length;

    *key = (struct public_key){0};
    if (!der_read(&info, DER_SEQUENCE, &algorithm) || !der_read(&algorithm, DER_OID, &oid) ||
        !der_read(&info, DER_BIT_STRING, &bits) || info.length != 0 || bits.length == 0 ||
        bits.data[0] != 0)
        return "a malformed key";
    struct der bytes = {bits.data + 1, bits.length - 1};
    if (IS_OID(&oid, OID_EC_PUBLIC_KEY))
        return read_ec(key, &algorithm, &bytes);
    if (IS_OID(&oid, OID_RSA))
        return read_rsa(key, &bytes);
    if (IS_OID(&oid, OID_RSA_PSS)) {
        key->pss_only = true;
        if (algorithm.length != 0 && !public_key_read_pss(algorithm, &key->hash, &salt_length))
            return "an RSASSA-PSS key whose parameters are not supported";
        return read_rsa(key, &bytes);
    }
    if (IS_OID(&oid, OID_ED25519))
        return "an Ed25519 key, which is not supported";
    if (IS_OID(&oid, OID_ED448))
        return "an Ed448 key, which is not supported";
    if (IS_OID(&oid, OID_DSA))
        return "a DSA key, which is not supported";
    return "a key of a kind that is not supported";
}

/* RFC 5280 4.1 */
bool public_key_find(struct der *info, const uint8_t *der, size_t length)
{
    struct der certificate, tbs;

    return der_open(der, length, DER_SEQUENCE, &certificate) &&
           der_read(&certificate, DER_SEQUENCE, &tbs) &&
           der_skip_optional(&tbs, DER_EXPLICIT(0)) && /* version */
           der_skip(&tbs, DER_INTEGER) &&              /* serial number */
           der_skip(&tbs, DER_SEQUENCE) &&             /* signature algorithm */
           der_skip(&tbs, DER_SEQUENCE) &&             /* issuer */
           der_skip(&tbs, DER_SEQUENCE) &&             /* validity */
           der_skip(&tbs, DER_SEQUENCE) &&             /* subject */
           der_read(&tbs, DER_SEQUENCE, info);
}

void public_key_keep(struct public_key *key, uint8_t bytes[PUBLIC_KEY_BYTES])
{
    if (key->key.key_type == BR_KEYTYPE_EC) {
        br_ec_public_key *ec = &key->key.key.ec;

        ec->q = memcpy(bytes, ec->q, ec->qlen);
    } else {
        br_rsa_public_key *rsa = &key->key.key.rsa;

        rsa->n = memcpy(bytes, rsa->n, rsa->nlen);
        rsa->e = memcpy(bytes + rsa->nlen, rsa->e, rsa->elen);
    }
}
