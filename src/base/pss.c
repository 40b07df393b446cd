/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pss.h"

#include <string.h>

#define MAX_MODULUS 512 /* bytes: BearSSL's RSA ends at 4096 bits */

static size_t hash_size(const br_hash_class *hash)
{
    return (hash->desc >> BR_HASHDESC_OUT_OFF) & BR_HASHDESC_OUT_MASK;
}

static void hash_three(const br_hash_class *hash, const void *a, size_t a_length, const void *b,
                       size_t b_length, const void *c, size_t c_length, uint8_t *out)
{
    br_hash_compat_context context;

    hash->init(&context.vtable);
    hash->update(&context.vtable, a, a_length);
    hash->update(&context.vtable, b, b_length);
    hash->update(&context.vtable, c, c_length);
    hash->out(&context.vtable, out);
}

/* XOR data with MGF1(seed) (RFC 8017 B.2.1). */
static void xor_mgf1(const br_hash_class *hash, const uint8_t *seed, uint8_t *data, size_t length)
{
    size_t hash_length = hash_size(hash);
    uint8_t mask[64];

    for (uint32_t counter = 0; length != 0; counter++) {
        uint8_t number[4] = {0, 0, (uint8_t)(counter >> 8), (uint8_t)counter};
        size_t step = length < hash_length ? length : hash_length;
        hash_three(hash, seed, hash_length, number, sizeof number, NULL, 0, mask);
        for (size_t i = 0; i < step; i++)
            data[i] ^= mask[i];
        data += step;
        length -= step;
    }
}

/* H = Hash(eight zeros || digest || salt) */
static void hash_salted(const br_hash_class *hash, const uint8_t *digest, const uint8_t *salt,
                        size_t salt_length, uint8_t *out)
{
    static const uint8_t zeros[8];

    hash_three(hash, zeros, sizeof zeros, digest, hash_size(hash), salt, salt_length, out);
}

/*
 * The encoded message EM is one bit shorter than the modulus: its unused_bits high bits are zero,
 * and where the modulus has 8k + 1 bits it is a byte shorter. In EM: maskedDB || H || 0xbc,
 * with DB = zeros || 0x01 || salt.
 */
struct encoding {
    size_t length;        /* of EM in bytes */
    size_t db_length;     /* of DB */
    unsigned unused_bits; /* of EM's first byte */
    size_t leading_zeros; /* bytes of the signature before EM: 0 or 1 */
};

static bool encoding_for(struct encoding *encoding, size_t modulus_bits, const br_hash_class *hash,
                         size_t salt_length)
{
    size_t hash_length = hash_size(hash);

    if (modulus_bits < 512 || modulus_bits > 8 * MAX_MODULUS)
        return false;
    size_t bits = modulus_bits - 1;
    encoding->length = (bits + 7) / 8;
    encoding->unused_bits = (unsigned)(8 * encoding->length - bits);
    encoding->leading_zeros = (modulus_bits + 7) / 8 - encoding->length;
    if (salt_length > MAX_MODULUS || encoding->length < hash_length + salt_length + 2)
        return false;
    encoding->db_length = encoding->length - hash_length - 1;
    return true;
}

/* Of a number without leading zero bytes. */
static size_t bit_length(const uint8_t *number, size_t length)
{
    size_t bits = 8 * length;

    for (unsigned top = length != 0 ? number[0] : 0x80; top < 0x80; top = top << 1 | 1)
        bits--;
    return bits;
}

bool pss_verify(const br_rsa_public_key *key, const br_hash_class *hash, const uint8_t *digest,
                size_t salt_length, const uint8_t *signature, size_t length)
{
    struct encoding encoding;
    br_rsa_public_key stripped = *key;
    size_t hash_length = hash_size(hash);
    uint8_t block[MAX_MODULUS], expected[64];

    while (stripped.nlen > 0 && stripped.n[0] == 0) {
        stripped.n++;
        stripped.nlen--;
    }
    if (!encoding_for(&encoding, bit_length(stripped.n, stripped.nlen), hash, salt_length) ||
        length != stripped.nlen)
        return false;
    memcpy(block, signature, length);
    if (!br_rsa_public_get_default()(block, length, &stripped))
        return false;

    uint8_t *db = block + encoding.leading_zeros;
    const uint8_t *h = db + encoding.db_length;
    if ((encoding.leading_zeros != 0 && block[0] != 0) || h[hash_length] != 0xbc ||
        (db[0] & ~(0xffU >> encoding.unused_bits)) != 0)
        return false;
    xor_mgf1(hash, h, db, encoding.db_length);
    db[0] &= (uint8_t)(0xff >> encoding.unused_bits);
    size_t salt = encoding.db_length - salt_length;
    for (size_t i = 0; i < salt - 1; i++) {
        if (db[i] != 0)
            return false;
    }
    if (db[salt - 1] != 0x01)
        return false;
    hash_salted(hash, digest, db + salt, salt_length, expected);
    return memcmp(expected, h, hash_length) == 0;
}

bool pss_sign(const br_rsa_private_key *key, const br_hash_class *hash, const uint8_t *digest,
              const uint8_t *salt, uint8_t *out)
{
    struct encoding encoding;
    size_t hash_length = hash_size(hash);

    if (!encoding_for(&encoding, key->n_bitlen, hash, hash_length))
        return false;

    uint8_t *db = out + encoding.leading_zeros;
    uint8_t *h = db + encoding.db_length;
    memset(out, 0, encoding.leading_zeros + encoding.length);
    db[encoding.db_length - hash_length - 1] = 0x01;
    memcpy(db + encoding.db_length - hash_length, salt, hash_length);
    hash_salted(hash, digest, salt, hash_length, h);
    xor_mgf1(hash, h, db, encoding.db_length);
    db[0] &= (uint8_t)(0xff >> encoding.unused_bits);
    h[hash_length] = 0xbc;
    return br_rsa_private_get_default()(out, key) != 0;
}
