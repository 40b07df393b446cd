/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_API_H
#define LXD_API_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "lxd/endpoint.h"
#include "lxd/projects.h"
#include "lxd/software.h"
#include "x509/certificate.h"

/* What LXD's REST API says and is told: bodies to structs, structs to bodies. No I/O. */

/* GET /1.0 */
struct lxd_server {
    bool trusted;               /* auth == "trusted" */
    char *name;                 /* environment.server_name; owned, "" where absent (untrusted) */
    char *version;              /* environment.server_version; the same */
    enum lxd_software software; /* environment.server, or by the extension dev_incus_events */
    bool clustered;             /* environment.server_clustered */
    bool restricts;             /* certificates to projects: certificate_project, LXD 5.0 */
    bool takes_trust_token;     /* by that name: explicit_trust_token, LXD 5.21.2 */
    bool has_identities;        /* fine-grained ones: access_management_tls, LXD 5.21.3 and 6.2 */
    struct endpoints addresses; /* environment.addresses; in a cluster this member's own */
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

/* One element of GET /1.0/certificates?recursion=1, or GET /1.0/certificates/<fp> */
struct lxd_certificate {
    char fingerprint[65];
    char *name; /* owned */
    char *type; /* "client", "server", "metrics"; owned */
    char *pem;  /* as LXD has it: it may accept what certificate.h does not; owned, "" if unknown */
    struct projects projects; /* that it is restricted to */
};

/* A list of certificates as it arrives; *certificate is lent for the call. */
typedef void lxd_certificate_sink(void *context, const struct lxd_certificate *certificate);

/*
 * GET /1.0/auth/identities/current: what our certificate may do. One of the older kind, which is in
 * the trust store, may do all or, where it is restricted to projects, nothing of this. The
 * entitlements are what its groups have on the server, and what those include by LXD's model of
 * authorization (openfga_model.openfga: admin, permission_manager, viewer, project_manager).
 */
struct lxd_identity {
    bool fine_grained;            /* by groups; it stands in no list of certificates */
    bool sees_identities;         /* can_view_identities, or one of edits and deletes */
    bool creates, edits, deletes; /* can_create_identities, can_edit_..., can_delete_... */
    bool sees_projects;           /* can_view_projects */
};

/* Which API made a token. */
enum lxd_token {
    LXD_TOKEN_CERTIFICATE, /* "lxc config trust add" */
    LXD_TOKEN_IDENTITY,    /* "lxc auth identity create tls/..." */
};

/*
 * What the bodies of LXD's answers say. Every body is the same envelope of seven keys, of which
 * "metadata" counts on success and "error" on failure; the HTTP status tells which.
 * Where a body is not of the documented shape these fail with ERROR_NONSENSE, in words to follow
 * "LXD at <endpoint> ", and leave nothing to free. Nothing of a body is ever quoted.
 */
int api_server(const struct buffer *body, struct lxd_server *server, struct error *error);
int api_members(const struct buffer *body, struct lxd_members *list, struct error *error);

/* The names out of GET /1.0/projects (URLs, percent-encoded). */
int api_projects(const struct buffer *body, struct strings *names, struct error *error);
int api_identity(const struct buffer *body, struct lxd_identity *identity, struct error *error);

/* The one entry that has this fingerprint; any other is of unexpected shape. */
int api_certificate(const struct buffer *body, const char *fingerprint,
                    struct lxd_certificate *certificate, struct error *error);

/*
 * A list of certificates, element by element: the body is fed in pieces of any size, and no more
 * of it is kept than one element and the envelope, each API_MAX_ELEMENT at most. Whether the body
 * is sound is known at its end only: the sink may have been called before it turns out that it is
 * not. api_certificates_end frees all, and is to be called also after a failure.
 */
#define API_MAX_ELEMENT (1024 * 1024)

struct api_certificates {
    lxd_certificate_sink *sink;
    void *context;
    struct buffer envelope; /* the body but for the elements */
    struct buffer element;
    enum { API_ENVELOPE, API_FIRST_ELEMENT, API_ELEMENT } part;
    bool quoted, escaped; /* in a string; behind its backslash */
    size_t depth;         /* of brackets that are open, in the part */
    size_t quote;         /* where the last string of the envelope begins */
    bool is_metadata;     /* what comes next in the envelope is its value */
    unsigned lists;       /* begun so far: one is due at most */
};

/* Zero-initialise all but sink and context. */
int api_certificates_feed(struct api_certificates *list, const char *data, size_t length,
                          struct error *error);
int api_certificates_end(struct api_certificates *list, struct error *error);

/*
 * Why LXD refused, cut to size: the "error" string. False where the body is not one of LXD's error
 * answers: reason is the title of an HTML page then (a proxy in between), or "".
 */
bool api_reason(const struct buffer *body, char *reason, size_t size);

/*
 * Bodies of requests; owned by the caller, who wipes that of an enrolment.
 *
 * POST /1.0/certificates: type client, base64 DER; restricted and projects only where it is
 * restricted, which an LXD that does not know them would ignore.
 */
char *api_new_entry(const struct certificate *certificate, const char *name,
                    const struct projects *projects);

/* PATCH /1.0/certificates/<fp>; NULL: as it is. */
char *api_changed_entry(const char *name, const struct projects *projects);

/* POST of a token (base64), to API_CERTIFICATES or API_IDENTITIES. */
#define API_CERTIFICATES "/1.0/certificates"
#define API_IDENTITIES "/1.0/auth/identities/tls"
char *api_enrolment(const struct lxd_server *server, enum lxd_token kind, const char *token);

void lxd_server_free(struct lxd_server *server);
void lxd_members_free(struct lxd_members *list);
/* Without the PEM, which is "" then. */
void lxd_certificate_copy(struct lxd_certificate *copy, const struct lxd_certificate *certificate);
void lxd_certificate_free(struct lxd_certificate *certificate);

#endif
