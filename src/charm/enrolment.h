/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_ENROLMENT_H
#define CHARM_ENROLMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "charm/credentials.h"
#include "charm/event.h"
#include "juju/transport.h"
#include "lxd/client.h"
#include "lxd/token.h"

/*
 * Credentials of our own, that LXD trusts on the word of a trust token.
 *
 * What there is to keep is a JSON object of strings: endpoint, client-cert, client-key and
 * server-cert (its fingerprint), as credentials_from_content reads them; "token", the digest of the
 * token that they came of; "name", the one that it gives the entry in the trust store; "kind",
 * "identity" where it was one of "lxc auth identity create"; and "enrolled", "no" or "yes". Where
 * Juju has secrets it ends up in one that the application owns, which all units read. Before that
 * it is in a file of the leader's (0600), enrolment.json in the charm's folder: written before the
 * token leaves us, marked once LXD has taken it, and deleted by the first hook that sees it in the
 * secret. So wherever a hook is killed or its writes are dropped, the key is there. An older Juju
 * leaves it in the file, which other units cannot read.
 *
 * As long as LXD has not taken the token the file also has
 *   "former"  what was enrolled before and is in no secret, as the JSON text of such an object
 *   "asked"   when LXD was asked first and did not answer, in seconds since 1970
 *   "taken"   "yes": another entry of the trust store has the token's name, so the token is lost
 */

/* ---- what is to be done: pure ---- */

enum enrolment_option {
    ENROLMENT_NO_TOKEN,
    ENROLMENT_UNREADABLE_TOKEN,
    ENROLMENT_TOKEN,
};

enum enrolment_file {
    ENROLMENT_FILE_ABSENT,
    ENROLMENT_FILE_DAMAGED,  /* or a link, or longer than any of ours: another can take its place */
    ENROLMENT_FILE_FOLDER,   /* nothing can */
    ENROLMENT_FILE_PENDING,  /* a key that LXD has not taken yet */
    ENROLMENT_FILE_LOST,     /* a key whose token is lost: its name is taken */
    ENROLMENT_FILE_ENROLLED, /* a key that LXD has taken */
};

/* In every field but `token`: of the token in the option, or of another one? */
enum enrolment_match { ENROLMENT_OF_ANOTHER, ENROLMENT_OF_TOKEN };

enum enrolment_role {
    ENROLMENT_FOLLOWS, /* this unit does not lead */
    ENROLMENT_LEADS,   /* it does, but changes nothing now: in an action, or because it leaves */
    ENROLMENT_ENROLS,
};

struct enrolment_facts {
    enum enrolment_option token;
    enum enrolment_file file;
    enum enrolment_match file_match; /* of PENDING, LOST, ENROLLED */
    bool file_has_former;            /* of PENDING and LOST */
    enum enrolment_match former_match;
    bool secret; /* does the application's secret hold credentials? */
    enum enrolment_match secret_match;
    enum enrolment_role role;
    bool juju_has_secrets;
};

enum enrolment_step {
    ENROLMENT_NOTHING,      /* nothing is set and nothing enrolled */
    ENROLMENT_USE,          /* the credentials that serve */
    ENROLMENT_USE_AND_SAVE, /* the file's, and put them into the secret */
    ENROLMENT_BEGIN,        /* make a key, have LXD take it */
    ENROLMENT_GO_ON,        /* the same with the key that the file has */
    ENROLMENT_FAIL,         /* for the problem */
};

/* Credentials that are enrolled already. Where a step to enrol fails these serve on. */
enum enrolment_serving {
    ENROLMENT_NONE_SERVE,
    ENROLMENT_SECRET_SERVES,
    ENROLMENT_FILE_SERVES,
    ENROLMENT_FORMER_SERVE,
};

enum enrolment_problem {
    ENROLMENT_NO_PROBLEM,
    ENROLMENT_TOKEN_UNREADABLE,
    ENROLMENT_NAME_TAKEN,   /* the token is lost */
    ENROLMENT_FOLDER,       /* the key cannot be kept */
    ENROLMENT_NEXT_HOOK,    /* the leader, in an action */
    ENROLMENT_LEADER_FIRST, /* another unit enrols */
    ENROLMENT_NO_SECRETS,   /* the leader could not share its key */
};

struct enrolment_decision {
    enum enrolment_step step;
    enum enrolment_serving serving;
    enum enrolment_problem problem; /* the reason for FAIL; beside another step a remark */
};

struct enrolment_decision enrolment_decide(const struct enrolment_facts *facts);

/* ---- what LXD's answer means: pure ---- */

/* How long LXD may take to decide about a key that it has been asked for. */
#define ENROLMENT_PATIENCE 3600 /* seconds */

struct enrolment_answer {
    bool trusted; /* does GET /1.0 say so now? */
    int status;   /* HTTP's, of the request to enrol; 0 where no answer came */
    enum lxd_token kind;
    int64_t expires; /* the token's */
    int64_t asked;   /* when an earlier request of this very key was left without an answer; 0 */
    int64_t now;
};

enum enrolment_verdict {
    ENROLMENT_TRUSTED,
    ENROLMENT_UNDECIDED,  /* LXD may be at it still: ask again with the same key */
    ENROLMENT_UNFINISHED, /* it has had its time: the token may have gone for nothing */
    ENROLMENT_TOKEN_LOST, /* the token's name is taken */
    ENROLMENT_EXPIRED,
    ENROLMENT_USED_UP, /* or withdrawn, or expired: LXD does not know the token (any more) */
    ENROLMENT_REFUSED, /* for LXD's own reason */
};

enum enrolment_verdict enrolment_judge(const struct enrolment_answer *answer);

/* ---- names ---- */

/*
 * The command by which the operator makes a token for this application, to be freed. The entry's
 * name is juju-<8 hex of the model's UUID>-<application>, which tells applications apart and is
 * none of the names by which we know entries to be ours. Where `taken` is such a name, of a token
 * or an entry, the next one, with -2, -3, ... behind it; else NULL.
 */
char *enrolment_command(const struct event *event, enum lxd_software software, enum lxd_token kind,
                        const char *taken);

/* ---- the step ---- */

/* What is left to be done once the sandbox is closed. */
struct enrolment;

/*
 * Before the sandbox closes: the credentials that are enrolled, or those that are to be (*enrolment
 * is set then; else it is NULL). `token` is the text that was set, or NULL. Returns 1 with
 * credentials, 0 where there are neither a token nor any that are enrolled. It changes nothing but
 * the file, and that only in the role ENROLMENT_ENROLS. -1 with ERROR_INPUT, ERROR_WAITING,
 * ERROR_HOOK; the texts do not name the token's option.
 */
int enrolment_read(struct credentials *credentials, struct enrolment **enrolment,
                   const struct juju_transport *juju, const struct event *event, const char *token,
                   enum enrolment_role role, struct error *error);

/*
 * In the sandbox: have LXD take the key, or the secret the credentials, which are complete then.
 * The server must have the token's fingerprint before anything is asked of it. Where that fails and
 * others are enrolled already, these take their place, with a remark, and it is no failure.
 * ERROR_INPUT where the token is of no use or the server another one, ERROR_WAITING where LXD
 * cannot be asked or has not decided yet, ERROR_HOOK. Texts begin with credentials->source.
 */
int enrolment_run(struct enrolment *enrolment, struct credentials *credentials,
                  const struct juju_transport *juju, const struct event *event,
                  struct error *error);

void enrolment_free(struct enrolment *enrolment); /* NULL is fine */

#endif
