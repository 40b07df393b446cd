/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_SERVERS_H
#define CHARM_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "charm/credentials.h"
#include "charm/server.h"

/*
 * All LXD servers that the credentials lead to, one for each trust store: several endpoints are
 * members of one cluster, of which the first that answers serves, or servers of their own, or a
 * mixture. LXD itself tells: an endpoint leads to a cluster that is reached already where its
 * members' list has it, or where a single server certificate is expected (no CA's), which only
 * members of one cluster share. Any other endpoint is asked, and is the same cluster where both
 * list the same member.
 */
struct servers {
    struct server *items; /* observed, or why not */
    size_t count;
    struct strings detours; /* a sentence each: who is unreachable, who serves instead */
    /* Borrowed, as what they refer to. */
    const struct endpoints *endpoints;
    struct lxd_credentials credentials;
};

/*
 * Ask the endpoints of the credentials, which are borrowed, until deadline: all at the same time;
 * where they share one certificate one after the other, each with an even share of the time that is
 * left.
 */
void servers_observe(struct servers *servers, const struct credentials *credentials,
                     int64_t deadline);

/* Is one unreachable? Then it may be a member of a cluster with others that serve. */
bool servers_need_detour(const struct servers *servers);

/*
 * Go on through one of the nodes that are known from before, in the place of what is unreachable.
 * Nodes that are no members of the same cluster are not taken: they may be of a former
 * configuration.
 */
void servers_detour(struct servers *servers, const struct endpoints *known, int64_t deadline);

/* Make the same plan for each trust store that was observed. Demands are borrowed. */
void servers_plan(struct servers *servers, const struct plan_self *self,
                  const struct plan_demand *demands, size_t count);

/* Is there anything to remove? */
bool servers_hold_surplus(const struct servers *servers);

/* Carry out all plans, also where one fails; server_apply. */
void servers_apply(struct servers *servers, bool removing, int64_t deadline);

/* Is the node at "https://host:port" one of those that were observed, or known not to serve? */
bool servers_have_node(const struct servers *servers, const char *url);

/* What is behind the first endpoint of the credentials; NULL where that could not be observed. */
const struct server *servers_first(const struct servers *servers);

/* How many were observed. */
size_t servers_observed(const struct servers *servers);

/* How many certificates all servers that are not in trouble trust. */
size_t servers_present(const struct servers *servers);

/* LXD's version; with several servers the first one's. NULL where none was observed. */
const char *servers_version(const struct servers *servers);

/* NULL where all is done, else the first trouble that needs a person, or the first. */
const struct error *servers_trouble(const struct servers *servers);

void servers_free(struct servers *servers);

#endif
