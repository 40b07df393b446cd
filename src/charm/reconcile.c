/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/reconcile.h"

#include <stdlib.h>

#include "base/net.h"
#include "charm/credentials.h"
#include "charm/relations.h"
#include "charm/remover.h"
#include "charm/servers.h"
#include "charm/status.h"
#include "charm/upgrade.h"
#include "juju/hook_tools.h"

#define LXD_TIME_MS (60 * 1000) /* for all that a pass wants of LXD */

struct pass {
    const struct juju_transport *juju;
    const struct event *event;
    int64_t step_start;
    int64_t deadline; /* for LXD */

    struct credentials credentials;
    struct relations relations;
    struct servers servers;
};

/* One DEBUG line for each step, with its duration. */
static void step_done(struct pass *pass, const char *what)
{
    int64_t now = net_clock_ms();

    juju_log(pass->juju, JUJU_LOG_DEBUG, "%s: %lld ms", what, (long long)(now - pass->step_start));
    pass->step_start = now;
}

/* ---- observe ---- */

static int observe_juju(struct pass *pass, struct error *error)
{
    if (credentials_read(&pass->credentials, pass->juju, pass->event->application, error) != 0)
        return -1;
    step_done(pass, "credentials read");
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

static void plan(struct pass *pass)
{
    const struct relations *relations = &pass->relations;
    struct plan_demand *demands = mem_alloc(relations->count * sizeof *demands);
    struct plan_self self = {
        .model_uuid = pass->event->model_uuid,
        .application = pass->event->application,
        .fingerprint = pass->credentials.certificate.fingerprint,
    };
    size_t count = 0;

    for (size_t i = 0; i < relations->count; i++) {
        const struct relation *relation = &relations->items[i];

        if (relation->readable)
            demands[count++] =
                (struct plan_demand){relation->number, relation->application, &relation->request};
    }
    servers_plan(&pass->servers, &self, demands, count);
    free(demands);
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

static void apply(struct pass *pass)
{
    struct servers *servers = &pass->servers;
    bool removing = servers_hold_surplus(servers) && may_remove(pass);

    servers_apply(servers, removing, pass->deadline);
    for (size_t i = 0; i < servers->count; i++) {
        const struct strings *changes = &servers->items[i].changes;

        for (size_t j = 0; j < changes->count; j++)
            juju_log(pass->juju, JUJU_LOG_INFO, "%s", changes->items[j]);
    }
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

static int serve(struct pass *pass, struct error *error)
{
    if (observe_juju(pass, error) != 0)
        return -1;
    observe_lxd(pass);
    plan(pass);
    apply(pass);
    return publish(pass, error);
}

/* ---- status ---- */

static void log_error(const struct pass *pass, const struct error *error)
{
    struct status status;

    status_of_error(&status, error, 0, NULL);
    juju_log(pass->juju, error->kind == ERROR_UNAVAILABLE ? JUJU_LOG_WARNING : JUJU_LOG_ERROR, "%s",
             status.message);
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

/* What was achieved where there is no trouble. */
static void summarise(const struct pass *pass, struct status *status)
{
    struct status_summary summary = {.certificates = servers_present(&pass->servers)};
    const struct error *trouble = servers_trouble(&pass->servers);
    size_t troubled = 0;

    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct server *server = &pass->servers.items[i];

        if (server->troubled) {
            troubled++;
            log_error(pass, &server->trouble);
            continue;
        }
        summary.nodes += server_nodes(server);
        if (!strings_contain(&summary.versions, server->info.version))
            strings_add(&summary.versions, server->info.version);
    }
    add_relations(pass, &summary);
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
static int report(const struct pass *pass, const struct status *status, struct error *error)
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

static void pass_free(struct pass *pass)
{
    servers_free(&pass->servers);
    relations_free(&pass->relations);
    credentials_wipe(&pass->credentials);
}

int reconcile(const struct juju_transport *juju, const struct event *event, struct error *error)
{
    struct pass pass = {.juju = juju, .event = event, .step_start = net_clock_ms()};
    struct error trouble;
    struct status status;
    int result = -1;

    upgrade_clean(juju, event->charm_folder);
    if (serve(&pass, &trouble) == 0) {
        summarise(&pass, &status);
    } else if (trouble.kind == ERROR_HOOK) {
        *error = trouble;
        goto out;
    } else {
        status_of_error(&status, &trouble, 0, NULL);
        log_error(&pass, &trouble);
    }
    result = report(&pass, &status, error);
out:
    pass_free(&pass);
    return result;
}
