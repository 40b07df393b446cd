/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/server.h"

#include <stdlib.h>
#include <string.h>

/* ---- several at once ---- */

/* Let all go on with a step whenever their server answers, until they have no more to do. */
static void run(struct server *servers, struct lxd_client *clients[], size_t count,
                bool (*step)(struct server *server))
{
    size_t next;

    while ((next = lxd_wait(clients, count)) < count) {
        if (!step(&servers[next]))
            clients[next] = NULL;
    }
}

/* ---- observe ---- */

static int log_in(struct server *server, struct error *error)
{
    const struct certificate *ours = server->credentials->certificate;

    if (lxd_get_server(server->client, &server->info, error) != 0)
        return -1;
    if (!server->info.trusted)
        return error_set(error, ERROR_UNTRUSTED,
                         "LXD at %s does not trust the client certificate %.12s...: run \"lxc "
                         "config trust add\"",
                         server->endpoint.url, ours->fingerprint);
    return 0;
}

/* A restricted certificate could neither add nor remove; LXD shows it its own entry at least. */
static int check_permission(const struct server *server, struct error *error)
{
    const char *own = server->credentials->certificate->fingerprint;

    for (size_t i = 0; i < server->store.count; i++) {
        const struct lxd_certificate *entry = &server->store.items[i];

        if (entry->projects.restricted && strcmp(entry->fingerprint, own) == 0)
            return error_set(error, ERROR_UNTRUSTED,
                             "LXD at %s restricts the client certificate %.12s... to projects: it "
                             "may not manage the trust store",
                             server->endpoint.url, own);
    }
    return 0;
}

/* What was asked first: both requests leave with the handshake. Then the members of a cluster. */
static int collect(struct server *server, struct error *error)
{
    if (server->step++ != 0)
        return lxd_list_members(server->client, &server->members, error);
    if (log_in(server, error) != 0 ||
        lxd_list_certificates(server->client, &server->store, error) != 0)
        return -1;
    return check_permission(server, error);
}

/* Is there more to be done? */
static bool observe_step(struct server *server)
{
    bool failed = collect(server, &server->trouble) != 0;

    if (!failed && server->info.clustered && server->step == 1) {
        lxd_ahead_get(server->client, LXD_MEMBERS);
        return true;
    }
    server->observed = !failed;
    server->troubled = failed;
    return false;
}

void server_start(struct server *server, const struct endpoint *endpoint,
                  const struct lxd_credentials *credentials, int64_t deadline)
{
    server->endpoint = *endpoint;
    server->credentials = credentials;
    server->client = lxd_start(endpoint, credentials, deadline);
    lxd_ahead_get(server->client, LXD_SERVER);
    lxd_ahead_get(server->client, LXD_CERTIFICATES);
}

void server_observe(struct server *servers, size_t count)
{
    struct lxd_client **clients = mem_alloc(count * sizeof *clients);

    for (size_t i = 0; i < count; i++)
        clients[i] = servers[i].client;
    lxd_connect(clients, count);
    for (size_t i = 0; i < count; i++) {
        servers[i].troubled = lxd_opened(&servers[i].client, &servers[i].trouble) != 0;
        clients[i] = servers[i].client;
    }
    run(servers, clients, count, observe_step);
    free(clients);
}

/* ---- apply ---- */

/* The sentence becomes the server's. */
static void note(struct server *server, char *sentence)
{
    strings_add(&server->changes, sentence);
    free(sentence);
}

/* Keep the first trouble. Is there any use in going on? */
static bool survives(struct server *server, const struct error *error)
{
    if (!server->troubled)
        server->trouble = *error;
    server->troubled = true;
    return error->kind != ERROR_UNTRUSTED && lxd_is_connected(server->client);
}

static int add(struct server *server, struct plan_certificate *wanted, struct error *error)
{
    struct lxd_certificate entry;

    if (lxd_add_certificate(server->client, wanted->certificate, wanted->name, &wanted->projects,
                            &entry, error) != 0) {
        if (error->kind != ERROR_REFUSED)
            return -1;
        plan_refuse(wanted, error->text);
        return 0;
    }
    plan_settle(wanted, &entry);
    if (wanted->state == PLAN_PRESENT)
        note(server,
             mem_printf("certificate %.12s... (%s) is now in the trust store of LXD at %s as "
                        "%s",
                        entry.fingerprint, wanted->certificate->common_name, server->endpoint.url,
                        entry.name));
    lxd_certificate_free(&entry);
    return 0;
}

static int restrict_to_plan(struct server *server, struct plan_certificate *wanted,
                            struct error *error)
{
    const char *fingerprint = wanted->certificate->fingerprint;

    if (lxd_change_certificate(server->client, fingerprint, wanted->name, &wanted->projects,
                               error) != 0) {
        if (error->kind != ERROR_REFUSED)
            return -1;
        plan_refuse(wanted, error->text);
        return 0;
    }
    wanted->state = PLAN_PRESENT;
    char *projects = projects_describe(&wanted->projects);
    note(server,
         mem_printf("certificate %.12s... (%s) in the trust store of LXD at %s now opens %s",
                    fingerprint, wanted->name, server->endpoint.url, projects));
    free(projects);
    return 0;
}

/* LXD's own reason, with what it is about. */
static int say_refused(const struct server *server, const struct lxd_certificate *entry,
                       const char *what, struct error *error)
{
    if (error->kind == ERROR_REFUSED)
        error_prefix(error, "LXD at %s does not let certificate %.12s... be %s",
                     server->endpoint.url, entry->fingerprint, what);
    return -1;
}

int server_remove(struct server *server, const struct lxd_certificate *entry, struct error *error)
{
    if (lxd_remove_certificate(server->client, entry->fingerprint, error) != 0)
        return say_refused(server, entry, "removed", error);
    note(server,
         mem_printf("certificate %.12s... (%s) is removed from the trust store of LXD at %s",
                    entry->fingerprint, entry->name, server->endpoint.url));
    return 0;
}

int server_rename(struct server *server, const struct lxd_certificate *entry, const char *name,
                  struct error *error)
{
    if (lxd_change_certificate(server->client, entry->fingerprint, name, NULL, error) != 0)
        return say_refused(server, entry, "renamed", error);
    note(server,
         mem_printf("certificate %.12s... (%s) in the trust store of LXD at %s is now called %s",
                    entry->fingerprint, entry->name, server->endpoint.url, name));
    return 0;
}

/* The certificate that it is the turn of, or NULL: then it is a removal's. */
static struct plan_certificate *current(const struct server *server)
{
    const struct plan *plan = &server->plan;

    return server->step < plan->removal_count
               ? NULL
               : &plan->certificates[server->step - plan->removal_count];
}

/* Send the next change ahead, if there is one. */
static bool ask(struct server *server)
{
    const struct plan *plan = &server->plan;

    for (; server->step < plan->removal_count + plan->count; server->step++) {
        const struct plan_certificate *wanted = current(server);

        if (wanted == NULL)
            lxd_ahead_remove(server->client, plan->removals[server->step]->fingerprint);
        else if (wanted->state == PLAN_MISSING)
            lxd_ahead_add(server->client, wanted->certificate, wanted->name, &wanted->projects);
        else if (wanted->state == PLAN_CHANGED)
            lxd_ahead_change(server->client, wanted->certificate->fingerprint, wanted->name,
                             &wanted->projects);
        else
            continue;
        return true;
    }
    return false;
}

/* Carry out what was asked for. Is there any use in going on? */
static bool change(struct server *server)
{
    struct plan_certificate *wanted = current(server);
    struct error error;
    int result;

    if (wanted == NULL)
        result = server_remove(server, server->plan.removals[server->step], &error);
    else if (wanted->state == PLAN_CHANGED)
        result = restrict_to_plan(server, wanted, &error);
    else if ((result = add(server, wanted, &error)) == 0 && wanted->state == PLAN_CHANGED)
        return true; /* an addition may turn out to be a change */
    server->step++;
    return result == 0 || survives(server, &error);
}

static bool apply_step(struct server *server)
{
    if (server->asked && !change(server))
        return false;
    server->asked = ask(server);
    return server->asked;
}

void server_apply(struct server *servers, size_t count, bool removing, int64_t deadline)
{
    struct lxd_client **clients = mem_alloc(count * sizeof *clients);

    for (size_t i = 0; i < count; i++) {
        struct server *server = &servers[i];

        if (!server->observed)
            continue;
        clients[i] = server->client;
        lxd_set_deadline(server->client, deadline);
        server->step = removing ? 0 : server->plan.removal_count;
    }
    run(servers, clients, count, apply_step);
    free(clients);
}

/* ---- what it is ---- */

const struct lxd_certificate *server_find(const struct server *server, const char *fingerprint)
{
    for (size_t i = 0; i < server->store.count; i++) {
        if (strcmp(server->store.items[i].fingerprint, fingerprint) == 0)
            return &server->store.items[i];
    }
    return NULL;
}

bool server_has_member(const struct server *server, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < server->members.count; i++) {
        if (endpoint_equal(&server->members.items[i].endpoint, endpoint))
            return true;
    }
    return false;
}

const char *server_warning(const struct server *server)
{
    return server->client != NULL ? lxd_warning(server->client) : NULL;
}

size_t server_nodes(const struct server *server)
{
    size_t active = 0;

    for (size_t i = 0; i < server->members.count; i++)
        active += server->members.items[i].active;
    return server->info.clustered ? active : 1;
}

void server_free(struct server *server)
{
    plan_free(&server->plan);
    lxd_certificates_free(&server->store);
    lxd_members_free(&server->members);
    lxd_server_free(&server->info);
    lxd_close(server->client);
    strings_free(&server->changes);
    *server = (struct server){0};
}
