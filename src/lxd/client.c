/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/net.h"
#include "lxd/answer.h"
#include "lxd/http.h"
#include "lxd/stream.h"

#define SCHEME "https://"
#define CERTIFICATES "/1.0/certificates"
#define MAX_REASON 300
#define MAX_AHEAD 16384 /* bytes of a request that is sent ahead: it must not block */

struct lxd_client {
    struct endpoint endpoint;
    struct lxd_credentials credentials;
    int64_t deadline;
    /* Open a connection to the endpoint; a test puts its own here. */
    int (*connect)(struct lxd_client *client, struct http_stream *stream, struct error *error);
    struct stream stream;
    struct http_connection connection;
    struct strings ahead;   /* texts of requests that were sent before their turn, ... */
    size_t taken;           /* ... of which so many had it */
    int64_t ahead_deadline; /* until when their answers have to begin */
    struct error refusal;   /* why the server's certificate was refused */
    struct certificate presented;
    char *warning;
    unsigned requests;
    bool held_up; /* a change took place, and its answer did not come */
};

/* ---- the connection ---- */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int with_subject(const struct lxd_client *client, struct error *error)
{
    struct error plain = *error;

    return error_set(error, plain.kind, "LXD at %s %s", client->endpoint.url, plain.text);
}

static int note_presented(struct lxd_client *client, const uint8_t *der, size_t length,
                          const char *remark)
{
    struct certificate *presented = &client->presented;

    certificate_free(presented);
    if (certificate_from_der(presented, der, length, &client->refusal) != 0)
        return -1;
    if (client->warning == NULL && remark[0] != '\0')
        client->warning = mem_printf("LXD at %s %s", client->endpoint.url, remark);
    return 0;
}

static int check_server(void *context, const uint8_t *const der[], const size_t length[],
                        size_t count)
{
    struct lxd_client *client = context;
    const struct server_chain chain = {der, length, count};
    char remark[SERVER_IDENTITY_REMARK_SIZE];

    if (server_identity_check(client->credentials.server, &chain, client->endpoint.host, time(NULL),
                              remark, &client->refusal) != 0 ||
        note_presented(client, der[0], length[0], remark) != 0)
        return TLS_ALERT_CERTIFICATE_UNKNOWN;
    return 0;
}

static void start_tls(struct lxd_client *client)
{
    const struct private_key *key = client->credentials.key;
    struct tls_configuration configuration = {
        .check_certificate = check_server,
        .check_context = client,
        .certificate = client->credentials.certificate->der,
        .certificate_length = client->credentials.certificate->length,
        .ec_key = key->type == BR_KEYTYPE_EC ? &key->ec : NULL,
        .rsa_key = key->type == BR_KEYTYPE_RSA ? &key->rsa : NULL,
    };

    stream_close(&client->stream);
    stream_start(&client->stream, &client->endpoint, &configuration, client->deadline);
}

static int finish_tls(struct lxd_client *client, struct http_stream *stream, struct error *error)
{
    if (client->stream.fd < 0) {
        *error = client->stream.error;
        if (error->kind == ERROR_IDENTITY)
            *error = client->refusal;
        return -1;
    }
    *stream = stream_http(&client->stream);
    return 0;
}

static int connect_tls(struct lxd_client *client, struct http_stream *stream, struct error *error)
{
    start_tls(client);
    stream_open(&(struct stream *){&client->stream}, 1);
    return finish_tls(client, stream, error);
}

static int open_connection(struct lxd_client *client, struct error *error)
{
    http_connection_free(&client->connection);
    client->connection = (struct http_connection){.closed = true};
    if (client->connect(client, &client->connection.stream, error) != 0)
        return with_subject(client, error);
    client->connection.closed = false;
    return 0;
}

struct lxd_client *lxd_start(const struct endpoint *endpoint,
                             const struct lxd_credentials *credentials, int64_t deadline)
{
    struct lxd_client *client = mem_alloc(sizeof *client);

    client->endpoint = *endpoint;
    client->credentials = *credentials;
    client->deadline = deadline;
    client->connect = connect_tls;
    client->connection.closed = true;
    client->stream.fd = -1;
    start_tls(client);
    return client;
}

void lxd_connect(struct lxd_client *const clients[], size_t count)
{
    struct stream **streams = mem_alloc(count * sizeof *streams);

    for (size_t i = 0; i < count; i++)
        streams[i] = &clients[i]->stream;
    stream_open(streams, count);
    free(streams);
}

int lxd_opened(struct lxd_client **client, struct error *error)
{
    struct lxd_client *opened = *client;

    if (finish_tls(opened, &opened->connection.stream, error) != 0) {
        with_subject(opened, error);
        lxd_close(opened);
        *client = NULL;
        return -1;
    }
    opened->connection.closed = false;
    opened->connection.pending = (unsigned)opened->ahead.count;
    opened->ahead_deadline = smaller(opened->stream.opened + LXD_REQUEST_MS, opened->deadline);
    return 0;
}

int lxd_open(struct lxd_client **client, const struct endpoint *endpoint,
             const struct lxd_credentials *credentials, int64_t deadline, struct error *error)
{
    *client = lxd_start(endpoint, credentials, deadline);
    lxd_connect(client, 1);
    return lxd_opened(client, error);
}

void lxd_close(struct lxd_client *client)
{
    if (client == NULL)
        return;
    stream_close(&client->stream);
    http_connection_free(&client->connection);
    strings_free(&client->ahead);
    certificate_free(&client->presented);
    free(client->warning);
    free(client);
}

void lxd_set_deadline(struct lxd_client *client, int64_t deadline)
{
    client->deadline = deadline;
}

bool lxd_is_connected(const struct lxd_client *client)
{
    return !client->connection.closed;
}

const char *lxd_warning(const struct lxd_client *client)
{
    return client->warning;
}

const struct certificate *lxd_presented(const struct lxd_client *client)
{
    return &client->presented;
}

unsigned lxd_requests(const struct lxd_client *client)
{
    return client->requests;
}

/* ---- requests ---- */

static int64_t deadline_for(const struct lxd_client *client, const char *method)
{
    int64_t now = net_clock_ms(), left = client->deadline - now;

    if (strcmp(method, "GET") == 0)
        return now + smaller(LXD_REQUEST_MS, left);
    return now + smaller(client->held_up ? LXD_HELD_UP_MS : LXD_REQUEST_MS, left / 2);
}

static void compose(const struct lxd_client *client, struct buffer *text, const char *method,
                    const char *path, const char *body)
{
    http_compose(text, client->endpoint.url + strlen(SCHEME), method, path, body);
}

/* Where this fails the connection is closed, and the request goes the ordinary way. */
static void send_ahead(struct lxd_client *client, const char *method, const char *path,
                       const char *body)
{
    struct buffer text = {0};
    struct error ignored;

    compose(client, &text, method, path, body);
    if (text.length <= MAX_AHEAD && (client->stream.opening || !client->connection.closed)) {
        client->ahead_deadline = deadline_for(client, method);
        if (client->stream.opening)
            buffer_append(&client->stream.first, text.data, text.length);
        else
            http_send(&client->connection, &text, client->ahead_deadline, &ignored);
        strings_add(&client->ahead, text.data);
        client->requests++;
    }
    buffer_free(&text);
}

/* Is an answer to come that nobody has waited for? */
static bool is_waiting(const struct lxd_client *client)
{
    return client->ahead.count != 0 && !client->connection.closed;
}

/* Is the answer to this request the next to come? Answers to others make the connection useless. */
static bool take_ahead(struct lxd_client *client, const struct buffer *text)
{
    struct strings *ahead = &client->ahead;
    bool next = is_waiting(client) && strcmp(ahead->items[client->taken], text->data) == 0;

    if (next && ++client->taken < ahead->count)
        return true;
    if (!next && ahead->count != 0)
        client->connection.closed = true;
    strings_free(ahead);
    client->taken = 0;
    return next;
}

static int request_once(struct lxd_client *client, const char *method, const struct buffer *text,
                        struct http_response *response, struct error *error)
{
    int64_t deadline = deadline_for(client, method), first = deadline;

    if (take_ahead(client, text)) {
        first = client->ahead_deadline;
        if (deadline < first)
            deadline = first;
    } else {
        if (client->connection.closed && open_connection(client, error) != 0)
            return -1;
        client->requests++;
        if (http_send(&client->connection, text, deadline, error) != 0)
            return with_subject(client, error);
    }
    if (http_receive(&client->connection, first, deadline, response, error) != 0)
        return with_subject(client, error);
    return 0;
}

/* A connection that lay idle may have been closed meanwhile: LXD 6.8 does so after 30 s. */
static int request(struct lxd_client *client, const char *method, const char *path,
                   const char *body, struct http_response *response, struct error *error)
{
    struct buffer text = {0};

    *response = (struct http_response){0};
    compose(client, &text, method, path, body);
    int result = request_once(client, method, &text, response, error);
    if (result != 0 && client->connection.stale)
        result = request_once(client, method, &text, response, error);
    buffer_wipe(&text); /* it may hold a token */
    return result;
}

size_t lxd_wait(struct lxd_client *const clients[], size_t count)
{
    struct pollfd *entries = mem_alloc(count * sizeof *entries);
    size_t first = count; /* whose time is over first, or who waits for nothing */

    for (size_t i = 0; i < count; i++) {
        const struct lxd_client *client = clients[i];

        entries[i] = (struct pollfd){.fd = -1, .events = POLLIN};
        if (client == NULL)
            continue;
        if (first == count || client->ahead_deadline < clients[first]->ahead_deadline)
            first = i;
        if (!is_waiting(client)) {
            first = i;
            break;
        }
        entries[i].fd = client->stream.fd;
    }
    if (first < count && is_waiting(clients[first]) &&
        net_poll(entries, count, clients[first]->ahead_deadline) > 0) {
        for (first = 0; entries[first].revents == 0;)
            first++;
    }
    free(entries);
    return first;
}

/* The error of a response with a status that promises no result. */
static int status_error(const struct lxd_client *client, const struct http_response *response,
                        struct error *error)
{
    char reason[MAX_REASON];

    answer_reason(&response->body, reason, sizeof reason);
    if (response->status == 401 || response->status == 403)
        return error_set(error, ERROR_UNTRUSTED,
                         "LXD at %s does not admit the client certificate %.12s... (HTTP %d%s%s)",
                         client->endpoint.url, client->credentials.certificate->fingerprint,
                         response->status, *reason != '\0' ? ": " : "", reason);
    return error_set(error, ERROR_UNAVAILABLE, "LXD at %s %s HTTP %d%s%s%s", client->endpoint.url,
                     response->status >= 500 ? "unreachable:" : "answers", response->status,
                     *reason != '\0' ? " (" : "", reason, *reason != '\0' ? ")" : "");
}

/* The same for a change: 403 is about the permission, other 4xx about the one certificate. */
static int change_error(const struct lxd_client *client, const struct http_response *response,
                        struct error *error)
{
    char reason[MAX_REASON];

    if (response->status == 403)
        return error_set(error, ERROR_UNTRUSTED,
                         "LXD at %s does not let the client certificate %.12s... manage the trust "
                         "store: it is restricted, or trusted no longer",
                         client->endpoint.url, client->credentials.certificate->fingerprint);
    answer_reason(&response->body, reason, sizeof reason);
    if (response->status / 100 == 4 && response->status != 401 && *reason != '\0')
        return error_set(error, ERROR_REFUSED, "%s", reason);
    return status_error(client, response, error);
}

/* ---- reading ---- */

/* A response other than 200 becomes an error, and its body is freed. */
static int expect_ok(const struct lxd_client *client, struct http_response *response,
                     struct error *error)
{
    if (response->status == 200)
        return 0;
    status_error(client, response, error);
    buffer_free(&response->body);
    return -1;
}

static int get(struct lxd_client *client, const char *path, struct http_response *response,
               struct error *error)
{
    if (request(client, "GET", path, NULL, response, error) != 0)
        return -1;
    return expect_ok(client, response, error);
}

static const char *const paths[] = {
    [LXD_SERVER] = "/1.0",
    [LXD_MEMBERS] = "/1.0/cluster/members?recursion=1",
    [LXD_CERTIFICATES] = CERTIFICATES "?recursion=1",
};

void lxd_ahead_get(struct lxd_client *client, enum lxd_resource resource)
{
    send_ahead(client, "GET", paths[resource], NULL);
}

int lxd_get_server(struct lxd_client *client, struct lxd_server *server, struct error *error)
{
    struct http_response response;

    *server = (struct lxd_server){0};
    if (get(client, paths[LXD_SERVER], &response, error) != 0)
        return -1;
    int result = answer_server(&response.body, server, error);
    buffer_wipe(&response.body); /* it holds the server's configuration, secrets too */
    return result == 0 ? 0 : with_subject(client, error);
}

int lxd_list_members(struct lxd_client *client, struct lxd_members *list, struct error *error)
{
    struct http_response response;

    *list = (struct lxd_members){0};
    if (get(client, paths[LXD_MEMBERS], &response, error) != 0)
        return -1;
    int result = answer_members(&response.body, list, error);
    buffer_free(&response.body);
    return result == 0 ? 0 : with_subject(client, error);
}

int lxd_list_certificates(struct lxd_client *client, struct lxd_certificates *list,
                          struct error *error)
{
    struct http_response response;

    *list = (struct lxd_certificates){0};
    if (get(client, paths[LXD_CERTIFICATES], &response, error) != 0)
        return -1;
    int result = answer_certificates(&response.body, list, error);
    buffer_free(&response.body);
    return result == 0 ? 0 : with_subject(client, error);
}

static char *entry_path(const char *fingerprint)
{
    return mem_printf(CERTIFICATES "/%s", fingerprint);
}

static int request_entry(struct lxd_client *client, const char *method, const char *fingerprint,
                         const char *body, struct http_response *response, struct error *error)
{
    char *path = entry_path(fingerprint);
    int result = request(client, method, path, body, response, error);

    free(path);
    return result;
}

int lxd_get_certificate(struct lxd_client *client, const char *fingerprint, bool *found,
                        struct lxd_certificate *certificate, struct error *error)
{
    struct http_response response;

    *found = false;
    *certificate = (struct lxd_certificate){0};
    if (request_entry(client, "GET", fingerprint, NULL, &response, error) != 0)
        return -1;
    if (response.status == 404) {
        buffer_free(&response.body);
        return 0;
    }
    if (expect_ok(client, &response, error) != 0)
        return -1;
    int result = answer_certificate(&response.body, fingerprint, certificate, error);
    buffer_free(&response.body);
    *found = result == 0;
    return result == 0 ? 0 : with_subject(client, error);
}

/* ---- changing ---- */

/*
 * Nobody knows whether a change took place: a hung cluster member can hold up the answer although
 * the change is committed, and will hold up the next ones. Does the trust store have (or, with
 * wanted false, not have) the entry?
 */
static bool is_settled(struct lxd_client *client, const char *fingerprint, bool wanted,
                       struct lxd_certificate *entry)
{
    struct error ignored;
    bool found;

    if (lxd_get_certificate(client, fingerprint, &found, entry, &ignored) != 0 || found != wanted)
        return false;
    client->held_up = true;
    return true;
}

static char *new_entry_json(const struct certificate *certificate, const char *name,
                            const struct projects *projects)
{
    cJSON *object = cJSON_CreateObject();
    char *base64 = base64_encode(certificate->der, certificate->length);

    cJSON_AddStringToObject(object, "type", "client");
    cJSON_AddStringToObject(object, "name", name);
    cJSON_AddStringToObject(object, "certificate", base64);
    if (projects->restricted)
        projects_to_json(projects, object);
    char *text = json_print(object);
    free(base64);
    cJSON_Delete(object);
    return text;
}

static char *changed_entry_json(const char *name, const struct projects *projects)
{
    cJSON *object = cJSON_CreateObject();

    cJSON_AddStringToObject(object, "name", name);
    if (projects != NULL)
        projects_to_json(projects, object);
    char *text = json_print(object);
    cJSON_Delete(object);
    return text;
}

void lxd_ahead_add(struct lxd_client *client, const struct certificate *certificate,
                   const char *name, const struct projects *projects)
{
    char *body = new_entry_json(certificate, name, projects);

    send_ahead(client, "POST", CERTIFICATES, body);
    free(body);
}

static void send_entry_ahead(struct lxd_client *client, const char *method, const char *fingerprint,
                             const char *body)
{
    char *path = entry_path(fingerprint);

    send_ahead(client, method, path, body);
    free(path);
}

void lxd_ahead_remove(struct lxd_client *client, const char *fingerprint)
{
    send_entry_ahead(client, "DELETE", fingerprint, NULL);
}

void lxd_ahead_change(struct lxd_client *client, const char *fingerprint, const char *name,
                      const struct projects *projects)
{
    char *body = changed_entry_json(name, projects);

    send_entry_ahead(client, "PATCH", fingerprint, body);
    free(body);
}

static bool exists_already(const struct http_response *response)
{
    char reason[MAX_REASON];

    answer_reason(&response->body, reason, sizeof reason);
    return response->status == 409 || /* 400 until LXD 5.0.1 and 5.7 */
           (response->status == 400 && strstr(reason, "already in trust store") != NULL);
}

static int get_existing(struct lxd_client *client, const char *fingerprint,
                        struct lxd_certificate *entry, struct error *error)
{
    bool found;

    if (lxd_get_certificate(client, fingerprint, &found, entry, error) != 0)
        return -1;
    if (!found)
        return error_set(error, ERROR_REFUSED,
                         "LXD says it exists already, but not as a certificate in the trust store "
                         "(a fine-grained identity?)");
    return 0;
}

static int finish_addition(struct lxd_client *client, const struct http_response *response,
                           const char *fingerprint, const char *name,
                           const struct projects *projects, struct lxd_certificate *entry,
                           struct error *error)
{
    if (exists_already(response))
        return get_existing(client, fingerprint, entry, error);
    if (response->status != 201 && response->status != 200)
        return change_error(client, response, error);
    memcpy(entry->fingerprint, fingerprint, sizeof entry->fingerprint);
    entry->name = mem_string(name);
    entry->type = mem_string("client");
    entry->pem = mem_string("");
    projects_copy(&entry->projects, projects);
    return 0;
}

int lxd_add_certificate(struct lxd_client *client, const struct certificate *certificate,
                        const char *name, const struct projects *projects,
                        struct lxd_certificate *entry, struct error *error)
{
    const char *fingerprint = certificate->fingerprint;
    struct http_response response;
    char *body = new_entry_json(certificate, name, projects);

    *entry = (struct lxd_certificate){0};
    int result = request(client, "POST", CERTIFICATES, body, &response, error);
    if (result == 0) {
        result = finish_addition(client, &response, fingerprint, name, projects, entry, error);
        buffer_free(&response.body);
    }
    free(body);
    if (result != 0 && error->kind == ERROR_UNAVAILABLE &&
        is_settled(client, fingerprint, true, entry))
        return 0;
    return result;
}

int lxd_enrol(struct lxd_client *client, const struct lxd_server *server, const char *token,
              struct error *error)
{
    struct http_response response;
    struct buffer body = {0};
    char reason[MAX_REASON];

    buffer_printf(&body, "{\"type\":\"client\",\"trust_token\":\"%s\"", token);
    if (!server->takes_trust_token) /* LXD until 5.21.1; Incus reads the other all the same */
        buffer_printf(&body, ",\"password\":\"%s\"", token);
    buffer_append_string(&body, "}");
    int result = request(client, "POST", CERTIFICATES, body.data, &response, error);
    buffer_wipe(&body);
    if (result != 0)
        return -1;
    answer_reason(&response.body, reason, sizeof reason);
    if (response.status / 100 == 4 ||
        strstr(reason, "expired") != NULL) /* 5.0 answers that by 500 */
        result = error_set(error, ERROR_REFUSED, "%s", reason);
    else if (response.status / 100 != 2)
        result = status_error(client, &response, error);
    buffer_free(&response.body);
    return result;
}

int lxd_remove_certificate(struct lxd_client *client, const char *fingerprint, struct error *error)
{
    struct lxd_certificate entry = {0};
    struct http_response response;
    int result = request_entry(client, "DELETE", fingerprint, NULL, &response, error);

    if (result == 0) {
        if (response.status != 200 && response.status != 404)
            result = change_error(client, &response, error);
        buffer_free(&response.body);
    }
    if (result != 0 && error->kind == ERROR_UNAVAILABLE &&
        is_settled(client, fingerprint, false, &entry))
        return 0;
    lxd_certificate_free(&entry);
    return result;
}

int lxd_change_certificate(struct lxd_client *client, const char *fingerprint, const char *name,
                           const struct projects *projects, struct error *error)
{
    struct http_response response;
    char *body = changed_entry_json(name, projects);
    int result = request_entry(client, "PATCH", fingerprint, body, &response, error);
    if (result == 0) {
        if (response.status != 200)
            result = change_error(client, &response, error);
        buffer_free(&response.body);
    }
    free(body);
    return result;
}
