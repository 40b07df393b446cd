/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bearssl.h>
#include <cmocka.h>

#include "x509/self_signed.h"

/* The clock, in the place of libc's: it stands where a test has put it, or goes. */
static time_t stands_at;

time_t time(time_t *out)
{
    struct timespec now = {.tv_sec = stands_at};

    if (stands_at == 0)
        clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

/* Make one and read it. */
static void make(const char *common_name, struct certificate *certificate, struct private_key *key)
{
    struct buffer pem = {0};
    struct error error;

    self_signed_make(&pem, common_name);
    if (self_signed_read(pem.data, certificate, key, &error) != 0)
        fail_msg("%s", error.text);
    buffer_wipe(&pem);
}

/* Every length of an element, and of those around it, that takes another form of its head. */
static void test_lengths(void **state)
{
    static const size_t lengths[] = {1,   98,  108, 114, 118, 119, 127,  128,
                                     230, 240, 246, 255, 256, 257, 20000};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct certificate certificate;
        struct private_key key;
        char *name = mem_alloc(lengths[i] + 1);

        memset(name, 'x', lengths[i]);
        make(name, &certificate, &key);
        assert_string_equal(certificate.common_name, name);
        certificate_free(&certificate);
        private_key_wipe(&key);
        free(name);
    }
}

/* Now is when the certificate has been good for a minute. */
static void assert_dates(time_t now, const char *expected)
{
    struct certificate certificate;
    struct private_key key;

    stands_at = now;
    make("x", &certificate, &key);
    stands_at = 0;
    assert_int_equal(certificate.not_before, now - 60);
    assert_int_equal(certificate.not_after, now + 3650LL * 86400);
    assert_non_null(memmem(certificate.der, certificate.length, expected, strlen(expected)));
    certificate_free(&certificate);
    private_key_wipe(&key);
}

/* As `date` and RFC 5280 4.1.2.5 have them: UTCTime through 2049. */
static void test_dates(void **state)
{
    static const time_t end_of_2049 = 2524607999;

    (void)state;
    assert_dates(1769817660, "\x30\x1e\x17\x0d"
                             "260131000000Z"
                             "\x17\x0d"
                             "360129000100Z");
    assert_dates(end_of_2049 - 3650LL * 86400, "\x17\x0d"
                                               "491231235959Z");
    assert_dates(end_of_2049 - 3650LL * 86400 + 1, "\x18\x0f"
                                                   "20500101000000Z");
}

static void test_what_is_made_can_be_read(void **state)
{
    int64_t now = time(NULL);
    struct certificate certificate;
    struct private_key key;
    struct buffer pem = {0};
    struct error error;

    (void)state;
    self_signed_make(&pem, "builder/0");
    assert_int_equal(self_signed_read(pem.data, &certificate, &key, &error), 0);
    assert_string_equal(certificate.common_name, "builder/0");
    assert_true(certificate_is_current(&certificate, now));
    assert_true(certificate_is_current(&certificate, now + 3649LL * 86400));
    assert_false(certificate_is_current(&certificate, now + 3651LL * 86400));
    assert_false(certificate.is_ca);
    assert_false(certificate.server_auth);
    assert_int_equal(key.type, BR_KEYTYPE_EC);
    assert_int_equal(key.ec.curve, BR_EC_secp384r1);
    certificate_free(&certificate);
    private_key_wipe(&key);
    buffer_wipe(&pem);
}

static void append_dn(void *context, const void *data, size_t length)
{
    buffer_append(context, data, length);
}

/* Another parser, which also checks the signature: a chain that ends in the certificate itself. */
static void test_signature(void **state)
{
    br_x509_decoder_context decoder;
    br_x509_minimal_context context;
    const br_x509_class **engine = &context.vtable;
    struct certificate certificate;
    struct private_key key;
    struct buffer pem = {0}, name = {0};
    struct error error;

    (void)state;
    self_signed_make(&pem, "x");
    assert_int_equal(self_signed_read(pem.data, &certificate, &key, &error), 0);
    br_x509_decoder_init(&decoder, append_dn, &name);
    br_x509_decoder_push(&decoder, certificate.der, certificate.length);
    br_x509_pkey *public = br_x509_decoder_get_pkey(&decoder);
    assert_non_null(public);
    br_x509_trust_anchor anchor = {
        {(unsigned char *)name.data, name.length}, BR_X509_TA_CA, *public};
    br_x509_minimal_init(&context, &br_sha256_vtable, &anchor, 1);
    br_x509_minimal_set_hash(&context, br_sha384_ID, &br_sha384_vtable);
    br_x509_minimal_set_ecdsa(&context, &br_ec_all_m31, br_ecdsa_i31_vrfy_asn1);
    br_x509_minimal_set_time(&context, (uint32_t)(time(NULL) / 86400) + 719528,
                             (uint32_t)(time(NULL) % 86400));
    (*engine)->start_chain(engine, NULL);
    (*engine)->start_cert(engine, (uint32_t)certificate.length);
    (*engine)->append(engine, certificate.der, certificate.length);
    (*engine)->end_cert(engine);
    assert_int_equal((*engine)->end_chain(engine), 0);
    certificate_free(&certificate);
    private_key_wipe(&key);
    buffer_wipe(&pem);
    buffer_free(&name);
}

static void test_each_is_another(void **state)
{
    struct buffer first = {0}, second = {0};

    (void)state;
    self_signed_make(&first, "x");
    self_signed_make(&second, "x");
    assert_string_not_equal(first.data, second.data);
    buffer_wipe(&first);
    buffer_wipe(&second);
}

static void assert_unreadable(const char *pem, const char *sentence)
{
    struct certificate certificate;
    struct private_key key;
    struct error error;

    assert_int_equal(self_signed_read(pem, &certificate, &key, &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_non_null(strstr(error.text, sentence));
}

static void test_unreadable(void **state)
{
    struct buffer one = {0}, other = {0};

    (void)state;
    self_signed_make(&one, "x");
    self_signed_make(&other, "x");
    char *key = strstr(one.data, "-----BEGIN EC");
    char *other_key = strstr(other.data, "-----BEGIN EC");
    char *mixed = mem_printf("%.*s%s", (int)(key - one.data), one.data, other_key);
    assert_unreadable("", "holds no certificate");
    assert_unreadable("-----BEGIN X", "no label");
    assert_unreadable(key, "private key, expected a certificate");
    assert_unreadable(mixed, "does not belong to certificate");
    *key = '\0';
    assert_unreadable(one.data, "holds no private key");
    free(mixed);
    buffer_wipe(&one);
    buffer_wipe(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_what_is_made_can_be_read),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_each_is_another),
        cmocka_unit_test(test_unreadable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
