/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/servers.h"

#include <stdlib.h>

#include "base/net.h"

/* ---- which endpoint leads where ---- */

/* Only members of one cluster share one certificate; a CA's may stand for many. */
static bool is_one_certificate(const struct server_identity *identity)
{
    return identity->count == 1 && !identity->expected[0].is_ca;
}

/* Is the cluster, where it is one, what is to be found behind the endpoint? */
static bool stands_for(const struct server *cluster, const struct endpoint *endpoint,
                       const struct servers *servers)
{
    return cluster->observed && cluster->info.clustered &&
           (server_has_member(cluster, endpoint) ||
            is_one_certificate(servers->credentials.server));
}

static const struct server *find_cluster(const struct servers *servers,
                                         const struct endpoint *endpoint)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (stands_for(&servers->items[i], endpoint, servers))
            return &servers->items[i];
    }
    return NULL;
}

/* The same cluster, reached before in another way? */
static bool is_known(const struct servers *servers, const struct server *cluster)
{
    for (size_t i = 0; i < cluster->members.count; i++) {
        for (size_t j = 0; j < servers->count; j++) {
            if (server_has_member(&servers->items[j], &cluster->members.items[i].endpoint))
                return true;
        }
    }
    return false;
}

static bool is_unreachable(const struct server *server)
{
    return !server->observed && server->trouble.kind == ERROR_UNREACHABLE;
}

/* Does it stand in for what is unreachable? */
static bool helps(const struct servers *servers, const struct server *cluster)
{
    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        if (is_unreachable(server) && stands_for(cluster, &server->endpoint, servers))
            return true;
    }
    return false;
}

/* ---- ask ---- */

/* An unreachable member is no trouble where its cluster is reached through another one. */
static void excuse_members(struct servers *servers)
{
    size_t kept = 0;

    for (size_t i = 0; i < servers->count; i++) {
        struct server *server = &servers->items[i];
        const struct server *cluster = find_cluster(servers, &server->endpoint);

        if (!is_unreachable(server) || cluster == NULL) {
            servers->items[kept++] = *server;
            continue;
        }
        char *detour =
            mem_printf("%s: going on through %s", server->trouble.text, cluster->endpoint.url);
        strings_add(&servers->detours, detour);
        free(detour);
        server_free(server);
    }
    servers->count = kept;
}

static void keep(struct servers *servers, const struct server *server)
{
    servers->items = mem_grow(servers->items, servers->count, sizeof *server);
    servers->items[servers->count++] = *server;
}

/* Ask these endpoints, at the same time. A detour is for what is unreachable only. */
static void ask(struct servers *servers, const struct endpoint *endpoints, size_t count,
                bool detour, int64_t deadline)
{
    struct server *asked = mem_alloc(count * sizeof *asked);
    size_t started = 0;

    for (size_t i = 0; i < count; i++) {
        if (find_cluster(servers, &endpoints[i]) == NULL &&
            !(detour && endpoints_contain(servers->endpoints, &endpoints[i])))
            server_start(&asked[started++], &endpoints[i], &servers->credentials, deadline);
    }
    server_observe(asked, started);
    for (size_t i = 0; i < started; i++) {
        if (find_cluster(servers, &asked[i].endpoint) == NULL && !is_known(servers, &asked[i]) &&
            (!detour || helps(servers, &asked[i])))
            keep(servers, &asked[i]);
        else
            server_free(&asked[i]);
    }
    free(asked);
    excuse_members(servers);
}

/* Of the members of one cluster one is enough; servers of their own are asked all at once. */
static void ask_all(struct servers *servers, const struct endpoints *endpoints, bool detour,
                    int64_t deadline)
{
    size_t step = is_one_certificate(servers->credentials.server) ? 1 : endpoints->count;

    for (size_t i = 0; i < endpoints->count; i += step) {
        if (!detour || servers_need_detour(servers))
            ask(servers, endpoints->items + i, step, detour,
                net_share(deadline, (endpoints->count - i) / step));
    }
}

void servers_observe(struct servers *servers, const struct credentials *credentials,
                     int64_t deadline)
{
    servers->endpoints = &credentials->endpoints;
    servers->credentials = (struct lxd_credentials){&credentials->certificate, &credentials->key,
                                                    &credentials->server};
    ask_all(servers, servers->endpoints, false, deadline);
}

bool servers_need_detour(const struct servers *servers)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (is_unreachable(&servers->items[i]))
            return true;
    }
    return false;
}

void servers_detour(struct servers *servers, const struct endpoints *known, int64_t deadline)
{
    ask_all(servers, known, true, deadline);
}

/* ---- plan and apply ---- */

void servers_plan(struct servers *servers, const struct plan_self *self,
                  const struct plan_demand *demands, size_t count)
{
    for (size_t i = 0; i < servers->count; i++) {
        struct server *server = &servers->items[i];

        if (server->observed)
            plan_make(&server->plan, self, demands, count, &server->info, &server->store);
    }
}

bool servers_hold_surplus(const struct servers *servers)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (servers->items[i].plan.removal_count != 0)
            return true;
    }
    return false;
}

void servers_apply(struct servers *servers, bool removing, int64_t deadline)
{
    server_apply(servers->items, servers->count, removing, deadline);
}

/* ---- outcome ---- */

bool servers_have_node(const struct servers *servers, const char *url)
{
    struct endpoint endpoint;
    struct error ignored;

    if (endpoint_parse(&endpoint, url, &ignored) != 0)
        return false;
    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        if (server->observed &&
            (endpoint_equal(&server->endpoint, &endpoint) || server_has_member(server, &endpoint)))
            return true;
    }
    return false;
}

const struct server *servers_first(const struct servers *servers)
{
    const struct endpoint *first = &servers->endpoints->items[0];

    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        if (server->observed && endpoint_equal(&server->endpoint, first))
            return server;
    }
    return find_cluster(servers, first);
}

size_t servers_observed(const struct servers *servers)
{
    size_t observed = 0;

    for (size_t i = 0; i < servers->count; i++)
        observed += servers->items[i].observed;
    return observed;
}

const char *servers_version(const struct servers *servers)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (servers->items[i].observed)
            return servers->items[i].info.version;
    }
    return NULL;
}

/* All plans have the same certificates in the same order. */
static bool is_present_everywhere(const struct servers *servers, size_t number)
{
    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        if (!server->troubled && server->plan.certificates[number].state != PLAN_PRESENT)
            return false;
    }
    return true;
}

size_t servers_present(const struct servers *servers)
{
    size_t count = 0, present = 0;

    for (size_t i = 0; i < servers->count; i++) {
        if (!servers->items[i].troubled)
            count = servers->items[i].plan.count;
    }
    for (size_t i = 0; i < count; i++)
        present += is_present_everywhere(servers, i);
    return present;
}

const struct error *servers_trouble(const struct servers *servers)
{
    const struct error *first = NULL;

    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        if (!server->troubled)
            continue;
        if (server->trouble.kind != ERROR_UNREACHABLE)
            return &server->trouble;
        if (first == NULL)
            first = &server->trouble;
    }
    return first;
}

void servers_free(struct servers *servers)
{
    for (size_t i = 0; i < servers->count; i++)
        server_free(&servers->items[i]);
    free(servers->items);
    strings_free(&servers->detours);
    *servers = (struct servers){0};
}
