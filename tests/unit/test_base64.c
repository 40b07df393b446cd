/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"

/* RFC 4648 10 */
static const struct {
    const char *data, *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void rfc_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t out[16];
        size_t length = strlen(vectors[i].data);
        char *text = base64_encode((const uint8_t *)vectors[i].data, length);

        assert_string_equal(text, vectors[i].text);
        assert_int_equal(base64_decode(out, text, strlen(text)), length);
        assert_memory_equal(out, vectors[i].data, length);
        free(text);
    }
}

static void every_byte_comes_back(void **state)
{
    uint8_t data[256 * 3], out[BASE64_DECODED_SIZE(1024)];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    char *text = base64_encode(data, sizeof data);
    assert_int_equal(strlen(text), 1024);
    assert_int_equal(base64_decode(out, text, 1024), sizeof data);
    assert_memory_equal(out, data, sizeof data);
    free(text);
}

static void every_character_is_a_digit_or_none(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[] = {(char)c, 'A', '=', '='};
        const char *digit = c != 0 ? strchr(digits, c) : NULL;
        uint8_t out[BASE64_DECODED_SIZE(4)];
        long length = base64_decode(out, text, 4);

        if (digit != NULL) {
            assert_int_equal(length, 1);
            assert_int_equal(out[0], (digit - digits) << 2);
        } else {
            assert_int_equal(length, -1);
        }
    }
}

static void blanks_are_skipped(void **state)
{
    static const char text[] = " Zm\r\n9v\tYm\nFy \n";
    uint8_t out[BASE64_DECODED_SIZE(sizeof text)];

    (void)state;
    assert_int_equal(base64_decode(out, text, sizeof text - 1), 6);
    assert_memory_equal(out, "foobar", 6);
}

static void malformed_is_refused(void **state)
{
    static const char *const texts[] = {
        "Z",    "Zg",   "Zg=",  "Zg===", "Zm9",  "Zm9v=", "Zm9vZ===", "=",
        "====", "Z=g=", "Zg=A", "Zh==",  "Zm9=", "Zm-v",  "Zm_v",     "Zm9v!"};
    uint8_t out[32];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(base64_decode(out, texts[i], strlen(texts[i])), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_vectors),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(every_character_is_a_digit_or_none),
        cmocka_unit_test(blanks_are_skipped),
        cmocka_unit_test(malformed_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
