/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EC_EC_ALL_H
#define EC_EC_ALL_H

#include <bearssl.h>

/*
 * The curves of br_ec_all_m31 (secp256r1, secp384r1, secp521r1, curve25519), each by the fastest
 * code there is for this machine: secp384r1 by ec_p384_m64 where that exists, the rest by BearSSL.
 */
extern const br_ec_impl ec_all;

#endif
