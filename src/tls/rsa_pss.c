/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pss.h"

#include "tls/internal.h"

/* RFC 9846 4.3.3: in TLS the salt is as long as the hash. */

bool tls_rsa_pss_verify(const br_rsa_public_key *key, const br_hash_class *hash,
                        const uint8_t *digest, const uint8_t *signature, size_t length)
{
    return pss_verify(key, hash, digest, tls_hash_length(hash), signature, length);
}

bool tls_rsa_pss_sign(const br_rsa_private_key *key, const br_hash_class *hash,
                      const uint8_t *digest, const uint8_t *salt, uint8_t *out)
{
    return pss_sign(key, hash, digest, salt, out);
}
