/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_DATABAG_H
#define CHARM_DATABAG_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "lxd/projects.h"
#include "x509/certificate.h"

/*
 * The wire format of the lxd and lxd-https interfaces, version 1.0: what the members of a relation
 * ask for, and what we answer. No I/O. Lists are sorted and JSON is printed canonically, so that
 * the same state always makes the same bytes.
 *
 * Values are read as charm authors write them: ops' Relation.save() encodes every field as JSON, so
 * a value that begins with a quotation mark is the JSON string that it is, projects may be a JSON
 * list, and null in version is no version.
 */
#define DATABAG_VERSION "1.0"
#define DATABAG_MAX_ENTRIES 1000       /* of one relation, whatever they hold */
#define DATABAG_MAX_TEXT (1024 * 1024) /* bytes of all of them, as JSON prints them */
#define DATABAG_MAX_NODES (4 << 20)    /* bytes of the nodes, as Juju gives them back */
#define DATABAG_MAX_REASON 200         /* bytes of one reason */
#define DATABAG_MAX_REJECTIONS 1000    /* that are listed */

/* One entry of a member's list. */
struct entry {
    size_t index;                   /* its place in the list */
    char *text;                     /* as it was received; owned */
    struct certificate certificate; /* where reason is NULL */
    char *reason;                   /* why it is none; owned */
};

/* What one member of a relation has written. Zero-initialise. */
struct member {
    char *name; /* "client/0", or the application's */
    bool is_application;
    char *reason;        /* why nothing of it is processed, or NULL; owned */
    bool names_projects; /* it has a list of its own, or may have one */
    struct projects projects;
    struct entry *entries; /* the first DATABAG_MAX_ENTRIES of its list */
    size_t count;
    size_t beyond; /* how many follow */
};

enum databag_interface { DATABAG_LXD, DATABAG_HTTPS };

/* Read a member's settings. Whatever is wrong with them is told in reasons. The name is copied. */
void member_read(struct member *member, const char *name, bool is_application,
                 const cJSON *settings, enum databag_interface interface);

/* The same for one whose settings cannot be read at all. */
void member_refuse(struct member *member, const char *name, bool is_application,
                   const char *reason);
void member_free(struct member *member);

/* A certificate that is not let in, or to less than was asked for. */
struct rejection {
    char fingerprint[65]; /* "" where the text is no certificate */
    char *reason;         /* owned */
    const char *unit;     /* borrowed; NULL for the application's */
    long index;           /* of the entry; -1: it is about all of the member's */
    bool let_in;          /* though to less than was asked for */
};

/* Zero-initialise. */
struct rejections {
    struct rejection *items;
    size_t count;
};

/* fingerprint may be NULL. The reason is cut to size. */
void rejections_add(struct rejections *rejections, const struct member *member,
                    const struct entry *entry, const char *reason);
void rejections_sort(struct rejections *rejections);
void rejections_free(struct rejections *rejections);

/* The LXD nodes that serve a relation: JSON objects, owned. Zero-initialise. */
struct nodes {
    cJSON **items;
    size_t count;
};

/* One at "https://host:port" that trusts these of the relation's certificates; it is verified by
 * the certificate (PEM), which is borrowed. */
void nodes_add(struct nodes *nodes, const char *endpoint, const char *name,
               const struct strings *fingerprints, const char *certificate);

/* Add those that a databag of ours has published, on lxd-https each address of the one server, with
 * its certificate borrowed; what is malformed is left out. */
void nodes_read(struct nodes *nodes, const cJSON *settings);

const char *node_endpoint(const cJSON *node);
const char *node_certificate(const cJSON *node); /* NULL where it has none */

/* The first at an endpoint, or NULL. */
const cJSON *nodes_find(const struct nodes *nodes, const char *endpoint);

/* Add the fingerprints that the node is said to trust. */
void node_fingerprints(const cJSON *node, struct strings *fingerprints);
void nodes_sort(struct nodes *nodes); /* by endpoint */
void nodes_free(struct nodes *nodes);

/* Bytes of a text as a JSON string; so relation-get gives our databag back, and Juju escapes what
 * HTML would take for its own. */
size_t databag_length(const char *text);

/* Values of our databag, owned by the caller (free). Nodes are sorted by endpoint; of more than
 * DATABAG_MAX_NODES the last ones are taken out of `nodes`. */
char *databag_nodes(struct nodes *nodes);
char *databag_registered(const struct strings *texts);
char *databag_rejected(const struct rejections *rejections); /* sorted; "" for none: no such key */

#endif
