/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_REPORT_H
#define CHARM_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "charm/goal.h"
#include "charm/publish.h"

#define REPORT_MAX_STATUS 120 /* characters of a status */

/* Lines for the log, by kind; report.c says at which level, and whether they are told again in the
 * next hook although nothing has changed. */
enum report_kind {
    REPORT_ERRORS,   /* troubles of servers, and what ended the pass, for a person to mend */
    REPORT_TROUBLES, /* the same, that time mends */
    REPORT_REMARKS,  /* on credentials, detours and servers' certificates */
    REPORT_WIDER,    /* what could not be taken away */
    REPORT_CHANGES,
    REPORT_WIDENED, /* entries that open more than before */
    REPORT_PROJECTS,
    REPORT_FOREIGN,
    REPORT_REPLACED, /* relations */
    REPORT_REJECTIONS,
    REPORT_LEFT, /* entries that may stay for good */
    REPORT_EXPIRING,
    REPORT_KINDS
};

/* What a pass has found and done; all borrowed. Where it ended early there is an error, and the
 * servers are none. */
struct findings {
    const struct error *error; /* what ended the pass, or NULL */
    bool beginning; /* no credentials yet, as with every deployment: no line for the log */
    const struct relations *relations;
    const struct wishes *wishes;
    const struct servers *servers;
    const struct answers *answers;
    const struct credentials *credentials;
    const struct strings *left;          /* a sentence each: entries that may stay for good, ... */
    const struct strings *left_remedies; /* ... and what helps */
    const char *leaving_leader;          /* who has to change LXD first, but is leaving; or NULL */
    bool changes_are_ours;               /* this unit makes those that are due */
    int64_t now;                         /* seconds since 1970 */
    int expiry_warning_days;
};

struct report {
    const char *status;                  /* "active", "blocked", "waiting" */
    char message[REPORT_MAX_STATUS + 1]; /* one line, the cause first; cut with "..." */
    struct strings lines[REPORT_KINDS];
};

/*
 * Put it together; no I/O. waiting is what time or another hook mends by itself, blocked what a
 * person has to mend.
 */
void report_make(struct report *report, const struct findings *findings);

/* Log the lines: at most JUJU_MAX_LINES of a kind, then one that says how many more. What the
 * last hook said already, and goal remembers, is left out where that is the kind's way. */
void report_log(const struct report *report, struct goal *goal, const struct juju_transport *juju);
void report_free(struct report *report);

#endif
