/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/json.h"
#include "charm/databag.h"
#include "x509_files.h"

/* Any 64 hex digits where nothing is parsed. */
#define LOWER "0153ffb9a21668f3b1dfbecc57eca07887f9aeabb893fa7581f85d0aff5c4b4b"
#define HIGHER "c362931ebb0dbd0c101668efdea69d4bcefb01661f0688e075a99d0f358de8dc"

/* Read one member's settings: client_certificates is this text. */
static void read_value(struct request *request, const char *value)
{
    cJSON *settings = cJSON_CreateObject();

    cJSON_AddStringToObject(settings, "client_certificates", value);
    request_read(request, "client/0", settings);
    cJSON_Delete(settings);
}

static void read_list(struct request *request, cJSON *list)
{
    char *value = json_print(list);

    read_value(request, value);
    free(value);
    cJSON_Delete(list);
}

static void add_file(cJSON *list, const char *name)
{
    char *text = x509_file(name);

    cJSON_AddItemToArray(list, cJSON_CreateString(text));
    free(text);
}

static bool is_file(const struct wish *wish, const char *name)
{
    struct certificate certificate = x509_certificate(name);
    bool same = strcmp(wish->certificate.fingerprint, certificate.fingerprint) == 0;

    certificate_free(&certificate);
    return same;
}

/* The one reason for which all of a value is rejected. */
static void assert_value_rejected(const char *value, const char *reason)
{
    struct request request = {0};

    read_value(&request, value);
    assert_int_equal(request.count, 0);
    assert_int_equal(request.rejections.count, 1);
    assert_string_equal(request.rejections.items[0].reason, reason);
    assert_string_equal(request.rejections.items[0].fingerprint, "");
    request_free(&request);
}

static void test_nothing_is_wanted(void **state)
{
    static const char *const settings[] = {"{}", "{\"client_certificates\":\"[]\"}",
                                           "{\"version\":\"1.0\",\"other\":\"x\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct request request = {0};
        cJSON *value = cJSON_Parse(settings[i]);

        request_read(&request, "client/0", value);
        request_sort(&request);
        assert_int_equal(request.count, 0);
        assert_int_equal(request.rejections.count, 0);
        request_free(&request);
        cJSON_Delete(value);
    }
}

static void test_certificates(void **state)
{
    static const char *const names[] = {"ec-p384.crt", "ed25519.crt", "ec-p256.crt", "ec-p384.crt"};
    struct request request = {0};
    cJSON *list = cJSON_CreateArray();

    (void)state;
    for (size_t i = 0; i < 4; i++)
        add_file(list, names[i]);
    read_list(&request, list);
    request_sort(&request);
    assert_int_equal(request.rejections.count, 0);
    assert_int_equal(request.count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct wish *wish = &request.wishes[i];
        size_t name = 0;

        while (name < 3 && !is_file(wish, names[name]))
            name++;
        assert_true(name < 3);
        char *text = x509_file(names[name]);
        assert_string_equal(wish->text, text);
        assert_true(i == 0 ||
                    strcmp(wish[-1].certificate.fingerprint, wish->certificate.fingerprint) < 0);
        free(text);
    }
    request_free(&request);
}

/* Each of two units shall find its own text again. */
static void test_one_certificate_as_two_texts(void **state)
{
    struct request request = {0};
    char *text = x509_file("ec-p256.crt");
    cJSON *list = cJSON_CreateArray();
    struct buffer crlf = {0};

    (void)state;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\n')
            buffer_append(&crlf, "\r", 1);
        buffer_append(&crlf, c, 1);
    }
    cJSON_AddItemToArray(list, cJSON_CreateString(crlf.data));
    read_list(&request, list);
    list = cJSON_CreateArray();
    add_file(list, "ec-p256.crt");
    read_list(&request, list);
    request_sort(&request);
    assert_int_equal(request.count, 2);
    assert_string_equal(request.wishes[0].text, text);
    assert_string_equal(request.wishes[1].text, crlf.data);
    request_free(&request);
    buffer_free(&crlf);
    free(text);
}

static void test_bad_values(void **state)
{
    char *deep = malloc(201);

    (void)state;
    assert_value_rejected("", "client/0: client_certificates is empty, not JSON");
    assert_value_rejected("-----BEGIN", "client/0: client_certificates is not JSON (near byte 1)");
    assert_value_rejected("null",
                          "client/0: client_certificates is no JSON list of PEM certificates");
    assert_value_rejected("{\"a\":[]}",
                          "client/0: client_certificates is no JSON list of PEM certificates");
    assert_value_rejected("\"[]\"",
                          "client/0: client_certificates is no JSON list of PEM certificates");
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    deep[200] = '\0';
    assert_value_rejected(deep, "client/0: client_certificates is not JSON (near byte 32)");
    free(deep);
}

static void test_bad_entries_beside_a_good_one(void **state)
{
    struct request request = {0};
    cJSON *list = cJSON_Parse("[null,[\"x\"],7,\"\",\"junk\"]");

    (void)state;
    add_file(list, "ec-p256.crt");
    read_list(&request, list);
    assert_int_equal(request.count, 1);
    assert_true(is_file(&request.wishes[0], "ec-p256.crt"));
    assert_int_equal(request.rejections.count, 5);
    assert_string_equal(request.rejections.items[0].reason,
                        "client/0: certificate 1: not a string");
    assert_string_equal(request.rejections.items[1].reason,
                        "client/0: certificate 2: not a string");
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(request.rejections.items[i].fingerprint, "");
    request_free(&request);
}

static void test_private_key(void **state)
{
    struct request request = {0};
    cJSON *list = cJSON_CreateArray();

    (void)state;
    add_file(list, "ec-p256-pkcs8.key");
    read_list(&request, list);
    assert_int_equal(request.count, 0);
    assert_int_equal(request.rejections.count, 1);
    assert_non_null(strstr(request.rejections.items[0].reason, "private key"));
    request_free(&request);
}

static void test_entry_over_the_limit(void **state)
{
    struct request request = {0};
    cJSON *list = cJSON_CreateArray();
    char *junk = calloc(1, 200 * 1024 + 1);

    (void)state;
    memset(junk, 'x', 200 * 1024);
    cJSON_AddItemToArray(list, cJSON_CreateString(junk));
    add_file(list, "ec-p256.crt");
    read_list(&request, list);
    assert_int_equal(request.count, 1);
    assert_int_equal(request.rejections.count, 1);
    assert_string_equal(request.rejections.items[0].reason,
                        "client/0: certificate 1: 204800 bytes, more than the 64 KiB allowed");
    request_free(&request);
    free(junk);
}

static void test_value_over_the_limit(void **state)
{
    size_t size = DATABAG_MAX_VALUE + 1;
    char *value = malloc(size + 1);

    (void)state;
    memset(value, ' ', size);
    value[size] = '\0';
    assert_value_rejected(
        value, "client/0: client_certificates has 4194305 bytes, more than the 4 MiB allowed");
    free(value);
}

static void test_certificates_over_the_limit(void **state)
{
    struct request request = {0};
    cJSON *list = cJSON_CreateArray();

    (void)state;
    for (int i = 0; i < DATABAG_MAX_CERTIFICATES + 2; i++)
        add_file(list, i < DATABAG_MAX_CERTIFICATES ? "ec-p256.crt" : "ec-p384.crt");
    read_list(&request, list);
    request_sort(&request);
    assert_int_equal(request.count, 1);
    assert_true(is_file(&request.wishes[0], "ec-p256.crt"));
    assert_int_equal(request.rejections.count, 1);
    assert_string_equal(request.rejections.items[0].reason,
                        "client/0: 1002 certificates, more than the 1000 allowed: "
                        "the last 2 are left out");
    request_free(&request);
}

static void test_versions(void **state)
{
    static const struct {
        const char *version;
        bool ours;
    } versions[] = {{"1.0", true},   {"1", true},    {"1.7", true},  {"2.0", false},
                    {"10.0", false}, {"0.9", false}, {"one", false}, {"", false}};

    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct request request = {0};
        cJSON *settings = cJSON_CreateObject();

        cJSON_AddStringToObject(settings, "version", versions[i].version);
        cJSON_AddStringToObject(settings, "client_certificates", "[\"junk\", \"junk\"]");
        request_read(&request, "client/0", settings);
        assert_int_equal(request.rejections.count, versions[i].ours ? 2 : 1);
        if (!versions[i].ours)
            assert_non_null(strstr(request.rejections.items[0].reason, "is not supported"));
        request_free(&request);
        cJSON_Delete(settings);
    }
}

static void assert_nodes(struct nodes *nodes, const char *text)
{
    char *value = databag_nodes(nodes);

    assert_string_equal(value, text);
    free(value);
}

static void test_nodes(void **state)
{
    struct strings fingerprints = {0};
    struct nodes nodes = {0};

    (void)state;
    assert_nodes(&nodes, "[]");
    nodes_add(&nodes, "https://[fe80::1]:8443", "node \"2\"", &fingerprints);
    strings_add(&fingerprints, LOWER);
    strings_add(&fingerprints, HIGHER);
    nodes_add(&nodes, "https://10.0.0.1:8443", "node-1", &fingerprints);
    /* Sorted by endpoint, whatever the order in which they were found. */
    assert_nodes(&nodes, "[{\"endpoint\":\"https://10.0.0.1:8443\",\"name\":\"node-1\","
                         "\"trusted_certs_fp\":[\"" LOWER "\",\"" HIGHER "\"]},"
                         "{\"endpoint\":\"https://[fe80::1]:8443\",\"name\":\"node \\\"2\\\"\","
                         "\"trusted_certs_fp\":[]}]");
    nodes_free(&nodes);
    strings_free(&fingerprints);
}

/* What we have published is read and written again to the same bytes. */
static void test_nodes_published_before(void **state)
{
    static const struct {
        const char *value;
        const char *read;
    } cases[] = {
        {NULL, "[]"},
        {"", "[]"},
        {"{}", "[]"},
        {"[", "[]"},
        {"\"x\"", "[]"},
        {"[1,null,{},{\"endpoint\":1},{\"endpoint\":\"e\"}]", "[{\"endpoint\":\"e\"}]"},
        {"[{\"endpoint\":\"a\",\"name\":\"n\",\"trusted_certs_fp\":[\"f\"]},{\"endpoint\":\"b\"}]",
         "[{\"endpoint\":\"a\",\"name\":\"n\",\"trusted_certs_fp\":[\"f\"]},{\"endpoint\":\"b\"}]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *settings = cJSON_CreateObject();
        struct nodes nodes = {0};

        if (cases[i].value != NULL)
            cJSON_AddStringToObject(settings, "nodes", cases[i].value);
        nodes_read(&nodes, settings);
        assert_nodes(&nodes, cases[i].read);
        nodes_free(&nodes);
        cJSON_Delete(settings);
    }
}

static void test_registered(void **state)
{
    struct strings texts = {0};

    (void)state;
    char *text = databag_registered(&texts);
    assert_string_equal(text, "[]");
    free(text);
    strings_add(&texts, "-----BEGIN\r\nx");
    text = databag_registered(&texts);
    assert_string_equal(text, "[\"-----BEGIN\\r\\nx\"]");
    free(text);
    strings_free(&texts);
}

/* Sorted, without doubles, and without a fingerprint where there is none. */
static void test_rejected(void **state)
{
    struct rejections rejections = {0};

    (void)state;
    char *text = databag_rejected(&rejections);
    assert_string_equal(text, "");
    free(text);
    rejections_add(&rejections, HIGHER, "expired");
    rejections_add(&rejections, LOWER, "weak");
    rejections_add(&rejections, NULL, "junk");
    rejections_add(&rejections, HIGHER, "expired");
    rejections_sort(&rejections);
    text = databag_rejected(&rejections);
    assert_string_equal(text, "[{\"reason\":\"junk\"},"
                              "{\"fingerprint\":\"" LOWER "\",\"reason\":\"weak\"},"
                              "{\"fingerprint\":\"" HIGHER "\",\"reason\":\"expired\"}]");
    assert_int_equal(rejections.count, 3);
    free(text);
    rejections_free(&rejections);
}

/* Of two members that want the same certificate, each for its projects. */
static void test_projects(void **state)
{
    cJSON *settings = cJSON_CreateObject();
    struct request request = {0};

    (void)state;
    char *text = x509_file("ec-p256.crt");
    cJSON *list = cJSON_CreateArray();
    cJSON_AddItemToArray(list, cJSON_CreateString(text));
    char *value = json_print(list);
    cJSON_AddStringToObject(settings, "client_certificates", value);
    cJSON_AddStringToObject(settings, "projects", "a, b");
    request_read(&request, "client/0", settings);
    cJSON_DeleteItemFromObject(settings, "projects");
    request_read(&request, "client/1", settings);
    assert_true(request.wishes[0].projects.restricted);
    assert_false(request.wishes[1].projects.restricted);
    cJSON_AddStringToObject(settings, "projects", "b");
    request_read(&request, "client/2", settings);
    request_sort(&request);
    assert_int_equal(request.count, 1);
    assert_int_equal(request.wishes[0].projects.names.count, 1);
    assert_string_equal(request.wishes[0].projects.names.items[0], "b");
    request_free(&request);
    free(value);
    free(text);
    cJSON_Delete(list);
    cJSON_Delete(settings);
}

/* The reasons that one member's settings for lxd-https give; NULL where all is well. */
static void assert_https(const char *certificate, const char *version, const char *reason)
{
    cJSON *settings = cJSON_CreateObject();
    struct request request = {0};

    if (certificate != NULL)
        cJSON_AddStringToObject(settings, "certificate", certificate);
    if (version != NULL)
        cJSON_AddStringToObject(settings, "version", version);
    cJSON_AddStringToObject(settings, "client_certificates", "is of the other interface");
    cJSON_AddStringToObject(settings, "autoremove", "True");
    request_read_https(&request, "client/0", settings);
    assert_int_equal(request.rejections.count, reason != NULL);
    if (reason != NULL)
        assert_string_equal(request.rejections.items[0].reason, reason);
    assert_int_equal(request.count, certificate != NULL && reason == NULL);
    request_free(&request);
    cJSON_Delete(settings);
}

static void test_https(void **state)
{
    char *good = x509_file("ec-p256.crt"), *key = x509_file("ec-p256-pkcs8.key");
    char *two = mem_printf("%s%s", good, good);

    (void)state;
    assert_https(NULL, "1.0", NULL);
    assert_https(good, "1.0", NULL);
    assert_https(good, NULL, NULL);
    assert_https(good, "2.0",
                 "client/0: version \"2.0\" of the interface is not supported, only 1.x");
    assert_https("junk", "1.0",
                 "client/0: certificate: holds no PEM block, expected "
                 "\"-----BEGIN CERTIFICATE-----\"");
    assert_https("[]", "1.0",
                 "client/0: certificate: holds no PEM block, expected "
                 "\"-----BEGIN CERTIFICATE-----\"");
    assert_https(two, "1.0", NULL); /* a chain: the first counts */
    assert_https(key, "1.0", "client/0: certificate: holds a private key, expected a certificate");
    free(two);
    free(key);
    free(good);
}

static void test_https_projects(void **state)
{
    cJSON *settings = cJSON_CreateObject();
    struct request request = {0};

    (void)state;
    char *text = x509_file("ec-p256.crt");
    cJSON_AddStringToObject(settings, "certificate", text);
    cJSON_AddStringToObject(settings, "projects", "foo, bar");
    request_read_https(&request, "client/0", settings);
    assert_true(request.wishes[0].projects.restricted);
    assert_int_equal(request.wishes[0].projects.names.count, 2);
    assert_string_equal(request.wishes[0].projects.names.items[1], "bar");
    request_free(&request);
    free(text);
    cJSON_Delete(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_projects),
        cmocka_unit_test(test_https),
        cmocka_unit_test(test_https_projects),
        cmocka_unit_test(test_nothing_is_wanted),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_one_certificate_as_two_texts),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_bad_entries_beside_a_good_one),
        cmocka_unit_test(test_private_key),
        cmocka_unit_test(test_entry_over_the_limit),
        cmocka_unit_test(test_value_over_the_limit),
        cmocka_unit_test(test_certificates_over_the_limit),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_nodes_published_before),
        cmocka_unit_test(test_registered),
        cmocka_unit_test(test_rejected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
