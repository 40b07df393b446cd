/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_STORE_H
#define CHARM_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "lxd/api.h"

/*
 * What of one LXD's trust store is of interest: the entries that bear our names, those that are
 * asked for, and our own. Anybody may have put any number of others there; they are counted.
 *
 * An entry is ours if and only if it is of type client and its name begins with
 * "juju.<first 8 hex of the model's UUID>.<our application>.", and it is not the certificate that
 * we log in with, which is never changed. What follows is "<remote application>.<relation number>."
 * and the first 12 digits of its fingerprint; the first edition's names end before the last dot.
 */
struct owner {
    char *prefix;            /* of our names; owned */
    const char *fingerprint; /* of the certificate that we log in with; borrowed */
};

void owner_make(struct owner *owner, const char *model_uuid, const char *application,
                const char *fingerprint);
bool owner_has(const struct owner *owner, const struct lxd_certificate *entry);

/* For whom an entry of ours was made: the number of the relation, 0 where its name has none. */
unsigned long owner_relation(const struct owner *owner, const struct lxd_certificate *entry);

/* The full name of an entry; owned by the caller. */
char *owner_name(const struct owner *owner, const char *application, unsigned long relation,
                 const char *fingerprint);
void owner_free(struct owner *owner);

/* Zero-initialise. */
struct store {
    struct lxd_certificate *items; /* by fingerprint */
    size_t count;
    size_t total;        /* entries that LXD has shown */
    bool shows_own;      /* the certificate that we log in with is among them, */
    bool own_restricted; /* and may open some projects only */
    size_t strangers;    /* of another type than client, but with a name of ours */
};

/* Takes a copy of an entry where it is of interest. wanted is sorted. */
void store_note(struct store *store, const struct owner *owner, const struct strings *wanted,
                const struct lxd_certificate *entry);
void store_sort(struct store *store); /* when all are noted */

/* NULL where it has none. Where it is sorted. */
const struct lxd_certificate *store_find(const struct store *store, const char *fingerprint);

/* Replace or add an entry, of which a copy is taken; or take it out. */
void store_put(struct store *store, const struct lxd_certificate *entry);
void store_remove(struct store *store, const char *fingerprint);
void store_free(struct store *store);

#endif
