/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_SERVER_H
#define CHARM_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "charm/plan.h"
#include "lxd/client.h"

/*
 * One trust store and the work on it: a standalone LXD server, or a cluster by way of one of its
 * members. It knows nothing of Juju. Zero-initialise, then start, observe, make the plan, apply,
 * free.
 */
struct server {
    struct endpoint endpoint; /* where it is asked */
    const struct lxd_credentials *credentials;
    struct lxd_client *client;
    struct lxd_server info;
    struct lxd_members members;    /* of a cluster, else none */
    struct lxd_certificates store; /* as it was found */
    struct plan plan;              /* the caller makes it, applying keeps it true */
    size_t step;                   /* how far observing or applying is */
    bool observed;                 /* all that is above is known */
    bool troubled;                 /* it is not, or the plan is not carried out */
    bool given_up;                 /* and there is no use in going on */
    struct error trouble;          /* the first thing that went wrong */
    struct strings changes;        /* what was changed, a sentence each */
};

/* What is to be observed, until deadline. The credentials are borrowed for the server's life. */
void server_start(struct server *server, const struct endpoint *endpoint,
                  const struct lxd_credentials *credentials, int64_t deadline);

/*
 * Log in to each of the servers that were started and read everything, or set its trouble. They
 * are worked on at the same time, here and in server_apply: each goes on as soon as it answers, and
 * one that does not takes no time from the others.
 */
void server_observe(struct server *servers, size_t count);

/*
 * Carry out the plan of each server that was observed, until deadline; with `removing` first of all
 * take away what nobody wants. Many changes go over two connections, side by side. A certificate
 * that LXD refuses becomes part of the plan; whatever else goes wrong with one does not keep the
 * others from their turn, as long as LXD answers. What the plan says is true, also where there is
 * trouble.
 */
void server_apply(struct server *servers, size_t count, bool removing, int64_t deadline);

/* Single changes on a person's word; what is done is noted. The entry is one of the store. */
int server_remove(struct server *server, const struct lxd_certificate *entry, struct error *error);
int server_rename(struct server *server, const struct lxd_certificate *entry, const char *name,
                  struct error *error);

/* The entry of the store, as it was found, or NULL. */
const struct lxd_certificate *server_find(const struct server *server, const char *fingerprint);

/* Is this the endpoint of a member, active or not, of the cluster? */
bool server_has_member(const struct server *server, const struct endpoint *endpoint);

/* One sentence to log, or NULL: lxd_warning. */
const char *server_warning(const struct server *server);

/* How many nodes it is. */
size_t server_nodes(const struct server *server);

void server_free(struct server *server);

#endif
