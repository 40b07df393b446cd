/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_PASS_H
#define CHARM_PASS_H

#include <stdint.h>

#include "charm/credentials.h"
#include "charm/event.h"
#include "charm/relations.h"
#include "charm/servers.h"
#include "charm/status.h"
#include "juju/transport.h"

/*
 * The steps of one run of the charm, and what they find: begin, observe, carry out, summarise,
 * report, end. Each step that takes time leaves a DEBUG line with its duration.
 */
struct pass {
    const struct juju_transport *juju;
    const struct event *event;
    int64_t step_start;
    int64_t deadline; /* for LXD */

    int expiry_days;          /* lxd_expiry_warning_days */
    struct projects projects; /* the option of that name */
    struct credentials credentials;
    struct relations relations;
    struct servers servers; /* each with its plan */
};

void pass_begin(struct pass *pass, const struct juju_transport *juju, const struct event *event);

/* Read the configuration and the credentials alone: ERROR_INPUT, ERROR_HOOK. */
int pass_read_credentials(struct pass *pass, struct error *error);

/* Read Juju, then LXD, and plan; nothing is changed. Fails with ERROR_INPUT where the credentials
 * are of no use, and with ERROR_HOOK. What is wrong with LXD is the servers' trouble. */
int pass_observe(struct pass *pass, struct error *error);

/* Change LXD as planned, then tell the relations. ERROR_HOOK. */
int pass_carry_out(struct pass *pass, struct error *error);

/* One INFO line for each change that was made in LXD. */
void pass_log_changes(const struct pass *pass);

/* What was achieved; the troubles of servers go into the log. */
void pass_summarise(const struct pass *pass, struct status *status);

/* Log an error that is no hook command's. */
void pass_log_trouble(const struct pass *pass, const struct error *error);

/* Tell Juju the status. ERROR_HOOK. */
int pass_report(const struct pass *pass, const struct status *status, struct error *error);

/* Who we are, for plans; borrowed from the pass. */
struct plan_self pass_self(const struct pass *pass);

void pass_end(struct pass *pass);

#endif
