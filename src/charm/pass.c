/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/pass.h"

#include <stdlib.h>
#include <time.h>

#include "base/net.h"
#include "charm/expiry.h"
#include "charm/remover.h"
#include "charm/sources.h"
#include "juju/hook_tools.h"

#define MAX_WARNINGS 10         /* of certificates that end soon, in one run */
#define LXD_TIME_MS (60 * 1000) /* for all that a pass wants of LXD */

/* One DEBUG line for each step, with its duration. */
static void step_done(struct pass *pass, const char *what)
{
    int64_t now = net_clock_ms();

    juju_log(pass->juju, JUJU_LOG_DEBUG, "%s: %lld ms", what, (long long)(now - pass->step_start));
    pass->step_start = now;
}

/* ---- observe ---- */

int pass_read_credentials(struct pass *pass, struct error *error)
{
    struct enrolment *enrolment;
    struct sources_self self = {0};
    struct options options;

    if (options_read(&options, pass->juju, error) != 0)
        return -1;
    pass->expiry_days = options.expiry_warning_days;
    projects_parse(&pass->projects, options.projects != NULL ? options.projects : "");
    self.may_enrol = pass->event->kind != EVENT_ACTION && pass->event->kind != EVENT_STOP;
    int result = juju_is_leader(pass->juju, &self.leader, error);
    if (result == 0)
        result = sources_read(&pass->credentials, &enrolment, pass->juju, pass->event, &options,
                              &self, error);
    options_wipe(&options);
    juju_enclose(pass->juju);
    if (result == 0 && enrolment != NULL) {
        result = enrolment_run(enrolment, &pass->credentials, pass->juju, pass->event, error);
        enrolment_free(enrolment);
    }
    if (result == 0 && pass->credentials.remark != NULL)
        juju_log(pass->juju, JUJU_LOG_WARNING, "%s", pass->credentials.remark);
    step_done(pass, "credentials read");
    return result;
}

static int observe_juju(struct pass *pass, struct error *error)
{
    if (pass_read_credentials(pass, error) != 0)
        return -1;
    if (relations_read(&pass->relations, pass->juju, pass->event, error) != 0)
        return -1;
    step_done(pass, "relations read");
    return 0;
}

static void log_warnings(const struct pass *pass)
{
    const struct servers *servers = &pass->servers;

    for (size_t i = 0; i < servers->detours.count; i++)
        juju_log(pass->juju, JUJU_LOG_WARNING, "%s", servers->detours.items[i]);
    for (size_t i = 0; i < servers->count; i++) {
        const char *warning = server_warning(&servers->items[i]);

        if (warning != NULL)
            juju_log(pass->juju, JUJU_LOG_WARNING, "%s", warning);
    }
}

static void observe_lxd(struct pass *pass)
{
    struct endpoints known = {0};

    pass->deadline = net_clock_ms() + LXD_TIME_MS;
    servers_observe(&pass->servers, &pass->credentials, pass->deadline);
    if (servers_need_detour(&pass->servers)) {
        relations_known_nodes(&pass->relations, pass->juju, pass->event, &known);
        servers_detour(&pass->servers, &known, pass->deadline);
        endpoints_free(&known);
    }
    log_warnings(pass);
    step_done(pass, "LXD asked");
}

/* ---- plan and apply ---- */

/* All plans have the same certificates, and agree on their projects. */
static void log_narrowed(const struct pass *pass)
{
    const struct server *first = NULL;

    for (size_t i = 0; i < pass->servers.count && first == NULL; i++) {
        if (pass->servers.items[i].observed)
            first = &pass->servers.items[i];
    }
    for (size_t i = 0; first != NULL && i < first->plan.count; i++) {
        const struct plan_certificate *wanted = &first->plan.certificates[i];

        if (!wanted->narrowed)
            continue;
        char *projects = projects_describe(&wanted->projects);
        juju_log(pass->juju, JUJU_LOG_WARNING,
                 "certificate %.12s...: more was asked for than all agree on, which is %s",
                 wanted->certificate->fingerprint, projects);
        free(projects);
    }
}

static void plan(struct pass *pass)
{
    const struct relations *relations = &pass->relations;
    struct plan_demand *demands = mem_alloc(relations->count * sizeof *demands);
    struct plan_self self = pass_self(pass);
    size_t count = 0;

    for (size_t i = 0; i < relations->count; i++) {
        const struct relation *relation = &relations->items[i];

        if (relation->readable)
            demands[count++] =
                (struct plan_demand){relation->number, relation->application, &relation->request};
    }
    servers_plan(&pass->servers, &self, demands, count);
    free(demands);
    log_narrowed(pass);
}

/* What an unreadable relation wants is not known, so it might be anything. */
static bool may_remove(const struct pass *pass)
{
    for (size_t i = 0; i < pass->relations.count; i++) {
        if (!pass->relations.items[i].readable)
            return false;
    }
    return remover_allowed(pass->juju, pass->event);
}

void pass_log_changes(const struct pass *pass)
{
    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct strings *changes = &pass->servers.items[i].changes;

        for (size_t j = 0; j < changes->count; j++)
            juju_log(pass->juju, JUJU_LOG_INFO, "%s", changes->items[j]);
    }
}

static void apply(struct pass *pass)
{
    struct servers *servers = &pass->servers;
    bool removing = servers_hold_surplus(servers) && may_remove(pass);

    servers_apply(servers, removing, pass->deadline);
    pass_log_changes(pass);
    step_done(pass, "LXD changed");
}

/* ---- publish ---- */

/* Where no server could be asked, what was published stays. */
static int publish(struct pass *pass, struct error *error)
{
    if (servers_observed(&pass->servers) == 0)
        return 0;
    for (size_t i = 0; i < pass->relations.count; i++) {
        struct relation *relation = &pass->relations.items[i];

        if (relation->readable &&
            relation_publish(relation, pass->juju, &pass->servers, error) != 0)
            return -1;
    }
    step_done(pass, "relations written");
    return 0;
}

int pass_observe(struct pass *pass, struct error *error)
{
    if (observe_juju(pass, error) != 0)
        return -1;
    observe_lxd(pass);
    plan(pass);
    return 0;
}

int pass_carry_out(struct pass *pass, struct error *error)
{
    apply(pass);
    return publish(pass, error);
}

/* ---- status ---- */

void pass_log_trouble(const struct pass *pass, const struct error *error)
{
    struct status status;

    status_of_error(&status, error, 0, NULL);
    juju_log(pass->juju, error->kind == ERROR_UNREACHABLE ? JUJU_LOG_WARNING : JUJU_LOG_ERROR, "%s",
             status.message);
}

/* Ours, each server's, and those of relations that all is about. */
static void find_expiring(const struct pass *pass, struct expiry *expiry)
{
    expiry_begin(expiry, time(NULL), pass->expiry_days);
    expiry_note(expiry, &pass->credentials.certificate, "our client certificate");
    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct server *server = &pass->servers.items[i];

        if (!server->observed)
            continue;
        char *whose = mem_printf("the server certificate of LXD at %s", server->endpoint.url);
        expiry_note(expiry, lxd_presented(server->client), whose);
        free(whose);
        for (size_t j = 0; j < server->plan.count; j++) {
            const struct plan_certificate *wanted = &server->plan.certificates[j];

            if (wanted->state == PLAN_PRESENT)
                expiry_note(expiry, wanted->certificate, wanted->name);
        }
    }
}

static void add_expiring(const struct pass *pass, struct status_summary *summary)
{
    struct expiry expiry;

    find_expiring(pass, &expiry);
    summary->expiring = expiry.sentences.count;
    summary->first_expiry = expiry.first;
    for (size_t i = 0; i < expiry.sentences.count && i < MAX_WARNINGS; i++)
        juju_log(pass->juju, JUJU_LOG_WARNING, "%s", expiry.sentences.items[i]);
    if (expiry.sentences.count > MAX_WARNINGS)
        juju_log(pass->juju, JUJU_LOG_WARNING, "%zu more certificates are to be renewed",
                 expiry.sentences.count - MAX_WARNINGS);
    expiry_free(&expiry);
}

static void add_relations(const struct pass *pass, struct status_summary *summary)
{
    for (size_t i = 0; i < pass->relations.count; i++) {
        const struct relation *relation = &pass->relations.items[i];

        summary->rejected += relation->rejected;
        if (relation->rejected != 0)
            strings_add(&summary->rejecting, relation->id);
        if (!relation->readable)
            strings_add(&summary->unreadable, relation->id);
    }
}

void pass_summarise(const struct pass *pass, struct status *status)
{
    struct status_summary summary = {.certificates = servers_present(&pass->servers)};
    const struct error *trouble = servers_trouble(&pass->servers);
    size_t troubled = 0;

    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct server *server = &pass->servers.items[i];

        if (server->troubled) {
            troubled++;
            pass_log_trouble(pass, &server->trouble);
            continue;
        }
        summary.nodes += server_nodes(server);
        if (!strings_contain(&summary.versions, server->info.version))
            strings_add(&summary.versions, server->info.version);
    }
    add_relations(pass, &summary);
    add_expiring(pass, &summary);
    if (trouble != NULL)
        status_of_error(status, trouble, troubled - 1,
                        troubled < pass->servers.count ? &summary : NULL);
    else
        status_of_summary(status, &summary);
    strings_free(&summary.versions);
    strings_free(&summary.rejecting);
    strings_free(&summary.unreadable);
}

/* A unit that goes has its status from Juju. LXD's version changes too rarely for relation hooks.
 */
int pass_report(const struct pass *pass, const struct status *status, struct error *error)
{
    const struct event *event = pass->event;
    const char *version = servers_version(&pass->servers);

    if (event->kind == EVENT_STOP)
        return 0;
    if (version != NULL && *event->relation_id == '\0' &&
        juju_application_version_set(pass->juju, version, error) != 0)
        return -1;
    return juju_status_set(pass->juju, status->name, status->message, error);
}

void pass_begin(struct pass *pass, const struct juju_transport *juju, const struct event *event)
{
    *pass = (struct pass){.juju = juju, .event = event, .step_start = net_clock_ms()};
}

struct plan_self pass_self(const struct pass *pass)
{
    return (struct plan_self){
        .model_uuid = pass->event->model_uuid,
        .application = pass->event->application,
        .fingerprint = pass->credentials.certificate.fingerprint,
        .projects = pass->projects,
    };
}

void pass_end(struct pass *pass)
{
    servers_free(&pass->servers);
    relations_free(&pass->relations);
    credentials_wipe(&pass->credentials);
    projects_free(&pass->projects);
}
