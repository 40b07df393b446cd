/* SPDX-License-Identifier: Apache-2.0 */
/* Deterministic ECDSA as vendor/bearssl patches it: the examples of RFC 6979 A.2.5 to A.2.7, each
 * curve with the hash that TLS ties to it, for the message "sample". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bearssl.h>
#include <cmocka.h>

#include "base/bytes.h"

static const struct example {
    int curve;
    const br_hash_class *hash;
    const char *key, *r, *s;
} examples[] = {
    {BR_EC_secp256r1, &br_sha256_vtable,
     "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
     "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
     "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {BR_EC_secp384r1, &br_sha384_vtable,
     "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"
     "96d5724e4c70a825f872c9ea60d2edf5",
     "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
     "81a648152e44acf96e36dd1e80fabe46",
     "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"
     "a329c145786e679e7b82c71a38628ac8"},
    {BR_EC_secp521r1, &br_sha512_vtable,
     "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75"
     "caa896eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b83538",
     "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f"
     "174e25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e377fa",
     "00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af"
     "282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a"},
};

static size_t from_hex(uint8_t *out, const char *hex)
{
    size_t length = strlen(hex) / 2;

    for (size_t i = 0; i < length; i++) {
        unsigned high = (unsigned char)hex[2 * i], low = (unsigned char)hex[2 * i + 1];
        out[i] =
            (uint8_t)((high & 15) + (high >> 6) * 9) << 4 | (uint8_t)((low & 15) + (low >> 6) * 9);
    }
    return length;
}

static void rfc6979(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const struct example *example = &examples[i];
        br_hash_compat_context context;
        uint8_t scalar[66], digest[64], signature[132];
        char text[265];

        br_ec_private_key key = {.curve = example->curve, .x = scalar};
        key.xlen = from_hex(scalar, example->key);
        example->hash->init(&context.vtable);
        example->hash->update(&context.vtable, "sample", 6);
        example->hash->out(&context.vtable, digest);
        size_t length =
            br_ecdsa_i31_sign_raw(&br_ec_all_m31, example->hash, digest, &key, signature);
        assert_int_equal(length, 2 * key.xlen);
        bytes_to_hex(text, signature + key.xlen, key.xlen);
        assert_string_equal(text, example->s);
        bytes_to_hex(text, signature, key.xlen);
        assert_string_equal(text, example->r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6979),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
