/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/server.h"

#include <stdlib.h>
#include <string.h>

/* ---- observe ---- */

static int log_in(struct server *server, const struct lxd_credentials *credentials,
                  int64_t deadline, struct error *error)
{
    if (lxd_open(&server->client, &server->endpoint, credentials, deadline, error) != 0 ||
        lxd_get_server(server->client, &server->info, error) != 0)
        return -1;
    if (!server->info.trusted)
        return error_set(error, ERROR_UNTRUSTED,
                         "LXD at %s does not trust the client certificate %.12s...: run \"lxc "
                         "config trust add\"",
                         server->endpoint.url, credentials->certificate->fingerprint);
    return 0;
}

/* A restricted certificate could neither add nor remove; LXD shows it its own entry at least. */
static int check_permission(const struct server *server, const char *own, struct error *error)
{
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

static int observe(struct server *server, const struct lxd_credentials *credentials,
                   int64_t deadline, struct error *error)
{
    if (log_in(server, credentials, deadline, error) != 0)
        return -1;
    if (server->info.clustered && lxd_list_members(server->client, &server->members, error) != 0)
        return -1;
    if (lxd_list_certificates(server->client, &server->store, error) != 0)
        return -1;
    return check_permission(server, credentials->certificate->fingerprint, error);
}

int server_observe(struct server *server, const struct endpoint *endpoint,
                   const struct lxd_credentials *credentials, int64_t deadline)
{
    server->endpoint = *endpoint;
    server->observed = observe(server, credentials, deadline, &server->trouble) == 0;
    server->troubled = !server->observed;
    return server->observed ? 0 : -1;
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

/* An addition may turn out to be a change. */
static int bring(struct server *server, struct plan_certificate *wanted, struct error *error)
{
    if (wanted->state == PLAN_MISSING && add(server, wanted, error) != 0)
        return -1;
    return wanted->state == PLAN_CHANGED ? restrict_to_plan(server, wanted, error) : 0;
}

static void bring_all(struct server *server)
{
    struct error error;

    for (size_t i = 0; i < server->plan.count; i++) {
        if (bring(server, &server->plan.certificates[i], &error) != 0 && !survives(server, &error))
            return;
    }
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

/* Is there any use in going on? */
static bool remove_all(struct server *server)
{
    struct error error;

    for (size_t i = 0; i < server->plan.removal_count; i++) {
        if (server_remove(server, server->plan.removals[i], &error) != 0 &&
            !survives(server, &error))
            return false;
    }
    return true;
}

int server_apply(struct server *server, bool removing, int64_t deadline)
{
    lxd_set_deadline(server->client, deadline);
    if (!removing || remove_all(server))
        bring_all(server);
    return server->troubled ? -1 : 0;
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
