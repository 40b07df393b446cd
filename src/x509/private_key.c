/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/private_key.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "ec/ec_all.h"
#include "x509/der.h"
#include "x509/oid.h"
#include "x509/pem.h"
#include "x509/public_key.h"

#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 4096

#define USE_INSTEAD "use an EC (P-256, P-384, P-521) or RSA (2048 to 4096 bits) key"

static int malformed(struct error *error)
{
    return error_set(error, ERROR_INPUT, "malformed private key");
}

static int unsupported(struct error *error, const char *what)
{
    return error_set(error, ERROR_INPUT, "%s are not supported: " USE_INSTEAD, what);
}

/* Is the next element the INTEGER that this version is? */
static bool read_version(struct der *der, uint8_t version)
{
    struct der number;

    return der_read_unsigned(der, &number) && der_equals(&number, &version, version != 0);
}

/* Move a number of the sequence to the end of what is used of storage. */
static bool store_number(struct private_key *key, size_t *used, struct der *sequence,
                         unsigned char **data, size_t *length)
{
    struct der number;

    if (!der_read_unsigned(sequence, &number) || number.length > sizeof key->storage - *used)
        return false;
    *data = key->storage + *used;
    *length = number.length;
    memcpy(*data, number.data, number.length);
    *used += number.length;
    return true;
}

static unsigned bit_length(const struct der *number)
{
    if (number->length == 0)
        return 0;
    return 8 * (unsigned)number->length - (unsigned)(__builtin_clz(number->data[0]) - 24);
}

/* RSAPrivateKey (RFC 8017 A.1.2) of two primes. */
static int read_rsa(struct private_key *key, const struct der *der, struct error *error)
{
    br_rsa_private_key *rsa = &key->rsa;
    struct der fields, modulus;
    size_t used = 0;

    if (!der_open(der->data, der->length, DER_SEQUENCE, &fields) || !read_version(&fields, 0) ||
        !der_read_unsigned(&fields, &modulus))
        return malformed(error);
    rsa->n_bitlen = bit_length(&modulus);
    if (rsa->n_bitlen > RSA_MAX_BITS)
        return error_set(error, ERROR_INPUT, "RSA key of %u bits: %d is the most supported",
                         (unsigned)rsa->n_bitlen, RSA_MAX_BITS);
    if (rsa->n_bitlen < RSA_MIN_BITS)
        return error_set(error, ERROR_INPUT, "RSA key of %u bits: %d is the least supported",
                         (unsigned)rsa->n_bitlen, RSA_MIN_BITS);
    memcpy(key->public, modulus.data, modulus.length);
    if (!der_skip(&fields, DER_INTEGER) || !der_skip(&fields, DER_INTEGER) || /* e and d */
        !store_number(key, &used, &fields, &rsa->p, &rsa->plen) ||
        !store_number(key, &used, &fields, &rsa->q, &rsa->qlen) ||
        !store_number(key, &used, &fields, &rsa->dp, &rsa->dplen) ||
        !store_number(key, &used, &fields, &rsa->dq, &rsa->dqlen) ||
        !store_number(key, &used, &fields, &rsa->iq, &rsa->iqlen) || fields.length != 0)
        return malformed(error);
    key->type = BR_KEYTYPE_RSA;
    return 0;
}

/* Is 0 < x < order? Both are length bytes, big-endian; x is secret. */
static bool is_scalar(const unsigned char *x, const unsigned char *order, size_t length)
{
    unsigned borrow = 0, bits = 0;

    for (size_t i = length; i-- > 0;) {
        borrow = (unsigned)(x[i] - order[i] - (int)borrow) >> 8 & 1;
        bits |= x[i];
    }
    return borrow == 1 && bits != 0;
}

/* Store the scalar as long as the curve's order is. */
static int store_scalar(struct private_key *key, int curve, struct der scalar, struct error *error)
{
    size_t length;
    const unsigned char *order = ec_all.order(curve, &length);

    while (scalar.length > length && scalar.data[0] == 0) {
        scalar.data++;
        scalar.length--;
    }
    if (scalar.length > length)
        return malformed(error);
    memcpy(key->storage + length - scalar.length, scalar.data, scalar.length);
    if (!is_scalar(key->storage, order, length))
        return malformed(error);
    key->ec = (br_ec_private_key){.curve = curve, .x = key->storage, .xlen = length};
    key->type = BR_KEYTYPE_EC;
    return 0;
}

/* The public key may follow; one of another shape than certificates have is as good as none. */
static bool read_point(struct private_key *key, struct der *fields)
{
    struct der point, bits;

    if (!der_at(fields, DER_EXPLICIT(1)))
        return true;
    if (!der_read(fields, DER_EXPLICIT(1), &point))
        return false;
    if (der_read(&point, DER_BIT_STRING, &bits) && bits.length <= sizeof key->public)
        memcpy(key->public, bits.data, bits.length);
    return true;
}

/* ECPrivateKey (RFC 5915 3); outer is the curve that PKCS#8 around it names, or 0. */
static int read_ec(struct private_key *key, const struct der *der, int outer, struct error *error)
{
    struct der fields, scalar, parameters;
    int curve = outer;

    if (!der_open(der->data, der->length, DER_SEQUENCE, &fields) || !read_version(&fields, 1) ||
        !der_read(&fields, DER_OCTET_STRING, &scalar))
        return malformed(error);
    if (der_read(&fields, DER_EXPLICIT(0), &parameters))
        curve = public_key_curve(&parameters);
    if (!read_point(key, &fields) || fields.length != 0)
        return malformed(error);
    if (curve == 0)
        return error_set(error, ERROR_INPUT, "EC key of an unsupported curve: " USE_INSTEAD);
    if (outer != 0 && curve != outer)
        return malformed(error);
    return store_scalar(key, curve, scalar, error);
}

/* PrivateKeyInfo (RFC 5208 5), OneAsymmetricKey (RFC 5958 2) */
static int read_pkcs8(struct private_key *key, const struct der *der, struct error *error)
{
    struct der fields, algorithm, oid, inner;

    if (!der_open(der->data, der->length, DER_SEQUENCE, &fields) ||
        !der_skip(&fields, DER_INTEGER) || !der_read(&fields, DER_SEQUENCE, &algorithm) ||
        !der_read(&algorithm, DER_OID, &oid) || !der_read(&fields, DER_OCTET_STRING, &inner))
        return malformed(error);
    if (!der_skip_optional(&fields, DER_EXPLICIT(0)) || /* attributes */
        !der_skip_optional(&fields, DER_CONTEXT(1)) || fields.length != 0)
        return malformed(error);
    if (IS_OID(&oid, OID_EC_PUBLIC_KEY))
        return read_ec(key, &inner, public_key_curve(&algorithm), error);
    if (IS_OID(&oid, OID_RSA))
        return read_rsa(key, &inner, error);
    if (IS_OID(&oid, OID_ED25519))
        return unsupported(error, "Ed25519 keys");
    if (IS_OID(&oid, OID_ED448))
        return unsupported(error, "Ed448 keys");
    if (IS_OID(&oid, OID_RSA_PSS))
        return unsupported(error, "RSASSA-PSS keys");
    return unsupported(error, "keys of this kind");
}

static int read_key(struct private_key *key, const struct pem_block *block, struct error *error)
{
    const struct der der = {block->der, block->length};

    if (strcmp(block->label, "PRIVATE KEY") == 0)
        return read_pkcs8(key, &der, error);
    if (strcmp(block->label, "EC PRIVATE KEY") == 0)
        return read_ec(key, &der, 0, error);
    if (strcmp(block->label, "RSA PRIVATE KEY") == 0)
        return read_rsa(key, &der, error);
    if (strcmp(block->label, "ENCRYPTED PRIVATE KEY") == 0)
        return error_set(error, ERROR_INPUT,
                         "encrypted key: decrypt it first with \"openssl pkey\"");
    return error_set(error, ERROR_INPUT, "PEM block \"%s\" is not supported: " USE_INSTEAD,
                     block->label);
}

int private_key_from_pem(struct private_key *key, const char *pem, struct error *error)
{
    struct pem_block block;
    int found;

    *key = (struct private_key){0};
    while ((found = pem_next(&pem, &block, error)) == 1 && !pem_is_private_key(&block))
        pem_block_free(&block);
    if (found < 0)
        return -1;
    if (found == 0)
        return error_set(error, ERROR_INPUT,
                         "holds no private key, expected \"-----BEGIN PRIVATE KEY-----\" or alike");
    int result = read_key(key, &block, error);
    pem_block_free(&block);
    if (result != 0)
        private_key_wipe(key);
    return result;
}

static bool matches_ec(const struct private_key *key, const br_ec_public_key *public)
{
    unsigned char point[BR_EC_KBUF_PUB_MAX_SIZE];

    if (key->ec.curve != public->curve)
        return false;
    /* After the number of unused bits, which is none. */
    if (key->public[0] == 0 && public->qlen < sizeof key->public &&
        memcmp(key->public + 1, public->q, public->qlen) == 0)
        return true;
    return br_ec_compute_pub(&ec_all, NULL, point, &key->ec) == public->qlen &&
           memcmp(point, public->q, public->qlen) == 0;
}

/* Not br_rsa_compute_modulus: BearSSL 0.6 has no room in it for 4096 bits. */
static bool matches_rsa(const struct private_key *key, const br_rsa_public_key *public)
{
    return (key->rsa.n_bitlen + 7) / 8 == public->nlen &&
           memcmp(key->public, public->n, public->nlen) == 0;
}

int private_key_matches(const struct private_key *key, const struct certificate *certificate,
                        struct error *error)
{
    struct public_key public;

    if (public_key_read(&public, certificate->key) == NULL && public.key.key_type == key->type &&
        (key->type == BR_KEYTYPE_EC ? matches_ec(key, &public.key.key.ec)
                                    : matches_rsa(key, &public.key.key.rsa)))
        return 0;
    return error_set(error, ERROR_INPUT, "the private key does not belong to certificate %.12s...",
                     certificate->fingerprint);
}

void private_key_wipe(struct private_key *key)
{
    bytes_wipe(key, sizeof *key);
}
