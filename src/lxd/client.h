/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_CLIENT_H
#define LXD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "lxd/endpoint.h"
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

enum lxd_software { LXD_LXD, LXD_INCUS };

/* Which API made a token. */
enum lxd_token {
    LXD_TOKEN_CERTIFICATE, /* "lxc config trust add" */
    LXD_TOKEN_IDENTITY,    /* "lxc auth identity create tls/..." */
};

/* GET /1.0 */
struct lxd_server {
    enum lxd_software software;
    bool trusted;   /* auth == "trusted" */
    char *name;     /* environment.server_name; owned, "" where absent (untrusted) */
    char *version;  /* environment.server_version; the same */
    bool clustered; /* environment.server_clustered */
    bool restricts; /* certificates to projects: extension certificate_project, LXD 5.0 */
    struct endpoints addresses; /* environment.addresses; in a cluster this member's own */
    bool takes_trust_token;     /* by that name: extension explicit_trust_token, LXD 5.21.2 */
};

/* One element of GET /1.0/cluster/members?recursion=1 */
struct lxd_member {
    char *name;               /* owned */
    struct endpoint endpoint; /* from its url */
    bool active;              /* Online, or Evacuated: its API serves on */
};

struct lxd_members {
    struct lxd_member *items;
    size_t count;
};

/* One element of GET /1.0/certificates?recursion=1 */
struct lxd_certificate {
    char fingerprint[65];
    char *name; /* owned */
    char *type; /* "client", "server", "metrics"; owned */
    char *pem;  /* as LXD has it: it may accept what certificate.h does not; owned, "" if unknown */
    struct projects projects; /* that it is restricted to */
};

struct lxd_certificates {
    struct lxd_certificate *items;
    size_t count;
};

/*
 * Connecting to one server, or to several at the same time: start each, connect them all, take the
 * outcome of each. Shaking hands included this takes 5 s at most, and not past deadline, a
 * net_clock_ms value that bounds the client's whole life; lxd_start resolves the name before, which
 * takes its own time. lxd_opened returns -1 where it failed; the client is closed and NULL then. On
 * success it is the caller's (lxd_close). A pinned certificate out of its dates is accepted and
 * noted: lxd_warning.
 *
 * Errors, here and below: every text but that of ERROR_REFUSED, which is LXD's own reason, begins
 * with "LXD at <endpoint> ". ERROR_IDENTITY and ERROR_UNTRUSTED as base/error.h says;
 * ERROR_UNREACHABLE for all else. Any request may connect anew where the connection ended in
 * between. No body is ever quoted but for the "error" string of LXD's error answers.
 */
struct lxd_client *lxd_start(const struct endpoint *endpoint,
                             const struct lxd_credentials *credentials, int64_t deadline);
void lxd_connect(struct lxd_client *const clients[], size_t count);
int lxd_opened(struct lxd_client **client, struct error *error);

/* All three for one server. */
int lxd_open(struct lxd_client **client, const struct endpoint *endpoint,
             const struct lxd_credentials *credentials, int64_t deadline, struct error *error);

/*
 * Send a request ahead of the call below that makes it, which then has only the answer to receive:
 * so that several servers work at the same time, each with its own time from here on. Between
 * lxd_start and lxd_connect it leaves with the last flight of the handshake. This changes nothing
 * but the time that is taken: where it cannot be sent, or anything else is called for first, the
 * call sends it (again).
 */
enum lxd_resource { LXD_SERVER, LXD_MEMBERS, LXD_CERTIFICATES };
void lxd_ahead_get(struct lxd_client *client, enum lxd_resource resource);
void lxd_ahead_add(struct lxd_client *client, const struct certificate *certificate,
                   const char *name, const struct projects *projects);
void lxd_ahead_remove(struct lxd_client *client, const char *fingerprint);
void lxd_ahead_change(struct lxd_client *client, const char *fingerprint, const char *name,
                      const struct projects *projects);

/*
 * Wait until one of the servers begins to answer what was sent ahead, or will not do so any more,
 * or has nothing to answer. Returns its number. Clients that are NULL are left out; count where all
 * are.
 */
size_t lxd_wait(struct lxd_client *const clients[], size_t count);

/* Another deadline from now on. */
void lxd_set_deadline(struct lxd_client *client, int64_t deadline);

/* Did the last request get an answer, and does the connection stand? */
bool lxd_is_connected(const struct lxd_client *client);

/* One sentence to log once, or NULL. Borrowed. */
const char *lxd_warning(const struct lxd_client *client);

/* What the server presented last. */
const struct certificate *lxd_presented(const struct lxd_client *client);

/* How many requests went out so far. */
unsigned lxd_requests(const struct lxd_client *client);

int lxd_get_server(struct lxd_client *client, struct lxd_server *server, struct error *error);

/* The members of a cluster, those that do not serve too. Fails on a server that is not clustered.
 */
int lxd_list_members(struct lxd_client *client, struct lxd_members *list, struct error *error);

int lxd_list_certificates(struct lxd_client *client, struct lxd_certificates *list,
                          struct error *error);

/* GET /1.0/certificates/<fp>, 64 lower-case hex. *found is false on 404; *certificate is the
 * caller's where it is true. */
int lxd_get_certificate(struct lxd_client *client, const char *fingerprint, bool *found,
                        struct lxd_certificate *certificate, struct error *error);

/*
 * POST /1.0/certificates: type client, base64 DER, no password key; restricted and projects only
 * where it is restricted, which an LXD that does not know them would ignore. Success also where the
 * certificate turns out to be there already (409, or 400 on old versions): *entry is then what
 * GET says, else what was sent. After a time-out, a broken connection or 5xx, GET decides: a
 * cluster with a member that hangs commits at once and answers much later, or never. A change is
 * waited for LXD_REQUEST_MS, or half of the time that is left, so that GET has its turn.
 * ERROR_REFUSED carries LXD's reason for this certificate, ERROR_UNTRUSTED that we may not add
 * at all (403).
 */
int lxd_add_certificate(struct lxd_client *client, const struct certificate *certificate,
                        const char *name, const struct projects *projects,
                        struct lxd_certificate *entry, struct error *error);

/*
 * POST /1.0/certificates as one who is not trusted yet: have LXD trust the certificate of this
 * connection on the word of a token (base64, as "lxc config trust add" prints it), which is then
 * used up. LXD takes the entry's name and projects from the token. ERROR_REFUSED carries LXD's
 * reason. After any other error only lxd_get_server tells.
 */
int lxd_enrol(struct lxd_client *client, const struct lxd_server *server, enum lxd_token kind,
              const char *token, int *status, struct error *error);

/* In two steps. */
static inline void lxd_ask_server(struct lxd_client *client)
{
    (void)client;
}
static inline int lxd_answer_server(struct lxd_client *client, struct lxd_server *server,
                                    struct error *error)
{
    return lxd_get_server(client, server, error);
}

/* DELETE; 404 is success. After a time-out, a broken connection or 5xx, GET decides. */
int lxd_remove_certificate(struct lxd_client *client, const char *fingerprint, struct error *error);

/* PATCH: give an entry another name and other projects (NULL: as they are). A 404 is
 * ERROR_REFUSED. */
int lxd_change_certificate(struct lxd_client *client, const char *fingerprint, const char *name,
                           const struct projects *projects, struct error *error);

void lxd_server_free(struct lxd_server *server);
void lxd_members_free(struct lxd_members *list);
void lxd_certificate_free(struct lxd_certificate *certificate);
void lxd_certificates_free(struct lxd_certificates *list);
void lxd_close(struct lxd_client *client); /* NULL is fine; sends close_notify */

#endif
