/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EC_EC_P384_M64_H
#define EC_EC_P384_M64_H

#include <bearssl.h>

/*
 * The curve secp384r1 (NIST P-384) for machines whose compiler multiplies 64 by 64 bits: there
 * EC_P384_M64 is defined. Everywhere else ec_all.h falls back to BearSSL's code.
 *
 * It is a br_ec_impl and keeps the contract in bearssl_ec.h, to the word where that leaves it
 * open:
 *
 *   points    uncompressed, 97 bytes; any other length or first byte, a coordinate from p on and a
 *             point that is not on the curve are refused
 *   scalars   big-endian, of any length; up to 2^384 - 1 they count modulo the order n, larger
 *             ones as 0
 *   mul       0 where the scalar is 0 modulo n: the result has no encoding
 *   mulgen    97 always; for a scalar of 0 modulo n what follows the first byte is zeros
 *   muladd    0 where A's scalar x is 0 modulo n or the sum is the point at infinity. B's may be 0:
 *             so is ECDSA's for a digest of 0, and the signature may be good. x is 0 where the
 *             signature's r is, which must be refused.
 *
 * The time depends on lengths, and on whether a point is valid; on no scalar, and on no coordinate
 * of a valid point.
 */
#ifdef __SIZEOF_INT128__
#define EC_P384_M64 1
extern const br_ec_impl ec_p384_m64;
#endif

#endif
