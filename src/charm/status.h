/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_STATUS_H
#define CHARM_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* What juju status shows of our unit. */
struct status {
    const char *name;  /* "active", "blocked", "waiting" */
    char message[384]; /* one line; cut with "..." where it is longer */
};

/* What a pass has achieved. */
struct status_summary {
    size_t certificates; /* wanted by relations and trusted by LXD */
    size_t nodes;
    struct strings versions; /* of LXD */
    size_t rejected;
    struct strings rejecting;  /* ids of the relations with rejections */
    struct strings unreadable; /* ids of the relations that could not be read */
    size_t expiring;           /* certificates that end soon, */
    int64_t first_expiry;      /* the first of them then: seconds since 1970 */
};

/* active: "3 certificates trusted, LXD 5.0.2, 1 node; 1 certificate rejected (api:3)" */
void status_of_summary(struct status *status, const struct status_summary *summary);

/*
 * waiting where a later try may succeed by itself, blocked where a person is needed. What is told
 * of other servers follows, how many are in trouble too, and a summary (it may be NULL) of those
 * that are not: "LXD at ... unreachable: connection refused; retrying; 1 more server in trouble;
 * elsewhere 3 certificates trusted, LXD 5.0.2, 1 node"
 */
void status_of_error(struct status *status, const struct error *error, size_t more,
                     const struct status_summary *summary);

#endif
