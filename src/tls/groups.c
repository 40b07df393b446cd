/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

#include "base/bytes.h"

/* BearSSL's curve numbers are TLS's NamedGroup numbers. */
bool tls_group_supported(uint16_t group)
{
    return group == TLS_X25519 || group == TLS_SECP256R1 || group == TLS_SECP384R1;
}

void tls_key_exchange_start(struct tls_key_exchange *exchange, uint16_t group,
                            void (*random)(void *context, void *data, size_t length), void *context)
{
    exchange->group = group;
    exchange->private_length = group == TLS_SECP384R1 ? 48 : 32;
    random(context, exchange->private_key, exchange->private_length);
    if (group != TLS_X25519) {
        /* Both orders begin with a one bit: below 2^(n-1) and odd is in 1..order-1. The two
         * bits are no loss that counts. (X25519 clamps by itself.) */
        exchange->private_key[0] &= 0x7f;
        exchange->private_key[exchange->private_length - 1] |= 1;
    }
    exchange->share_length = br_ec_all_m31.mulgen(exchange->share, exchange->private_key,
                                                  exchange->private_length, group);
}

size_t tls_key_exchange_finish(const struct tls_key_exchange *exchange, const uint8_t *share,
                               size_t length, uint8_t secret[static 48])
{
    static const uint8_t zeros[48];
    uint8_t point[97];
    size_t secret_length;

    /* Points are uncompressed and as long as ours (RFC 9846 4.3.8.2). */
    if (length != exchange->share_length)
        return 0;
    memcpy(point, share, length);
    uint32_t valid = br_ec_all_m31.mul(point, length, exchange->private_key,
                                       exchange->private_length, exchange->group);
    size_t offset = br_ec_all_m31.xoff(exchange->group, &secret_length);
    memcpy(secret, point + offset, secret_length);
    bytes_wipe(point, sizeof point);
    /* An all-zero X25519 result means a share of small order (RFC 9846 7.4.2). */
    if (exchange->group == TLS_X25519 && bytes_equal_ct(secret, zeros, secret_length))
        return 0;
    return valid != 0 ? secret_length : 0;
}
