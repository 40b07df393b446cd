/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/relations.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "juju/hook_tools.h"

#define ENDPOINT "api"

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

static int read_relation(struct relation *relation, const struct juju_transport *juju,
                         const struct event *event, struct error *error)
{
    struct strings units = {0};
    int result = -1;

    if (juju_relation_units(juju, relation->id, &units, error) != 0 ||
        read_application(relation, juju, &units, error) != 0 ||
        read_members(relation, juju, event, &units, error) != 0 ||
        juju_relation_get(juju, relation->id, event->unit, false, &relation->published, error) != 0)
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

int relations_read(struct relations *relations, const struct juju_transport *juju,
                   const struct event *event, struct error *error)
{
    struct strings ids = {0};

    int result = juju_relation_ids(juju, ENDPOINT, &ids, error);
    relations->items = mem_alloc(ids.count * sizeof *relations->items);
    for (size_t i = 0; i < ids.count; i++) {
        /* Before Juju 3.4 a relation that ends is still in the list. */
        if (event_breaks(event, ids.items[i]))
            continue;
        struct relation *relation = &relations->items[relations->count++];
        struct error trouble;

        relation->id = mem_string(ids.items[i]);
        relation->number = number_of(relation->id);
        if (read_relation(relation, juju, event, &trouble) != 0)
            juju_log(juju, JUJU_LOG_WARNING, "relation %s is left as it is: %s", relation->id,
                     trouble.text);
    }
    qsort(relations->items, relations->count, sizeof *relations->items, compare_relations);
    strings_free(&ids);
    return result;
}

void relations_known_nodes(const struct relations *relations, const struct juju_transport *juju,
                           const struct event *event, struct endpoints *known)
{
    struct nodes nodes = {0};
    struct error ignored;
    cJSON *ending;

    for (size_t i = 0; i < relations->count; i++)
        nodes_read(&nodes, relations->items[i].published);
    if (event->kind == EVENT_RELATION_BROKEN &&
        juju_relation_get(juju, event->relation_id, event->unit, false, &ending, &ignored) == 0) {
        nodes_read(&nodes, ending);
        cJSON_Delete(ending);
    }
    for (size_t i = 0; i < nodes.count; i++)
        endpoints_add(known, node_endpoint(nodes.items[i]), &ignored);
    nodes_free(&nodes);
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

static char *compose_registered(const struct relation *relation, const struct servers *servers,
                                struct rejections *rejections)
{
    struct strings texts = {0};

    for (size_t i = 0; i < relation->request.count; i++) {
        const struct wish *wish = &relation->request.wishes[i];

        if (judge(wish->certificate.fingerprint, servers, rejections))
            strings_add(&texts, wish->text);
    }
    char *value = databag_registered(&texts);
    strings_free(&texts);
    return value;
}

/* The value becomes the object's. */
static void add_value(cJSON *settings, const char *key, char *value)
{
    cJSON_AddStringToObject(settings, key, value);
    free(value);
}

/* All that we have to say on this relation; the rejections are returned as well. */
static cJSON *compose(const struct relation *relation, const struct servers *servers,
                      struct rejections *rejections)
{
    cJSON *settings = cJSON_CreateObject();

    for (size_t i = 0; i < relation->request.rejections.count; i++)
        rejections_add(rejections, NULL, relation->request.rejections.items[i].reason);
    cJSON_AddStringToObject(settings, "version", DATABAG_VERSION);
    add_value(settings, "nodes", compose_nodes(relation, servers));
    add_value(settings, "registered_certificates",
              compose_registered(relation, servers, rejections));
    add_value(settings, "rejected_certificates", databag_rejected(rejections));
    return settings;
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
                         const cJSON *changes, struct error *error)
{
    struct buffer keys = {0};
    const cJSON *item;

    if (juju_relation_set(juju, relation->id, changes, error) != 0)
        return -1;
    cJSON_ArrayForEach(item, changes)
    {
        buffer_printf(&keys, "%s%s", keys.length != 0 ? ", " : "", item->string);
    }
    juju_log(juju, JUJU_LOG_INFO, "relation %s: published %s", relation->id, keys.data);
    relation->written = keys.data;
    return 0;
}

int relation_publish(struct relation *relation, const struct juju_transport *juju,
                     const struct servers *servers, struct error *error)
{
    struct rejections rejections = {0};
    int result = 0;

    cJSON *settings = compose(relation, servers, &rejections);
    relation->rejected = rejections.count;
    keep_changes(settings, relation->published);
    if (cJSON_HasObjectItem(settings, "rejected_certificates"))
        log_rejections(juju, relation->id, &rejections);
    if (settings->child != NULL)
        result = write_changes(relation, juju, settings, error);
    cJSON_Delete(settings);
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
        free(relation->written);
    }
    free(relations->items);
    *relations = (struct relations){0};
}
