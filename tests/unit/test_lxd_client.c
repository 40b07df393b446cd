/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "lxd/client.c"
#include "script.h"
#include "x509_files.h"

#define ENDPOINT "LXD at https://10.0.0.1:8443 "
#define US "ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12"
#define THEM "00000000000000000000000000000000000000000000000000000000000000ff"
#define MAX_SCRIPTS 4

/* A client whose connections are scripts, taken one after the other. */
struct fixture {
    struct script scripts[MAX_SCRIPTS];
    size_t connections;
    struct certificate ours, theirs;
    uint8_t der[5];
    struct lxd_client *client;
    struct error error;
};

static struct fixture *current; /* for connect_script, which is handed only the client */

static int connect_script(struct lxd_client *client, struct http_stream *stream,
                          struct error *error)
{
    struct script *script = &current->scripts[current->connections];

    (void)client;
    if (script->input == NULL)
        return error_set(error, ERROR_UNREACHABLE, "unreachable: connection refused");
    current->connections++;
    *stream = script_stream(script);
    return 0;
}

/* A script hands out one response per read, so that nothing of the next one comes too early. */
static void answer(struct fixture *fixture, size_t connection, int status, const char *body)
{
    struct script *script = &fixture->scripts[connection];
    char *before = (char *)(uintptr_t)script->input;

    script->input = mem_printf("%sHTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s",
                               before != NULL ? before : "", status, strlen(body), body);
    script->step = 1;
    free(before);
}

/* The connection ends there. */
static void end(struct fixture *fixture, size_t connection)
{
    if (fixture->scripts[connection].input == NULL)
        fixture->scripts[connection].input = mem_string("");
}

static int set_up(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    memcpy(fixture->ours.fingerprint, US, sizeof US);
    memcpy(fixture->theirs.fingerprint, THEM, sizeof THEM);
    memcpy(fixture->der, "\x30\x03\x02\x01\xff", sizeof fixture->der);
    fixture->theirs.der = fixture->der;
    fixture->theirs.length = sizeof fixture->der;
    fixture->client = mem_alloc(sizeof *fixture->client);
    fixture->client->credentials.certificate = &fixture->ours;
    fixture->client->deadline = net_clock_ms() + 60000;
    fixture->client->connect = connect_script;
    fixture->client->stream.fd = -1;
    fixture->client->connection.closed = true;
    assert_int_equal(endpoint_parse(&fixture->client->endpoint, "10.0.0.1:8443", &fixture->error),
                     0);
    current = fixture;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    lxd_close(fixture->client);
    for (size_t i = 0; i < MAX_SCRIPTS; i++) {
        free((char *)(uintptr_t)fixture->scripts[i].input);
        buffer_free(&fixture->scripts[i].output);
    }
    free(fixture);
    return 0;
}

static void assert_error(const struct fixture *fixture, enum error_kind kind, const char *text)
{
    assert_string_equal(fixture->error.text, text);
    assert_int_equal(fixture->error.kind, kind);
}

static bool was_sent(const struct fixture *fixture, size_t connection, const char *text)
{
    return strstr(fixture->scripts[connection].output.data, text) != NULL;
}

/* ---- GET /1.0 ---- */

static void test_server(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_server server;

    answer(fixture, 0, 200,
           "{\"type\":\"sync\",\"metadata\":{\"config\":{},\"auth\":\"trusted\",\"environment\":{"
           "\"server_name\":\"node-1\",\"server_version\":\"5.0.2\",\"server_clustered\":true,"
           "\"addresses\":[\"10.0.0.1:8443\",7,\"unix://x\",\"[fd00::1]:8444\"]}}}");
    assert_int_equal(lxd_get_server(fixture->client, &server, &fixture->error), 0);
    assert_true(server.trusted);
    assert_string_equal(server.name, "node-1");
    assert_string_equal(server.version, "5.0.2");
    assert_true(server.clustered);
    assert_int_equal(server.addresses.count, 2);
    assert_string_equal(server.addresses.items[0].url, "https://10.0.0.1:8443");
    assert_string_equal(server.addresses.items[1].url, "https://[fd00::1]:8444");
    assert_true(was_sent(fixture, 0, "GET /1.0 HTTP/1.1\r\nHost: 10.0.0.1:8443\r\n"));
    assert_int_equal(lxd_requests(fixture->client), 1);
    assert_null(lxd_warning(fixture->client));
    lxd_server_free(&server);
}

static void test_server_that_does_not_trust_us(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_server server;

    answer(fixture, 0, 200, "{\"metadata\":{\"auth\":\"untrusted\"}}");
    assert_int_equal(lxd_get_server(fixture->client, &server, &fixture->error), 0);
    assert_false(server.trusted);
    assert_false(server.clustered);
    assert_string_equal(server.name, "");
    assert_string_equal(server.version, "");
    lxd_server_free(&server);
}

static void test_server_of_unexpected_shape(void **state)
{
    static const char *const bodies[] = {"{}", "[]", "1", "{\"metadata\":null}",
                                         "{\"metadata\":{\"auth\":true}}"};
    struct fixture *fixture = *state;
    struct lxd_server server;

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        answer(fixture, 0, 200, bodies[i]);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(lxd_get_server(fixture->client, &server, &fixture->error), -1);
        assert_error(fixture, ERROR_UNREACHABLE,
                     ENDPOINT "answered with server information of unexpected shape");
        assert_null(server.name);
    }
}

static void test_answer_that_is_not_json(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_server server;

    answer(fixture, 0, 200, "<html>");
    answer(fixture, 0, 200, "");
    assert_int_equal(lxd_get_server(fixture->client, &server, &fixture->error), -1);
    assert_error(fixture, ERROR_UNREACHABLE,
                 ENDPOINT "answered, but the body is not JSON (near byte 0)");
    assert_int_equal(lxd_get_server(fixture->client, &server, &fixture->error), -1);
    assert_error(fixture, ERROR_UNREACHABLE, ENDPOINT "answered, but the body is empty, not JSON");
}

static void test_status_errors(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum error_kind kind;
        const char *text;
    } cases[] = {
        {503, "{\"error\":\"LXD is shutting down\"}", ERROR_UNREACHABLE,
         ENDPOINT "unreachable: HTTP 503 (LXD is shutting down)"},
        {502, "<html>", ERROR_UNREACHABLE, ENDPOINT "unreachable: HTTP 502"},
        {500, "{\"error\":7}", ERROR_UNREACHABLE, ENDPOINT "unreachable: HTTP 500"},
        {404, "{\"error\":\"Not Found\"}", ERROR_UNREACHABLE,
         ENDPOINT "answers HTTP 404 (Not Found)"},
        {301, "", ERROR_UNREACHABLE, ENDPOINT "answers HTTP 301"},
        {201, "{\"metadata\":{\"auth\":\"trusted\"}}", ERROR_UNREACHABLE,
         ENDPOINT "answers HTTP 201"},
        {403, "{\"error\":\"not authorized\"}", ERROR_UNTRUSTED,
         ENDPOINT "does not admit the client certificate ab12ab12ab12... "
                  "(HTTP 403: not authorized)"},
        {401, "", ERROR_UNTRUSTED,
         ENDPOINT "does not admit the client certificate ab12ab12ab12... (HTTP 401)"},
    };
    struct fixture *fixture = *state;
    struct lxd_server server;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        answer(fixture, 0, cases[i].status, cases[i].body);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(lxd_get_server(fixture->client, &server, &fixture->error), -1);
        assert_error(fixture, cases[i].kind, cases[i].text);
    }
}

static void test_long_reason_is_cut(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_server server;
    char body[4096] = "{\"error\":\"";

    memset(body + strlen(body), 'x', 4000);
    strcat(body, "\"}");
    answer(fixture, 0, 500, body);
    assert_int_equal(lxd_get_server(fixture->client, &server, &fixture->error), -1);
    assert_int_equal(strlen(fixture->error.text),
                     strlen(ENDPOINT "unreachable: HTTP 500 ()") + MAX_REASON - 1);
}

/* ---- members ---- */

#define MEMBER(name, url, status) \
    "{\"server_name\":\"" name "\",\"url\":\"" url "\",\"status\":\"" status "\"}"

static void test_members(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_members list;

    answer(fixture, 0, 200,
           "{\"metadata\":[" MEMBER("n1", "https://10.0.0.1:8443", "Online") "," MEMBER(
               "n2", "", "Offline") "," MEMBER("n3", "https://[fd42::3]:8443",
                                               "Evacuated") "," MEMBER("n4", "https://10.0.0.4",
                                                                       "Blocked") "]}");
    assert_int_equal(lxd_list_members(fixture->client, &list, &fixture->error), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].name, "n1");
    assert_string_equal(list.items[0].endpoint.url, "https://10.0.0.1:8443");
    assert_true(list.items[0].active);
    assert_string_equal(list.items[1].name, "n3");
    assert_string_equal(list.items[1].endpoint.host, "fd42::3");
    assert_true(list.items[1].active);
    assert_string_equal(list.items[2].name, "n4");
    assert_false(list.items[2].active);
    assert_true(was_sent(fixture, 0, "GET /1.0/cluster/members?recursion=1 HTTP/1.1\r\n"));
    lxd_members_free(&list);
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
    struct fixture *fixture = *state;
    struct lxd_members list;

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        answer(fixture, 0, 200, bodies[i]);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(lxd_list_members(fixture->client, &list, &fixture->error), -1);
        assert_error(fixture, ERROR_UNREACHABLE,
                     ENDPOINT "answered with a list of cluster members of unexpected shape");
        assert_int_equal(list.count, 0);
    }
}

/* ---- certificates ---- */

#define ENTRY(fingerprint, name)                                                    \
    "{\"certificate\":\"PEM\",\"fingerprint\":\"" fingerprint "\",\"name\":\"" name \
    "\",\"type\":\"client\",\"restricted\":true,\"projects\":[]}"
#define ONE(entry) "{\"metadata\":" entry "}"
#define REFUSAL(reason) "{\"type\":\"error\",\"error\":\"" reason "\"}"

static void test_certificates(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_certificates list;

    answer(fixture, 0, 200,
           "{\"metadata\":[" ENTRY(THEM, "a") ",{\"fingerprint\":\"" US
                                              "\",\"type\":\"server\"}]}");
    assert_int_equal(lxd_list_certificates(fixture->client, &list, &fixture->error), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].fingerprint, THEM);
    assert_string_equal(list.items[0].name, "a");
    assert_string_equal(list.items[0].type, "client");
    assert_true(list.items[0].projects.restricted);
    assert_string_equal(list.items[1].name, "");
    assert_string_equal(list.items[1].type, "server");
    assert_false(list.items[1].projects.restricted);
    assert_true(was_sent(fixture, 0, "GET /1.0/certificates?recursion=1 HTTP/1.1\r\n"));
    lxd_certificates_free(&list);
}

static void test_no_certificates(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_certificates list;

    answer(fixture, 0, 200, "{\"metadata\":null}");
    answer(fixture, 0, 200, "{\"metadata\":[]}");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lxd_list_certificates(fixture->client, &list, &fixture->error), 0);
        assert_int_equal(list.count, 0);
        lxd_certificates_free(&list);
    }
}

static void test_certificates_of_unexpected_shape(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "{\"metadata\":{}}",
        "{\"metadata\":[1]}",
        "{\"metadata\":[\"/1.0/certificates/" THEM "\"]}",
        "{\"metadata\":[" ENTRY(THEM, "a") "," ENTRY(THEM "0", "b") "]}",
        "{\"metadata\":[" ENTRY("00ff", "a") "]}",
        "{\"metadata\":[" ENTRY("0000000000000000000000000000000000000000000000000000000000000%2F",
                                "a") "]}",
        "{\"metadata\":[" ENTRY("00000000000000000000000000000000000000000000000000000000000000FF",
                                "a") "]}",
        "{\"metadata\":[{\"fingerprint\":\"" THEM "\"}]}",
    };
    struct fixture *fixture = *state;
    struct lxd_certificates list;

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        answer(fixture, 0, 200, bodies[i]);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(lxd_list_certificates(fixture->client, &list, &fixture->error), -1);
        assert_error(fixture, ERROR_UNREACHABLE,
                     ENDPOINT "answered with a list of certificates of unexpected shape");
        assert_int_equal(list.count, 0);
    }
}

static void test_one_certificate(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_certificate entry;
    bool found;

    answer(fixture, 0, 200, ONE(ENTRY(THEM, "a")));
    answer(fixture, 0, 404, REFUSAL("Certificate not found"));
    answer(fixture, 0, 200, ONE(ENTRY(US, "another one")));
    assert_int_equal(lxd_get_certificate(fixture->client, THEM, &found, &entry, &fixture->error),
                     0);
    assert_true(found);
    assert_string_equal(entry.name, "a");
    lxd_certificate_free(&entry);
    assert_int_equal(lxd_get_certificate(fixture->client, THEM, &found, &entry, &fixture->error),
                     0);
    assert_false(found);
    assert_int_equal(lxd_get_certificate(fixture->client, THEM, &found, &entry, &fixture->error),
                     -1);
    assert_error(fixture, ERROR_UNREACHABLE,
                 ENDPOINT "answered with a certificate of unexpected shape");
    assert_true(was_sent(fixture, 0, "GET /1.0/certificates/" THEM " HTTP/1.1\r\n"));
}

/* ---- adding ---- */

static const struct projects anything;

static int add(struct fixture *fixture, struct lxd_certificate *entry)
{
    return lxd_add_certificate(fixture->client, &fixture->theirs, "juju.x", &anything, entry,
                               &fixture->error);
}

static void assert_added(struct fixture *fixture, const char *name, bool restricted)
{
    struct lxd_certificate entry;

    assert_int_equal(add(fixture, &entry), 0);
    assert_string_equal(entry.fingerprint, THEM);
    assert_string_equal(entry.name, name);
    assert_string_equal(entry.type, "client");
    assert_int_equal(entry.projects.restricted, restricted);
    lxd_certificate_free(&entry);
}

static void assert_not_added(struct fixture *fixture, enum error_kind kind, const char *text)
{
    struct lxd_certificate entry;

    assert_int_equal(add(fixture, &entry), -1);
    assert_error(fixture, kind, text);
    assert_null(entry.name);
}

static void test_add(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 201, "{\"metadata\":null}");
    assert_added(fixture, "juju.x", false);
    assert_true(was_sent(fixture, 0, "POST /1.0/certificates HTTP/1.1\r\n"));
    assert_true(was_sent(fixture, 0,
                         "\r\n\r\n{\"type\":\"client\",\"name\":\"juju.x\","
                         "\"certificate\":\"MAMCAf8=\"}"));
    assert_int_equal(lxd_requests(fixture->client), 1);
}

static void test_add_what_exists(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 409, REFUSAL("Certificate already in trust store"));
    answer(fixture, 0, 200, ONE(ENTRY(THEM, "theirs")));
    assert_added(fixture, "theirs", true);
}

static void test_add_what_exists_on_old_versions(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 400, REFUSAL("Certificate already in trust store"));
    answer(fixture, 0, 200, ONE(ENTRY(THEM, "theirs")));
    assert_added(fixture, "theirs", true);
}

static void test_add_what_exists_as_something_else(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 409, REFUSAL("This \\\"identity\\\" entry already exists"));
    answer(fixture, 0, 404, REFUSAL("Certificate not found"));
    assert_not_added(fixture, ERROR_REFUSED,
                     "LXD says it exists already, but not as a certificate in the trust store "
                     "(a fine-grained identity?)");
}

static void test_add_refused(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 400, REFUSAL("The provided certificate is expired"));
    assert_not_added(fixture, ERROR_REFUSED, "The provided certificate is expired");
    assert_int_equal(lxd_requests(fixture->client), 1);
}

static void test_add_not_permitted(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 403, REFUSAL("Forbidden"));
    assert_not_added(fixture, ERROR_UNTRUSTED,
                     ENDPOINT "does not let the client certificate ab12ab12ab12... manage the "
                              "trust store: it is restricted, or trusted no longer");
    assert_int_equal(lxd_requests(fixture->client), 1);
}

static void test_add_refused_by_something_else(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 413, "<html>");
    answer(fixture, 0, 404, "");
    assert_not_added(fixture, ERROR_UNREACHABLE, ENDPOINT "answers HTTP 413");
}

static void test_add_with_5xx_after_commit(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 500, REFUSAL("notify failed"));
    answer(fixture, 0, 200, ONE(ENTRY(THEM, "juju.x")));
    assert_added(fixture, "juju.x", true);
}

static void test_add_with_5xx_before_commit(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 503, REFUSAL("LXD is shutting down"));
    answer(fixture, 0, 404, "");
    assert_not_added(fixture, ERROR_UNREACHABLE,
                     ENDPOINT "unreachable: HTTP 503 (LXD is shutting down)");
}

static void test_add_with_broken_connection(void **state)
{
    struct fixture *fixture = *state;

    end(fixture, 0);
    answer(fixture, 1, 200, ONE(ENTRY(THEM, "juju.x")));
    assert_added(fixture, "juju.x", true);
    assert_true(was_sent(fixture, 0, "POST "));
    assert_true(was_sent(fixture, 1, "GET "));
}

static void test_add_with_answer_that_is_cut(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 201, "{}");
    fixture->scripts[0].length = strlen(fixture->scripts[0].input) - 1;
    answer(fixture, 1, 200, ONE(ENTRY(THEM, "juju.x")));
    assert_added(fixture, "juju.x", true);
}

static void test_add_stays_unknown(void **state)
{
    struct fixture *fixture = *state;

    end(fixture, 0);
    end(fixture, 1);
    assert_not_added(fixture, ERROR_UNREACHABLE,
                     ENDPOINT "closed the connection without a response");
    assert_int_equal(fixture->connections, 2);
}

static void test_add_times_out(void **state)
{
    struct fixture *fixture = *state;

    end(fixture, 0);
    fixture->scripts[0].slow = true;
    fixture->client->deadline = net_clock_ms() + 10;
    answer(fixture, 1, 200, ONE(ENTRY(THEM, "juju.x")));
    assert_added(fixture, "juju.x", true);
}

/* Once an answer is held up, the next ones are not waited for as long; and GET has its turn. */
static void test_time_for_a_change(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_client *client = fixture->client;
    int64_t now = net_clock_ms();

    client->deadline = now + 60000;
    assert_in_range(deadline_for(client, "GET") - now, LXD_REQUEST_MS, LXD_REQUEST_MS + 1000);
    assert_in_range(deadline_for(client, "POST") - now, LXD_REQUEST_MS, LXD_REQUEST_MS + 1000);
    client->deadline = now + 10000;
    assert_in_range(deadline_for(client, "GET") - now, 9999, 10001);
    assert_in_range(deadline_for(client, "DELETE") - now, 4000, 6000);
    client->deadline = now + 60000;
    answer(fixture, 0, 500, REFUSAL("notify failed"));
    answer(fixture, 0, 200, ONE(ENTRY(THEM, "juju.x")));
    assert_added(fixture, "juju.x", true);
    assert_in_range(deadline_for(client, "POST") - now, LXD_HELD_UP_MS, LXD_HELD_UP_MS + 1000);
    assert_in_range(deadline_for(client, "GET") - now, LXD_REQUEST_MS, LXD_REQUEST_MS + 1000);
}

/* ---- removing ---- */

static int remove_theirs(struct fixture *fixture)
{
    return lxd_remove_certificate(fixture->client, THEM, &fixture->error);
}

/* ---- enrolling ---- */

static int enrol(struct fixture *fixture, bool takes_trust_token)
{
    struct lxd_server server = {.takes_trust_token = takes_trust_token};

    return lxd_enrol(fixture->client, &server, "dG9rZW4=", &fixture->error);
}

static void test_enrol(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 201, "{}");
    answer(fixture, 0, 201, "{}");
    assert_int_equal(enrol(fixture, false), 0);
    assert_true(was_sent(fixture, 0, "POST /1.0/certificates HTTP/1.1\r\n"));
    assert_true(was_sent(fixture, 0,
                         "\r\n\r\n{\"type\":\"client\",\"trust_token\":\"dG9rZW4=\","
                         "\"password\":\"dG9rZW4=\"}"));
    assert_int_equal(enrol(fixture, true), 0);
    assert_true(was_sent(fixture, 0, "{\"type\":\"client\",\"trust_token\":\"dG9rZW4=\"}"));
}

static void test_enrol_refused(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 403, "{\"error\":\"No matching certificate add operation found\"}");
    answer(fixture, 0, 500, "{\"error\":\"Failed during search: Token has expired\"}");
    answer(fixture, 0, 500, "{\"error\":\"no leader\"}");
    assert_int_equal(enrol(fixture, false), -1);
    assert_error(fixture, ERROR_REFUSED, "No matching certificate add operation found");
    assert_int_equal(enrol(fixture, false), -1);
    assert_error(fixture, ERROR_REFUSED, "Failed during search: Token has expired");
    assert_int_equal(enrol(fixture, false), -1);
    assert_error(fixture, ERROR_UNREACHABLE, ENDPOINT "unreachable: HTTP 500 (no leader)");
}

static void test_remove(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, "{\"metadata\":{}}");
    answer(fixture, 0, 404, REFUSAL("Certificate not found"));
    assert_int_equal(remove_theirs(fixture), 0);
    assert_int_equal(remove_theirs(fixture), 0);
    assert_true(was_sent(fixture, 0, "DELETE /1.0/certificates/" THEM " HTTP/1.1\r\n"));
    assert_int_equal(lxd_requests(fixture->client), 2);
}

static void test_remove_refused(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 400, REFUSAL("Cannot delete a server certificate"));
    answer(fixture, 0, 403, REFUSAL("Certificate cannot be deleted"));
    assert_int_equal(remove_theirs(fixture), -1);
    assert_error(fixture, ERROR_REFUSED, "Cannot delete a server certificate");
    assert_int_equal(remove_theirs(fixture), -1);
    assert_int_equal(fixture->error.kind, ERROR_UNTRUSTED);
}

static void test_remove_with_5xx(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 500, REFUSAL("notify failed"));
    answer(fixture, 0, 404, "");
    assert_int_equal(remove_theirs(fixture), 0);
    answer(fixture, 0, 500, REFUSAL("no leader"));
    answer(fixture, 0, 200, ONE(ENTRY(THEM, "juju.x")));
    assert_int_equal(remove_theirs(fixture), -1);
    assert_error(fixture, ERROR_UNREACHABLE, ENDPOINT "unreachable: HTTP 500 (no leader)");
}

static void test_remove_with_broken_connection(void **state)
{
    struct fixture *fixture = *state;

    end(fixture, 0);
    answer(fixture, 1, 404, "");
    assert_int_equal(remove_theirs(fixture), 0);
    assert_int_equal(fixture->connections, 2);
}

static void test_rename(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, "{\"metadata\":{}}");
    answer(fixture, 0, 404, REFUSAL("Certificate not found"));
    assert_int_equal(lxd_change_certificate(fixture->client, THEM, "juju.x", NULL, &fixture->error),
                     0);
    assert_true(was_sent(fixture, 0, "PATCH /1.0/certificates/" THEM " HTTP/1.1\r\n"));
    assert_true(was_sent(fixture, 0, "{\"name\":\"juju.x\"}"));
    assert_int_equal(lxd_change_certificate(fixture->client, THEM, "juju.x", NULL, &fixture->error),
                     -1);
    assert_error(fixture, ERROR_REFUSED, "Certificate not found");
}

static void test_projects(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_certificate entry;
    struct projects projects;

    projects_parse(&projects, "a,b");
    answer(fixture, 0, 201, "{\"metadata\":null}");
    answer(fixture, 0, 200, "{\"metadata\":{}}");
    assert_int_equal(lxd_add_certificate(fixture->client, &fixture->theirs, "juju.x", &projects,
                                         &entry, &fixture->error),
                     0);
    assert_true(was_sent(fixture, 0, "\"restricted\":true,\"projects\":[\"a\",\"b\"]}"));
    assert_true(projects_equal(&entry.projects, &projects));
    lxd_certificate_free(&entry);
    assert_int_equal(
        lxd_change_certificate(fixture->client, THEM, "juju.x", &anything, &fixture->error), 0);
    assert_true(was_sent(fixture, 0, "{\"name\":\"juju.x\",\"restricted\":false,\"projects\":[]}"));
    projects_free(&projects);
}

/* ---- the connection ---- */

static const char trusted[] = "{\"metadata\":{\"auth\":\"trusted\"}}";

static int get_server(struct fixture *fixture)
{
    struct lxd_server server;
    int result = lxd_get_server(fixture->client, &server, &fixture->error);

    lxd_server_free(&server);
    return result;
}

static void test_one_connection_for_many_requests(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 5; i++)
        answer(fixture, 0, 200, trusted);
    for (int i = 0; i < 5; i++)
        assert_int_equal(get_server(fixture), 0);
    assert_int_equal(fixture->connections, 1);
    assert_int_equal(lxd_requests(fixture->client), 5);
}

static void test_reconnects_when_idle_connection_was_closed(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, trusted);
    answer(fixture, 1, 200, trusted);
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(fixture->connections, 2);
}

static void test_reconnects_only_once(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, trusted);
    end(fixture, 1);
    answer(fixture, 2, 200, trusted);
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(get_server(fixture), -1);
    assert_error(fixture, ERROR_UNREACHABLE, ENDPOINT "closed the connection without a response");
    assert_int_equal(fixture->connections, 2);
}

static void test_reconnecting_fails(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, trusted);
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(get_server(fixture), -1);
    assert_error(fixture, ERROR_UNREACHABLE, ENDPOINT "unreachable: connection refused");
}

static void test_deadline_bounds_requests(void **state)
{
    struct fixture *fixture = *state;

    end(fixture, 0);
    fixture->scripts[0].slow = true;
    fixture->client->deadline = net_clock_ms() + 10;
    assert_int_equal(get_server(fixture), -1);
    assert_error(fixture, ERROR_UNREACHABLE, ENDPOINT "unreachable: timed out during a request");
    assert_int_equal(fixture->connections, 1);
}

/* ---- requests that are sent ahead ---- */

#define TRUSTED "{\"metadata\":{\"auth\":\"trusted\"}}"

/* A connection that stands, after one request. */
static void connect_first(struct fixture *fixture)
{
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(fixture->connections, 1);
}

static void send_two_ahead(struct fixture *fixture)
{
    lxd_ahead_get(fixture->client, LXD_SERVER);
    lxd_ahead_get(fixture->client, LXD_CERTIFICATES);
}

static int list(struct fixture *fixture)
{
    struct lxd_certificates certificates;
    int result = lxd_list_certificates(fixture->client, &certificates, &fixture->error);

    lxd_certificates_free(&certificates);
    return result;
}

static void test_ahead(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 2; i++)
        answer(fixture, 0, 200, TRUSTED);
    answer(fixture, 0, 200, "{\"metadata\":[]}");
    answer(fixture, 0, 200, TRUSTED);
    connect_first(fixture);
    send_two_ahead(fixture);
    assert_int_equal(fixture->scripts[0].writes, 3);
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(list(fixture), 0);
    assert_int_equal(fixture->scripts[0].writes, 3);
    assert_int_equal(get_server(fixture), 0); /* an ordinary request again */
    assert_int_equal(fixture->scripts[0].writes, 4);
    assert_int_equal(lxd_requests(fixture->client), 4);
    assert_int_equal(fixture->connections, 1);
}

static void test_changes_ahead(void **state)
{
    struct fixture *fixture = *state;
    struct projects projects;

    projects_parse(&projects, "a");
    answer(fixture, 0, 200, TRUSTED);
    answer(fixture, 0, 201, "{\"metadata\":null}");
    answer(fixture, 0, 200, "{\"metadata\":{}}");
    answer(fixture, 0, 200, "{\"metadata\":{}}");
    connect_first(fixture);
    lxd_ahead_add(fixture->client, &fixture->theirs, "juju.x", &anything);
    assert_added(fixture, "juju.x", false);
    lxd_ahead_change(fixture->client, THEM, "juju.x", &projects);
    assert_int_equal(
        lxd_change_certificate(fixture->client, THEM, "juju.x", &projects, &fixture->error), 0);
    lxd_ahead_remove(fixture->client, THEM);
    assert_int_equal(remove_theirs(fixture), 0);
    assert_int_equal(fixture->scripts[0].writes, 4);
    assert_int_equal(fixture->connections, 1);
    projects_free(&projects);
}

/* Both, of which so many are answered before the connection ends: the others are sent again. */
static void ask_both(struct fixture *fixture, int answered)
{
    for (int i = 0; i <= answered; i++)
        answer(fixture, 0, 200, TRUSTED);
    for (int i = answered; i < 1; i++)
        answer(fixture, 1, 200, TRUSTED);
    answer(fixture, 1, 200, "{\"metadata\":[]}");
    connect_first(fixture);
    send_two_ahead(fixture);
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(list(fixture), 0);
    assert_int_equal(fixture->connections, 2);
    assert_int_equal(fixture->scripts[1].writes, 2 - answered);
}

static void test_ahead_on_a_connection_that_ends(void **state)
{
    ask_both(*state, 1);
}

static void test_ahead_on_a_stale_connection(void **state)
{
    ask_both(*state, 0);
}

static void test_ahead_on_a_connection_that_takes_nothing(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, TRUSTED);
    answer(fixture, 1, 201, "{\"metadata\":null}");
    connect_first(fixture);
    fixture->scripts[0].deaf = true;
    lxd_ahead_add(fixture->client, &fixture->theirs, "juju.x", &anything);
    assert_added(fixture, "juju.x", false);
    assert_int_equal(fixture->connections, 2);
}

static void test_ahead_with_an_answer_that_is_cut(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, TRUSTED);
    answer(fixture, 0, 200, TRUSTED);
    fixture->scripts[0].length = strlen(fixture->scripts[0].input) - 1;
    answer(fixture, 1, 200, "{\"metadata\":[]}");
    connect_first(fixture);
    send_two_ahead(fixture);
    assert_int_equal(get_server(fixture), -1);
    assert_error(fixture, ERROR_UNREACHABLE,
                 ENDPOINT "closed the connection in the middle of a response");
    assert_int_equal(list(fixture), 0);
    assert_int_equal(fixture->connections, 2);
}

/* An addition whose answer does not come is still decided by GET. */
static void test_addition_ahead_without_an_answer(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, TRUSTED);
    fixture->scripts[0].slow = true;
    answer(fixture, 1, 200, ONE(ENTRY(THEM, "juju.x")));
    connect_first(fixture);
    lxd_ahead_add(fixture->client, &fixture->theirs, "juju.x", &anything);
    fixture->client->ahead_deadline = net_clock_ms() - 1; /* it was sent long ago */
    assert_added(fixture, "juju.x", true);
    assert_true(was_sent(fixture, 0, "POST "));
    assert_true(was_sent(fixture, 1, "GET "));
    assert_int_equal(fixture->connections, 2);
}

/* Whoever asks for something else first gets its answer, not another's. */
static void test_ahead_in_another_order(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 3; i++)
        answer(fixture, 0, 200, TRUSTED);
    answer(fixture, 1, 200, "{\"metadata\":[]}");
    answer(fixture, 1, 200, TRUSTED);
    connect_first(fixture);
    send_two_ahead(fixture);
    assert_int_equal(list(fixture), 0);
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(fixture->connections, 2);
    assert_int_equal(fixture->scripts[1].writes, 2);
}

/* What might block is not sent ahead, nor is anything on a connection that is closed. */
static void test_not_ahead(void **state)
{
    static uint8_t large[MAX_AHEAD];
    struct fixture *fixture = *state;
    struct certificate certificate = {.der = large, .length = sizeof large};

    answer(fixture, 0, 200, TRUSTED);
    answer(fixture, 1, 200, TRUSTED);
    lxd_ahead_get(fixture->client, LXD_SERVER);
    assert_int_equal(lxd_requests(fixture->client), 0);
    connect_first(fixture);
    lxd_ahead_add(fixture->client, &certificate, "juju.x", &anything);
    assert_int_equal(fixture->scripts[0].writes, 1);
    assert_int_equal(get_server(fixture), 0);
}

/* Whoever answers first; after the time-out whoever was asked first; whoever waits for nothing. */
static void test_waiting(void **state)
{
    struct lxd_client first = {.ahead_deadline = net_clock_ms() + 60000, .ahead.count = 1};
    struct lxd_client second = first, idle = {.stream.fd = -1};
    struct lxd_client *clients[] = {NULL, &first, &second, &idle};
    int a[2], b[2];

    (void)state;
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    first.stream.fd = a[0];
    second.stream.fd = b[0];
    assert_int_equal(lxd_wait(clients, 1), 1);
    assert_int_equal(lxd_wait(clients, 4), 3);
    assert_int_equal(write(b[1], "x", 1), 1);
    assert_int_equal(lxd_wait(clients, 3), 2);
    assert_int_equal(read(b[0], &(char){0}, 1), 1);
    first.ahead_deadline = net_clock_ms() + 20;
    assert_int_equal(lxd_wait(clients, 3), 1);
    close(a[1]);
    first.ahead_deadline = second.ahead_deadline;
    assert_int_equal(lxd_wait(clients, 3), 1); /* its end counts as well */
    second.connection.closed = true;
    clients[1] = NULL;
    assert_int_equal(lxd_wait(clients, 3), 2);
    close(a[0]);
    close(b[0]);
    close(b[1]);
}

/* Present one certificate to a client that expects it. */
static void present(struct fixture *fixture, struct certificate *certificate)
{
    struct server_identity identity = {.expected = certificate, .count = 1};
    const uint8_t *der = certificate->der;

    fixture->client->credentials.server = &identity;
    assert_int_equal(check_server(fixture->client, &der, &certificate->length, 1), 0);
    assert_string_equal(lxd_presented(fixture->client)->fingerprint, certificate->fingerprint);
    assert_int_equal(check_server(fixture->client, &der, &(size_t){certificate->length - 1}, 1),
                     TLS_ALERT_CERTIFICATE_UNKNOWN);
    assert_int_equal(fixture->client->refusal.kind, ERROR_IDENTITY);
}

static void test_expired_server_certificate_is_noted(void **state)
{
    struct certificate fresh = x509_certificate("leaf.crt"),
                       expired = x509_certificate("leaf-expired.crt");
    struct fixture *fixture = *state;

    present(fixture, &fresh);
    assert_null(lxd_warning(fixture->client));
    present(fixture, &expired);
    char *warning = mem_printf(ENDPOINT "presents the expected certificate %.12s..., which is "
                                        "outside its dates: renew it",
                               expired.fingerprint);
    assert_string_equal(lxd_warning(fixture->client), warning);
    free(warning);
    certificate_free(&fresh);
    certificate_free(&expired);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_server),
        TEST(test_server_that_does_not_trust_us),
        TEST(test_server_of_unexpected_shape),
        TEST(test_answer_that_is_not_json),
        TEST(test_status_errors),
        TEST(test_long_reason_is_cut),
        TEST(test_members),
        TEST(test_members_of_unexpected_shape),
        TEST(test_certificates),
        TEST(test_no_certificates),
        TEST(test_certificates_of_unexpected_shape),
        TEST(test_one_certificate),
        TEST(test_add),
        TEST(test_add_what_exists),
        TEST(test_add_what_exists_on_old_versions),
        TEST(test_add_what_exists_as_something_else),
        TEST(test_add_refused),
        TEST(test_add_not_permitted),
        TEST(test_add_refused_by_something_else),
        TEST(test_add_with_5xx_after_commit),
        TEST(test_add_with_5xx_before_commit),
        TEST(test_add_with_broken_connection),
        TEST(test_add_with_answer_that_is_cut),
        TEST(test_add_stays_unknown),
        TEST(test_add_times_out),
        TEST(test_time_for_a_change),
        TEST(test_enrol),
        TEST(test_enrol_refused),
        TEST(test_remove),
        TEST(test_remove_refused),
        TEST(test_remove_with_5xx),
        TEST(test_remove_with_broken_connection),
        TEST(test_rename),
        TEST(test_projects),
        TEST(test_one_connection_for_many_requests),
        TEST(test_reconnects_when_idle_connection_was_closed),
        TEST(test_reconnects_only_once),
        TEST(test_reconnecting_fails),
        TEST(test_deadline_bounds_requests),
        TEST(test_ahead),
        TEST(test_changes_ahead),
        TEST(test_ahead_on_a_connection_that_ends),
        TEST(test_ahead_on_a_stale_connection),
        TEST(test_ahead_on_a_connection_that_takes_nothing),
        TEST(test_ahead_with_an_answer_that_is_cut),
        TEST(test_addition_ahead_without_an_answer),
        TEST(test_ahead_in_another_order),
        TEST(test_not_ahead),
        TEST(test_waiting),
        TEST(test_expired_server_certificate_is_noted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
