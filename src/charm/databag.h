/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_DATABAG_H
#define CHARM_DATABAG_H

#include <cJSON.h>
#include <stddef.h>

#include "base/buffer.h"
#include "lxd/projects.h"
#include "x509/certificate.h"

/*
 * The wire format of the lxd and lxd-https interfaces, version 1.0: what the members of a relation
 * ask for, and what we answer. No I/O. Lists are sorted and JSON is printed canonically, so that
 * the same state always makes the same bytes.
 */
#define DATABAG_VERSION "1.0"

/* Of one member; what is beyond is rejected by name of the limit. */
#define DATABAG_MAX_VALUE (4 * 1024 * 1024) /* bytes of client_certificates */
#define DATABAG_MAX_CERTIFICATES 1000

struct rejection {
    char fingerprint[65]; /* "" where the text is no certificate */
    char *reason;
};

/* Zero-initialise. */
struct rejections {
    struct rejection *items;
    size_t count;
};

/* fingerprint may be NULL. */
void rejections_add(struct rejections *rejections, const char *fingerprint, const char *reason);
void rejections_sort(struct rejections *rejections); /* and drop what is there twice */
void rejections_free(struct rejections *rejections);

/* A certificate that a member asks for, and the string it came as. */
struct wish {
    struct certificate certificate;
    struct projects projects; /* that the member wants it restricted to */
    char *text;
};

/* What all members of one relation ask for. Zero-initialise. */
struct request {
    struct wish *wishes;
    size_t count;
    struct rejections rejections;
};

/* Add what one member (its name is for the reasons) asks for in its settings: a list of
 * certificates, or with lxd-https a single one. */
void request_read(struct request *request, const char *member, const cJSON *settings);
void request_read_https(struct request *request, const char *member, const cJSON *settings);

/* Add a rejection of a member's settings as a whole. */
void request_reject(struct request *request, const char *member, const char *reason);

/* When all is read: sort the wishes by fingerprint, then text; of what is there twice the narrower
 * projects stay. */
void request_sort(struct request *request);
void request_free(struct request *request);

/* The LXD nodes that serve a relation: JSON objects, owned. Zero-initialise. */
struct nodes {
    cJSON **items;
    size_t count;
};

/* One at "https://host:port" that trusts these of the relation's certificates. */
void nodes_add(struct nodes *nodes, const char *endpoint, const char *name,
               const struct strings *fingerprints);

/* Add those that a databag of ours has published; what is malformed is left out. */
void nodes_read(struct nodes *nodes, const cJSON *settings);

const char *node_endpoint(const cJSON *node);
void nodes_sort(struct nodes *nodes); /* by endpoint */
void nodes_free(struct nodes *nodes);

/* Values of our databag, owned by the caller (free). */
char *databag_nodes(struct nodes *nodes); /* sorted by endpoint */
char *databag_registered(const struct strings *texts);
char *databag_rejected(const struct rejections *rejections); /* sorted; "" for none: no such key */

#endif
