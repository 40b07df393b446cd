/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_SERVERS_H
#define CHARM_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "charm/credentials.h"
#include "charm/server.h"

/*
 * All LXD servers that the credentials lead to, one for each trust store. Two endpoints are one
 * server only if both present the same certificate, and their addresses are the same, or one lists
 * the other among the members of its cluster or its own addresses. In doubt they are two: a node
 * that is told twice harms nobody, a clone that is never visited does.
 */
struct servers {
    struct server *items;
    size_t count;
    struct strings detours; /* a sentence each: who is unreachable, who serves instead */
    /* Borrowed, as what they refer to. */
    const struct endpoints *endpoints;
    struct lxd_credentials credentials;
    const struct interest *interest;
};

/*
 * Ask the endpoints with the credentials, both borrowed, until deadline: all at the same time, but
 * where a single server certificate is expected first one of them, which may turn out to be a
 * cluster that lists the others. A member that is unreachable is a detour, no trouble, where its
 * cluster is reached through another one.
 */
void servers_observe(struct servers *servers, const struct endpoints *endpoints,
                     const struct credentials *credentials, const struct interest *interest,
                     int64_t deadline);

/*
 * Where an endpoint is unreachable: go on through one of the nodes that are known from before, if
 * it is a member of the same cluster.
 */
void servers_detour(struct servers *servers, const struct nodes *known, int64_t deadline);

/*
 * Which of the nodes that were published belong to no server any more? They are of a server that
 * was taken out of the credentials. What belongs to one that was not observed is recognized by its
 * endpoint, and its certificate; in doubt it is not dropped. Certificates are PEM, or in what is
 * remembered a fingerprint.
 */
void servers_find_dropped(const struct servers *servers, const struct nodes *known,
                          struct nodes *dropped);

/* What is a server to these, which was reached by another endpoint? In doubt it is alike: a clone,
 * or one of them, where a proxy in between hides its address. */
enum servers_kinship { SERVERS_STRANGER, SERVERS_ALIKE, SERVERS_SAME };
enum servers_kinship servers_kinship(const struct servers *servers, const struct server *server);

/* Is the node at "https://host:port" to stay published, since its server was not observed? */
bool servers_keep_node(const struct servers *servers, const struct nodes *known, const cJSON *node);

/* Make a plan for each that was observed, carry all of them out, judge. */
void servers_plan(struct servers *servers, const struct terms *terms);
void servers_apply(struct servers *servers, const struct terms *terms, int64_t deadline);
void servers_judge(struct servers *servers, const struct terms *terms);

/* What is due at the server that has this endpoint, and is about this certificate, was refused to
 * another unit of ours: it is not due any more. */
void servers_note_refused(struct servers *servers, const struct endpoint *endpoint,
                          const char *fingerprint, const char *reason);

/* A wishes_known: has one of them (struct servers) such an entry of ours? */
bool servers_know(const void *servers, unsigned long relation, const char *fingerprint);

/* What came of a wish on all servers that were observed: rejected by one, trusted by all, or
 * pending. *server is the first that rejects it or lets it in to less, or NULL. */
enum verdict servers_verdict(const struct servers *servers, size_t wish,
                             const struct server **server);

/* Does each that was observed, one at least, let in what is asked for by one of the wishes from
 * first to before next, which are about one certificate? */
bool servers_trust(const struct servers *servers, size_t first, size_t next);

/* What is behind the first endpoint of the credentials; NULL where that was not observed. */
const struct server *servers_first(const struct servers *servers);

/* How many were observed; all of them? */
size_t servers_observed(const struct servers *servers);
bool servers_are_observed(const struct servers *servers);

/* How many steps are still to be taken. */
size_t servers_due(const struct servers *servers);

/* NULL where all is done, else the first trouble that needs a person, or the first. */
const struct error *servers_trouble(const struct servers *servers);

void servers_free(struct servers *servers);

#endif
