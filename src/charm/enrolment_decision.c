/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "charm/enrolment.h"

/* ---- what is to be done ---- */

static enum enrolment_serving find_serving(const struct enrolment_facts *facts)
{
    bool file = facts->file == ENROLMENT_FILE_ENROLLED;
    bool pending = facts->file == ENROLMENT_FILE_PENDING || facts->file == ENROLMENT_FILE_LOST;

    /* What came of the very token goes first; else the secret, which all units have. */
    if (facts->token == ENROLMENT_TOKEN && file && facts->file_match == ENROLMENT_OF_TOKEN &&
        !(facts->secret && facts->secret_match == ENROLMENT_OF_TOKEN))
        return ENROLMENT_FILE_SERVES;
    if (facts->secret)
        return ENROLMENT_SECRET_SERVES;
    if (file)
        return ENROLMENT_FILE_SERVES;
    return pending && facts->file_has_former ? ENROLMENT_FORMER_SERVE : ENROLMENT_NONE_SERVE;
}

static bool came_of_token(const struct enrolment_facts *facts, enum enrolment_serving serving)
{
    return (serving == ENROLMENT_SECRET_SERVES && facts->secret_match == ENROLMENT_OF_TOKEN) ||
           (serving == ENROLMENT_FILE_SERVES && facts->file_match == ENROLMENT_OF_TOKEN) ||
           (serving == ENROLMENT_FORMER_SERVE && facts->former_match == ENROLMENT_OF_TOKEN);
}

/* A token from which nothing that serves has come: what next? */
static struct enrolment_decision decide_new(const struct enrolment_facts *facts,
                                            struct enrolment_decision decision)
{
    bool same = facts->file_match == ENROLMENT_OF_TOKEN;

    if (facts->role == ENROLMENT_ENROLS) {
        if (facts->file == ENROLMENT_FILE_LOST && same)
            decision.problem = ENROLMENT_NAME_TAKEN;
        else if (facts->file == ENROLMENT_FILE_FOLDER)
            decision.problem = ENROLMENT_FOLDER;
        else
            decision.step =
                facts->file == ENROLMENT_FILE_PENDING && same ? ENROLMENT_GO_ON : ENROLMENT_BEGIN;
    } else if (decision.serving == ENROLMENT_NONE_SERVE) {
        if (facts->role == ENROLMENT_LEADS)
            decision.problem = ENROLMENT_NEXT_HOOK;
        else
            decision.problem =
                facts->juju_has_secrets ? ENROLMENT_LEADER_FIRST : ENROLMENT_NO_SECRETS;
    }
    return decision;
}

struct enrolment_decision enrolment_decide(const struct enrolment_facts *facts)
{
    struct enrolment_decision decision = {.serving = find_serving(facts)};
    bool serves = decision.serving != ENROLMENT_NONE_SERVE;

    decision.step = serves ? ENROLMENT_USE : ENROLMENT_NOTHING;
    if (decision.serving == ENROLMENT_FILE_SERVES && facts->role == ENROLMENT_ENROLS &&
        facts->juju_has_secrets)
        decision.step = ENROLMENT_USE_AND_SAVE;
    if (facts->token == ENROLMENT_UNREADABLE_TOKEN)
        decision.problem = ENROLMENT_TOKEN_UNREADABLE;
    else if (facts->token == ENROLMENT_TOKEN && !came_of_token(facts, decision.serving))
        decision = decide_new(facts, decision);
    if (decision.step == ENROLMENT_NOTHING && decision.problem != ENROLMENT_NO_PROBLEM)
        decision.step = ENROLMENT_FAIL;
    return decision;
}

/* ---- what LXD's answer means ---- */

enum enrolment_verdict enrolment_judge(const struct enrolment_answer *answer)
{
    bool expired = answer->expires != 0 && answer->now >= answer->expires;
    int64_t age = answer->now - answer->asked;
    int status = answer->status;
    /* A token of an identity that LXD does not find is its 500 (lxd/identities.go). */
    bool unknown =
        status == 403 || status == 404 || (answer->kind == LXD_TOKEN_IDENTITY && status == 500);

    if (answer->trusted)
        return ENROLMENT_TRUSTED;
    if (status == 0)
        return ENROLMENT_UNDECIDED;
    /* The earlier request took the token, if it came through, and may not be done with it. */
    if (answer->asked != 0 && age < ENROLMENT_PATIENCE && age > -ENROLMENT_PATIENCE)
        return ENROLMENT_UNDECIDED;
    if (answer->asked != 0 && unknown)
        return ENROLMENT_UNFINISHED;
    if (status == 409)
        return ENROLMENT_TOKEN_LOST;
    if (expired && (unknown || status >= 500)) /* LXD 5.0 answers that by 500 */
        return ENROLMENT_EXPIRED;
    if (unknown)
        return ENROLMENT_USED_UP;
    return status >= 500 ? ENROLMENT_UNDECIDED : ENROLMENT_REFUSED;
}

/* ---- names ---- */

char *enrolment_command(const struct event *event, enum lxd_software software, enum lxd_token kind,
                        const char *taken)
{
    char *name = mem_printf("juju-%.8s-%s", event->model_uuid, event->application);
    size_t length = strlen(name);
    char number[16] = "", *command;

    if (taken != NULL && strncmp(taken, name, length) == 0) {
        unsigned long last = 1;
        char *end = NULL;

        if (taken[length] == '-')
            last = strtoul(taken + length + 1, &end, 10);
        if (taken[length] == '\0' || (end != NULL && *end == '\0' && last > 1))
            snprintf(number, sizeof number, "-%lu", last + 1);
    }
    if (software == LXD_INCUS)
        command = mem_printf("incus config trust add %s%s", name, number);
    else if (kind == LXD_TOKEN_IDENTITY)
        command = mem_printf("lxc auth identity create tls/%s%s --group GROUP", name, number);
    else
        command = mem_printf("lxc config trust add --name %s%s", name, number);
    free(name);
    return command;
}
