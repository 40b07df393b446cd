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

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Any 64 hex digits where nothing is parsed. */
#define LOWER "0153ffb9a21668f3b1dfbecc57eca07887f9aeabb893fa7581f85d0aff5c4b4b"
#define HIGHER "c362931ebb0dbd0c101668efdea69d4bcefb01661f0688e075a99d0f358de8dc"
#define JUNK "holds no PEM block, expected \"-----BEGIN CERTIFICATE-----\""

/* Read one member's settings: this text under this key, and a list of two that are no certificates
 * where the key is another one. */
static void read_setting(struct member *member, const char *key, const char *value)
{
    cJSON *settings = cJSON_CreateObject();

    cJSON_AddStringToObject(settings, key, value);
    if (strcmp(key, "client_certificates") != 0)
        cJSON_AddStringToObject(settings, "client_certificates", "[\"junk\", \"junk\"]");
    member_read(member, "client/0", false, settings, DATABAG_LXD);
    cJSON_Delete(settings);
}

static void read_list(struct member *member, cJSON *list)
{
    char *value = json_print(list);

    read_setting(member, "client_certificates", value);
    free(value);
    cJSON_Delete(list);
}

static void add_file(cJSON *list, const char *name)
{
    char *text = x509_file(name);

    cJSON_AddItemToArray(list, cJSON_CreateString(text));
    free(text);
}

static void assert_is_file(const struct entry *entry, const char *name)
{
    struct certificate certificate = x509_certificate(name);
    char *text = x509_file(name);

    assert_null(entry->reason);
    assert_string_equal(entry->certificate.fingerprint, certificate.fingerprint);
    assert_string_equal(entry->text, text);
    free(text);
    certificate_free(&certificate);
}

static void test_nothing_is_wanted(void **state)
{
    static const char *const settings[] = {"{}", "{\"client_certificates\":\"[]\"}",
                                           "{\"version\":\"1.0\",\"other\":\"x\"}"};

    (void)state;
    for (size_t i = 0; i < COUNT(settings); i++) {
        struct member member;
        cJSON *value = cJSON_Parse(settings[i]);

        member_read(&member, "client", true, value, DATABAG_LXD);
        assert_string_equal(member.name, "client");
        assert_true(member.is_application);
        assert_int_equal(member.count, 0);
        assert_null(member.reason);
        assert_false(member.names_projects);
        assert_false(member.projects.restricted);
        member_free(&member);
        cJSON_Delete(value);
    }
}

/* As they stand in the list, each with its place there. */
static void test_certificates(void **state)
{
    static const char *const names[] = {"ec-p384.crt", "ed25519.crt", "ec-p256.crt", "ec-p384.crt"};
    struct member member;
    cJSON *list = cJSON_CreateArray();

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        add_file(list, names[i]);
    read_list(&member, list);
    assert_int_equal(member.count, COUNT(names));
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_is_file(&member.entries[i], names[i]);
        assert_int_equal(member.entries[i].index, i);
    }
    member_free(&member);
}

/* The one reason for which all of a value is rejected. */
static void assert_value_rejected(const char *value, const char *reason)
{
    struct member member;

    read_setting(&member, "client_certificates", value);
    assert_int_equal(member.count, 0);
    assert_non_null(member.reason);
    assert_string_equal(member.reason, reason);
    member_free(&member);
}

#define NO_LIST "client_certificates is no JSON list of PEM certificates"

static void test_bad_values(void **state)
{
    char deep[201] = "";

    (void)state;
    assert_value_rejected("", "client_certificates is empty, not JSON");
    assert_value_rejected("-----BEGIN", "client_certificates is not JSON (near byte 0)");
    assert_value_rejected("null", NO_LIST);
    assert_value_rejected("{\"a\":[]}", NO_LIST);
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    assert_value_rejected(deep, "client_certificates is not JSON (near byte 32)");
}

/* ops' Relation.save() encodes every field as JSON. */
static void test_values_that_are_json_strings(void **state)
{
    cJSON *list = cJSON_CreateArray();
    struct member member;

    (void)state;
    add_file(list, "ec-p256.crt");
    char *value = json_print(list);
    cJSON *string = cJSON_CreateString(value);
    char *twice = json_print(string);
    read_setting(&member, "client_certificates", twice);
    assert_int_equal(member.count, 1);
    assert_is_file(&member.entries[0], "ec-p256.crt");
    member_free(&member);
    free(value);
    free(twice);
    cJSON_Delete(list);
    cJSON_Delete(string);
    read_setting(&member, "version", "\"1.0\"");
    assert_null(member.reason);
    member_free(&member);
    read_setting(&member, "version", "\"2.0\"");
    assert_non_null(member.reason);
    member_free(&member);
    assert_value_rejected("\"{}\"", NO_LIST);
}

static void test_bad_entries_beside_a_good_one(void **state)
{
    static const char *const reasons[] = {"not a string", "not a string", "not a string", JUNK,
                                          JUNK};
    struct member member;
    cJSON *list = cJSON_Parse("[null,[\"x\"],7,\"\",\"junk\"]");

    (void)state;
    add_file(list, "ec-p256.crt");
    read_list(&member, list);
    assert_null(member.reason);
    assert_int_equal(member.count, 6);
    for (size_t i = 0; i < COUNT(reasons); i++)
        assert_string_equal(member.entries[i].reason, reasons[i]);
    assert_is_file(&member.entries[5], "ec-p256.crt");
    assert_int_equal(member.entries[5].index, 5);
    member_free(&member);
}

/* Nothing of it is quoted. */
static void test_private_key(void **state)
{
    struct member member;
    cJSON *list = cJSON_CreateArray();

    (void)state;
    add_file(list, "ec-p256-pkcs8.key");
    read_list(&member, list);
    assert_int_equal(member.count, 1);
    assert_string_equal(member.entries[0].reason, "holds a private key, expected a certificate");
    member_free(&member);
}

static char *repeat(char c, size_t count)
{
    char *text = mem_alloc(count + 1);

    memset(text, c, count);
    return text;
}

/* An entry has 64 KiB at most; what is larger is not kept either. */
static void test_entry_over_the_limit(void **state)
{
    char *largest = repeat('x', 64 * 1024), *larger = repeat('x', 64 * 1024 + 1);
    struct member member;
    cJSON *list = cJSON_CreateArray();

    (void)state;
    cJSON_AddItemToArray(list, cJSON_CreateString(larger));
    cJSON_AddItemToArray(list, cJSON_CreateString(largest));
    add_file(list, "ec-p256.crt");
    read_list(&member, list);
    assert_int_equal(member.count, 3);
    assert_string_equal(member.entries[0].reason, "65537 bytes, more than the 64 KiB allowed");
    assert_string_equal(member.entries[0].text, "");
    assert_string_equal(member.entries[1].reason, JUNK);
    assert_is_file(&member.entries[2], "ec-p256.crt");
    member_free(&member);
    free(larger);
    free(largest);
}

static void test_entries_over_the_limit(void **state)
{
    struct member member;
    cJSON *list = cJSON_CreateArray();

    (void)state;
    for (int i = 0; i < DATABAG_MAX_ENTRIES + 2; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString("junk"));
    read_list(&member, list);
    assert_int_equal(member.count, DATABAG_MAX_ENTRIES);
    assert_int_equal(member.beyond, 2);
    assert_null(member.reason);
    member_free(&member);
}

static void test_versions(void **state)
{
    static const struct {
        const char *version;
        bool ours;
    } versions[] = {{"1.0", true},   {"1", true},    {"1.7", true},  {"2.0", false},
                    {"10.0", false}, {"0.9", false}, {"one", false}, {"", true},
                    {"null", true},  {"\"\"", true}, {"[1]", false}};

    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct member member;

        read_setting(&member, "version", versions[i].version);
        assert_int_equal(member.count, versions[i].ours ? 2 : 0);
        assert_int_equal(member.reason == NULL, versions[i].ours);
        if (!versions[i].ours)
            assert_non_null(strstr(member.reason, "is not supported, only 1.x"));
        member_free(&member);
    }
}

/* ---- projects ---- */

static void test_projects(void **state)
{
    static const struct {
        const char *value, *opens, *reason;
    } cases[] = {
        {"b, a", "projects a, b", NULL},
        {"", "all of LXD", NULL},
        {"\"\"", NULL,
         "projects is \"\", which names no project: name one, or delete the key to ask for all of "
         "LXD"},
        {"\"a,b\"", "projects a, b", NULL},
        {"[\"b\",\"a\"]", "projects a, b", NULL},
        {" [ \"a\" ]", "project a", NULL},
        {"\"[\\\"a\\\"]\"", "project a", NULL},
        {" , ", NULL,
         "projects is \" , \", which names no project: name one, or delete the key to ask "
         "for all of LXD"},
        {"[]", NULL,
         "projects is \"[]\", which names no project: name one, or delete the key to ask "
         "for all of LXD"},
        {"[\"\"]", NULL,
         "projects is \"[\"\"]\", which names no project: name one, or delete the key "
         "to ask for all of LXD"},
        {"[1]", NULL, "projects is \"[1]\", which is no list of names"},
        {"[\"a,b\"]", NULL, "projects is \"[\"a,b\"]\", which is no list of names"},
        {"[\"a\"", NULL, "projects is \"[\"a\"\", which is no list of names"},
        {"null", NULL, "projects is null: name projects, or delete the key to ask for all of LXD"},
        {"null ", NULL, "projects is null: name projects, or delete the key to ask for all of LXD"},
        {"\"null\"", NULL,
         "projects is null: name projects, or delete the key to ask for all of LXD"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct member member;

        read_setting(&member, "projects", cases[i].value);
        if ((member.reason == NULL) != (cases[i].reason == NULL))
            print_message("case %zu: %s\n", i, member.reason);
        if (cases[i].reason != NULL) {
            assert_non_null(member.reason);
            assert_string_equal(member.reason, cases[i].reason);
            assert_true(member.names_projects); /* it does not mean all, for units without one */
        } else {
            char *opens = projects_describe(&member.projects);

            assert_null(member.reason);
            assert_string_equal(opens, cases[i].opens);
            assert_int_equal(member.names_projects, strcmp(opens, "all of LXD") != 0);
            free(opens);
        }
        member_free(&member);
    }
}

static void test_projects_over_the_limit(void **state)
{
    char *large = repeat('x', PROJECTS_MAX_TEXT + 1);
    struct buffer many = {0};
    struct member member;

    (void)state;
    for (int i = 0; i < PROJECTS_MAX + 1; i++)
        buffer_printf(&many, "p%d,", i);
    read_setting(&member, "projects", many.data);
    assert_string_equal(member.reason,
                        "projects names more than the 256 projects or 64 KiB allowed");
    assert_int_equal(member.count, 0);
    member_free(&member);
    read_setting(&member, "projects", large);
    assert_non_null(member.reason);
    member_free(&member);
    buffer_free(&many);
    free(large);
}

/* ---- lxd-https ---- */

static void assert_https(const char *certificate, const char *version, const char *refusal,
                         const char *reason)
{
    cJSON *settings = cJSON_CreateObject();
    struct member member;

    if (certificate != NULL)
        cJSON_AddStringToObject(settings, "certificate", certificate);
    if (version != NULL)
        cJSON_AddStringToObject(settings, "version", version);
    cJSON_AddStringToObject(settings, "client_certificates", "is of the other interface");
    cJSON_AddStringToObject(settings, "autoremove", "True");
    cJSON_AddStringToObject(settings, "projects", "foo, bar");
    member_read(&member, "client/0", false, settings, DATABAG_HTTPS);
    assert_int_equal(member.reason != NULL, refusal != NULL);
    if (refusal != NULL)
        assert_string_equal(member.reason, refusal);
    assert_int_equal(member.count, certificate != NULL && refusal == NULL);
    if (reason != NULL)
        assert_string_equal(member.entries[0].reason, reason);
    else if (member.count != 0)
        assert_is_file(&member.entries[0], "ec-p256.crt");
    assert_int_equal(member.projects.names.count, 2);
    member_free(&member);
    cJSON_Delete(settings);
}

static void test_https(void **state)
{
    char *good = x509_file("ec-p256.crt"), *key = x509_file("ec-p256-pkcs8.key");

    (void)state;
    assert_https(NULL, "1.0", NULL, NULL);
    assert_https(good, "1.0", NULL, NULL);
    assert_https(good, NULL, NULL, NULL);
    assert_https(good, "2.0", "version \"2.0\" of the interface is not supported, only 1.x", NULL);
    assert_https("junk", "1.0", NULL, JUNK);
    assert_https("[]", "1.0", NULL, JUNK);
    assert_https(key, "1.0", NULL, "holds a private key, expected a certificate");
    free(key);
    free(good);
}

static void test_settings_that_cannot_be_read(void **state)
{
    struct member member;

    (void)state;
    member_refuse(&member, "client", true, "relation-get answers 100% nonsense");
    assert_string_equal(member.reason, "relation-get answers 100% nonsense");
    assert_true(member.names_projects); /* perhaps: so its units are not let in to all of LXD */
    assert_int_equal(member.count, 0);
    member_free(&member);
}

/* ---- what we answer ---- */

static void assert_nodes(struct nodes *nodes, const char *text)
{
    char *value = databag_nodes(nodes);

    assert_string_equal(value, text);
    free(value);
}

static void test_nodes(void **state)
{
    struct strings fingerprints = {0}, read = {0};
    struct nodes nodes = {0};

    (void)state;
    assert_nodes(&nodes, "[]");
    nodes_add(&nodes, "https://[fe80::1]:8443", "node \"2\"", &fingerprints, "pem\n");
    strings_add(&fingerprints, LOWER);
    strings_add(&fingerprints, HIGHER);
    nodes_add(&nodes, "https://10.0.0.1:8443", "node-1", &fingerprints, "pem");
    /* Sorted by endpoint, whatever the order in which they were found. */
    assert_nodes(&nodes, "[{\"certificate\":\"pem\",\"endpoint\":\"https://10.0.0.1:8443\","
                         "\"name\":\"node-1\",\"trusted_certs_fp\":[\"" LOWER "\",\"" HIGHER "\"]},"
                         "{\"certificate\":\"pem\\n\",\"endpoint\":\"https://[fe80::1]:8443\","
                         "\"name\":\"node \\\"2\\\"\",\"trusted_certs_fp\":[]}]");
    node_fingerprints(nodes.items[0], &read);
    assert_int_equal(read.count, 2);
    assert_string_equal(node_certificate(nodes.items[0]), "pem");
    nodes_free(&nodes);
    strings_free(&fingerprints);
    strings_free(&read);
}

/* What can have no place in a relation is not kept. */
static void test_text_of_one_member(void **state)
{
    cJSON *list = cJSON_CreateArray();
    char *junk = repeat('x', 60000);
    struct member member;

    (void)state;
    for (int i = 0; i < 40; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(junk));
    read_list(&member, list);
    assert_int_equal(member.count, 18);
    assert_int_equal(member.beyond, 22);
    member_free(&member);
    free(junk);
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
    for (size_t i = 0; i < COUNT(cases); i++) {
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

/* lxd-https names one server, by all its addresses. */
static void test_addresses_published_before(void **state)
{
    cJSON *settings = cJSON_CreateObject();
    struct strings fingerprints = {0};
    struct nodes nodes = {0};

    (void)state;
    cJSON_AddStringToObject(settings, "addresses", "10.0.0.1:8443,[::1]:8443");
    nodes_read(&nodes, settings);
    assert_int_equal(nodes.count, 0);
    cJSON_AddStringToObject(settings, "certificate", "pem");
    cJSON_AddStringToObject(settings, "trusted_certs_fp", "[\"" LOWER "\",\"x\"]");
    nodes_read(&nodes, settings);
    assert_int_equal(nodes.count, 2);
    assert_string_equal(node_endpoint(nodes.items[1]), "https://[::1]:8443");
    assert_string_equal(node_certificate(nodes.items[1]), "pem");
    node_fingerprints(nodes.items[1], &fingerprints);
    assert_int_equal(fingerprints.count, 1);
    assert_string_equal(fingerprints.items[0], LOWER);
    strings_free(&fingerprints);
    nodes_free(&nodes);
    cJSON_Delete(settings);
}

/* Only what is a fingerprint is believed to be one. */
static void test_fingerprints_of_nodes(void **state)
{
    static const char *const odd[] = {
        "{\"endpoint\":\"e\"}", "{\"endpoint\":\"e\",\"trusted_certs_fp\":7}",
        "{\"endpoint\":\"e\",\"trusted_certs_fp\":[\"x\",null,1,\"" LOWER "0\"]}"};

    (void)state;
    for (size_t i = 0; i < COUNT(odd); i++) {
        struct strings fingerprints = {0};
        cJSON *node = cJSON_Parse(odd[i]);

        node_fingerprints(node, &fingerprints);
        assert_int_equal(fingerprints.count, 0);
        assert_null(node_certificate(node));
        cJSON_Delete(node);
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

/* Sorted; without fingerprint, unit and index where there is none. */
static void test_rejected(void **state)
{
    struct member unit = {.name = (char[]){"client/0"}},
                  application = {.name = (char[]){"client"}, .is_application = true};
    struct entry lower = {.index = 2, .certificate.fingerprint = LOWER},
                 higher = {.index = 0, .certificate.fingerprint = HIGHER},
                 junk = {.index = 1, .reason = (char[]){"junk"}};
    struct rejections rejections = {0};

    (void)state;
    char *text = databag_rejected(&rejections);
    assert_string_equal(text, "");
    free(text);
    rejections_add(&rejections, &unit, &higher, "expired");
    rejections_add(&rejections, &application, &lower, "weak");
    rejections_add(&rejections, &unit, NULL, "too many");
    rejections_add(&rejections, &unit, &junk, "junk");
    rejections_sort(&rejections);
    text = databag_rejected(&rejections);
    assert_string_equal(text, "[{\"reason\":\"too many\",\"unit\":\"client/0\"},"
                              "{\"index\":1,\"reason\":\"junk\",\"unit\":\"client/0\"},"
                              "{\"fingerprint\":\"" LOWER "\",\"index\":2,\"reason\":\"weak\"},"
                              "{\"fingerprint\":\"" HIGHER
                              "\",\"index\":0,\"reason\":\"expired\",\"unit\":\"client/0\"}]");
    free(text);
    rejections_free(&rejections);
}

/* At most 1,000 are listed, of 200 bytes each; the last says how many more. */
static void test_bounds_of_rejections(void **state)
{
    struct member unit = {.name = (char[]){"client/0"}};
    struct rejections rejections = {0};
    char *reason = repeat('r', 1000);

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        rejections_add(&rejections, &unit, &(struct entry){.index = i, .reason = reason}, reason);
    char *text = databag_rejected(&rejections);
    cJSON *list = cJSON_Parse(text);
    assert_int_equal(cJSON_GetArraySize(list), 1000);
    assert_int_equal(strlen(json_string(list->child, "reason")), DATABAG_MAX_REASON);
    cJSON_Delete(list);
    free(text);
    for (size_t i = 1000; i < 1234; i++)
        rejections_add(&rejections, &unit, &(struct entry){.index = i, .reason = reason}, reason);
    text = databag_rejected(&rejections);
    list = cJSON_Parse(text);
    assert_int_equal(cJSON_GetArraySize(list), 1000);
    assert_string_equal(json_string(cJSON_GetArrayItem(list, 999), "reason"),
                        "235 more are rejected");
    cJSON_Delete(list);
    free(text);
    free(reason);
    rejections_free(&rejections);
}

/* Juju takes UTF-8 alone, and would give back something else. */
static void test_reason_that_is_cut_in_a_character(void **state)
{
    static const struct {
        const char *reason, *told;
    } cases[] = {
        {"projects is \"\xc3\xa4\xc3\"", "projects is \"\xc3\xa4?\""},
        {"\xe2\x82", "??"},
        {"\xef\xbf\xbd", "\xef\xbf\xbd"},
    };
    struct member unit = {.name = (char[]){"client/0"}};
    struct rejections rejections = {0};
    char *reason = repeat('r', DATABAG_MAX_REASON + 1);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        rejections_add(&rejections, &unit, NULL, cases[i].reason);
        assert_string_equal(rejections.items[i].reason, cases[i].told);
    }
    memcpy(reason + DATABAG_MAX_REASON - 1, "\xc3\xa4", 2);
    rejections_add(&rejections, &unit, NULL, reason);
    const char *told = rejections.items[COUNT(cases)].reason;
    assert_int_equal(strlen(told), DATABAG_MAX_REASON);
    assert_int_equal(told[DATABAG_MAX_REASON - 1], '?');
    rejections_free(&rejections);
    free(reason);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_of_one_member),
        cmocka_unit_test(test_addresses_published_before),
        cmocka_unit_test(test_reason_that_is_cut_in_a_character),
        cmocka_unit_test(test_nothing_is_wanted),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_values_that_are_json_strings),
        cmocka_unit_test(test_bad_entries_beside_a_good_one),
        cmocka_unit_test(test_private_key),
        cmocka_unit_test(test_entry_over_the_limit),
        cmocka_unit_test(test_entries_over_the_limit),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_projects),
        cmocka_unit_test(test_projects_over_the_limit),
        cmocka_unit_test(test_https),
        cmocka_unit_test(test_settings_that_cannot_be_read),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_nodes_published_before),
        cmocka_unit_test(test_fingerprints_of_nodes),
        cmocka_unit_test(test_registered),
        cmocka_unit_test(test_rejected),
        cmocka_unit_test(test_bounds_of_rejections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
