/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_PLAN_H
#define CHARM_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "charm/databag.h"
#include "lxd/client.h"

/*
 * What is to be done to one trust store, from what relations want and what is there. No I/O.
 *
 * An entry is ours if and only if it is of type client and its name begins with
 * "juju.<first 8 hex of the model UUID>.<our application>."; only ours are ever removed, and never
 * the certificate that we log in with. Entries of others are left as they are: an unrestricted
 * client certificate serves as it is, anything else is a reason to refuse.
 *
 * A certificate opens the projects that all agree on who want it; a relation that names none, and
 * an operator who does not, agree on any.
 */
struct plan_self {
    const char *model_uuid;
    const char *application;
    const char *fingerprint;  /* of the certificate that we log in with */
    struct projects projects; /* that every certificate is restricted to; borrowed */
};

/* One relation. Borrowed while the plan lives. */
struct plan_demand {
    unsigned long relation;  /* the number in its id */
    const char *application; /* the remote one */
    const struct request *request;
};

enum plan_state {
    PLAN_MISSING, /* to be added */
    PLAN_CHANGED, /* ours, but to be given other projects */
    PLAN_PRESENT, /* in the trust store */
    PLAN_REFUSED, /* neither, see reason */
};

struct plan_certificate {
    const struct certificate *certificate; /* borrowed from a request */
    enum plan_state state;
    struct projects projects; /* that all who want it agree on */
    bool narrowed;            /* somebody wanted more */
    char *name;   /* what it is, or would be, called as ours: the lowest relation names it */
    char *reason; /* PLAN_REFUSED only */
};

struct plan {
    struct plan_certificate *certificates; /* one a fingerprint, sorted by it */
    size_t count;
    const struct lxd_certificate **removals; /* ours, and wanted by nobody or refused; borrowed */
    size_t removal_count;
};

/* For a server as it is, with its trust store. One that cannot restrict certificates would open
 * everything: there those that are to be restricted are refused. What is refused before LXD is
 * asked is not left as it was: an entry of ours is a surplus. */
void plan_make(struct plan *plan, const struct plan_self *self, const struct plan_demand *demands,
               size_t count, const struct lxd_server *server, const struct lxd_certificates *store);

/* Steps of carrying it out: the entry that LXD has now, or why there is none. */
void plan_settle(struct plan_certificate *certificate, const struct lxd_certificate *entry);
void plan_refuse(struct plan_certificate *certificate, const char *reason);

/* Is the entry ours? Then *application (owned by the caller) and *relation tell for whom it was
 * made; both may be NULL. */
bool plan_owns(const struct plan_self *self, const struct lxd_certificate *entry,
               char **application, unsigned long *relation);

/* NULL where nobody wants it. */
const struct plan_certificate *plan_find(const struct plan *plan, const char *fingerprint);

void plan_free(struct plan *plan);

#endif
