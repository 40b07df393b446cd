/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/reconcile.h"

#include <stdlib.h>
#include <string.h>

#include "base/net.h"
#include "charm/credentials.h"
#include "charm/plan.h"
#include "charm/relations.h"
#include "charm/remover.h"
#include "charm/status.h"
#include "charm/upgrade.h"
#include "juju/hook_tools.h"
#include "lxd/client.h"

#define LXD_TIME_MS (60 * 1000) /* for all that a pass wants of LXD */

struct pass {
    const struct juju_transport *juju;
    const struct event *event;
    int64_t step_start;

    struct credentials credentials;
    struct relations relations;
    struct lxd_client *client;
    struct lxd_server server;
    struct lxd_members members; /* of a cluster */
    struct lxd_certificates store;
    struct node *nodes; /* borrow from what is above */
    size_t node_count;
    struct plan plan;
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

static int log_in(struct pass *pass, struct error *error)
{
    const struct credentials *credentials = &pass->credentials;
    struct lxd_credentials ours = {&credentials->certificate, &credentials->key,
                                   &credentials->server};
    const char *warning;

    if (lxd_open(&pass->client, &credentials->endpoint, &ours, net_clock_ms() + LXD_TIME_MS,
                 error) != 0)
        return -1;
    warning = lxd_warning(pass->client);
    if (warning != NULL)
        juju_log(pass->juju, JUJU_LOG_WARNING, "%s", warning);
    if (lxd_get_server(pass->client, &pass->server, error) != 0)
        return -1;
    if (!pass->server.trusted)
        return error_set(error, ERROR_UNTRUSTED,
                         "LXD at %s does not trust the client certificate %.12s...: run \"lxc "
                         "config trust add\"",
                         credentials->endpoint.url, credentials->certificate.fingerprint);
    return 0;
}

/* The nodes to publish: the members of a cluster, or the one server. */
static int observe_nodes(struct pass *pass, struct error *error)
{
    if (!pass->server.clustered) {
        pass->nodes = mem_alloc(sizeof *pass->nodes);
        pass->nodes[pass->node_count++] =
            (struct node){pass->credentials.endpoint.url, pass->server.name};
        return 0;
    }
    if (lxd_list_members(pass->client, &pass->members, error) != 0)
        return -1;
    pass->nodes = mem_alloc(pass->members.count * sizeof *pass->nodes);
    for (size_t i = 0; i < pass->members.count; i++) {
        const struct lxd_member *member = &pass->members.items[i];

        pass->nodes[pass->node_count++] = (struct node){member->endpoint.url, member->name};
    }
    return 0;
}

/* A restricted certificate could neither add nor remove; LXD shows it its own entry at least. */
static int check_permission(const struct pass *pass, struct error *error)
{
    const struct credentials *credentials = &pass->credentials;
    const char *own = credentials->certificate.fingerprint;

    for (size_t i = 0; i < pass->store.count; i++) {
        const struct lxd_certificate *entry = &pass->store.items[i];

        if (entry->restricted && strcmp(entry->fingerprint, own) == 0)
            return error_set(error, ERROR_UNTRUSTED,
                             "LXD at %s restricts the client certificate %.12s... to projects: it "
                             "may not manage the trust store",
                             credentials->endpoint.url, own);
    }
    return 0;
}

static int observe_lxd(struct pass *pass, struct error *error)
{
    if (log_in(pass, error) != 0 || observe_nodes(pass, error) != 0 ||
        lxd_list_certificates(pass->client, &pass->store, error) != 0 ||
        check_permission(pass, error) != 0)
        return -1;
    step_done(pass, "LXD asked");
    return 0;
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
    plan_make(&pass->plan, &self, demands, count, &pass->store);
    free(demands);
}

/* A refusal is about one certificate and is told on its relation; everything else ends the pass. */
static int add(struct pass *pass, struct plan_certificate *wanted, struct error *error)
{
    struct lxd_certificate entry;

    if (lxd_add_certificate(pass->client, wanted->certificate, wanted->name, &entry, error) != 0) {
        if (error->kind != ERROR_REFUSED)
            return -1;
        plan_refuse(wanted, error->text);
        return 0;
    }
    plan_settle(wanted, &entry);
    juju_log(pass->juju, JUJU_LOG_INFO,
             "certificate %.12s... (%s) is now in LXD's trust store as %s", entry.fingerprint,
             wanted->certificate->common_name, entry.name);
    lxd_certificate_free(&entry);
    return 0;
}

static int add_all(struct pass *pass, struct error *error)
{
    for (size_t i = 0; i < pass->plan.count; i++) {
        struct plan_certificate *wanted = &pass->plan.certificates[i];

        if (wanted->state == PLAN_MISSING && add(pass, wanted, error) != 0)
            return -1;
    }
    return 0;
}

/* What an unreadable relation wants is not known, so it might be anything. */
static bool may_remove(const struct pass *pass)
{
    for (size_t i = 0; i < pass->relations.count; i++) {
        if (!pass->relations.items[i].readable)
            return false;
    }
    return pass->plan.removal_count != 0 && remover_allowed(pass->juju, pass->event);
}

/* One that LXD keeps does not stop the others from going. */
static int remove_all(struct pass *pass, struct error *error)
{
    int result = 0;

    for (size_t i = 0; i < pass->plan.removal_count; i++) {
        const struct lxd_certificate *entry = pass->plan.removals[i];

        if (lxd_remove_certificate(pass->client, entry->fingerprint, error) == 0) {
            juju_log(pass->juju, JUJU_LOG_INFO,
                     "certificate %.12s... (%s) is removed from LXD's trust store",
                     entry->fingerprint, entry->name);
            continue;
        }
        result = -1;
        if (error->kind != ERROR_REFUSED)
            break;
        error_prefix(error, "LXD keeps certificate %.12s..., which no relation wants any more",
                     entry->fingerprint);
    }
    return result;
}

static int apply(struct pass *pass, struct error *error)
{
    if (add_all(pass, error) != 0 || (may_remove(pass) && remove_all(pass, error) != 0))
        return -1;
    step_done(pass, "LXD changed");
    return 0;
}

/* ---- publish ---- */

static int publish(struct pass *pass, struct error *error)
{
    for (size_t i = 0; i < pass->relations.count; i++) {
        struct relation *relation = &pass->relations.items[i];

        if (relation->readable && relation_publish(relation, pass->juju, &pass->plan, pass->nodes,
                                                   pass->node_count, error) != 0)
            return -1;
    }
    step_done(pass, "relations written");
    return 0;
}

static int serve(struct pass *pass, struct error *error)
{
    if (observe_juju(pass, error) != 0 || observe_lxd(pass, error) != 0)
        return -1;
    plan(pass);
    /* Once LXD has told its state, what the plan says is true even where a change failed. */
    int outcome = apply(pass, error);
    if (publish(pass, error) != 0)
        return -1;
    return outcome;
}

/* ---- status ---- */

static void summarise(const struct pass *pass, struct status *status)
{
    struct status_summary summary = {
        .certificates = plan_present(&pass->plan),
        .nodes = pass->node_count,
        .version = pass->server.version,
    };

    for (size_t i = 0; i < pass->relations.count; i++) {
        const struct relation *relation = &pass->relations.items[i];

        summary.rejected += relation->rejected;
        if (relation->rejected != 0)
            strings_add(&summary.rejecting, relation->id);
        if (!relation->readable)
            strings_add(&summary.unreadable, relation->id);
    }
    status_of_summary(status, &summary);
    strings_free(&summary.rejecting);
    strings_free(&summary.unreadable);
}

/* A unit that goes has its status from Juju. LXD's version changes too rarely for relation hooks.
 */
static int report(const struct pass *pass, const struct status *status, struct error *error)
{
    const struct event *event = pass->event;

    if (event->kind == EVENT_STOP)
        return 0;
    if (pass->server.trusted && *event->relation_id == '\0' &&
        juju_application_version_set(pass->juju, pass->server.version, error) != 0)
        return -1;
    return juju_status_set(pass->juju, status->name, status->message, error);
}

static void pass_free(struct pass *pass)
{
    plan_free(&pass->plan);
    free(pass->nodes);
    lxd_certificates_free(&pass->store);
    lxd_members_free(&pass->members);
    lxd_server_free(&pass->server);
    lxd_close(pass->client);
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
        status_of_error(&status, &trouble);
        juju_log(juju, trouble.kind == ERROR_UNAVAILABLE ? JUJU_LOG_WARNING : JUJU_LOG_ERROR, "%s",
                 status.message);
    }
    result = report(&pass, &status, error);
out:
    pass_free(&pass);
    return result;
}
