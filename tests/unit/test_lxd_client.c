/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/net.h"
#include "lxd/client.h"
#include "script.h"

#define ENDPOINT "LXD at https://10.0.0.1:8443 "
#define US "ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12"
#define THEM "00000000000000000000000000000000000000000000000000000000000000ff"
#define MAX_SCRIPTS 4
#define COUNT(array) (sizeof(array) / sizeof *(array))

#define TRUSTED "{\"metadata\":{\"auth\":\"trusted\"}}"
#define REFUSAL(reason) "{\"type\":\"error\",\"error\":\"" reason "\"}"
#define ENTRY(fingerprint, name)                            \
    "{\"fingerprint\":\"" fingerprint "\",\"name\":\"" name \
    "\",\"type\":\"client\",\"restricted\":true,\"projects\":[]}"

/* A client whose connections are scripts, taken one after the other. */
struct fixture {
    struct script scripts[MAX_SCRIPTS];
    size_t connections;
    struct certificate ours, theirs;
    uint8_t der[5];
    struct lxd_credentials credentials;
    struct lxd_client *client;
    struct error error;
    size_t listed; /* certificates that the sink was told */
};

static int open_script(void *context, struct http_stream *stream, int *fd, struct error *error)
{
    struct fixture *fixture = context;
    struct script *script = &fixture->scripts[fixture->connections];

    if (script->input == NULL)
        return error_set(error, ERROR_UNREACHABLE, "connection refused");
    fixture->connections++;
    *stream = script_stream(script);
    *fd = -1;
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
    struct lxd_transport transport = {.open = open_script, .context = fixture};
    struct endpoint endpoint;

    memcpy(fixture->ours.fingerprint, US, sizeof US);
    memcpy(fixture->theirs.fingerprint, THEM, sizeof THEM);
    memcpy(fixture->der, "\x30\x03\x02\x01\xff", sizeof fixture->der);
    fixture->theirs.der = fixture->der;
    fixture->theirs.length = sizeof fixture->der;
    fixture->credentials.certificate = &fixture->ours;
    assert_int_equal(endpoint_parse(&endpoint, "10.0.0.1:8443", &fixture->error), 0);
    fixture->client =
        lxd_start_over(&transport, &endpoint, &fixture->credentials, net_clock_ms() + 60000);
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

/* Once the first answers are written. */
static void connect_first(struct fixture *fixture)
{
    end(fixture, 0);
    lxd_connect(&fixture->client, 1);
    assert_int_equal(lxd_opened(&fixture->client, &fixture->error), 0);
    assert_int_equal(fixture->connections, 1);
}

static void assert_error(const struct fixture *fixture, enum error_kind kind, const char *text)
{
    assert_string_equal(fixture->error.text, text);
    assert_int_equal(fixture->error.kind, kind);
}

static bool was_sent(const struct fixture *fixture, size_t connection, const char *text)
{
    return strstr(
               buffer_string(&((struct fixture *)(uintptr_t)fixture)->scripts[connection].output),
               text) != NULL;
}

static int take_server(struct fixture *fixture)
{
    struct lxd_server server;
    int result = lxd_answer_server(fixture->client, &server, &fixture->error);

    lxd_server_free(&server);
    return result;
}

static int get_server(struct fixture *fixture)
{
    lxd_ask_server(fixture->client);
    return take_server(fixture);
}

static void note_entry(void *context, const struct lxd_certificate *certificate)
{
    struct fixture *fixture = context;

    assert_string_equal(certificate->type, "client");
    fixture->listed++;
}

static int take_list(struct fixture *fixture)
{
    fixture->listed = 0;
    return lxd_answer_certificates(fixture->client, note_entry, fixture, &fixture->error);
}

/* ---- errors by status ---- */

#define PROXY ": is there a proxy in front of LXD?"

static void test_status_errors(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum error_kind kind;
        const char *text;
    } cases[] = {
        {503, REFUSAL("LXD is shutting down"), ERROR_UNREACHABLE,
         ENDPOINT "unreachable: HTTP 503 (LXD is shutting down)"},
        {502, "<html><title>502 Bad Gateway</title>", ERROR_UNREACHABLE,
         ENDPOINT "unreachable: HTTP 502 (Bad Gateway)"},
        {500, "{\"error\":7}", ERROR_UNREACHABLE, ENDPOINT "unreachable: HTTP 500"},
        {404, REFUSAL("Not Found"), ERROR_NONSENSE, ENDPOINT "answers HTTP 404 (Not Found)"},
        {404, "", ERROR_NONSENSE, ENDPOINT "answers HTTP 404" PROXY},
        {400, "<title>400 No required SSL certificate was sent</title>", ERROR_NONSENSE,
         ENDPOINT "answers HTTP 400 (No required SSL certificate was sent)" PROXY},
        {301, "", ERROR_NONSENSE, ENDPOINT "answers HTTP 301" PROXY},
        {201, TRUSTED, ERROR_NONSENSE, ENDPOINT "answers HTTP 201" PROXY},
        {403, REFUSAL("not authorized"), ERROR_UNTRUSTED,
         ENDPOINT "does not admit the client certificate ab12ab12ab12... "
                  "(HTTP 403: not authorized)"},
        {401, REFUSAL("no"), ERROR_UNTRUSTED,
         ENDPOINT "does not admit the client certificate ab12ab12ab12... (HTTP 401: no)"},
        {403, "<title>403 Forbidden</title>", ERROR_NONSENSE,
         ENDPOINT "answers HTTP 403 (Forbidden)" PROXY},
        {200, "<html>", ERROR_NONSENSE, ENDPOINT "answers, but the body is not JSON (near byte 0)"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(cases); i++)
        answer(fixture, 0, cases[i].status, cases[i].body);
    connect_first(fixture);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(get_server(fixture), -1);
        assert_error(fixture, cases[i].kind, cases[i].text);
        assert_true(lxd_is_connected(fixture->client));
    }
}

static void test_long_reason_is_cut(void **state)
{
    struct fixture *fixture = *state;
    char body[4096] = "{\"error\":\"";

    memset(body + strlen(body), 'x', 4000);
    strcat(body, "\"}");
    answer(fixture, 0, 500, body);
    connect_first(fixture);
    assert_int_equal(get_server(fixture), -1);
    assert_in_range(strlen(fixture->error.text), 300, 400);
}

static void test_nonsense_below_http(void **state)
{
    struct fixture *fixture = *state;

    fixture->scripts[0].input = mem_string("SSH-2.0-OpenSSH_9.2\r\n");
    connect_first(fixture);
    assert_int_equal(get_server(fixture), -1);
    assert_error(fixture, ERROR_NONSENSE, ENDPOINT "answers with no valid HTTP status line");
    assert_false(lxd_is_connected(fixture->client));
}

/* ---- one answer of each kind ---- */

static void test_each_kind(void **state)
{
    static const char *const requests[] = {
        "GET /1.0 HTTP/1.1\r\nHost: 10.0.0.1:8443\r\n",
        "GET /1.0/cluster/members?recursion=1 HTTP/1.1\r\n",
        "GET /1.0/certificates?recursion=1 HTTP/1.1\r\n",
        "GET /1.0/projects HTTP/1.1\r\n",
        "GET /1.0/auth/identities/current HTTP/1.1\r\n",
        "GET /1.0/certificates/" THEM " HTTP/1.1\r\n",
        "POST /1.0/certificates HTTP/1.1\r\n",
        "PATCH /1.0/certificates/" THEM " HTTP/1.1\r\n",
        "DELETE /1.0/certificates/" THEM " HTTP/1.1\r\n",
        "\r\n\r\n{\"type\":\"client\",\"name\":\"juju.x\",\"certificate\":\"MAMCAf8=\"}",
        "\r\n\r\n{\"name\":\"juju.y\"}",
    };
    struct fixture *fixture = *state;
    struct lxd_server server;
    struct lxd_members members;
    struct strings names;
    struct lxd_identity identity;
    struct lxd_certificate entry;
    int status;
    bool found;

    answer(fixture, 0, 200, TRUSTED);
    answer(fixture, 0, 200,
           "{\"metadata\":[{\"server_name\":\"n\",\"url\":\"h\",\"status\":\"Online\"}]}");
    answer(fixture, 0, 200, "{\"metadata\":[" ENTRY(THEM, "a") "," ENTRY(US, "b") "]}");
    answer(fixture, 0, 200, "{\"metadata\":[\"/1.0/projects/default\"]}");
    answer(fixture, 0, 200, "{\"metadata\":{\"type\":\"Client certificate (unrestricted)\"}}");
    answer(fixture, 0, 200, "{\"metadata\":" ENTRY(THEM, "a") "}");
    answer(fixture, 0, 201, "{\"metadata\":null}");
    answer(fixture, 0, 200, "{\"metadata\":{}}");
    answer(fixture, 0, 200, "{\"metadata\":{}}");
    lxd_ask_server(fixture->client);
    lxd_ask_members(fixture->client);
    lxd_ask_certificates(fixture->client);
    lxd_ask_projects(fixture->client);
    lxd_ask_identity(fixture->client);
    lxd_ask_certificate(fixture->client, THEM);
    lxd_ask_add(fixture->client, &fixture->theirs, "juju.x", &(struct projects){0});
    lxd_ask_change(fixture->client, THEM, "juju.y", NULL);
    lxd_ask_remove(fixture->client, THEM);
    assert_int_equal(lxd_requests(fixture->client), 0);
    connect_first(fixture);
    assert_int_equal(lxd_requests(fixture->client), 9); /* all at once */
    assert_int_equal(lxd_answer_server(fixture->client, &server, &fixture->error), 0);
    assert_true(server.trusted);
    assert_int_equal(lxd_answer_members(fixture->client, &members, &fixture->error), 0);
    assert_int_equal(members.count, 1);
    assert_int_equal(take_list(fixture), 0);
    assert_int_equal(fixture->listed, 2);
    assert_int_equal(lxd_answer_projects(fixture->client, &names, &fixture->error), 0);
    assert_string_equal(names.items[0], "default");
    assert_int_equal(lxd_answer_identity(fixture->client, &identity, &fixture->error), 0);
    assert_true(identity.sees_projects);
    assert_int_equal(lxd_answer_certificate(fixture->client, &found, &entry, &fixture->error), 0);
    assert_true(found);
    for (int i = 0; i < 3; i++)
        assert_int_equal(lxd_answer_change(fixture->client, &status, &fixture->error), 0);
    for (size_t i = 0; i < COUNT(requests); i++)
        assert_true(was_sent(fixture, 0, requests[i]));
    assert_int_equal(fixture->scripts[0].writes, 9);
    assert_null(lxd_warning(fixture->client));
    lxd_server_free(&server);
    lxd_members_free(&members);
    strings_free(&names);
    lxd_certificate_free(&entry);
}

/* What is of another kind fails in each, as a whole, and leaves nothing. */
static void test_each_kind_of_unexpected_shape(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_server server;
    struct lxd_members members;
    struct strings names;
    struct lxd_identity identity;
    struct lxd_certificate entry;
    bool found;

    answer(fixture, 0, 200, "{\"metadata\":7}");
    answer(fixture, 0, 200, "{\"metadata\":7}");
    answer(fixture, 0, 200, "{\"metadata\":[7]}");
    connect_first(fixture);
    lxd_ask_server(fixture->client);
    lxd_ask_members(fixture->client);
    lxd_ask_certificates(fixture->client);
    lxd_ask_projects(fixture->client);
    lxd_ask_identity(fixture->client);
    lxd_ask_certificate(fixture->client, THEM);
    assert_int_equal(lxd_answer_server(fixture->client, &server, &fixture->error), -1);
    assert_error(fixture, ERROR_NONSENSE,
                 ENDPOINT "answers with server information of unexpected shape");
    assert_int_equal(lxd_answer_members(fixture->client, &members, &fixture->error), -1);
    assert_error(fixture, ERROR_NONSENSE,
                 ENDPOINT "answers with a list of cluster members of unexpected shape");
    assert_int_equal(take_list(fixture), -1);
    assert_error(fixture, ERROR_NONSENSE,
                 ENDPOINT "answers with a list of certificates of unexpected shape");
    /* It broke off there, so the others are asked again. */
    assert_false(lxd_is_connected(fixture->client));
    answer(fixture, 1, 200, "{\"metadata\":7}");
    answer(fixture, 1, 200, "{\"metadata\":7}");
    answer(fixture, 1, 200, "{\"metadata\":" ENTRY(US, "of another fingerprint") "}");
    assert_int_equal(lxd_answer_projects(fixture->client, &names, &fixture->error), -1);
    assert_error(fixture, ERROR_NONSENSE,
                 ENDPOINT "answers with a list of projects of unexpected shape");
    assert_int_equal(lxd_answer_identity(fixture->client, &identity, &fixture->error), -1);
    assert_error(fixture, ERROR_NONSENSE, ENDPOINT "answers with an identity of unexpected shape");
    assert_int_equal(lxd_answer_certificate(fixture->client, &found, &entry, &fixture->error), -1);
    assert_error(fixture, ERROR_NONSENSE,
                 ENDPOINT "answers with a certificate of unexpected shape");
    assert_int_equal(fixture->connections, 2);
    assert_int_equal(fixture->scripts[1].writes, 3);
    assert_null(server.name);
    assert_int_equal(members.count + names.count, 0);
    assert_false(found);
}

static void test_list_that_fails(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 403, REFUSAL("Forbidden"));
    answer(fixture, 0, 200, "{\"metadata\":null}");
    answer(fixture, 0, 200, "{\"metadata\":[" ENTRY(THEM, "a") "],\"x\":}");
    answer(fixture, 0, 200, "{\"metadata\":[" ENTRY(THEM, "a") "]}");
    fixture->scripts[0].length = strlen(fixture->scripts[0].input) - 1;
    connect_first(fixture);
    for (int i = 0; i < 4; i++)
        lxd_ask_certificates(fixture->client);
    assert_int_equal(take_list(fixture), -1);
    assert_int_equal(fixture->error.kind, ERROR_UNTRUSTED);
    assert_int_equal(take_list(fixture), 0);
    assert_int_equal(fixture->listed, 0);
    assert_int_equal(take_list(fixture), -1);
    assert_int_equal(fixture->listed, 1); /* void */
    assert_int_equal(fixture->error.kind, ERROR_NONSENSE);
    assert_int_equal(take_list(fixture), -1);
    assert_error(fixture, ERROR_UNREACHABLE,
                 ENDPOINT "unreachable: closed the connection in the middle of a response");
}

static void test_one_certificate(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_certificate entry;
    bool found;

    answer(fixture, 0, 404, REFUSAL("Certificate not found"));
    answer(fixture, 0, 404, "<title>404 Not Found</title>");
    answer(fixture, 0, 500, REFUSAL("no leader"));
    answer(fixture, 0, 403, REFUSAL("Permission denied"));
    connect_first(fixture);
    for (int i = 0; i < 4; i++)
        lxd_ask_certificate(fixture->client, THEM);
    assert_int_equal(lxd_answer_certificate(fixture->client, &found, &entry, &fixture->error), 0);
    assert_false(found);
    assert_null(entry.name);
    assert_int_equal(lxd_answer_certificate(fixture->client, &found, &entry, &fixture->error), -1);
    assert_error(fixture, ERROR_NONSENSE, ENDPOINT "answers HTTP 404 (Not Found)" PROXY);
    assert_int_equal(lxd_answer_certificate(fixture->client, &found, &entry, &fixture->error), -1);
    assert_error(fixture, ERROR_UNREACHABLE, ENDPOINT "unreachable: HTTP 500 (no leader)");
    assert_int_equal(lxd_answer_certificate(fixture->client, &found, &entry, &fixture->error), -1);
    assert_error(fixture, ERROR_UNTRUSTED,
                 ENDPOINT "hides entries of its trust store from the client certificate "
                          "ab12ab12ab12... (HTTP 403: Permission denied)");
}

/* Once it has said what it is. */
static void test_server_is_named_as_it_names_itself(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 503, REFUSAL("starting"));
    answer(fixture, 0, 200,
           "{\"metadata\":{\"auth\":\"trusted\",\"environment\":{\"server\":\"incus\"}}}");
    answer(fixture, 0, 503, REFUSAL("stopping"));
    connect_first(fixture);
    assert_int_equal(get_server(fixture), -1);
    assert_error(fixture, ERROR_UNREACHABLE, ENDPOINT "unreachable: HTTP 503 (starting)");
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(get_server(fixture), -1);
    assert_memory_equal(fixture->error.text, "Incus at ", strlen("Incus at "));
}

/* ---- changes ---- */

enum change { ADD, CHANGE, REMOVE };

static void ask_change(struct fixture *fixture, enum change change)
{
    if (change == ADD)
        lxd_ask_add(fixture->client, &fixture->theirs, "juju.x", &(struct projects){0});
    else if (change == CHANGE)
        lxd_ask_change(fixture->client, THEM, NULL, &(struct projects){0});
    else
        lxd_ask_remove(fixture->client, THEM);
}

static void assert_change(struct fixture *fixture, enum change change, int status,
                          enum error_kind kind, const char *text)
{
    int got = -1;

    ask_change(fixture, change);
    assert_int_equal(lxd_answer_change(fixture->client, &got, &fixture->error), kind == 0 ? 0 : -1);
    assert_int_equal(got, status);
    if (kind != 0)
        assert_error(fixture, kind, text);
}

#define FORBIDDEN \
    ENDPOINT "does not let the client certificate ab12ab12ab12... manage the trust store: "

static void test_changes(void **state)
{
    static const struct {
        enum change change;
        int status;
        const char *body;
        enum error_kind kind; /* 0: done */
        const char *text;
    } cases[] = {
        {ADD, 201, "{\"metadata\":null}", 0, NULL},
        {ADD, 200, "{\"metadata\":null}", 0, NULL},
        {CHANGE, 200, "{\"metadata\":{}}", 0, NULL},
        {REMOVE, 200, "{\"metadata\":{}}", 0, NULL},
        {REMOVE, 404, REFUSAL("Certificate not found"), 0, NULL},
        {REMOVE, 404, "<html>", ERROR_NONSENSE, ENDPOINT "answers HTTP 404" PROXY},
        {CHANGE, 404, REFUSAL("Project not found"), ERROR_REFUSED, "Project not found"},
        {ADD, 409, REFUSAL("Certificate already exists"), ERROR_REFUSED,
         "Certificate already exists"},
        {ADD, 400, REFUSAL("The provided certificate is expired"), ERROR_REFUSED,
         "The provided certificate is expired"},
        {ADD, 403, REFUSAL("Forbidden"), ERROR_UNTRUSTED,
         FORBIDDEN "it is restricted, or trusted no longer"},
        {REMOVE, 401, REFUSAL("no"), ERROR_UNTRUSTED,
         ENDPOINT "does not admit the client certificate ab12ab12ab12... (HTTP 401: no)"},
        {ADD, 413, "<html>", ERROR_NONSENSE, ENDPOINT "answers HTTP 413" PROXY},
        {ADD, 302, "", ERROR_NONSENSE, ENDPOINT "answers HTTP 302" PROXY},
        {ADD, 500, REFUSAL("notify failed"), ERROR_UNREACHABLE,
         ENDPOINT "unreachable: HTTP 500 (notify failed)"},
        {REMOVE, 503, "", ERROR_UNREACHABLE, ENDPOINT "unreachable: HTTP 503"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(cases); i++)
        answer(fixture, 0, cases[i].status, cases[i].body);
    connect_first(fixture);
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_change(fixture, cases[i].change, cases[i].status, cases[i].kind, cases[i].text);
    assert_int_equal(lxd_requests(fixture->client), COUNT(cases));
}

static void test_what_a_fine_grained_identity_lacks(void **state)
{
#define LACKS(entitlement) \
    FORBIDDEN "its identity lacks the entitlement " entitlement " on the server"
    struct fixture *fixture = *state;
    struct lxd_identity identity;

    answer(fixture, 0, 200, "{\"metadata\":{\"type\":\"Client certificate\"}}");
    for (int i = 0; i < 3; i++)
        answer(fixture, 0, 403, REFUSAL("Forbidden"));
    connect_first(fixture);
    lxd_ask_identity(fixture->client);
    assert_int_equal(lxd_answer_identity(fixture->client, &identity, &fixture->error), 0);
    assert_change(fixture, ADD, 403, ERROR_UNTRUSTED, LACKS("can_create_identities"));
    assert_change(fixture, CHANGE, 403, ERROR_UNTRUSTED, LACKS("can_edit_identities"));
    assert_change(fixture, REMOVE, 403, ERROR_UNTRUSTED, LACKS("can_delete_identities"));
}

#define UNANSWERED ENDPOINT "unreachable: closed the connection without a response"
#define CUT ENDPOINT "unreachable: closed the connection in the middle of a response"

/* Nobody knows, and nothing is sent again by itself. */
static void test_change_without_an_answer(void **state)
{
    struct fixture *fixture = *state;

    end(fixture, 0);
    answer(fixture, 1, 201, "{}");
    fixture->scripts[1].length = strlen(fixture->scripts[1].input) - 1;
    end(fixture, 2);
    fixture->scripts[2].slow = true;
    connect_first(fixture);
    assert_change(fixture, ADD, 0, ERROR_UNREACHABLE, UNANSWERED);
    assert_change(fixture, ADD, 0, ERROR_UNREACHABLE, CUT);
    lxd_set_deadline(fixture->client, net_clock_ms() + 20);
    assert_change(fixture, REMOVE, 0, ERROR_UNREACHABLE,
                  ENDPOINT "unreachable: timed out during a request");
    assert_int_equal(fixture->connections, 3);
    assert_int_equal(lxd_requests(fixture->client), 3);
}

/* Once an answer is held up, the next ones are not waited for as long; and GET has its turn. */
static void test_time_for_a_change(void **state)
{
    struct fixture *fixture = *state;
    const int64_t *deadline = &fixture->scripts[0].deadline;
    int64_t now = net_clock_ms();

    for (int i = 0; i < 3; i++) {
        answer(fixture, 0, 200, TRUSTED);
        answer(fixture, 0, 200, "{}");
    }
    connect_first(fixture);
    lxd_set_deadline(fixture->client, now + 60000);
    assert_int_equal(get_server(fixture), 0);
    assert_in_range(*deadline - now, LXD_REQUEST_MS, LXD_REQUEST_MS + 1000);
    assert_change(fixture, ADD, 200, 0, NULL);
    assert_in_range(*deadline - now, LXD_REQUEST_MS, LXD_REQUEST_MS + 1000);
    lxd_set_deadline(fixture->client, now + 10000);
    assert_int_equal(get_server(fixture), 0);
    assert_in_range(*deadline - now, 9999, 10001);
    assert_change(fixture, REMOVE, 200, 0, NULL);
    assert_in_range(*deadline - now, 4000, 6000);
    lxd_set_deadline(fixture->client, now + 60000);
    lxd_note_held_up(fixture->client);
    assert_int_equal(get_server(fixture), 0);
    assert_in_range(*deadline - now, LXD_REQUEST_MS, LXD_REQUEST_MS + 1000);
    assert_change(fixture, CHANGE, 200, 0, NULL);
    assert_in_range(*deadline - now, LXD_HELD_UP_MS, LXD_HELD_UP_MS + 1000);
}

/* ---- enrolling ---- */

static void assert_enrolment(struct fixture *fixture, enum lxd_token kind, int status,
                             enum error_kind error_kind, const char *text)
{
    struct lxd_server server = {.takes_trust_token = true};
    int got = -1;

    assert_int_equal(lxd_enrol(fixture->client, &server, kind, "dG9rZW4=", &got, &fixture->error),
                     error_kind == 0 ? 0 : -1);
    assert_int_equal(got, status);
    if (error_kind != 0)
        assert_error(fixture, error_kind, text);
}

static void test_enrol(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 201, "{}");
    answer(fixture, 0, 201, "{}");
    answer(fixture, 0, 403, REFUSAL("No matching certificate add operation found"));
    answer(fixture, 0, 409, REFUSAL("Certificate already exists"));
    answer(fixture, 0, 500, REFUSAL("Failed during search: Token has expired"));
    answer(fixture, 0, 500, REFUSAL("no leader"));
    answer(fixture, 0, 403, "<title>403 Forbidden</title>");
    connect_first(fixture);
    assert_enrolment(fixture, LXD_TOKEN_CERTIFICATE, 201, 0, NULL);
    assert_true(was_sent(fixture, 0, "POST /1.0/certificates HTTP/1.1\r\n"));
    assert_true(was_sent(fixture, 0, "{\"type\":\"client\",\"trust_token\":\"dG9rZW4=\"}"));
    assert_enrolment(fixture, LXD_TOKEN_IDENTITY, 201, 0, NULL);
    assert_true(was_sent(fixture, 0, "POST /1.0/auth/identities/tls HTTP/1.1\r\n"));
    assert_true(was_sent(fixture, 0, "\r\n\r\n{\"trust_token\":\"dG9rZW4=\"}"));
    assert_enrolment(fixture, LXD_TOKEN_CERTIFICATE, 403, ERROR_REFUSED,
                     "No matching certificate add operation found");
    assert_enrolment(fixture, LXD_TOKEN_CERTIFICATE, 409, ERROR_REFUSED,
                     "Certificate already exists");
    assert_enrolment(fixture, LXD_TOKEN_CERTIFICATE, 500, ERROR_REFUSED,
                     "Failed during search: Token has expired");
    assert_enrolment(fixture, LXD_TOKEN_CERTIFICATE, 500, ERROR_UNREACHABLE,
                     ENDPOINT "unreachable: HTTP 500 (no leader)");
    assert_enrolment(fixture, LXD_TOKEN_CERTIFICATE, 403, ERROR_NONSENSE,
                     ENDPOINT "answers HTTP 403 (Forbidden)" PROXY);
    assert_enrolment(fixture, LXD_TOKEN_CERTIFICATE, 0, ERROR_UNREACHABLE,
                     ENDPOINT "unreachable: connection refused");
}

/* ---- the connection ---- */

static void test_one_connection_for_many_requests(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 5; i++)
        answer(fixture, 0, 200, TRUSTED);
    connect_first(fixture);
    for (int i = 0; i < 5; i++)
        assert_int_equal(get_server(fixture), 0);
    assert_int_equal(fixture->connections, 1);
    assert_int_equal(lxd_requests(fixture->client), 5);
}

static void test_connecting_fails(void **state)
{
    struct fixture *fixture = *state;

    lxd_ask_server(fixture->client);
    lxd_connect(&fixture->client, 1);
    assert_int_equal(lxd_opened(&fixture->client, &fixture->error), -1);
    assert_error(fixture, ERROR_UNREACHABLE, ENDPOINT "unreachable: connection refused");
    assert_null(fixture->client);
}

static void test_reconnects_when_idle_connection_was_closed(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, TRUSTED);
    answer(fixture, 1, 200, TRUSTED);
    connect_first(fixture);
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(fixture->connections, 2);
}

static void test_reconnects_only_once(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, TRUSTED);
    end(fixture, 1);
    answer(fixture, 2, 200, TRUSTED);
    connect_first(fixture);
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(get_server(fixture), -1);
    assert_error(fixture, ERROR_UNREACHABLE, UNANSWERED);
    assert_int_equal(fixture->connections, 2);
}

static void test_reconnecting_fails(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, TRUSTED);
    connect_first(fixture);
    assert_int_equal(get_server(fixture), 0);
    assert_int_equal(get_server(fixture), -1);
    assert_error(fixture, ERROR_UNREACHABLE, ENDPOINT "unreachable: connection refused");
    answer(fixture, 1, 200, TRUSTED);
    assert_int_equal(get_server(fixture), 0);
}

static void test_deadline_bounds_requests(void **state)
{
    struct fixture *fixture = *state;

    end(fixture, 0);
    fixture->scripts[0].slow = true;
    connect_first(fixture);
    lxd_set_deadline(fixture->client, net_clock_ms() + 10);
    assert_int_equal(get_server(fixture), -1);
    assert_error(fixture, ERROR_UNREACHABLE, ENDPOINT "unreachable: timed out during a request");
    assert_int_equal(fixture->connections, 1);
}

/* ---- several requests on their way ---- */

/* Three, of which so many are answered before the connection ends: the others are sent again. */
static void ask_three(struct fixture *fixture, int answered)
{
    static const char *const bodies[] = {TRUSTED, "{\"metadata\":[]}", "{\"metadata\":{}}"};
    int status;

    answer(fixture, 0, 200, TRUSTED);
    for (int i = 0; i < 3; i++)
        answer(fixture, i < answered ? 0 : 1, 200, bodies[i]);
    connect_first(fixture);
    assert_int_equal(get_server(fixture), 0);
    lxd_ask_server(fixture->client);
    lxd_ask_certificates(fixture->client);
    lxd_ask_remove(fixture->client, THEM);
    assert_int_equal(fixture->scripts[0].writes, 4);
    assert_int_equal(take_server(fixture), 0);
    assert_int_equal(take_list(fixture), 0);
    assert_int_equal(lxd_answer_change(fixture->client, &status, &fixture->error), 0);
    assert_int_equal(fixture->connections, answered == 3 ? 1 : 2);
    assert_int_equal(fixture->scripts[1].writes, 3 - answered);
    assert_int_equal(lxd_requests(fixture->client), 4 + 3 - answered);
}

static void test_several_on_their_way(void **state)
{
    ask_three(*state, 3);
}

static void test_connection_that_ends_before_the_last(void **state)
{
    ask_three(*state, 2);
}

static void test_connection_that_ends_after_the_first(void **state)
{
    ask_three(*state, 1);
}

static void test_stale_connection(void **state)
{
    ask_three(*state, 0);
}

static void test_connection_that_takes_nothing(void **state)
{
    struct fixture *fixture = *state;
    int status;

    answer(fixture, 0, 200, TRUSTED);
    answer(fixture, 1, 201, "{\"metadata\":null}");
    connect_first(fixture);
    assert_int_equal(get_server(fixture), 0);
    fixture->scripts[0].deaf = true;
    ask_change(fixture, ADD);
    assert_int_equal(lxd_answer_change(fixture->client, &status, &fixture->error), 0);
    assert_int_equal(fixture->connections, 2);
}

/* The request whose answer is cut has failed; the one behind it has not. */
static void test_answer_that_is_cut(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, TRUSTED);
    fixture->scripts[0].length = strlen(fixture->scripts[0].input) - 1;
    answer(fixture, 1, 200, "{\"metadata\":[]}");
    lxd_ask_server(fixture->client);
    lxd_ask_certificates(fixture->client);
    connect_first(fixture);
    assert_int_equal(take_server(fixture), -1);
    assert_error(fixture, ERROR_UNREACHABLE, CUT);
    assert_int_equal(take_list(fixture), 0);
    assert_int_equal(fixture->connections, 2);
    assert_int_equal(fixture->scripts[1].writes, 1);
}

/* Each answer has its time after the one before it. */
static void test_time_of_the_second(void **state)
{
    struct fixture *fixture = *state;
    int64_t begin = net_clock_ms();

    answer(fixture, 0, 200, TRUSTED);
    answer(fixture, 0, 200, TRUSTED);
    fixture->scripts[0].step = strlen(fixture->scripts[0].input) / 2; /* a response a read */
    lxd_ask_server(fixture->client);
    lxd_ask_server(fixture->client);
    connect_first(fixture);
    usleep(100000);
    assert_int_equal(take_server(fixture), 0);
    assert_in_range(fixture->scripts[0].deadline - begin, LXD_REQUEST_MS, LXD_REQUEST_MS + 90);
    assert_int_equal(take_server(fixture), 0);
    assert_true(fixture->scripts[0].deadline - begin >= LXD_REQUEST_MS + 100);
}

/* Asking never waits for a server that reads nothing: 16 KiB fit into any socket's buffer. */
static void test_no_more_on_its_way_than_fits(void **state)
{
    static uint8_t der[3000]; /* 4,000 as base64 */
    struct fixture *fixture = *state;
    struct certificate certificate = {.der = der, .length = sizeof der};
    int status;

    for (int i = 0; i < 10; i++)
        answer(fixture, 0, 201, "{\"metadata\":null}");
    connect_first(fixture);
    for (int i = 0; i < 10; i++)
        lxd_ask_add(fixture->client, &certificate, "juju.x", &(struct projects){0});
    assert_int_equal(fixture->scripts[0].writes, 3);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(fixture->scripts[0].writes, i + 3 < 10 ? i + 3 : 10);
        assert_int_equal(lxd_answer_change(fixture->client, &status, &fixture->error), 0);
    }
    assert_int_equal(lxd_requests(fixture->client), 10);
}

static void test_large_request_waits_for_its_turn(void **state)
{
    static uint8_t large[16384];
    struct fixture *fixture = *state;
    struct certificate certificate = {.der = large, .length = sizeof large};
    int status;

    answer(fixture, 0, 201, "{\"metadata\":null}");
    connect_first(fixture);
    lxd_ask_add(fixture->client, &certificate, "juju.x", &(struct projects){0});
    assert_int_equal(fixture->scripts[0].writes, 0);
    assert_int_equal(lxd_answer_change(fixture->client, &status, &fixture->error), 0);
    assert_int_equal(fixture->scripts[0].writes, 1);
}

static void answer_another_kind(struct fixture *fixture)
{
    lxd_ask_certificates(fixture->client);
    take_server(fixture);
}

static void answer_nothing(struct fixture *fixture)
{
    take_server(fixture);
}

static void answer_a_get_as_a_change(struct fixture *fixture)
{
    int status;

    lxd_ask_server(fixture->client);
    lxd_answer_change(fixture->client, &status, &fixture->error);
}

static void test_wrong_order_is_a_programming_error(void **state)
{
    typedef void answer_wrongly(struct fixture * fixture);
    static answer_wrongly *const wrong[] = {answer_another_kind, answer_nothing,
                                            answer_a_get_as_a_change};
    struct fixture *fixture = *state;

    answer(fixture, 0, 200, TRUSTED);
    connect_first(fixture);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        int status;
        pid_t child = fork();

        if (child == 0) {
            signal(SIGABRT, SIG_DFL);
            wrong[i](fixture);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

/* ---- waiting ---- */

/* One end of a pipe, which says when there is something to read, and a script that says what. */
struct other {
    struct script script;
    int fds[2];
};

static int open_other(void *context, struct http_stream *stream, int *fd, struct error *error)
{
    struct other *other = context;

    (void)error;
    *stream = script_stream(&other->script);
    *fd = other->fds[0];
    return 0;
}

static struct lxd_client *start_other(struct fixture *fixture, struct other *other, int64_t time)
{
    struct lxd_transport transport = {.open = open_other, .context = other};
    struct lxd_client *client;
    struct endpoint endpoint;

    other->script.input = "";
    assert_int_equal(pipe(other->fds), 0);
    assert_int_equal(endpoint_parse(&endpoint, "h", &fixture->error), 0);
    client = lxd_start_over(&transport, &endpoint, &fixture->credentials, net_clock_ms() + time);
    lxd_ask_server(client);
    assert_int_equal(lxd_opened(&client, &fixture->error), 0);
    return client;
}

static void stop_other(struct lxd_client *client, struct other *other)
{
    lxd_close(client);
    buffer_free(&other->script.output);
    close(other->fds[0]);
    close(other->fds[1]);
}

/* Whoever answers first; after the time-out whoever was asked first; whoever waits for nothing. */
static void test_waiting(void **state)
{
    struct fixture *fixture = *state;
    struct other others[2] = {0};
    struct lxd_client *first = start_other(fixture, &others[0], 40),
                      *second = start_other(fixture, &others[1], 60000);
    struct lxd_client *clients[] = {NULL, first, second, fixture->client};

    assert_int_equal(lxd_wait(clients, 1), 1);
    assert_int_equal(lxd_wait(clients, 4), 3);
    assert_int_equal(write(others[1].fds[1], "x", 1), 1);
    assert_int_equal(lxd_wait(clients, 3), 2);
    assert_int_equal(read(others[1].fds[0], &(char){0}, 1), 1);
    assert_int_equal(lxd_wait(clients, 3), 1); /* its time is over */
    clients[1] = NULL;
    close(others[1].fds[1]);
    others[1].fds[1] = -1;
    assert_int_equal(lxd_wait(clients, 3), 2); /* its end counts as well */
    stop_other(first, &others[0]);
    stop_other(second, &others[1]);
}

/* What came together with an earlier answer is not announced by the socket again. */
static void test_waiting_for_what_is_here(void **state)
{
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n" TRUSTED
    struct fixture *fixture = *state;
    struct other other = {0};
    struct lxd_client *client = start_other(fixture, &other, 60000);
    struct lxd_server server;
    int64_t begin = net_clock_ms();

    lxd_ask_server(client);
    other.script.input = RESPONSE RESPONSE;
    assert_int_equal(lxd_answer_server(client, &server, &fixture->error), 0);
    assert_int_equal(lxd_wait(&client, 1), 0);
    assert_true(net_clock_ms() - begin < 5000);
    lxd_server_free(&server);
    assert_int_equal(lxd_answer_server(client, &server, &fixture->error), 0);
    lxd_server_free(&server);
    stop_other(client, &other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_status_errors),
        TEST(test_long_reason_is_cut),
        TEST(test_nonsense_below_http),
        TEST(test_each_kind),
        TEST(test_each_kind_of_unexpected_shape),
        TEST(test_list_that_fails),
        TEST(test_one_certificate),
        TEST(test_server_is_named_as_it_names_itself),
        TEST(test_changes),
        TEST(test_what_a_fine_grained_identity_lacks),
        TEST(test_change_without_an_answer),
        TEST(test_time_for_a_change),
        TEST(test_enrol),
        TEST(test_one_connection_for_many_requests),
        TEST(test_connecting_fails),
        TEST(test_reconnects_when_idle_connection_was_closed),
        TEST(test_reconnects_only_once),
        TEST(test_reconnecting_fails),
        TEST(test_deadline_bounds_requests),
        TEST(test_several_on_their_way),
        TEST(test_connection_that_ends_before_the_last),
        TEST(test_connection_that_ends_after_the_first),
        TEST(test_stale_connection),
        TEST(test_connection_that_takes_nothing),
        TEST(test_answer_that_is_cut),
        TEST(test_time_of_the_second),
        TEST(test_no_more_on_its_way_than_fits),
        TEST(test_large_request_waits_for_its_turn),
        TEST(test_wrong_order_is_a_programming_error),
        TEST(test_waiting),
        TEST(test_waiting_for_what_is_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
