/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_CLIENT_H
#define LXD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "lxd/api.h"
#include "lxd/endpoint.h"
#include "lxd/http.h"
#include "lxd/projects.h"
#include "x509/certificate.h"
#include "x509/private_key.h"
#include "x509/server_identity.h"

#define LXD_REQUEST_MS 20000 /* for one request and its response, and for connecting anew */
#define LXD_HELD_UP_MS 3000  /* for a change, once the answer to another one was held up */

/* What it takes to talk to an LXD server; all borrowed for the client's life. */
struct lxd_credentials {
    const struct certificate *certificate; /* ours */
    const struct private_key *key;
    const struct server_identity *server;
};

/* One server over one kept-alive connection. Opaque: TLS and HTTP are inside. */
struct lxd_client;

/*
 * Connecting to one server, or to several at the same time: start each, connect them all, take the
 * outcome of each. Looking up the name and shaking hands included this takes 5 s at most, and not
 * past deadline, a net_clock_ms value that bounds the client's whole life. lxd_opened returns -1
 * where it failed; the client is closed and NULL then. On success it is the caller's (lxd_close). A
 * pinned certificate out of its dates is accepted and noted: lxd_warning.
 *
 * Errors, here and below; "Incus at ..." once the server has said that it is that:
 *   ERROR_UNREACHABLE  "LXD at <endpoint> unreachable: <why>": no connection, a time-out, 5xx
 *   ERROR_NONSENSE     "LXD at <endpoint> answers <what>", or what else is wrong with its TLS: a
 *                      body that is not LXD's, HTTP that is none, a status that LXD never has there
 *   ERROR_UNTRUSTED    "LXD at <endpoint> ...": 401 and 403 of LXD's own, or a TLS alert about our
 *                      certificate
 *   ERROR_IDENTITY     "LXD at <endpoint> ...": the server is not the one that was expected
 *   ERROR_REFUSED      LXD's own reason alone; only of lxd_answer_change and lxd_enrol
 * No body is ever quoted but for the "error" string of LXD's error answers, and the title of an
 * HTML page in its place.
 */
struct lxd_client *lxd_start(const struct endpoint *endpoint,
                             const struct lxd_credentials *credentials, int64_t deadline);
void lxd_connect(struct lxd_client *const clients[], size_t count);
int lxd_opened(struct lxd_client **client, struct error *error);

/* All three for one server. */
int lxd_open(struct lxd_client **client, const struct endpoint *endpoint,
             const struct lxd_credentials *credentials, int64_t deadline, struct error *error);

/* Another deadline from now on. */
void lxd_set_deadline(struct lxd_client *client, int64_t deadline);

/* Did the last request get an answer, and does the connection stand? */
bool lxd_is_connected(const struct lxd_client *client);

/* One sentence to log once, or NULL. Borrowed. */
const char *lxd_warning(const struct lxd_client *client);

/* What the server presented last. */
const struct certificate *lxd_presented(const struct lxd_client *client);

/* Where the connection leads: the address that the host's name stands for, and the port. False
 * where it leads to no such place. */
bool lxd_peer(const struct lxd_client *client, struct endpoint *peer);

/* How many requests went out so far, those that had to be sent again counted again. */
unsigned lxd_requests(const struct lxd_client *client);

void lxd_close(struct lxd_client *client); /* NULL is fine; sends close_notify */

/*
 * Requests: each lxd_ask_* puts one on its way, each lxd_answer_* takes the next answer. They are
 * taken in the order of asking, by the function of the same kind; anything else is a programming
 * error, and aborts. So several servers work at the same time, and one server on several requests.
 * What is asked between lxd_start and lxd_connect leaves with the last flight of the handshake.
 *
 * Asking never waits: what does not fit on its way (16 KiB) leaves as answers come in. Each answer
 * has to be here within LXD_REQUEST_MS after its request has left and the answer before it has come
 * (a list of certificates: to begin), or within half of the time that is left for a change, so that
 * asking for the outcome has its turn.
 *
 * Where the connection ends, the next answer connects anew, and all that has no answer yet is sent
 * again, in its order. The answer that a failed connection was waited for is an error, but for one
 * case: the connection had served before and ended without a byte of the answer. LXD 6.8 does so
 * where it lay idle for 30 s; that request is sent once more as well.
 *
 * Fingerprints are 64 lower-case hex digits.
 */
void lxd_ask_server(struct lxd_client *client);       /* GET /1.0 */
void lxd_ask_members(struct lxd_client *client);      /* GET /1.0/cluster/members?recursion=1 */
void lxd_ask_certificates(struct lxd_client *client); /* GET /1.0/certificates?recursion=1 */
void lxd_ask_projects(struct lxd_client *client);     /* GET /1.0/projects */
void lxd_ask_identity(struct lxd_client *client);     /* GET /1.0/auth/identities/current */
void lxd_ask_certificate(struct lxd_client *client, const char *fingerprint);
void lxd_ask_add(struct lxd_client *client, const struct certificate *certificate, const char *name,
                 const struct projects *projects);
void lxd_ask_remove(struct lxd_client *client, const char *fingerprint);
/* NULL for name or projects: as it is. */
void lxd_ask_change(struct lxd_client *client, const char *fingerprint, const char *name,
                    const struct projects *projects);

/*
 * Wait until one of the servers begins to answer, or will not do so any more, or has nothing to
 * answer. Returns its number. Clients that are NULL are left out; count where all are.
 */
size_t lxd_wait(struct lxd_client *const clients[], size_t count);

/* What is answered is the caller's; after a failure it is zero. A 4xx to GET /1.0 is no outage: its
 * sentence says what answers there. */
int lxd_answer_server(struct lxd_client *client, struct lxd_server *server, struct error *error);

/* The members of a cluster, those that do not serve too. Fails on a server that is not clustered.
 */
int lxd_answer_members(struct lxd_client *client, struct lxd_members *list, struct error *error);

/*
 * The list is read element by element as it arrives: its length is bounded by time (LXD_REQUEST_MS
 * from here on), not by memory. Fails as a whole, ERROR_NONSENSE or ERROR_UNREACHABLE, where it
 * turns out at any point not to be such a list, or not to be complete: what the sink was told is
 * void then.
 */
int lxd_answer_certificates(struct lxd_client *client, lxd_certificate_sink *sink, void *context,
                            struct error *error);

/* The names of all projects that we may see. */
int lxd_answer_projects(struct lxd_client *client, struct strings *names, struct error *error);

/* What our certificate may do; LXD without lxd_server.has_identities says 404. The client keeps it
 * for the sentence that says what is lacking where LXD refuses a change. */
int lxd_answer_identity(struct lxd_client *client, struct lxd_identity *identity,
                        struct error *error);

/* *found is false on LXD's 404; *certificate is the caller's where it is true. */
int lxd_answer_certificate(struct lxd_client *client, bool *found,
                           struct lxd_certificate *certificate, struct error *error);

/*
 * Of lxd_ask_add, _remove and _change. 0: LXD did it; for a removal also where there is no such
 * entry (404). Else *status is the HTTP status, 0 where none came.
 *   ERROR_REFUSED      4xx about this one certificate. By the status, in no LXD's words: 409 is a
 *                      duplicate of certificate or name (400 for that of a certificate until LXD
 *                      5.0.1 and 5.7), 404 a project or, for a change, an entry that is not there
 *   ERROR_UNTRUSTED    403 or 401: we may not
 *   ERROR_UNREACHABLE  nobody knows whether it took place: a cluster with a member that hangs
 *                      commits at once and answers much later, or never. Ask for the entry
 */
int lxd_answer_change(struct lxd_client *client, int *status, struct error *error);

/* A change took place, as the caller has found out, although its answer did not come: the next
 * ones are waited for LXD_HELD_UP_MS only. */
void lxd_note_held_up(struct lxd_client *client);

/*
 * As one who is not trusted yet: have LXD trust the certificate of this connection on the word of a
 * token (base64, as LXD prints it), which is then used up. Name and rights come with the token.
 * Asks and answers; nothing else may be on its way. Errors and *status as of lxd_answer_change:
 * ERROR_REFUSED also where an old LXD says by 500 that the token has expired; after
 * ERROR_UNREACHABLE only GET /1.0 tells.
 */
int lxd_enrol(struct lxd_client *client, const struct lxd_server *server, enum lxd_token kind,
              const char *token, int *status, struct error *error);

/*
 * A client over something else than TLS: tests say what the server says. open gives a connection
 * each time that one is due, and a descriptor for lxd_wait (-1: none); it is called by lxd_opened
 * first.
 */
struct lxd_transport {
    int (*open)(void *context, struct http_stream *stream, int *fd, struct error *error);
    void *context;
};
struct lxd_client *lxd_start_over(const struct lxd_transport *transport,
                                  const struct endpoint *endpoint,
                                  const struct lxd_credentials *credentials, int64_t deadline);

#endif
