/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/probe.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/net.h"
#include "charm/servers.h"

__attribute__((format(printf, 3, 4))) static void add(struct probe *probe, const char *name,
                                                      const char *format, ...)
{
    va_list arguments;

    probe->steps = mem_grow(probe->steps, probe->count, sizeof *probe->steps);
    va_start(arguments, format);
    probe->steps[probe->count++] = (struct probe_step){name, mem_vprintf(format, arguments)};
    va_end(arguments);
}

static void add_members(struct probe *probe, const struct server *server)
{
    struct buffer list = {0};

    for (size_t i = 0; i < server->members.count; i++) {
        const struct lxd_member *member = &server->members.items[i];

        buffer_printf(&list, "%s%s %s%s", i != 0 ? ", " : "", member->name, member->endpoint.url,
                      member->active ? "" : " (does not serve)");
    }
    add(probe, "nodes", "%s", list.length != 0 ? list.data : "one, standalone");
    buffer_free(&list);
}

static void add_permission(struct probe *probe, const struct server *server)
{
    const struct lxd_certificate *own =
        store_find(&server->store, server->credentials->certificate->fingerprint);
    struct buffer text = {0};

    buffer_printf(&text, "may manage the trust store, of %zu certificates; ", server->store.total);
    if (own != NULL)
        buffer_printf(&text, "its own entry is \"%s\"", own->name);
    else if (server->filtered)
        buffer_append_string(&text, "its own is not in the list, so others may be hidden as well");
    else
        buffer_append_string(&text, "it is a fine-grained identity");
    if (server->info.has_identities && !server->sees_projects)
        buffer_append_string(&text,
                             "; it lacks can_view_projects, so a project that does not exist "
                             "is found out by LXD's refusal alone");
    add(probe, "permission", "%s", text.data);
    buffer_free(&text);
}

/* How far did observing it come? */
static void describe(struct probe *probe, const struct server *server)
{
    const char *wrong = server->trouble.text;
    struct endpoint peer;

    if (server->client == NULL && server->trouble.kind == ERROR_UNREACHABLE) {
        add(probe, "address", "%s", wrong);
        return;
    }
    if (server->client == NULL) {
        add(probe, "address", "%s is reached", server->endpoint.url);
        add(probe, "certificate", "%s", wrong);
        return;
    }
    if (lxd_peer(server->client, &peer))
        add(probe, "address", "%s", peer.host);
    if (lxd_warning(server->client) != NULL)
        add(probe, "certificate", "%s", lxd_warning(server->client));
    else
        add(probe, "certificate", "%s, as expected", lxd_presented(server->client)->fingerprint);
    if (!server->info.trusted) {
        add(probe, "trust", "%s", wrong);
        return;
    }
    add(probe, "trust", "%s %s%s%s trusts our certificate", lxd_name(server->info.software),
        server->info.version, server->info.clustered ? ", member " : " ", server->info.name);
    if (server->state == SERVER_UNKNOWN) {
        add(probe, "permission", "%s", wrong);
        return;
    }
    add_permission(probe, server);
    add_members(probe, server);
}

void probe_run(struct probe *probe, const struct endpoint *endpoint,
               const struct credentials *credentials, const struct interest *interest)
{
    struct endpoint only = *endpoint;
    struct endpoints endpoints = {&only, 1};
    struct servers servers = {0};

    *probe = (struct probe){0};
    servers_observe(&servers, &endpoints, credentials, interest, net_clock_ms() + LXD_REQUEST_MS);
    for (size_t i = 0; i < servers.count; i++) {
        describe(probe, &servers.items[i]);
        if (servers.items[i].state == SERVER_UNKNOWN)
            probe->trouble = servers.items[i].trouble;
    }
    servers_free(&servers);
}

void probe_free(struct probe *probe)
{
    for (size_t i = 0; i < probe->count; i++)
        free(probe->steps[i].text);
    free(probe->steps);
    *probe = (struct probe){0};
}
