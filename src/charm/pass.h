/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_PASS_H
#define CHARM_PASS_H

#include <stdint.h>

#include "charm/event.h"
#include "charm/goal.h"
#include "charm/leadership.h"
#include "charm/options.h"
#include "charm/publish.h"
#include "charm/report.h"
#include "charm/sources.h"
#include "juju/transport.h"

/*
 * One pass: observe Juju, enrol, observe LXD, plan, apply to LXD, publish on the relations and to
 * our other units, report. It is the same in every hook; the event only says what is departing.
 * What an interrupted pass has left undone is done by the next.
 *
 * The leader alone changes LXD; the others read it, publish what it has, and are woken by the peer
 * relation when the leader is through. A unit that leaves while others stay changes nothing and
 * publishes nothing. Where all leave, whoever runs removes all that is ours.
 */
struct pass {
    const struct juju_transport *juju;
    const struct event *event;
    int64_t step_start;

    struct goal goal;
    enum fate fate;
    struct leadership leadership;
    int expiry_warning_days;
    struct projects default_projects; /* of who names none */
    struct credentials credentials;
    struct enrolment *enrolment; /* left to be done, or NULL */
    struct relations relations;

    int64_t deadline; /* for LXD */
    char *remedies[2];
    struct strings wanted; /* fingerprints */
    struct interest interest;
    struct servers servers;
    struct wishes wishes;
    struct terms terms;
    struct answers answers;
    struct nodes remembered;      /* servers that had entries of ours when the last hook ended */
    struct strings left;          /* a sentence each: what of ours may stay in LXD for good, ... */
    struct strings left_remedies; /* ... and the sentence with the command that removes it */
    char *leaving_leader;
    struct report report;
};

void pass_begin(struct pass *pass, const struct juju_transport *juju, const struct event *event);

/* Read Juju, then LXD, plan, and judge the wishes by what LXD has; nothing is changed anywhere.
 * Fails where the credentials are of no use, and with ERROR_HOOK. What is wrong with LXD is the
 * servers' trouble. */
int pass_observe(struct pass *pass, struct error *error);

/* All of it. Missing credentials, an LXD that cannot be asked or that refuses are no failure: they
 * end in the unit's status, which is in pass->report. -1 with ERROR_HOOK where Juju must drop what
 * was written in this hook. */
int pass_run(struct pass *pass, struct error *error);

/* Put together what a hook would report, of what was observed. trouble is what ended observing it,
 * or NULL. It is in pass->report. */
void pass_make_report(struct pass *pass, const struct error *trouble);

/* May this unit change LXD? */
bool pass_may_change(struct pass *pass);

void pass_end(struct pass *pass);

#endif
