/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_SERVER_H
#define CHARM_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "charm/plan.h"
#include "lxd/client.h"

/* What to look for in trust stores; borrowed for a server's life. */
struct interest {
    const struct owner *owner;
    const struct strings *wanted; /* fingerprints, sorted */
    bool projects;                /* some are named: which does LXD have? */
    const char *remedies[2];      /* by software: what helps where LXD does not trust us */
    /* How a server is reached; NULL: lxd_start. Tests bring servers of their own. */
    struct lxd_client *(*start)(const struct endpoint *endpoint,
                                const struct lxd_credentials *credentials, int64_t deadline);
};

enum server_state {
    SERVER_UNKNOWN,    /* not read to the end: trouble says why */
    SERVER_OBSERVED,   /* all below is known */
    SERVER_UNFINISHED, /* the same, but its plan is not carried out: trouble says why */
};

/*
 * One trust store and the work on it: a standalone LXD server, or a cluster by way of one of its
 * members. It knows nothing of Juju. Zero-initialise, then start, observe, make the plan, apply,
 * judge, free. Observing and applying go step by step, so that several servers work at the same
 * time: servers.h.
 */
struct server {
    struct endpoint endpoint; /* where it is asked */
    const struct lxd_credentials *credentials;
    const struct interest *interest;
    struct lxd_client *client;
    enum server_state state;
    struct error trouble; /* the first thing that went wrong; kind 0: nothing */

    struct lxd_server info;
    struct lxd_members members; /* of a cluster, else none */
    struct store store;         /* as it is now */
    struct strings projects;    /* sorted */
    bool sees_projects;         /* all of them: those that are not there do not exist */
    bool filtered;              /* the list of certificates may not be complete */
    struct strings unseen;      /* what is looked up one by one for that */

    struct plan plan;
    struct judgement *judgements; /* in the order of the wishes, of which there are so many */
    size_t judged;
    struct strings changes; /* what was changed, a sentence each; ... */
    struct strings widened; /* ... those by which an entry opens more than before */
    struct strings wider;   /* entries that could not be taken away: a sentence each */

    /* How far it is; server.c's own. */
    int64_t deadline;
    unsigned asked; /* a bit for each thing that is read */
    unsigned reading;
    size_t step, looked_up;
    int doing;
    struct error refusal; /* why the present step was refused */
    int status;           /* and the HTTP status */
    bool stale;           /* the plan rests on what is so no more */
    bool remade;
};

/* What is to be read, until deadline. */
void server_start(struct server *server, const struct endpoint *endpoint,
                  const struct lxd_credentials *credentials, const struct interest *interest,
                  int64_t deadline);

/* Take the outcome of connecting; false where it failed. */
bool server_opened(struct server *server);

/* Take the next answer, and ask on. Is there more to come? */
bool server_observe_step(struct server *server);

struct surroundings server_surroundings(const struct server *server);

/*
 * Carry out the plan, until deadline: begin; then as with observing. Whatever the answer to a
 * change, the entry as LXD has it decides. A project that is not there any more has the projects
 * read once more, and the plan made anew. An entry that stays wider than it should is removed. What
 * LXD refuses is in the steps; whatever else goes wrong with one does not keep the others from
 * their turn, as long as LXD answers.
 */
bool server_apply_begin(struct server *server, int64_t deadline);
bool server_apply_step(struct server *server, const struct terms *terms);

/* Judge the wishes by what LXD has now. */
void server_judge(struct server *server, const struct terms *terms);

/* Does it list this endpoint: among the members, active or not, of its cluster, or among its own
 * addresses? */
bool server_lists(const struct server *server, const struct endpoint *endpoint);

/* PEM of what a client has to verify it by, as we do; owned by the caller. */
char *server_certificate(const struct server *server);

/* How many nodes serve. */
size_t server_nodes(const struct server *server);

void server_free(struct server *server);

#endif
