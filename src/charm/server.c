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

        if (entry->restricted && strcmp(entry->fingerprint, own) == 0)
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

    if (lxd_add_certificate(server->client, wanted->certificate, wanted->name, &entry, error) !=
        0) {
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

static void add_all(struct server *server)
{
    struct error error;

    for (size_t i = 0; i < server->plan.count; i++) {
        struct plan_certificate *wanted = &server->plan.certificates[i];

        if (wanted->state == PLAN_MISSING && add(server, wanted, &error) != 0 &&
            !survives(server, &error))
            return;
    }
}

static int take_away(struct server *server, const struct lxd_certificate *entry,
                     struct error *error)
{
    if (lxd_remove_certificate(server->client, entry->fingerprint, error) != 0) {
        if (error->kind == ERROR_REFUSED)
            error_prefix(error,
                         "LXD at %s keeps certificate %.12s..., which no relation wants any more",
                         server->endpoint.url, entry->fingerprint);
        return -1;
    }
    note(server,
         mem_printf("certificate %.12s... (%s) is removed from the trust store of LXD at %s",
                    entry->fingerprint, entry->name, server->endpoint.url));
    return 0;
}

/* Is there any use in going on? */
static bool remove_all(struct server *server)
{
    struct error error;

    for (size_t i = 0; i < server->plan.removal_count; i++) {
        if (take_away(server, server->plan.removals[i], &error) != 0 && !survives(server, &error))
            return false;
    }
    return true;
}

int server_apply(struct server *server, bool removing, int64_t deadline)
{
    lxd_set_deadline(server->client, deadline);
    if (!removing || remove_all(server))
        add_all(server);
    return server->troubled ? -1 : 0;
}

/* ---- what it is ---- */

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
