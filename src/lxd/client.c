/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/net.h"
#include "lxd/stream.h"

#define SCHEME "https://"
#define MAX_REASON 300
#define MAX_ON_WAY 16384 /* bytes of requests without an answer; one TLS record */

enum subject {
    SERVER,
    MEMBERS,
    CERTIFICATES,
    PROJECTS,
    IDENTITY,
    CERTIFICATE,
    ADD, /* from here on: changes */
    REMOVE,
    CHANGE,
    ENROL
};

static bool is_change(enum subject subject)
{
    return subject >= ADD;
}

struct request {
    enum subject subject;
    char fingerprint[65]; /* of the entry that it is about */
    struct buffer text;
    int64_t until; /* once it was sent: when its answer has to begin */
};

#define LXD_TAKE_MS 20 /* for taking what has come, though its time is over */

struct lxd_client {
    struct endpoint endpoint;
    struct lxd_credentials credentials;
    int64_t deadline;
    struct lxd_transport transport; /* in the place of the stream, where there is one */
    struct stream stream;
    int fd; /* of the connection */
    struct http_connection connection;
    struct request *queue; /* in the order of asking, without those that were answered */
    size_t asked;          /* so many are in it, ... */
    size_t sent;           /* ... the first of them on their way */
    struct error refusal;  /* why the server's certificate was refused */
    struct certificate presented;
    char *warning;
    enum lxd_software software; /* as GET /1.0 had it */
    unsigned requests;
    bool held_up; /* a change took place, and its answer did not come */
    struct lxd_identity identity;
};

/* ---- the connection ---- */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What went wrong becomes a sentence, here and nowhere else. What a proxy answers is in brackets.
 */
static int tell(const struct lxd_client *client, struct error *error)
{
    const struct proxy *proxy = client->stream.proxy;
    struct error plain = *error;
    char way[sizeof proxy->host + 40] = "";

    if (plain.kind != ERROR_UNREACHABLE)
        return error_set(error, plain.kind, "%s at %s %s", lxd_name(client->software),
                         client->endpoint.url, plain.text);
    if (proxy != NULL)
        snprintf(way, sizeof way, " through the proxy %s:%u", proxy->host, (unsigned)proxy->port);
    return error_set(error, plain.kind, "%s at %s unreachable%s%s%s", lxd_name(client->software),
                     client->endpoint.url, way, *plain.text == '(' ? " " : ": ", plain.text);
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

/* Of a request that is waited for from `start` on. */
static int64_t deadline_from(const struct lxd_client *client, enum subject subject, int64_t start)
{
    int64_t left = client->deadline - start;

    if (!is_change(subject))
        return start + smaller(LXD_REQUEST_MS, left);
    return start + smaller(client->held_up ? LXD_HELD_UP_MS : LXD_REQUEST_MS, left / 2);
}

static int64_t deadline_for(const struct lxd_client *client, enum subject subject)
{
    return deadline_from(client, subject, net_clock_ms());
}

/*
 * Send what is asked for, the first `due` requests of all whatever their size, the others as far
 * as they fit on their way: a server that answers one request after the other need not read them,
 * and no write may wait for it. Where sending fails the connection is closed.
 */
static int send_asked(struct lxd_client *client, size_t due, struct error *error)
{
    size_t on_way = 0;

    for (size_t i = 0; i < client->asked; i++) {
        struct request *request = &client->queue[i];

        on_way += request->text.length;
        if (i < client->sent)
            continue;
        if (i >= due && on_way > MAX_ON_WAY)
            break;
        request->until = deadline_for(client, request->subject);
        if (client->stream.opening) /* with the last flight of the handshake */
            buffer_append(&client->stream.first, request->text.data, request->text.length);
        else if (http_send(&client->connection, &request->text, request->until, error) != 0)
            return -1;
        client->sent++;
        client->requests++;
    }
    return 0;
}

static int finish_opening(struct lxd_client *client, struct error *error)
{
    struct http_connection *connection = &client->connection;

    if (client->transport.open != NULL) {
        if (client->transport.open(client->transport.context, &connection->stream, &client->fd,
                                   error) != 0)
            return tell(client, error);
    } else if (client->stream.fd < 0) {
        *error =
            client->stream.error.kind == ERROR_IDENTITY ? client->refusal : client->stream.error;
        return tell(client, error);
    } else {
        client->fd = client->stream.fd;
        connection->stream = stream_http(&client->stream);
        for (size_t i = 0; i < client->sent; i++)
            client->queue[i].until =
                deadline_from(client, client->queue[i].subject, client->stream.opened);
    }
    connection->closed = false;
    connection->pending = (unsigned)client->sent;
    return 0;
}

/* Once more, and all that has no answer is sent again. */
static int open_again(struct lxd_client *client, struct error *error)
{
    struct error ignored;

    http_connection_free(&client->connection);
    client->connection = (struct http_connection){.closed = true};
    client->sent = 0;
    client->fd = -1;
    if (client->transport.open == NULL) {
        start_tls(client);
        if (client->stream.opening)
            send_asked(client, 0, &ignored);
        stream_open(&(struct stream *){&client->stream}, 1);
    }
    return finish_opening(client, error);
}

struct lxd_client *lxd_start_over(const struct lxd_transport *transport,
                                  const struct endpoint *endpoint,
                                  const struct lxd_credentials *credentials, int64_t deadline)
{
    struct lxd_client *client = mem_alloc_pages(sizeof *client);

    client->endpoint = *endpoint;
    client->credentials = *credentials;
    client->deadline = deadline;
    client->connection.closed = true;
    client->fd = client->stream.fd = -1;
    if (transport != NULL)
        client->transport = *transport;
    else
        start_tls(client);
    return client;
}

struct lxd_client *lxd_start(const struct endpoint *endpoint,
                             const struct lxd_credentials *credentials, int64_t deadline)
{
    return lxd_start_over(NULL, endpoint, credentials, deadline);
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
    struct error ignored;

    if (finish_opening(*client, error) != 0) {
        lxd_close(*client);
        *client = NULL;
        return -1;
    }
    send_asked(*client, 0, &ignored);
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
    buffer_wipe(&client->stream.first);
    http_connection_free(&client->connection);
    for (size_t i = 0; i < client->asked; i++)
        buffer_wipe(&client->queue[i].text);
    free(client->queue);
    certificate_free(&client->presented);
    free(client->warning);
    mem_free_pages(client, sizeof *client);
}

void lxd_set_deadline(struct lxd_client *client, int64_t deadline)
{
    client->deadline = deadline;
}

bool lxd_peer(const struct lxd_client *client, struct endpoint *peer)
{
    char address[NET_ADDRESS_SIZE], text[NET_ADDRESS_SIZE + 16];
    struct error ignored;

    if (client->fd < 0 || client->stream.proxy != NULL || !net_peer(client->fd, address))
        return false;
    bool six = strchr(address, ':') != NULL;
    snprintf(text, sizeof text, "%s%s%s:%u", six ? "[" : "", address, six ? "]" : "",
             client->endpoint.port);
    return endpoint_parse(peer, text, &ignored) == 0;
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

/* ---- asking ---- */

static void ask(struct lxd_client *client, enum subject subject, const char *method,
                const char *path, const char *body)
{
    struct request *request;
    struct error ignored;

    client->queue = mem_grow(client->queue, client->asked, sizeof *client->queue);
    request = &client->queue[client->asked++];
    *request = (struct request){.subject = subject};
    http_compose(&request->text, client->endpoint.url + strlen(SCHEME), method, path, body);
    if (client->stream.opening || !client->connection.closed)
        send_asked(client, 0, &ignored);
}

/* About one entry; the body is freed. */
static void ask_entry(struct lxd_client *client, enum subject subject, const char *method,
                      const char *fingerprint, char *body)
{
    char *path = mem_printf(API_CERTIFICATES "/%s", fingerprint);

    ask(client, subject, method, path, body);
    snprintf(client->queue[client->asked - 1].fingerprint, sizeof client->queue->fingerprint, "%s",
             fingerprint);
    free(path);
    free(body);
}

void lxd_ask_server(struct lxd_client *client)
{
    ask(client, SERVER, "GET", "/1.0", NULL);
}

void lxd_ask_members(struct lxd_client *client)
{
    ask(client, MEMBERS, "GET", "/1.0/cluster/members?recursion=1", NULL);
}

void lxd_ask_certificates(struct lxd_client *client)
{
    ask(client, CERTIFICATES, "GET", API_CERTIFICATES "?recursion=1", NULL);
}

void lxd_ask_projects(struct lxd_client *client)
{
    ask(client, PROJECTS, "GET", "/1.0/projects", NULL);
}

void lxd_ask_identity(struct lxd_client *client)
{
    ask(client, IDENTITY, "GET", "/1.0/auth/identities/current", NULL);
}

void lxd_ask_certificate(struct lxd_client *client, const char *fingerprint)
{
    ask_entry(client, CERTIFICATE, "GET", fingerprint, NULL);
}

void lxd_ask_add(struct lxd_client *client, const struct certificate *certificate, const char *name,
                 const struct projects *projects)
{
    char *body = api_new_entry(certificate, name, projects);

    ask(client, ADD, "POST", API_CERTIFICATES, body);
    free(body);
}

void lxd_ask_remove(struct lxd_client *client, const char *fingerprint)
{
    ask_entry(client, REMOVE, "DELETE", fingerprint, NULL);
}

void lxd_ask_change(struct lxd_client *client, const char *fingerprint, const char *name,
                    const struct projects *projects)
{
    ask_entry(client, CHANGE, "PATCH", fingerprint, api_changed_entry(name, projects));
}

/* ---- waiting ---- */

/* Is an answer to come that nobody has waited for? */
static bool is_waiting(const struct lxd_client *client)
{
    return client->sent != 0 && !client->connection.closed;
}

/* Is it here already, so that the socket will not tell? */
static bool has_input(struct lxd_client *client)
{
    return http_has_input(&client->connection) ||
           (client->stream.fd >= 0 && stream_has_input(&client->stream));
}

/* Who can go on, or count: then entries are what to wait for, and *first is whose time is over
 * first, or count. */
static size_t find_ready(struct lxd_client *const clients[], size_t count, struct pollfd *entries,
                         size_t *first)
{
    *first = count;
    for (size_t i = 0; i < count; i++) {
        const struct lxd_client *client = clients[i];

        entries[i] = (struct pollfd){.fd = -1, .events = POLLIN};
        if (client == NULL)
            continue;
        if (!is_waiting(client) || has_input(clients[i]))
            return i;
        entries[i].fd = client->fd;
        if (*first == count || client->queue[0].until < clients[*first]->queue[0].until)
            *first = i;
    }
    return count;
}

/* What makes a socket readable need not be an answer: a server may send session tickets, and hang.
 */
size_t lxd_wait(struct lxd_client *const clients[], size_t count)
{
    struct pollfd *entries = mem_alloc(count * sizeof *entries);
    size_t first, ready;

    while ((ready = find_ready(clients, count, entries, &first)) == count && first != count) {
        int64_t until = clients[first]->queue[0].until;

        if (net_clock_ms() >= until || net_poll(entries, count, until) <= 0) {
            ready = first;
            break;
        }
        size_t i = 0;
        while (entries[i].revents == 0)
            i++;
        if (clients[i]->stream.fd < 0) { /* not TLS: what is there is the answer's */
            ready = i;
            break;
        }
    }
    free(entries);
    return ready;
}

/* ---- answers ---- */

static int receive_once(struct lxd_client *client, const struct http_sink *sink,
                        struct http_response *response, struct error *error)
{
    const struct request *request = client->queue;

    if (client->connection.closed && open_again(client, error) != 0)
        return -1;
    if (client->sent == 0 && send_asked(client, 1, error) != 0)
        return tell(client, error);
    int64_t first = request->until, deadline;
    int64_t soonest = net_clock_ms() + LXD_TAKE_MS; /* what is here already is taken */
    if (first < soonest)
        first = soonest;
    deadline = request->subject == CERTIFICATES ? deadline_for(client, CERTIFICATES) : first;
    if (deadline < first)
        deadline = first;
    if (http_receive(&client->connection, first, deadline, sink, response, error) != 0)
        return tell(client, error);
    return 0;
}

/* The first request is answered, or will never be. */
static void pop(struct lxd_client *client)
{
    struct error ignored;

    buffer_wipe(&client->queue[0].text); /* it may hold a token */
    client->asked--;
    memmove(client->queue, client->queue + 1, client->asked * sizeof *client->queue);
    if (client->sent != 0)
        client->sent--;
    if (client->connection.closed)
        return;
    if (client->sent != 0) { /* the next one has its time from here on */
        int64_t until = deadline_for(client, client->queue[0].subject);

        if (client->queue[0].until < until)
            client->queue[0].until = until;
    }
    send_asked(client, 0, &ignored);
}

/* Only in the order of asking. */
static enum subject next_subject(const struct lxd_client *client)
{
    if (client->asked == 0)
        abort();
    return client->queue[0].subject;
}

static int answer(struct lxd_client *client, enum subject subject, const struct http_sink *sink,
                  struct http_response *response, struct error *error)
{
    *response = (struct http_response){0};
    if (next_subject(client) != subject)
        abort();
    int result = receive_once(client, sink, response, error);
    if (result != 0 && client->connection.stale)
        result = receive_once(client, sink, response, error);
    pop(client);
    return result;
}

/* The error of a response with a status that promises no result. */
static int status_error(const struct lxd_client *client, const struct http_response *response,
                        struct error *error)
{
    int status = response->status;
    char reason[MAX_REASON];
    bool from_lxd = api_reason(&response->body, reason, sizeof reason);
    const char *open = *reason != '\0' ? " (" : "", *close = *reason != '\0' ? ")" : "";

    if (status >= 500)
        error_set(error, ERROR_UNREACHABLE, "HTTP %d%s%s%s", status, open, reason, close);
    else if (from_lxd && (status == 401 || status == 403))
        error_set(error, ERROR_UNTRUSTED,
                  "does not admit the client certificate %.12s... (HTTP %d: %s)",
                  client->credentials.certificate->fingerprint, status, reason);
    else
        error_set(error, ERROR_NONSENSE, "answers HTTP %d%s%s%s%s", status, open, reason, close,
                  from_lxd ? "" : ": is there a proxy in front of LXD?");
    return tell(client, error);
}

/* The body of a 200, which the caller wipes. */
static int answer_ok(struct lxd_client *client, enum subject subject,
                     struct http_response *response, struct error *error)
{
    if (answer(client, subject, NULL, response, error) != 0)
        return -1;
    if (response->status == 200)
        return 0;
    status_error(client, response, error);
    buffer_wipe(&response->body);
    return -1;
}

/* The end of reading a body. */
static int done(const struct lxd_client *client, struct http_response *response, int result,
                struct error *error)
{
    buffer_wipe(&response->body);
    return result == 0 ? 0 : tell(client, error);
}

int lxd_answer_server(struct lxd_client *client, struct lxd_server *server, struct error *error)
{
    struct http_response response;

    *server = (struct lxd_server){0};
    if (answer_ok(client, SERVER, &response, error) != 0)
        return -1;
    int result = api_server(&response.body, server, error);
    if (result == 0)
        client->software = server->software;
    return done(client, &response, result, error);
}

int lxd_answer_members(struct lxd_client *client, struct lxd_members *list, struct error *error)
{
    struct http_response response;

    *list = (struct lxd_members){0};
    if (answer_ok(client, MEMBERS, &response, error) != 0)
        return -1;
    return done(client, &response, api_members(&response.body, list, error), error);
}

int lxd_answer_projects(struct lxd_client *client, struct strings *names, struct error *error)
{
    struct http_response response;

    *names = (struct strings){0};
    if (answer_ok(client, PROJECTS, &response, error) != 0)
        return -1;
    return done(client, &response, api_projects(&response.body, names, error), error);
}

int lxd_answer_identity(struct lxd_client *client, struct lxd_identity *identity,
                        struct error *error)
{
    struct http_response response;

    *identity = (struct lxd_identity){0};
    if (answer_ok(client, IDENTITY, &response, error) != 0)
        return -1;
    int result = api_identity(&response.body, identity, error);
    client->identity = *identity;
    return done(client, &response, result, error);
}

static int feed_certificates(void *context, const char *data, size_t length, struct error *error)
{
    return api_certificates_feed(context, data, length, error);
}

int lxd_answer_certificates(struct lxd_client *client, lxd_certificate_sink *sink, void *context,
                            struct error *error)
{
    struct api_certificates list = {.sink = sink, .context = context};
    struct http_sink body = {.take = feed_certificates, .context = &list};
    struct http_response response;
    struct error at_end;

    int result = answer(client, CERTIFICATES, &body, &response, error);
    int ended = api_certificates_end(&list, &at_end);
    if (result != 0)
        return -1;
    if (response.status != 200) {
        status_error(client, &response, error);
        buffer_wipe(&response.body);
        return -1;
    }
    if (ended != 0)
        *error = at_end;
    return done(client, &response, ended, error);
}

/* Incus may hide entries from us, by a scriptlet of its administrator's. */
static int hidden(const struct lxd_client *client, const struct http_response *response,
                  struct error *error)
{
    char reason[MAX_REASON];

    if (response->status != 403 || !api_reason(&response->body, reason, sizeof reason))
        return status_error(client, response, error);
    error_set(
        error, ERROR_UNTRUSTED,
        "hides entries of its trust store from the client certificate %.12s... (HTTP 403: %s)",
        client->credentials.certificate->fingerprint, reason);
    return tell(client, error);
}

/* A 404 that is not LXD's own says nothing about the entry. */
static bool is_absent(const struct http_response *response)
{
    char reason[MAX_REASON];

    return response->status == 404 && api_reason(&response->body, reason, sizeof reason);
}

int lxd_answer_certificate(struct lxd_client *client, bool *found,
                           struct lxd_certificate *certificate, struct error *error)
{
    char fingerprint[sizeof certificate->fingerprint];
    struct http_response response;
    int result = 0;

    *found = false;
    *certificate = (struct lxd_certificate){0};
    next_subject(client);
    memcpy(fingerprint, client->queue[0].fingerprint, sizeof fingerprint);
    if (answer(client, CERTIFICATE, NULL, &response, error) != 0)
        return -1;
    if (response.status != 200 && !is_absent(&response)) {
        hidden(client, &response, error);
        buffer_wipe(&response.body);
        return -1;
    }
    if (response.status == 200) {
        result = api_certificate(&response.body, fingerprint, certificate, error);
        *found = result == 0;
    }
    return done(client, &response, result, error);
}

/* ---- answers to changes ---- */

static int lacks_permission(const struct lxd_client *client, enum subject subject,
                            struct error *error)
{
    static const char *const entitlements[] = {[ADD] = "can_create_identities",
                                               [REMOVE] = "can_delete_identities",
                                               [CHANGE] = "can_edit_identities"};
    const char *fingerprint = client->credentials.certificate->fingerprint;

    if (client->identity.fine_grained)
        error_set(error, ERROR_UNTRUSTED,
                  "does not let the client certificate %.12s... manage the trust store: its "
                  "identity lacks the entitlement %s on the server",
                  fingerprint, entitlements[subject]);
    else
        error_set(error, ERROR_UNTRUSTED,
                  "does not let the client certificate %.12s... manage the trust store: it is "
                  "restricted, or trusted no longer",
                  fingerprint);
    return tell(client, error);
}

/* 403 is about the permission, other 4xx about the one certificate. */
static int change_error(const struct lxd_client *client, enum subject subject,
                        const struct http_response *response, struct error *error)
{
    char reason[MAX_REASON];

    if (response->status / 100 != 4 || response->status == 401 ||
        !api_reason(&response->body, reason, sizeof reason))
        return status_error(client, response, error);
    if (response->status == 403)
        return lacks_permission(client, subject, error);
    return error_set(error, ERROR_REFUSED, "%s", reason);
}

int lxd_answer_change(struct lxd_client *client, int *status, struct error *error)
{
    enum subject subject = next_subject(client);
    struct http_response response;
    int result = 0;

    *status = 0;
    if (!is_change(subject) || subject == ENROL)
        abort();
    if (answer(client, subject, NULL, &response, error) != 0)
        return -1;
    *status = response.status;
    bool did = response.status == 200 || response.status == 201 ||
               (subject == REMOVE && is_absent(&response));
    if (!did)
        result = change_error(client, subject, &response, error);
    buffer_wipe(&response.body);
    return result;
}

void lxd_note_held_up(struct lxd_client *client)
{
    client->held_up = true;
}

static int enrolment_error(const struct lxd_client *client, const struct http_response *response,
                           struct error *error)
{
    char reason[MAX_REASON];
    bool from_lxd = api_reason(&response->body, reason, sizeof reason);

    /* LXD 5.0 and Incus say 500 to an expired token, which no other status or body tells from an
     * outage. */
    if (from_lxd && (response->status / 100 == 4 || strstr(reason, "expired") != NULL))
        return error_set(error, ERROR_REFUSED, "%s", reason);
    return status_error(client, response, error);
}

int lxd_enrol(struct lxd_client *client, const struct lxd_server *server, enum lxd_token kind,
              const char *token, int *status, struct error *error)
{
    char *body = api_enrolment(server, kind, token);
    struct http_response response;
    int result = 0;

    *status = 0;
    ask(client, ENROL, "POST", kind == LXD_TOKEN_IDENTITY ? API_IDENTITIES : API_CERTIFICATES,
        body);
    bytes_wipe(body, strlen(body));
    free(body);
    if (answer(client, ENROL, NULL, &response, error) != 0)
        return -1;
    *status = response.status;
    if (response.status / 100 != 2)
        result = enrolment_error(client, &response, error);
    buffer_wipe(&response.body);
    return result;
}
