/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FIPS 202 as OpenSSL has it (Python's hashlib): of every input of 0 to 399 bytes, byte i of the
 * n-th being 7i + n, the output, and of all outputs together the SHA-256:
 *
 *   for n in range(400): total.update(hashlib.shake_128(bytes((i * 7 + n) & 255
 *                                                            for i in range(n))).digest(400))
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bearssl.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "tls/keccak.h"

#define INPUTS 400

static const struct function {
    const char *name;
    enum keccak_rate rate;
    enum keccak_suffix suffix;
    size_t length;
    const char *digest;
} functions[] = {
    {"SHA3-256", SHA3_256, KECCAK_HASH, 32,
     "830d2e7803da1c992bd36a2e4bf68f9586635fcd48f67cf3ff38b82ccf76b84d"},
    {"SHA3-512", SHA3_512, KECCAK_HASH, 64,
     "2d860b341a8c474fcf5da63e1701fa61e0a0d0062bc7abccde6203f1767da80f"},
    {"SHAKE128", SHAKE128, KECCAK_XOF, 400,
     "7ba5634c21b28371ba476c37194c663f38ccfcdce8f3155e707809dc37e1aab1"},
    {"SHAKE256", SHAKE256, KECCAK_XOF, 400,
     "f207c176382455f7cc06b7c6e0117f0288ed167245fc62c2b07137a64a173714"},
};

/* In pieces of `step` bytes, in and out. */
static void run(const struct function *function, size_t n, size_t step, uint8_t *out)
{
    struct keccak keccak;
    uint8_t input[INPUTS];

    for (size_t i = 0; i < n; i++)
        input[i] = (uint8_t)(i * 7 + n);
    keccak_start(&keccak, function->rate);
    for (size_t i = 0; i < n; i += step)
        keccak_absorb(&keccak, input + i, n - i < step ? n - i : step);
    keccak_turn(&keccak, function->suffix);
    for (size_t i = 0; i < function->length; i += step)
        keccak_squeeze(&keccak, out + i, function->length - i < step ? function->length - i : step);
    keccak_wipe(&keccak);
    for (size_t i = 0; i < 25; i++)
        assert_int_equal(keccak.lanes[i], 0);
}

static void as_openssl(void **state)
{
    static const size_t steps[] = {INPUTS, 1, 3, 64, 136};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < sizeof steps / sizeof *steps; j++) {
            br_sha256_context total;
            uint8_t out[INPUTS], digest[32];
            char text[65];

            br_sha256_init(&total);
            for (size_t n = 0; n < INPUTS; n++) {
                run(&functions[i], n, steps[j], out);
                br_sha256_update(&total, out, functions[i].length);
            }
            br_sha256_out(&total, digest);
            bytes_to_hex(text, digest, sizeof digest);
            assert_string_equal(text, functions[i].digest);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_openssl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
