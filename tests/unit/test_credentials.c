/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "charm/credentials.h"
#include "x509_files.h"

static const char *const names[CREDENTIAL_PARTS] = {"--endpoint", "--cert", "--key",
                                                    "--server-cert"};

/* What is given for each part; change what a test is about. */
struct texts {
    char *part[CREDENTIAL_PARTS];
};

static struct texts texts_of(const char *name)
{
    char *certificate = mem_printf("%s.crt", name), *key = mem_printf("%s.key", name);
    struct texts texts = {
        {mem_string("10.0.0.1"), x509_file(certificate), x509_file(key), x509_file("leaf.crt")}};

    free(certificate);
    free(key);
    return texts;
}

static void change(struct texts *texts, int part, const char *text)
{
    free(texts->part[part]);
    texts->part[part] = mem_string(text);
}

/* Consumes the texts. */
static int parse(struct credentials *credentials, struct texts texts, struct error *error)
{
    int result = credentials_parse(credentials, names, (const char *const *)texts.part, error);

    for (int i = 0; i < CREDENTIAL_PARTS; i++)
        free(texts.part[i]);
    return result;
}

static void assert_zero(const struct credentials *credentials)
{
    struct credentials zero;

    memset(&zero, 0, sizeof zero);
    assert_memory_equal(credentials, &zero, sizeof zero);
}

static void assert_refused(struct texts texts, const char *beginning)
{
    struct credentials credentials;
    struct error error;

    assert_int_equal(parse(&credentials, texts, &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    error.text[strlen(beginning)] = '\0';
    assert_string_equal(error.text, beginning);
    assert_zero(&credentials);
}

static void test_key_types(void **state)
{
    static const char *const kinds[] = {"ec-p256", "ec-p384", "ec-p521", "rsa-2048", "rsa-4096"};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct credentials credentials;
        struct error error;

        if (parse(&credentials, texts_of(kinds[i]), &error) != 0)
            fail_msg("%s", error.text);
        assert_string_equal(credentials.endpoints.items[0].url, "https://10.0.0.1:8443");
        assert_int_equal(credentials.server.count, 1);
        credentials_wipe(&credentials);
        assert_zero(&credentials);
        credentials_wipe(&credentials);
    }
    assert_refused(texts_of("ed25519"), "--key: ");
}

static void test_missing_parts(void **state)
{
    static const char *const blanks[] = {NULL, "", " \r\n\t"};

    (void)state;
    for (int part = 0; part < CREDENTIAL_PARTS; part++) {
        for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++) {
            struct texts texts = texts_of("ec-p384");
            char *sentence = mem_printf("%s: missing", names[part]);

            change(&texts, part, blanks[i]);
            assert_refused(texts, sentence);
            free(sentence);
        }
    }
}

static void test_unusable_parts(void **state)
{
    static const char *const junk[CREDENTIAL_PARTS] = {"unix:///x", "no PEM", "no PEM", "no PEM"};

    (void)state;
    for (int part = 0; part < CREDENTIAL_PARTS; part++) {
        struct texts texts = texts_of("ec-p384");
        char *beginning = mem_printf("%s: ", names[part]);

        change(&texts, part, junk[part]);
        assert_refused(texts, beginning);
        free(beginning);
    }
    struct texts texts = texts_of("ec-p384");
    char *key = x509_file("leaf.key");
    change(&texts, CREDENTIAL_KEY, key);
    assert_refused(texts, "--key: ");
    free(key);
}

/* An error quotes nothing of a key, wherever it is put. */
static void test_keys_are_not_quoted(void **state)
{
    char *key = x509_file("ec-p256.key");
    const char *body = strchr(key, '\n') + 1;

    (void)state;
    for (int part = 0; part < CREDENTIAL_PARTS; part++) {
        struct texts texts = texts_of("ec-p384");
        struct credentials credentials;
        struct error error;

        change(&texts, part, key);
        assert_int_equal(parse(&credentials, texts, &error), -1);
        for (size_t i = 0; i + 8 < strlen(body); i += 8) {
            char piece[9] = {0};

            memcpy(piece, body + i, 8);
            assert_null(strstr(error.text, piece));
        }
    }
    free(key);
}

static void test_content(void **state)
{
    struct texts texts = texts_of("ec-p384");
    cJSON *content = cJSON_CreateObject();
    struct credentials credentials;
    struct error error;

    (void)state;
    for (int part = 0; part < CREDENTIAL_PARTS; part++)
        cJSON_AddStringToObject(content, credentials_part_names[part], texts.part[part]);
    assert_int_equal(credentials_from_content(&credentials, content, &error), 0);
    assert_string_equal(credentials.endpoints.items[0].host, "10.0.0.1");
    credentials_wipe(&credentials);
    cJSON_DeleteItemFromObject(content, "client-key");
    cJSON_AddNumberToObject(content, "client-key", 7);
    assert_int_equal(credentials_from_content(&credentials, content, &error), -1);
    assert_string_equal(error.text, "client-key: missing");
    cJSON_Delete(content);
    for (int part = 0; part < CREDENTIAL_PARTS; part++)
        free(texts.part[part]);
}

/* At both ends of its dates, to the second. */
static void test_dates(void **state)
{
    struct credentials credentials;
    char date[CREDENTIALS_DATE_SIZE] = "", expected[CREDENTIALS_DATE_SIZE] = "expired on ";
    struct error error;

    (void)state;
    assert_int_equal(parse(&credentials, texts_of("ec-p384"), &error), 0);
    const struct certificate *certificate = &credentials.certificate;
    assert_true(credentials_are_current(&credentials, certificate->not_before, date));
    assert_true(credentials_are_current(&credentials, certificate->not_after, date));
    assert_string_equal(date, "");
    assert_false(credentials_are_current(&credentials, certificate->not_after + 1, date));
    certificate_date(expected + strlen(expected), certificate->not_after);
    assert_string_equal(date, expected);
    assert_false(credentials_are_current(&credentials, certificate->not_before - 1, date));
    strcpy(expected, "not valid before ");
    certificate_date(expected + strlen(expected), certificate->not_before);
    assert_string_equal(date, expected);
    credentials_wipe(&credentials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_types),      cmocka_unit_test(test_missing_parts),
        cmocka_unit_test(test_unusable_parts), cmocka_unit_test(test_keys_are_not_quoted),
        cmocka_unit_test(test_content),        cmocka_unit_test(test_dates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
