/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "charm/plan.h"

/*
 * Relations, wishes, and entries of a trust store, without Juju and LXD. A certificate is a number
 * here: that is its fingerprint, in the first 12 digits and at the end; its text is "pem-<number>",
 * its common name "cn-<number>", its DER the number in digits.
 */
#define WORLD_UUID "9f1c1ab0-1d2e-4f3a-8b4c-5d6e7f801234"
#define WORLD_PREFIX "juju.9f1c1ab0.integrator."
#define WORLD_NOW 1800000000
#define WORLD_OWN 99 /* the certificate that we log in with */

struct world {
    struct relations relations; /* room for 8 */
    struct wishes wishes;
    struct terms terms;               /* may_take; no limit */
    struct projects default_projects; /* none */
    char own[65];
};

void world_open(struct world *world);
void world_close(struct world *world);

void world_fingerprint(char fingerprint[65], unsigned number);

/* One that lives and is complete, in ascending order; room for 16 members. */
struct relation *world_relate(struct world *world, unsigned long number, const char *application);

/* "client/0", or the application's name. */
struct member *world_join(struct relation *relation, const char *name);

/* An entry of the member's list: a certificate, or what is none. */
struct entry *world_ask(struct member *member, unsigned number);
void world_ask_junk(struct member *member, const char *text);
void world_name_projects(struct member *member, const char *projects);

/* Collect the wishes anew; servers know nothing. */
void world_collect(struct world *world);

/* An entry of a trust store. */
void world_entry(struct lxd_certificate *entry, unsigned number, const char *name, const char *type,
                 const char *projects);

/* Put it there; projects as in an option, "" for all of LXD, NULL for none. */
void world_store(struct store *store, unsigned number, const char *name, const char *type,
                 const char *projects);

#endif
