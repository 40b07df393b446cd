/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/relations.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "juju/hook_tools.h"

#define API "api"
#define HTTPS "https"
#define SCHEME "https://"

static int read_member(struct relation *relation, const struct juju_transport *juju,
                       const char *member, bool application, struct error *error)
{
    cJSON *settings;

    if (juju_relation_get(juju, relation->id, member, application, &settings, error) != 0) {
        if (error->kind != ERROR_INPUT)
            return -1;
        error_prefix(error, "unusable settings");
        request_reject(&relation->request, member, error->text);
        return 0;
    }
    if (relation->https)
        request_read_https(&relation->request, member, settings);
    else
        request_read(&relation->request, member, settings);
    cJSON_Delete(settings);
    return 0;
}

/* A unit's name tells its application's; only a relation without units costs a call. */
static int read_application(struct relation *relation, const struct juju_transport *juju,
                            const struct strings *units, struct error *error)
{
    if (units->count == 0)
        return juju_relation_application(juju, relation->id, &relation->application, error);
    const char *unit = units->items[0];
    relation->application = mem_string_n(unit, strcspn(unit, "/"));
    return 0;
}

static int read_members(struct relation *relation, const struct juju_transport *juju,
                        const struct event *event, const struct strings *units, struct error *error)
{
    for (size_t i = 0; i < units->count; i++) {
        const char *unit = units->items[i];

        if (!event_departs(event, relation->id, unit) &&
            read_member(relation, juju, unit, false, error) != 0)
            return -1;
    }
    return read_member(relation, juju, relation->application, true, error);
}

/* Whether we lead is asked once, where it matters. */
struct leadership {
    bool known, ours;
};

static int read_leadership(struct leadership *leadership, const struct juju_transport *juju,
                           struct error *error)
{
    if (!leadership->known && juju_is_leader(juju, &leadership->ours, error) != 0)
        return -1;
    leadership->known = true;
    return 0;
}

/* Of our application's settings only the leader may know. */
static int read_published(struct relation *relation, const struct juju_transport *juju,
                          const struct event *event, struct leadership *leadership,
                          struct error *error)
{
    if (juju_relation_get(juju, relation->id, event->unit, false, &relation->published, error) != 0)
        return -1;
    if (!relation->https)
        return 0;
    if (read_leadership(leadership, juju, error) != 0)
        return -1;
    return leadership->ours ? juju_relation_get(juju, relation->id, event->application, true,
                                                &relation->application_published, error)
                            : 0;
}

static int read_relation(struct relation *relation, const struct juju_transport *juju,
                         const struct event *event, struct leadership *leadership,
                         struct error *error)
{
    struct strings units = {0};
    int result = -1;

    if (juju_relation_units(juju, relation->id, &units, error) != 0 ||
        read_application(relation, juju, &units, error) != 0 ||
        read_members(relation, juju, event, &units, error) != 0 ||
        read_published(relation, juju, event, leadership, error) != 0)
        goto out;
    request_sort(&relation->request);
    relation->readable = true;
    result = 0;
out:
    strings_free(&units);
    return result;
}

static int compare_relations(const void *a, const void *b)
{
    const struct relation *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

static unsigned long number_of(const char *id)
{
    const char *colon = strrchr(id, ':');

    return strtoul(colon != NULL ? colon + 1 : id, NULL, 10);
}

/* Those of one endpoint. */
static int read_endpoint(struct relations *relations, const struct juju_transport *juju,
                         const struct event *event, const char *endpoint, struct error *error)
{
    struct leadership leadership = {0};
    struct strings ids = {0};

    int result = juju_relation_ids(juju, endpoint, &ids, error);
    relations->items =
        mem_resize(relations->items, (relations->count + ids.count) * sizeof *relations->items);
    for (size_t i = 0; i < ids.count; i++) {
        /* Before Juju 3.4 a relation that ends is still in the list. */
        if (event_breaks(event, ids.items[i]))
            continue;
        struct relation *relation = &relations->items[relations->count++];
        struct error trouble;

        *relation = (struct relation){.id = mem_string(ids.items[i]),
                                      .number = number_of(ids.items[i]),
                                      .https = strcmp(endpoint, HTTPS) == 0};
        if (read_relation(relation, juju, event, &leadership, &trouble) != 0)
            juju_log(juju, JUJU_LOG_WARNING, "relation %s is left as it is: %s", relation->id,
                     trouble.text);
    }
    strings_free(&ids);
    return result;
}

int relations_read(struct relations *relations, const struct juju_transport *juju,
                   const struct event *event, struct error *error)
{
    if (read_endpoint(relations, juju, event, API, error) != 0 ||
        read_endpoint(relations, juju, event, HTTPS, error) != 0)
        return -1;
    qsort(relations->items, relations->count, sizeof *relations->items, compare_relations);
    return 0;
}

/* What one databag of ours tells, of either interface. */
static void add_known(struct endpoints *known, const cJSON *published)
{
    const char *value = json_string(published, "addresses");
    struct endpoints addresses = {0};
    struct nodes nodes = {0};
    struct error ignored;

    nodes_read(&nodes, published);
    for (size_t i = 0; i < nodes.count; i++)
        endpoints_add(known, node_endpoint(nodes.items[i]), &ignored);
    if (value != NULL)
        endpoints_parse(&addresses, value, &ignored);
    for (size_t i = 0; i < addresses.count; i++)
        endpoints_add(known, addresses.items[i].url, &ignored);
    endpoints_free(&addresses);
    nodes_free(&nodes);
}

static void add_known_by_ending(struct endpoints *known, const struct juju_transport *juju,
                                const struct event *event, const char *member, bool application)
{
    struct error ignored;
    cJSON *ending;

    if (juju_relation_get(juju, event->relation_id, member, application, &ending, &ignored) != 0)
        return;
    add_known(known, ending);
    cJSON_Delete(ending);
}

void relations_known_nodes(const struct relations *relations, const struct juju_transport *juju,
                           const struct event *event, struct endpoints *known)
{
    for (size_t i = 0; i < relations->count; i++) {
        add_known(known, relations->items[i].published);
        add_known(known, relations->items[i].application_published);
    }
    if (event->kind != EVENT_RELATION_BROKEN)
        return;
    add_known_by_ending(known, juju, event, event->unit, false);
    if (strncmp(event->relation_id, HTTPS ":", strlen(HTTPS ":")) == 0)
        add_known_by_ending(known, juju, event, event->application, true);
}

/* ---- publishing ---- */

static void add_server(struct nodes *nodes, const struct server *server,
                       const struct strings *fingerprints)
{
    if (!server->info.clustered)
        nodes_add(nodes, server->endpoint.url, server->info.name, fingerprints);
    for (size_t i = 0; i < server->members.count; i++) {
        const struct lxd_member *member = &server->members.items[i];

        if (member->active)
            nodes_add(nodes, member->endpoint.url, member->name, fingerprints);
    }
}

/* Which of the relation's certificates the server trusts. Wishes may differ in their text alone. */
static void add_trusted(struct strings *fingerprints, const struct server *server,
                        const struct request *request)
{
    const char *last = "";

    for (size_t i = 0; i < request->count; i++) {
        const char *fingerprint = request->wishes[i].certificate.fingerprint;

        if (strcmp(fingerprint, last) != 0 &&
            plan_find(&server->plan, fingerprint)->state == PLAN_PRESENT)
            strings_add(fingerprints, fingerprint);
        last = fingerprint;
    }
}

/* Of servers that were not observed nothing new is known. */
static void keep_nodes(struct nodes *nodes, const struct servers *servers, const cJSON *published)
{
    size_t kept = 0;

    if (servers_observed(servers) == servers->count)
        return;
    nodes_read(nodes, published);
    for (size_t i = 0; i < nodes->count; i++) {
        if (servers_have_node(servers, node_endpoint(nodes->items[i])))
            cJSON_Delete(nodes->items[i]);
        else
            nodes->items[kept++] = nodes->items[i];
    }
    nodes->count = kept;
}

static char *compose_nodes(const struct relation *relation, const struct servers *servers)
{
    struct nodes nodes = {0};

    keep_nodes(&nodes, servers, relation->published);
    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];
        struct strings fingerprints = {0};

        if (!server->observed)
            continue;
        add_trusted(&fingerprints, server, &relation->request);
        add_server(&nodes, server, &fingerprints);
        strings_free(&fingerprints);
    }
    char *value = databag_nodes(&nodes);
    nodes_free(&nodes);
    return value;
}

/* One refusal is enough; where there are several servers it says whose. */
static void reject(struct rejections *rejections, const char *fingerprint,
                   const struct servers *servers, const struct server *server)
{
    const char *reason = plan_find(&server->plan, fingerprint)->reason;
    char *whose = servers->count > 1 ? mem_printf("LXD at %s: %s", server->endpoint.url, reason)
                                     : mem_string(reason);

    rejections_add(rejections, fingerprint, whose);
    free(whose);
}

/* Is the certificate trusted by all? */
static bool judge(const char *fingerprint, const struct servers *servers,
                  struct rejections *rejections)
{
    bool everywhere = true;

    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        if (!server->observed)
            continue;
        enum plan_state state = plan_find(&server->plan, fingerprint)->state;
        everywhere = everywhere && state == PLAN_PRESENT;
        if (state == PLAN_REFUSED) {
            reject(rejections, fingerprint, servers, server);
            break;
        }
    }
    return everywhere;
}

/* The texts of the relation's certificates that all trust, and all of its rejections. */
static void judge_all(const struct relation *relation, const struct servers *servers,
                      struct strings *registered, struct rejections *rejections)
{
    const struct request *request = &relation->request;

    for (size_t i = 0; i < request->rejections.count; i++)
        rejections_add(rejections, NULL, request->rejections.items[i].reason);
    for (size_t i = 0; i < request->count; i++) {
        if (judge(request->wishes[i].certificate.fingerprint, servers, rejections))
            strings_add(registered, request->wishes[i].text);
    }
    rejections_sort(rejections);
}

static void add_version(cJSON *settings)
{
    cJSON_AddStringToObject(settings, "version", DATABAG_VERSION);
}

/* The value becomes the object's. */
static void add_value(cJSON *settings, const char *key, char *value)
{
    cJSON_AddStringToObject(settings, key, value);
    free(value);
}

/* Take out of settings what is published already; an absent key is an empty one. */
static void keep_changes(cJSON *settings, const cJSON *published)
{
    cJSON *next;

    for (cJSON *item = settings->child; item != NULL; item = next) {
        const char *value = json_string(published, item->string);

        next = item->next;
        if (strcmp(item->valuestring, value != NULL ? value : "") == 0)
            cJSON_Delete(cJSON_DetachItemViaPointer(settings, item));
    }
}

static void log_rejections(const struct juju_transport *juju, const char *id,
                           const struct rejections *rejections)
{
    for (size_t i = 0; i < rejections->count; i++) {
        const struct rejection *rejection = &rejections->items[i];

        if (rejection->fingerprint[0] != '\0')
            juju_log(juju, JUJU_LOG_WARNING, "relation %s: certificate %.12s... rejected: %s", id,
                     rejection->fingerprint, rejection->reason);
        else
            juju_log(juju, JUJU_LOG_WARNING, "relation %s: rejected: %s", id, rejection->reason);
    }
}

static int write_changes(struct relation *relation, const struct juju_transport *juju,
                         bool application, const cJSON *changes, struct error *error)
{
    struct buffer keys = {0};
    const cJSON *item;

    if (juju_relation_set(juju, relation->id, application, changes, error) != 0)
        return -1;
    cJSON_ArrayForEach(item, changes)
    {
        buffer_printf(&keys, "%s%s", keys.length != 0 ? ", " : "", item->string);
    }
    juju_log(juju, JUJU_LOG_INFO, "relation %s: published %s", relation->id, keys.data);
    free(relation->written);
    relation->written = keys.data;
    return 0;
}

/* In the terms of the lxd interface. */
static int publish_api(struct relation *relation, const struct juju_transport *juju,
                       const struct servers *servers, const struct strings *registered,
                       const struct rejections *rejections, struct error *error)
{
    cJSON *settings = cJSON_CreateObject();
    int result = 0;

    add_version(settings);
    add_value(settings, "nodes", compose_nodes(relation, servers));
    add_value(settings, "registered_certificates", databag_registered(registered));
    add_value(settings, "rejected_certificates", databag_rejected(rejections));
    keep_changes(settings, relation->published);
    if (cJSON_HasObjectItem(settings, "rejected_certificates"))
        log_rejections(juju, relation->id, rejections);
    if (settings->child != NULL)
        result = write_changes(relation, juju, false, settings, error);
    cJSON_Delete(settings);
    return result;
}

/* ---- publishing, lxd-https ---- */

/* Requirers connect to the first address, so it is one that answers. */
static char *compose_addresses(const struct server *server)
{
    struct endpoints addresses = {0};
    struct strings none = {0};
    struct nodes nodes = {0};
    struct buffer text = {0};
    struct error ignored;

    add_server(&nodes, server, &none);
    nodes_sort(&nodes);
    endpoints_add(&addresses, server->endpoint.url, &ignored);
    for (size_t i = 0; i < nodes.count; i++)
        endpoints_add(&addresses, node_endpoint(nodes.items[i]), &ignored);
    for (size_t i = 0; i < server->info.addresses.count && !server->info.clustered; i++)
        endpoints_add(&addresses, server->info.addresses.items[i].url, &ignored);
    for (size_t i = 0; i < addresses.count; i++)
        buffer_printf(&text, "%s%s", i != 0 ? "," : "", addresses.items[i].url + strlen(SCHEME));
    endpoints_free(&addresses);
    nodes_free(&nodes);
    return text.data;
}

static cJSON *compose_https(const struct server *server)
{
    const struct certificate *presented = lxd_presented(server->client);
    cJSON *settings = cJSON_CreateObject();

    add_version(settings);
    add_value(settings, "certificate",
              pem_encode("CERTIFICATE", presented->der, presented->length));
    cJSON_AddStringToObject(settings, "certificate_fingerprint", presented->fingerprint);
    add_value(settings, "addresses", compose_addresses(server));
    return settings;
}

/* All in one databag of ours, or nothing. */
static int publish_server(struct relation *relation, const struct juju_transport *juju,
                          bool application, const struct server *server, bool all,
                          struct error *error)
{
    cJSON *settings = compose_https(server);
    int result = 0;

    for (cJSON *item = settings->child; item != NULL && !all; item = item->next)
        *item->valuestring = '\0';
    keep_changes(settings, application ? relation->application_published : relation->published);
    if (settings->child != NULL)
        result = write_changes(relation, juju, application, settings, error);
    cJSON_Delete(settings);
    return result;
}

static int publish_https(struct relation *relation, const struct juju_transport *juju,
                         const struct servers *servers, struct error *error)
{
    const struct server *server = servers_first(servers);
    struct strings trusted = {0};

    if (server == NULL)
        return 0;
    add_trusted(&trusted, server, &relation->request);
    bool serves = trusted.count != 0, clustered = server->info.clustered;
    strings_free(&trusted);
    if (publish_server(relation, juju, false, server, serves && !clustered, error) != 0)
        return -1;
    if (relation->application_published == NULL)
        return 0;
    return publish_server(relation, juju, true, server, serves && clustered, error);
}

int relation_publish(struct relation *relation, const struct juju_transport *juju,
                     const struct servers *servers, struct error *error)
{
    struct rejections rejections = {0};
    struct strings registered = {0};
    int result;

    judge_all(relation, servers, &registered, &rejections);
    relation->rejected = rejections.count;
    if (relation->https) {
        log_rejections(juju, relation->id, &rejections);
        result = publish_https(relation, juju, servers, error);
    } else {
        result = publish_api(relation, juju, servers, &registered, &rejections, error);
    }
    strings_free(&registered);
    rejections_free(&rejections);
    return result;
}

void relations_free(struct relations *relations)
{
    for (size_t i = 0; i < relations->count; i++) {
        struct relation *relation = &relations->items[i];

        free(relation->id);
        free(relation->application);
        request_free(&relation->request);
        cJSON_Delete(relation->published);
        cJSON_Delete(relation->application_published);
        free(relation->written);
    }
    free(relations->items);
    *relations = (struct relations){0};
}
