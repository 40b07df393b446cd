/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "x509/pem.h"

#define BLOCK "-----BEGIN TEST 1-----\nZm9vYmFy\n-----END TEST 1-----\n"

/* text holds the block above and nothing else. */
static void check_block(const char *text)
{
    struct pem_block block;
    struct error error;

    assert_int_equal(pem_next(&text, &block, &error), 1);
    assert_string_equal(block.label, "TEST 1");
    assert_int_equal(block.length, 6);
    assert_memory_equal(block.der, "foobar", 6);
    pem_block_free(&block);
    assert_null(block.der);
    assert_int_equal(pem_next(&text, &block, &error), 0);
    assert_int_equal(*text, '\0');
}

static void check_error(const char *text, const char *message)
{
    struct pem_block block;
    struct error error = {0};

    assert_int_equal(pem_next(&text, &block, &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, message);
    assert_null(block.der);
}

static void lenient_outside(void **state)
{
    static const char *const texts[] = {
        BLOCK,
        "-----BEGIN TEST 1-----\nZm9vYmFy\n-----END TEST 1-----",
        "-----BEGIN TEST 1-----\r\nZm9v\r\nYmFy\r\n-----END TEST 1-----\r\n",
        "-----BEGIN TEST 1-----\rZm9vYmFy\r-----END TEST 1-----\r",
        "  -----BEGIN TEST 1-----  \n  Zm9v  \n\tYmFy\n\n  -----END TEST 1-----  \n\n",
        "-----BEGIN TEST 1----- Zm9v YmFy -----END TEST 1-----",
        "-----BEGIN TEST 1-----Zm9vYmFy-----END TEST 1-----",
        "subject=CN = x\nBag Attributes\n-- dashes --\n" BLOCK "trailing text ----",
        "-----END TEST 1-----\n" BLOCK,
        /* RFC 1421 4.6; Go wants no empty line behind the headers, OpenSSL folds them. */
        "-----BEGIN TEST 1-----\nKey: value\n\nZm9v\nYmFy\n-----END TEST 1-----\n",
        "-----BEGIN TEST 1-----\r\nA: b\r\nC: d\r\n\r\nZm9v\r\nYmFy\r\n-----END TEST 1-----\r\n",
        "-----BEGIN TEST 1-----\nA: b\nC: d\nZm9vYmFy\n-----END TEST 1-----\n",
        "-----BEGIN TEST 1-----\nA: b\n  more\n\nZm9vYmFy\n-----END TEST 1-----\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_block(texts[i]);
}

static void strict_inside(void **state)
{
    static const char not_base64[] = "PEM block is malformed: what it holds is not base64";
    static const char no_label[] = "PEM block is malformed: its BEGIN line has no label";
    static const char no_end[] = "PEM block is cut off: no \"-----END A-----\"";
    static const char other_end[] = "PEM block begins as A and ends otherwise";

    (void)state;
    check_error("-----BEGIN A-----\nZm9v!mFy\n-----END A-----\n", not_base64);
    check_error("-----BEGIN A-----\nZm9vYmF\n-----END A-----\n", not_base64);
    check_error("-----BEGIN A-----\nZm9=YmFy\n-----END A-----\n", not_base64);
    check_error("-----BEGIN A-----\nZm9v\nKey: value\n\nZm9v\n-----END A-----\n", not_base64);
    check_error("-----BEGIN A-----\nKey: value\n\n-----END A-----\n", not_base64);
    check_error("-----BEGIN A-----\nKey: value-----END A-----\n", not_base64);
    check_error("-----BEGIN A-----\n-----END A-----\n", not_base64);
    check_error("-----BEGIN A-----\nZm9v\n", no_end);
    check_error("-----BEGIN A-----\nZm9v\n-----END", no_end);
    check_error("-----BEGIN A-----\nZm9v\n" BLOCK, no_end);
    check_error("-----BEGIN A-----", no_end);
    check_error("-----BEGIN A-----\nZm9v\n-----END B-----\n", other_end);
    check_error("-----BEGIN A-----\nZm9v\n-----END AA-----\n", other_end);
    check_error("-----BEGIN A-----\nZm9v\n-----END A----\n", other_end);
    check_error("-----BEGIN A-----\nZm9v\n-----END ", other_end);
    check_error("-----BEGIN -----\nZm9v\n-----END -----\n", no_label);
    check_error("-----BEGIN A\nZm9v\n-----END A-----\n", no_label);
    check_error("-----BEGIN secretBase64-----\n", no_label);
    check_error("-----BEGIN ", no_label);
}

static void encrypted_by_header(void **state)
{
    (void)state;
    check_error(
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"
        "Zm9v\n-----END RSA PRIVATE KEY-----\n",
        "RSA PRIVATE KEY is encrypted: decrypt it first with \"openssl pkey\"");
}

static void labels_are_bounded(void **state)
{
    char text[300], label[PEM_LABEL_SIZE + 1];
    const char *cursor = text;
    struct pem_block block;
    struct error error;

    (void)state;
    memset(label, 'A', PEM_LABEL_SIZE);
    label[PEM_LABEL_SIZE - 1] = '\0';
    snprintf(text, sizeof text, "-----BEGIN %s-----Zm9v-----END %s-----", label, label);
    assert_int_equal(pem_next(&cursor, &block, &error), 1);
    assert_string_equal(block.label, label);
    pem_block_free(&block);
    label[PEM_LABEL_SIZE - 1] = 'A';
    label[PEM_LABEL_SIZE] = '\0';
    snprintf(text, sizeof text, "-----BEGIN %s-----Zm9v-----END %s-----", label, label);
    check_error(text, "PEM block is malformed: its BEGIN line has no label");
}

static void several_blocks(void **state)
{
    const char *text =
        "one\n" BLOCK "two\n-----BEGIN EC PRIVATE KEY-----\nZm8=\n-----END EC PRIVATE KEY-----\n"
        "-----BEGIN X-----\n";
    struct pem_block block;
    struct error error;

    (void)state;
    assert_int_equal(pem_next(&text, &block, &error), 1);
    assert_false(pem_is_private_key(&block));
    pem_block_free(&block);
    assert_int_equal(pem_next(&text, &block, &error), 1);
    assert_true(pem_is_private_key(&block));
    assert_string_equal(block.label, "EC PRIVATE KEY");
    assert_memory_equal(block.der, "fo", 2);
    pem_block_free(&block);
    assert_int_equal(pem_next(&text, &block, &error), -1);
}

static void no_block(void **state)
{
    static const char *const texts[] = {
        "", "\n", "no PEM", "----BEGIN A----\n", "-----begin A-----", "-----"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *text = texts[i];
        struct pem_block block;
        struct error error;

        assert_int_equal(pem_next(&text, &block, &error), 0);
        assert_null(block.der);
    }
}

static void encodes(void **state)
{
    static const uint8_t zeros[49];
    const char *text;
    struct pem_block block;
    struct error error;

    (void)state;
    char *pem = pem_encode("TEST 1", (const uint8_t *)"foobar", 6);
    assert_string_equal(pem, BLOCK);
    free(pem);
    text = pem = pem_encode("LONG", zeros, sizeof zeros);
    assert_string_equal(pem, "-----BEGIN LONG-----\n"
                             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                             "AA==\n"
                             "-----END LONG-----\n");
    assert_int_equal(pem_next(&text, &block, &error), 1);
    assert_int_equal(block.length, sizeof zeros);
    pem_block_free(&block);
    free(pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lenient_outside),
        cmocka_unit_test(strict_inside),
        cmocka_unit_test(encrypted_by_header),
        cmocka_unit_test(labels_are_bounded),
        cmocka_unit_test(several_blocks),
        cmocka_unit_test(no_block),
        cmocka_unit_test(encodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
