/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

#include "base/bytes.h"
#include "ec/ec_all.h"

/*
 * Groups, most wanted first. All have an elliptic curve (BearSSL's curve numbers are TLS's), and a
 * hybrid has ML-KEM-768 before it: what is recorded today must not be readable by the quantum
 * computer of tomorrow, nor by whoever breaks a young algorithm
 * (draft-ietf-tls-ecdhe-mlkem-05). Its shares and its secret are ML-KEM's, then the curve's.
 */
static const struct group {
    uint16_t id;
    bool is_hybrid;
    int curve;
    size_t private_length;
} groups[] = {
    {TLS_X25519MLKEM768, true, BR_EC_curve25519, 32},
    {TLS_X25519, false, BR_EC_curve25519, 32},
    {TLS_SECP256R1, false, BR_EC_secp256r1, 32},
    {TLS_SECP384R1, false, BR_EC_secp384r1, 48},
};
#define GROUPS (sizeof groups / sizeof groups[0])

/* The row of a group that is in the table; of another, any. */
static const struct group *group_of(uint16_t id)
{
    size_t i = 0;

    while (i < GROUPS - 1 && groups[i].id != id)
        i++;
    return &groups[i];
}

static bool is_offered(const struct tls_configuration *configuration, const struct group *group)
{
    return !(configuration->small_hello && group->is_hybrid);
}

bool tls_group_offered(const struct tls_configuration *configuration, uint16_t id)
{
    const struct group *group = group_of(id);

    return group->id == id && is_offered(configuration, group);
}

void tls_groups_offer(const struct tls_configuration *configuration, struct writer *writer)
{
    for (size_t i = 0; i < GROUPS; i++) {
        if (is_offered(configuration, &groups[i]))
            writer_number(writer, 2, groups[i].id);
    }
}

uint16_t tls_group_first(const struct tls_configuration *configuration)
{
    return configuration->small_hello ? TLS_X25519 : TLS_X25519MLKEM768;
}

/* The key of a hybrid's curve serves for the curve alone as well. */
bool tls_key_exchange_offers(const struct tls_key_exchange *exchange, uint16_t id)
{
    return id == exchange->group || (id == TLS_X25519 && exchange->group == TLS_X25519MLKEM768);
}

void tls_key_exchange_start(struct tls_key_exchange *exchange, uint16_t id,
                            void (*random)(void *context, void *data, size_t length), void *context)
{
    const struct group *group = group_of(id);

    bytes_wipe(exchange, sizeof *exchange);
    exchange->group = id;
    exchange->private_length = group->private_length;
    random(context, exchange->private_key, exchange->private_length);
    if (group->curve != BR_EC_curve25519) {
        /* Both orders begin with a one bit: below 2^(n-1) and odd is in 1..order-1. The two
         * bits are no loss that counts. (X25519 clamps by itself.) */
        exchange->private_key[0] &= 0x7f;
        exchange->private_key[exchange->private_length - 1] |= 1;
    }
    exchange->point_length = ec_all.mulgen(exchange->point, exchange->private_key,
                                           exchange->private_length, group->curve);
    if (group->is_hybrid) {
        uint8_t seed[MLKEM768_SEED];
        random(context, seed, sizeof seed);
        mlkem768_generate(&exchange->mlkem, seed);
        bytes_wipe(seed, sizeof seed);
    }
}

void tls_key_exchange_write(const struct tls_key_exchange *exchange, struct writer *writer)
{
    for (size_t i = 0; i < GROUPS; i++) {
        if (!tls_key_exchange_offers(exchange, groups[i].id))
            continue;
        writer_number(writer, 2, groups[i].id);
        size_t share = writer_open(writer, 2);
        if (groups[i].is_hybrid)
            writer_bytes(writer, exchange->mlkem.encapsulation_key, MLKEM768_ENCAPSULATION_KEY);
        writer_bytes(writer, exchange->point, exchange->point_length);
        writer_close(writer, share, 2);
    }
}

/* The x coordinate of the point times our private key; 0 where it is no valid point. */
static size_t multiply(const struct tls_key_exchange *exchange, int curve, struct reader share,
                       uint8_t *secret)
{
    static const uint8_t zeros[48];
    uint8_t point[97];
    size_t secret_length;

    /* Points are uncompressed and as long as ours (RFC 9846 4.3.8.2). */
    if (share.left != exchange->point_length)
        return 0;
    memcpy(point, share.data, share.left);
    uint32_t valid =
        ec_all.mul(point, share.left, exchange->private_key, exchange->private_length, curve);
    size_t offset = ec_all.xoff(curve, &secret_length);
    memcpy(secret, point + offset, secret_length);
    bytes_wipe(point, sizeof point);
    /* An all-zero X25519 result means a share of small order (RFC 9846 7.4.2). */
    if (curve == BR_EC_curve25519 && bytes_equal_ct(secret, zeros, secret_length))
        return 0;
    return secret_length * (valid & 1); /* no branch: P-384's comes from the product itself */
}

size_t tls_key_exchange_finish(const struct tls_key_exchange *exchange, uint16_t id,
                               const uint8_t *share, size_t length,
                               uint8_t secret[static TLS_MAX_SECRET])
{
    const struct group *group = group_of(id);
    struct reader reader = reader_over(share, length);

    if (!group->is_hybrid)
        return multiply(exchange, group->curve, reader, secret);
    const uint8_t *ciphertext = reader_bytes(&reader, MLKEM768_CIPHERTEXT);
    if (ciphertext == NULL ||
        multiply(exchange, group->curve, reader, secret + MLKEM768_SECRET) == 0)
        return 0;
    mlkem768_decapsulate(&exchange->mlkem, ciphertext, secret);
    return MLKEM768_SECRET + 32;
}
