/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "lxd/api.h"

#define US "ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12"
#define THEM "00000000000000000000000000000000000000000000000000000000000000ff"
#define ENTRY(fingerprint, name)                                                    \
    "{\"certificate\":\"PEM\",\"fingerprint\":\"" fingerprint "\",\"name\":\"" name \
    "\",\"type\":\"client\",\"restricted\":true,\"projects\":[]}"
#define ONE(entry) "{\"metadata\":" entry "}"
#define MEMBER(name, url, status) \
    "{\"server_name\":\"" name "\",\"url\":\"" url "\",\"status\":\"" status "\"}"
#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct buffer body_of(const char *text)
{
    struct buffer body = {0};

    buffer_append_string(&body, text);
    return body;
}

static void assert_wrong(const struct error *error, const char *text)
{
    assert_int_equal(error->kind, ERROR_NONSENSE);
    assert_string_equal(error->text, text);
}

/* ---- GET /1.0 ---- */

static struct lxd_server read_server(const char *text)
{
    struct buffer body = body_of(text);
    struct lxd_server server;
    struct error error;

    assert_int_equal(api_server(&body, &server, &error), 0);
    buffer_free(&body);
    return server;
}

static void test_server(void **state)
{
    struct lxd_server server = read_server(
        "{\"type\":\"sync\",\"metadata\":{\"config\":{},\"auth\":\"trusted\",\"environment\":{"
        "\"server\":\"lxd\",\"server_name\":\"node-1\",\"server_version\":\"5.0.2\","
        "\"server_clustered\":true,"
        "\"addresses\":[\"10.0.0.1:8443\",7,\"unix://x\",\"[fd00::1]:8444\"]}}}");

    (void)state;
    assert_true(server.trusted);
    assert_string_equal(server.name, "node-1");
    assert_string_equal(server.version, "5.0.2");
    assert_int_equal(server.software, LXD_LXD);
    assert_true(server.clustered);
    assert_false(server.restricts);
    assert_false(server.takes_trust_token);
    assert_false(server.has_identities);
    assert_int_equal(server.addresses.count, 2);
    assert_string_equal(server.addresses.items[0].url, "https://10.0.0.1:8443");
    assert_string_equal(server.addresses.items[1].url, "https://[fd00::1]:8444");
    lxd_server_free(&server);
}

static void test_server_that_does_not_trust_us(void **state)
{
    struct lxd_server server = read_server("{\"metadata\":{\"auth\":\"untrusted\"}}");

    (void)state;
    assert_false(server.trusted);
    assert_false(server.clustered);
    assert_string_equal(server.name, "");
    assert_string_equal(server.version, "");
    lxd_server_free(&server);
}

static void test_extensions(void **state)
{
    struct lxd_server server = read_server(
        "{\"metadata\":{\"auth\":\"untrusted\",\"api_extensions\":[\"x\",7,\"certificate_project\","
        "\"explicit_trust_token\",\"access_management_tls\",\"devlxd_events\"]}}");

    (void)state;
    assert_true(server.restricts);
    assert_true(server.takes_trust_token);
    assert_true(server.has_identities);
    assert_int_equal(server.software, LXD_LXD);
    lxd_server_free(&server);
}

/* It says so to whom it trusts; to others by an extension. */
static void test_incus(void **state)
{
    static const char *const bodies[] = {
        "{\"metadata\":{\"auth\":\"trusted\",\"environment\":{\"server\":\"incus\"}}}",
        "{\"metadata\":{\"auth\":\"untrusted\",\"api_extensions\":[\"dev_incus_events\"]}}"};

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct lxd_server server = read_server(bodies[i]);

        assert_int_equal(server.software, LXD_INCUS);
        lxd_server_free(&server);
    }
}

static void test_server_of_unexpected_shape(void **state)
{
    static const char *const bodies[] = {"{}", "[]", "1", "{\"metadata\":null}",
                                         "{\"metadata\":{\"auth\":true}}"};

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct buffer body = body_of(bodies[i]);
        struct lxd_server server;
        struct error error;

        assert_int_equal(api_server(&body, &server, &error), -1);
        assert_wrong(&error, "answers with server information of unexpected shape");
        assert_null(server.name);
        buffer_free(&body);
    }
}

static void test_answer_that_is_not_json(void **state)
{
    struct buffer page = body_of("<html>"), nothing = {0};
    struct lxd_server server;
    struct error error;

    (void)state;
    assert_int_equal(api_server(&page, &server, &error), -1);
    assert_wrong(&error, "answers, but the body is not JSON (near byte 0)");
    assert_int_equal(api_server(&nothing, &server, &error), -1);
    assert_wrong(&error, "answers, but the body is empty, not JSON");
    buffer_free(&page);
}

/* ---- members ---- */

static void test_members(void **state)
{
    struct buffer body =
        body_of("{\"metadata\":[" MEMBER("n1", "https://10.0.0.1:8443", "Online") "," MEMBER(
            "n2", "", "Offline") "," MEMBER("n3", "https://[fd42::3]:8443",
                                            "Evacuated") "," MEMBER("n4", "https://10.0.0.4",
                                                                    "Blocked") "]}");
    struct lxd_members list;
    struct error error;

    (void)state;
    assert_int_equal(api_members(&body, &list, &error), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].name, "n1");
    assert_string_equal(list.items[0].endpoint.url, "https://10.0.0.1:8443");
    assert_true(list.items[0].active);
    assert_string_equal(list.items[1].name, "n3");
    assert_string_equal(list.items[1].endpoint.host, "fd42::3");
    assert_true(list.items[1].active);
    assert_string_equal(list.items[2].name, "n4");
    assert_false(list.items[2].active);
    lxd_members_free(&list);
    buffer_free(&body);
}

static void test_members_of_unexpected_shape(void **state)
{
    static const char *const bodies[] = {
        "{\"metadata\":null}",
        "{\"metadata\":{}}",
        "{\"metadata\":[" MEMBER("n1", "https://h", "Online") "," MEMBER("n2", "h/x",
                                                                         "Online") "]}",
        "{\"metadata\":[{\"server_name\":\"n1\",\"status\":\"Online\"}]}",
        "{\"metadata\":[{\"url\":\"https://h\",\"status\":\"Online\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct buffer body = body_of(bodies[i]);
        struct lxd_members list;
        struct error error;

        assert_int_equal(api_members(&body, &list, &error), -1);
        assert_wrong(&error, "answers with a list of cluster members of unexpected shape");
        assert_int_equal(list.count, 0);
        buffer_free(&body);
    }
}

/* ---- projects ---- */

static void test_projects(void **state)
{
    static const char *const expected[] = {"default", "a b/c", "100%", "%zz",
                                           "%00",     "%",     "%a",   "\xc3\xa9"};
    struct buffer body =
        body_of("{\"metadata\":[\"/1.0/projects/default\",\"/1.0/projects/a%20b%2fc\","
                "\"/1.0/projects/100%\",\"/1.0/projects/%zz\",\"/1.0/projects/%00\","
                "\"/1.0/projects/%\",\"/1.0/projects/%a\","
                "\"/1.0/projects/%c3%A9\"]}");
    struct strings names;
    struct error error;

    (void)state;
    assert_int_equal(api_projects(&body, &names, &error), 0);
    assert_int_equal(names.count, COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_string_equal(names.items[i], expected[i]);
    strings_free(&names);
    buffer_free(&body);
}

static void test_projects_of_unexpected_shape(void **state)
{
    static const char *const bodies[] = {
        "{\"metadata\":null}", "{\"metadata\":{}}", "{\"metadata\":[7]}",
        "{\"metadata\":[\"/1.0/projects/a\",\"/1.0/instances/b\"]}",
        "{\"metadata\":[{\"name\":\"a\"}]}"};

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct buffer body = body_of(bodies[i]);
        struct strings names;
        struct error error;

        assert_int_equal(api_projects(&body, &names, &error), -1);
        assert_wrong(&error, "answers with a list of projects of unexpected shape");
        assert_int_equal(names.count, 0);
        buffer_free(&body);
    }
}

/* ---- our identity ---- */

#define MAY(entitlement) PERMISSION("server", "/1.0", entitlement)
#define PERMISSION(type, url, entitlement) \
    "{\"entity_type\":\"" type "\",\"url\":\"" url "\",\"entitlement\":\"" entitlement "\"}"

static void assert_identity(const char *type, const char *permissions, const char *rights)
{
    char *text = mem_printf("{\"metadata\":{\"type\":\"%s\",\"effective_permissions\":[%s]}}", type,
                            permissions);
    struct buffer body = body_of(text);
    struct lxd_identity identity;
    struct error error;

    assert_int_equal(api_identity(&body, &identity, &error), 0);
    char *read = mem_printf("%s%s%s%s%s%s", identity.fine_grained ? "f" : "",
                            identity.sees_identities ? "s" : "", identity.creates ? "c" : "",
                            identity.edits ? "e" : "", identity.deletes ? "d" : "",
                            identity.sees_projects ? "p" : "");
    assert_string_equal(read, rights);
    free(read);
    free(text);
    buffer_free(&body);
}

static void test_identities(void **state)
{
    (void)state;
    assert_identity("Client certificate (unrestricted)", "", "scedp");
    assert_identity("Client certificate (restricted)", "", "");
    assert_identity("Client certificate", "", "f");
    assert_identity("Client certificate", MAY("can_create_identities"), "fc");
    assert_identity("Client certificate", MAY("can_view_identities"), "fs");
    assert_identity("Client certificate", MAY("can_edit_identities"), "fse");
    assert_identity("Client certificate", MAY("can_delete_identities"), "fsd");
    assert_identity("Client certificate",
                    MAY("can_edit_identities") "," MAY("can_delete_identities"), "fsed");
    assert_identity("Client certificate", MAY("can_view_projects"), "fp");
    assert_identity("Client certificate", MAY("project_manager"), "fp");
    assert_identity("Client certificate", MAY("viewer"), "fsp");
    assert_identity("Client certificate", MAY("permission_manager"), "fsced");
    assert_identity("Client certificate", MAY("admin"), "fscedp");
    /* On something else than the server. */
    assert_identity("Client certificate",
                    PERMISSION("project", "/1.0/projects/a", "viewer") "," PERMISSION(
                        "identity", "/1.0/auth/identities/tls/x", "can_edit_identities"),
                    "f");
}

static void test_identity_that_says_so(void **state)
{
    struct buffer body = body_of("{\"metadata\":{\"type\":\"New\",\"fine_grained\":true}}"),
                  wrong = body_of("{\"metadata\":[]}");
    struct lxd_identity identity;
    struct error error;

    (void)state;
    assert_int_equal(api_identity(&body, &identity, &error), 0);
    assert_true(identity.fine_grained);
    assert_false(identity.sees_identities);
    assert_int_equal(api_identity(&wrong, &identity, &error), -1);
    assert_wrong(&error, "answers with an identity of unexpected shape");
    buffer_free(&body);
    buffer_free(&wrong);
}

/* ---- one certificate ---- */

static void test_certificate(void **state)
{
    struct buffer body = body_of(ONE(ENTRY(THEM, "a")));
    struct lxd_certificate entry, copy;
    struct error error;

    (void)state;
    assert_int_equal(api_certificate(&body, THEM, &entry, &error), 0);
    assert_string_equal(entry.pem, "PEM");
    lxd_certificate_copy(&copy, &entry);
    lxd_certificate_free(&entry);
    assert_string_equal(copy.fingerprint, THEM);
    assert_string_equal(copy.name, "a");
    assert_string_equal(copy.type, "client");
    assert_string_equal(copy.pem, "");
    assert_true(copy.projects.restricted);
    lxd_certificate_free(&copy);
    assert_int_equal(api_certificate(&body, US, &entry, &error), -1);
    assert_wrong(&error, "answers with a certificate of unexpected shape");
    assert_null(entry.name);
    buffer_free(&body);
}

/* ---- lists of certificates ---- */

/* What the sink was told, a line each. */
static void note(void *context, const struct lxd_certificate *certificate)
{
    char *projects = projects_describe(&certificate->projects);

    buffer_printf(context, "%s %s %s [%s] %s\n", certificate->fingerprint, certificate->name,
                  certificate->type, certificate->pem, projects);
    free(projects);
}

/* Read a list in pieces of step bytes, each of its exact size. Returns what the sink was told. */
static int read_list(const char *text, size_t step, struct buffer *told, struct error *error)
{
    struct api_certificates list = {.sink = note, .context = told};
    size_t length = strlen(text);
    int result = 0;

    for (size_t i = 0; i < length && result == 0; i += step) {
        size_t count = length - i < step ? length - i : step;
        char *piece = memcpy(malloc(count), text + i, count);

        result = api_certificates_feed(&list, piece, count, error);
        free(piece);
    }
    struct error ignored;
    int ended = api_certificates_end(&list, result == 0 ? error : &ignored);
    assert_null(list.envelope.data);
    assert_null(list.element.data);
    return result == 0 ? ended : result;
}

static const char *const good_lists[] = {
    "{\"metadata\":[]}",
    "{\"metadata\":null}",
    " { \"type\" : \"sync\" , \"metadata\" : [ ] , \"error\" : \"\" } \n",
    "{\"metadata\":[" ENTRY(THEM, "a") "]}",
    "{\"type\":\"sync\",\"metadata\": [\n " ENTRY(THEM, "a") " ,\t" ENTRY(US, "b") "\n],\"x\":[1]}",
    "{\"x\":[{\"metadata\":[1]}],\"y\":\"metadata\",\"metadata\":[" ENTRY(THEM, "a") "]}",
    "{\"metadata\":[{\"metadata\":[[],{}],\"fingerprint\":\"" US "\",\"type\":\"server\"}]}",
    "{\"metadata\":[" ENTRY(THEM, "]},\\\"[{\\\\") "," ENTRY(US, "\\\\\\\"") "]}",
};

/* The parser reads the whole: the same elements, by the same reader of one element. */
static void expect_list(const char *text, struct buffer *told)
{
    cJSON *json = cJSON_Parse(text);
    const cJSON *item;

    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "metadata"))
    {
        char *entry = json_print(item);
        char *one = mem_printf("{\"metadata\":%s}", entry);
        struct buffer body = body_of(one);
        struct lxd_certificate certificate;
        struct error error;

        assert_int_equal(
            api_certificate(&body, json_string(item, "fingerprint"), &certificate, &error), 0);
        note(told, &certificate);
        lxd_certificate_free(&certificate);
        buffer_free(&body);
        free(one);
        free(entry);
    }
    cJSON_Delete(json);
}

static void test_lists_in_pieces_of_any_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_lists); i++) {
        struct buffer expected = {0};

        expect_list(good_lists[i], &expected);
        for (size_t step = 1; step <= strlen(good_lists[i]); step++) {
            struct buffer told = {0};
            struct error error;

            if (read_list(good_lists[i], step, &told, &error) != 0)
                fail_msg("%s: %s", good_lists[i], error.text);
            assert_string_equal(buffer_string(&told), buffer_string(&expected));
            buffer_free(&told);
        }
        buffer_free(&expected);
    }
}

static void assert_no_list(const char *text, const char *sentence)
{
    for (size_t step = 1; step <= strlen(text) + 1; step = step == 1 ? 7 : 2 * step) {
        struct buffer told = {0};
        struct error error = {0};

        if (read_list(text, step, &told, &error) == 0)
            fail_msg("accepted: %s", text);
        assert_int_equal(error.kind, ERROR_NONSENSE);
        assert_memory_equal(error.text, "answers", strlen("answers"));
        if (sentence != NULL)
            assert_string_equal(error.text, sentence);
        buffer_free(&told);
    }
}

static void test_lists_of_unexpected_shape(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "[]",
        "{\"metadata\":{}}",
        "{\"metadata\":\"\"}",
        "{\"metadata\":[1]}",
        "{\"metadata\":[[]]}",
        "{\"metadata\":[,]}",
        "{\"metadata\":[,{}]}",
        "{\"metadata\":[\"/1.0/certificates/" THEM "\"]}",
        "{\"metadata\":[" ENTRY(THEM, "a") "," ENTRY(THEM "0", "b") "]}",
        "{\"metadata\":[" ENTRY("00ff", "a") "]}",
        "{\"metadata\":[" ENTRY("0000000000000000000000000000000000000000000000000000000000000%2F",
                                "a") "]}",
        "{\"metadata\":[" ENTRY("00000000000000000000000000000000000000000000000000000000000000FF",
                                "a") "]}",
        "{\"metadata\":[{\"fingerprint\":\"" THEM "\"}]}",
        "{\"metadata\":[" ENTRY(THEM, "a") "],\"metadata\":[" ENTRY(US, "b") "]}",
        "{\"metadata\":null,\"metadata\":[" ENTRY(US, "b") "]}",
        "{\"metadat\\u0061\":[" ENTRY(US, "b") "]}",
        "[{\"metadata\":[" ENTRY(US, "b") "]}]",
        "{\"x\":{\"metadata\":[" ENTRY(US, "b") "]}}",
    };
    static const char *const broken[] = {
        "",
        "<html>",
        "{\"metadata\":[" ENTRY(THEM, "a") "]",
        "{\"metadata\":[" ENTRY(THEM, "a") ",]}",
        "{\"metadata\":[" ENTRY(THEM, "a") ENTRY(US, "b") "]}",
        "{\"metadata\":[" ENTRY(THEM, "a") "}]}",
        "{\"metadata\":[" ENTRY(THEM, "a") "]]}",
        "{\"metadata\":[" ENTRY(THEM, "a") "]}}",
        "{\"metadata\":[" ENTRY(THEM, "a") "] x}",
        "{\"metadata\":[" ENTRY(THEM, "a\\u0000b") "]}",
        "{\"a\":\"metadata\":[" ENTRY(THEM, "a") "]}",
        "[\"metadata\":[" ENTRY(THEM, "a") "]]",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++)
        assert_no_list(bodies[i], "answers with a list of certificates of unexpected shape");
    for (size_t i = 0; i < COUNT(broken); i++)
        assert_no_list(broken[i], NULL);
}

static void test_list_that_is_cut(void **state)
{
    const char *whole = good_lists[4];

    (void)state;
    for (size_t length = 0; length < strlen(whole); length++) {
        char *text = mem_string_n(whole, length);

        assert_no_list(text, NULL);
        free(text);
    }
}

static char *long_text(const char *before, size_t length, const char *behind)
{
    struct buffer text = body_of(before);

    buffer_reserve(&text, length);
    memset(text.data + text.length, 'x', length);
    text.length += length;
    buffer_append_string(&text, behind);
    return text.data;
}

static void test_bounds_of_a_list(void **state)
{
    static const char *const before =
        "{\"metadata\":[{\"type\":\"client\",\"fingerprint\":\"" US "\",\"name\":\"";
    size_t longest = API_MAX_ELEMENT - strlen(strstr(before, "{\"type")) - strlen("\"}");
    struct buffer told = {0};
    struct error error;

    (void)state;
    char *text = long_text(before, longest, "\"}]}");
    assert_int_equal(read_list(text, 16384, &told, &error), 0);
    free(text);
    text = long_text(before, longest + 1, "\"}]}");
    assert_int_equal(read_list(text, 16384, &told, &error), -1);
    assert_wrong(&error, "answers with a list that has an element of more than 1 MiB");
    free(text);
    text = long_text("{\"x\":\"", API_MAX_ELEMENT, "\",\"metadata\":[]}");
    assert_int_equal(read_list(text, 16384, &told, &error), -1);
    assert_wrong(&error, "answers with a list that has more than 1 MiB around it");
    free(text);
    buffer_free(&told);
}

/* However long a list is, no more of it is kept than what is being read. */
static void test_long_list(void **state)
{
    static const char entry[] = ENTRY(THEM, "a") ",", last[] = ENTRY(THEM, "a") "]}";
    struct buffer told = {0};
    struct api_certificates list = {.sink = note, .context = &told};
    struct error error;

    (void)state;
    assert_int_equal(api_certificates_feed(&list, "{\"metadata\":[", 13, &error), 0);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(api_certificates_feed(&list, entry, sizeof entry - 1, &error), 0);
        assert_true(told.length > 64);
        buffer_clear(&told);
        assert_true(list.envelope.capacity + list.element.capacity <= 4096);
    }
    assert_int_equal(api_certificates_feed(&list, last, sizeof last - 1, &error), 0);
    assert_int_equal(api_certificates_end(&list, &error), 0);
    buffer_free(&told);
}

/* ---- errors ---- */

static void assert_reason(const char *text, bool from_lxd, const char *expected)
{
    struct buffer body = body_of(text);
    char reason[20];

    assert_int_equal(api_reason(&body, reason, sizeof reason), from_lxd);
    assert_string_equal(reason, expected);
    buffer_free(&body);
}

static void test_reasons(void **state)
{
    (void)state;
    assert_reason("{\"type\":\"error\",\"error\":\"not authorized\"}", true, "not authorized");
    assert_reason("{\"error\":\"0123456789012345678901234567890\"}", true, "0123456789012345678");
    assert_reason("{\"error\":\"\"}", false, "");
    assert_reason("{\"error\":7}", false, "");
    assert_reason("", false, "");
    assert_reason("no", false, "");
    assert_reason("<html><head><title>502 Bad Gateway</title></head>", false, "Bad Gateway");
    assert_reason("<html><title>\n400 No required SSL certificate was sent", false,
                  "No required SSL cer");
    assert_reason("<title>", false, "");
}

/* ---- what LXD is told ---- */

static void assert_told(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    free(text);
}

static void test_bodies_of_requests(void **state)
{
    uint8_t der[] = {0x30, 0x03, 0x02, 0x01, 0xff};
    struct certificate certificate = {.der = der, .length = sizeof der};
    struct lxd_server old = {0}, current = {.takes_trust_token = true};
    struct projects projects, all = {0}, none = {.restricted = true};

    (void)state;
    projects_parse(&projects, "a,b\"c");
    assert_told(api_new_entry(&certificate, "juju.x", &all),
                "{\"type\":\"client\",\"name\":\"juju.x\",\"certificate\":\"MAMCAf8=\"}");
    assert_told(api_new_entry(&certificate, "juju.x", &projects),
                "{\"type\":\"client\",\"name\":\"juju.x\",\"certificate\":\"MAMCAf8=\","
                "\"restricted\":true,\"projects\":[\"a\",\"b\\\"c\"]}");
    assert_told(api_changed_entry("juju.x", NULL), "{\"name\":\"juju.x\"}");
    assert_told(api_changed_entry(NULL, &all), "{\"restricted\":false,\"projects\":[]}");
    assert_told(api_changed_entry(NULL, &none), "{\"restricted\":true,\"projects\":[]}");
    assert_told(api_changed_entry("x", &projects),
                "{\"name\":\"x\",\"restricted\":true,\"projects\":[\"a\",\"b\\\"c\"]}");
    assert_told(api_enrolment(&old, LXD_TOKEN_CERTIFICATE, "dG9rZW4="),
                "{\"type\":\"client\",\"trust_token\":\"dG9rZW4=\",\"password\":\"dG9rZW4=\"}");
    assert_told(api_enrolment(&current, LXD_TOKEN_CERTIFICATE, "dG9rZW4="),
                "{\"type\":\"client\",\"trust_token\":\"dG9rZW4=\"}");
    assert_told(api_enrolment(&old, LXD_TOKEN_IDENTITY, "dG9rZW4="),
                "{\"trust_token\":\"dG9rZW4=\"}");
    projects_free(&projects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server),
        cmocka_unit_test(test_server_that_does_not_trust_us),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_incus),
        cmocka_unit_test(test_server_of_unexpected_shape),
        cmocka_unit_test(test_answer_that_is_not_json),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_members_of_unexpected_shape),
        cmocka_unit_test(test_projects),
        cmocka_unit_test(test_projects_of_unexpected_shape),
        cmocka_unit_test(test_identities),
        cmocka_unit_test(test_identity_that_says_so),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_lists_in_pieces_of_any_size),
        cmocka_unit_test(test_lists_of_unexpected_shape),
        cmocka_unit_test(test_list_that_is_cut),
        cmocka_unit_test(test_bounds_of_a_list),
        cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_bodies_of_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
