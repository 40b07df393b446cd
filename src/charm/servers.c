/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/servers.h"

#include <stdlib.h>
#include <string.h>

#include "base/net.h"

/* ---- several at once ---- */

static struct lxd_client **clients_of(const struct server *servers, size_t count)
{
    struct lxd_client **clients = mem_alloc(count * sizeof *clients);

    for (size_t i = 0; i < count; i++)
        clients[i] = servers[i].client;
    return clients;
}

/* Read all that were started. */
static void observe(struct server *servers, size_t count)
{
    struct lxd_client **clients = clients_of(servers, count);
    size_t next;

    lxd_connect(clients, count);
    for (size_t i = 0; i < count; i++)
        clients[i] = server_opened(&servers[i]) ? servers[i].client : NULL;
    while ((next = lxd_wait(clients, count)) < count) {
        if (!server_observe_step(&servers[next]))
            clients[next] = NULL;
    }
    free(clients);
}

void servers_apply(struct servers *servers, const struct terms *terms, int64_t deadline)
{
    struct lxd_client **clients = clients_of(servers->items, servers->count);
    size_t next;

    for (size_t i = 0; i < servers->count; i++) {
        if (!server_apply_begin(&servers->items[i], deadline))
            clients[i] = NULL;
    }
    while ((next = lxd_wait(clients, servers->count)) < servers->count) {
        if (!server_apply_step(&servers->items[next], terms))
            clients[next] = NULL;
    }
    free(clients);
}

/* ---- which endpoint leads where ---- */

static bool is_known(const struct server *server)
{
    return server->state != SERVER_UNKNOWN;
}

static bool is_unreachable(const struct server *server)
{
    return !is_known(server) && server->trouble.kind == ERROR_UNREACHABLE;
}

/* Does the one list where the other is asked, as it is written or as an address? */
static bool leads_to(const struct server *server, const struct server *other)
{
    struct endpoint peer;

    return server_lists(server, &other->endpoint) ||
           (lxd_peer(other->client, &peer) && server_lists(server, &peer));
}

static bool are_at_one_address(const struct server *a, const struct server *b)
{
    struct endpoint x, y;

    return endpoint_equal(&a->endpoint, &b->endpoint) ||
           (lxd_peer(a->client, &x) && lxd_peer(b->client, &y) && endpoint_equal(&x, &y));
}

static bool are_alike(const struct server *a, const struct server *b)
{
    return is_known(a) && is_known(b) &&
           strcmp(lxd_presented(a->client)->fingerprint, lxd_presented(b->client)->fingerprint) ==
               0;
}

/* The same trust store, reached in two ways? */
static bool are_one(const struct server *a, const struct server *b)
{
    return are_alike(a, b) && (are_at_one_address(a, b) || leads_to(a, b) || leads_to(b, a));
}

enum servers_kinship servers_kinship(const struct servers *servers, const struct server *server)
{
    enum servers_kinship kinship = SERVERS_STRANGER;

    for (size_t i = 0; i < servers->count; i++) {
        if (are_one(&servers->items[i], server))
            return SERVERS_SAME;
        if (are_alike(&servers->items[i], server))
            kinship = SERVERS_ALIKE;
    }
    return kinship;
}

/* The cluster that lists the endpoint of an unreachable server, or NULL. */
static const struct server *find_cluster(const struct servers *servers,
                                         const struct endpoint *endpoint)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (is_known(&servers->items[i]) && server_lists(&servers->items[i], endpoint))
            return &servers->items[i];
    }
    return NULL;
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
        strings_take(&servers->detours, mem_printf("%s: going on through %s", server->trouble.text,
                                                   cluster->endpoint.url));
        server_free(server);
    }
    servers->count = kept;
}

static void keep(struct servers *servers, struct server *server)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (are_one(&servers->items[i], server)) {
            server_free(server);
            return;
        }
    }
    servers->items = mem_grow(servers->items, servers->count, sizeof *server);
    servers->items[servers->count++] = *server;
}

/* Ask those of the endpoints, at the same time, that no server lists which is known already. */
static void ask(struct servers *servers, const struct endpoint *endpoints, size_t count,
                int64_t deadline)
{
    struct server *asked = mem_alloc(count * sizeof *asked);
    size_t started = 0;

    for (size_t i = 0; i < count; i++) {
        if (find_cluster(servers, &endpoints[i]) == NULL)
            server_start(&asked[started++], &endpoints[i], &servers->credentials, servers->interest,
                         deadline);
    }
    observe(asked, started);
    for (size_t i = 0; i < started; i++)
        keep(servers, &asked[i]);
    free(asked);
    excuse_members(servers);
}

/* With a CA's certificate, or several, the endpoints may be of different servers. */
static bool is_one_certificate(const struct server_identity *identity)
{
    return identity->count == 1 && !identity->expected[0].is_ca;
}

void servers_observe(struct servers *servers, const struct endpoints *endpoints,
                     const struct credentials *credentials, const struct interest *interest,
                     int64_t deadline)
{
    size_t first = is_one_certificate(&credentials->server) ? 1 : 0;

    servers->endpoints = endpoints;
    servers->interest = interest;
    servers->credentials = (struct lxd_credentials){&credentials->certificate, &credentials->key,
                                                    &credentials->server};
    if (first != 0)
        ask(servers, endpoints->items, first, net_share(deadline, endpoints->count > 1 ? 2 : 1));
    ask(servers, endpoints->items + first, endpoints->count - first, deadline);
}

/* Does it stand in for what is unreachable? */
static bool helps(const struct servers *servers, const struct server *cluster)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (is_unreachable(&servers->items[i]) && is_known(cluster) &&
            server_lists(cluster, &servers->items[i].endpoint))
            return true;
    }
    return false;
}

static bool need_detour(const struct servers *servers)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (is_unreachable(&servers->items[i]))
            return true;
    }
    return false;
}

void servers_detour(struct servers *servers, const struct nodes *known, int64_t deadline)
{
    struct endpoints endpoints = {0};
    struct error ignored;

    for (size_t i = 0; i < known->count && need_detour(servers); i++)
        endpoints_add(&endpoints, node_endpoint(known->items[i]), &ignored);
    for (size_t i = 0; i < endpoints.count && need_detour(servers); i++) {
        const struct endpoint *endpoint = &endpoints.items[i];
        struct server server = {0};

        if (endpoints_contain(servers->endpoints, endpoint) ||
            find_cluster(servers, endpoint) != NULL)
            continue;
        server_start(&server, endpoint, &servers->credentials, servers->interest,
                     net_share(deadline, endpoints.count - i));
        observe(&server, 1);
        if (helps(servers, &server))
            keep(servers, &server);
        else
            server_free(&server);
        excuse_members(servers);
    }
    endpoints_free(&endpoints);
}

/* ---- published nodes ---- */

/* Of a server that was not observed what is known is what was published of it. */
static bool may_be_of(const struct server *server, const struct nodes *known, const cJSON *node)
{
    const cJSON *own = nodes_find(known, server->endpoint.url);
    const char *certificate = node_certificate(node);
    const char *expected = own != NULL ? node_certificate(own) : NULL;

    return certificate == NULL || expected == NULL || strcmp(certificate, expected) == 0;
}

static bool is_served(const struct servers *servers, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        if (is_known(server) &&
            (endpoint_equal(&server->endpoint, endpoint) || server_lists(server, endpoint)))
            return true;
    }
    return false;
}

bool servers_keep_node(const struct servers *servers, const struct nodes *known, const cJSON *node)
{
    struct endpoint endpoint;
    struct error ignored;

    if (endpoint_parse(&endpoint, node_endpoint(node), &ignored) != 0 ||
        is_served(servers, &endpoint))
        return false;
    for (size_t i = 0; i < servers->count; i++) {
        if (!is_known(&servers->items[i]) && may_be_of(&servers->items[i], known, node))
            return true;
    }
    return false;
}

/* A node that has left its cluster had the cluster's certificate, and trust store. */
static bool was_of_cluster(const struct servers *servers, const cJSON *node)
{
    const char *certificate = node_certificate(node);
    bool was = false;

    for (size_t i = 0; i < servers->count && certificate != NULL && !was; i++) {
        const struct server *server = &servers->items[i];

        if (!is_known(server) || !server->info.clustered)
            continue;
        const struct certificate *own = lxd_presented(server->client);
        char *pem = pem_encode("CERTIFICATE", own->der, own->length);
        was = strcmp(pem, certificate) == 0 || strcmp(own->fingerprint, certificate) == 0;
        free(pem);
    }
    return was;
}

void servers_find_dropped(const struct servers *servers, const struct nodes *known,
                          struct nodes *dropped)
{
    for (size_t i = 0; i < known->count; i++) {
        const cJSON *node = known->items[i];
        struct endpoint endpoint;
        struct error ignored;

        if (endpoint_parse(&endpoint, node_endpoint(node), &ignored) != 0 ||
            is_served(servers, &endpoint) || endpoints_contain(servers->endpoints, &endpoint) ||
            servers_keep_node(servers, known, node) || was_of_cluster(servers, node) ||
            nodes_find(dropped, endpoint.url) != NULL)
            continue;
        dropped->items = mem_grow(dropped->items, dropped->count, sizeof *dropped->items);
        dropped->items[dropped->count++] = cJSON_Duplicate(node, true);
    }
}

/* ---- plan, judge ---- */

void servers_plan(struct servers *servers, const struct terms *terms)
{
    for (size_t i = 0; i < servers->count; i++) {
        struct server *server = &servers->items[i];
        const struct surroundings surroundings = server_surroundings(server);

        if (is_known(server))
            plan_make(&server->plan, terms, &surroundings, &server->store);
    }
}

void servers_judge(struct servers *servers, const struct terms *terms)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (is_known(&servers->items[i]))
            server_judge(&servers->items[i], terms);
    }
}

void servers_note_refused(struct servers *servers, const struct endpoint *endpoint,
                          const char *fingerprint, const char *reason)
{
    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        if (!endpoint_equal(&server->endpoint, endpoint) && !server_lists(server, endpoint))
            continue;
        for (size_t j = 0; j < server->plan.count; j++) {
            struct step *step = &server->plan.steps[j];

            if (step->outcome != STEP_DUE || strcmp(step->fingerprint, fingerprint) != 0)
                continue;
            step->outcome = STEP_REFUSED;
            step->reason = mem_string(reason);
        }
    }
}

bool servers_know(const void *context, unsigned long relation, const char *fingerprint)
{
    const struct servers *servers = context;

    for (size_t i = 0; i < servers->count; i++) {
        const struct owner *owner = servers->interest->owner;
        const struct lxd_certificate *entry = store_find(&servers->items[i].store, fingerprint);

        if (entry != NULL && owner_has(owner, entry) && owner_relation(owner, entry) == relation)
            return true;
    }
    return false;
}

/* ---- outcome ---- */

enum verdict servers_verdict(const struct servers *servers, size_t wish,
                             const struct server **server)
{
    enum verdict verdict = VERDICT_TRUSTED;
    size_t judged = 0;

    *server = NULL;
    for (size_t i = 0; i < servers->count; i++) {
        const struct server *each = &servers->items[i];

        if (!is_known(each))
            continue;
        const struct judgement *judgement = &each->judgements[wish];
        judged++;
        if (judgement->verdict == VERDICT_REJECTED) {
            *server = each;
            return VERDICT_REJECTED;
        }
        if (judgement->verdict == VERDICT_PENDING)
            verdict = VERDICT_PENDING;
        if (judgement->reason != NULL && *server == NULL)
            *server = each;
    }
    return judged != 0 ? verdict : VERDICT_PENDING;
}

bool servers_trust(const struct servers *servers, size_t first, size_t next)
{
    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];
        bool trusted = !is_known(server);

        for (size_t j = first; j < next; j++)
            trusted = trusted || server->judgements[j].verdict == VERDICT_TRUSTED;
        if (!trusted)
            return false;
    }
    return servers_observed(servers) != 0;
}

const struct server *servers_first(const struct servers *servers)
{
    const struct endpoint *first = &servers->endpoints->items[0];

    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        if (is_known(server) && endpoint_equal(&server->endpoint, first))
            return server;
    }
    return find_cluster(servers, first);
}

size_t servers_observed(const struct servers *servers)
{
    size_t observed = 0;

    for (size_t i = 0; i < servers->count; i++)
        observed += is_known(&servers->items[i]);
    return observed;
}

bool servers_are_observed(const struct servers *servers)
{
    return servers_observed(servers) == servers->count;
}

size_t servers_due(const struct servers *servers)
{
    size_t due = 0;

    for (size_t i = 0; i < servers->count; i++)
        due += plan_due(&servers->items[i].plan);
    return due;
}

const struct error *servers_trouble(const struct servers *servers)
{
    const struct error *first = NULL;

    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        if (server->state == SERVER_OBSERVED)
            continue;
        if (server->trouble.kind != ERROR_UNREACHABLE && server->trouble.kind != ERROR_WAITING)
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
