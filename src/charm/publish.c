/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/publish.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "juju/hook_tools.h"

#define SCHEME "https://"

/* ---- what came of the wishes ---- */

/* One refusal is enough; where there are several servers it says whose. */
static void add_rejection(struct answer *answer, const struct servers *servers,
                          const struct server *server, const struct wish *wish, size_t number)
{
    const char *reason = server->judgements[number].reason;
    char *whose = servers->count > 1 ? mem_printf("%s at %s: %s", lxd_name(server->info.software),
                                                  server->endpoint.url, reason)
                                     : mem_string(reason);

    rejections_add(&answer->rejections, wish->member, wish->entry, whose);
    free(whose);
}

/* Wishes come in the order of their texts. */
static bool is_last(const struct strings *texts, const char *text)
{
    return texts->count != 0 && strcmp(texts->items[texts->count - 1], text) == 0;
}

/* A certificate is trusted or not: that another wish for it came to nothing does not change it. */
static enum verdict add_wish(struct answer *answer, const struct servers *servers,
                             const struct wish *wish, size_t number, bool trusted)
{
    const struct server *server;
    enum verdict verdict = servers_verdict(servers, number, &server);
    struct rejections *rejections = &answer->rejections;

    answer->wishes = mem_grow(answer->wishes, answer->count, sizeof *answer->wishes);
    answer->wishes[answer->count++] = number;
    if (trusted && !is_last(&answer->registered, wish->entry->text))
        strings_add(&answer->registered, wish->entry->text);
    if (server != NULL && verdict != VERDICT_PENDING) {
        add_rejection(answer, servers, server, wish, number);
        rejections->items[rejections->count - 1].let_in = verdict == VERDICT_TRUSTED;
    }
    return verdict;
}

/* All wishes for one certificate; those of one relation stand together. */
static void add_wishes(struct answers *answers, const struct relations *relations,
                       const struct wishes *wishes, const struct servers *servers, size_t first,
                       size_t next)
{
    bool rejected = false;

    for (size_t i = first, end; i < next; i = end) {
        const struct relation *relation = wishes->items[i].relation;

        for (end = i; end < next && wishes->items[end].relation == relation;)
            end++;
        bool trusted = servers_trust(servers, i, end);
        struct answer *answer = &answers->items[relation - relations->items];
        for (size_t j = i; j < end; j++)
            rejected |=
                add_wish(answer, servers, &wishes->items[j], j, trusted) == VERDICT_REJECTED;
    }
    answers->trusted += servers_trust(servers, first, next);
    answers->rejected += rejected;
}

/* What is no wish. */
static void add_others(struct answer *answer, const struct rejections *others)
{
    for (size_t i = 0; i < others->count; i++) {
        const struct rejection *other = &others->items[i];

        answer->rejections.items = mem_grow(answer->rejections.items, answer->rejections.count,
                                            sizeof *answer->rejections.items);
        struct rejection *copy = &answer->rejections.items[answer->rejections.count++];
        *copy = *other;
        copy->reason = mem_string(other->reason);
    }
}

void answers_make(struct answers *answers, const struct relations *relations,
                  const struct wishes *wishes, const struct servers *servers)
{
    *answers = (struct answers){.items = mem_alloc(relations->count * sizeof *answers->items),
                                .count = relations->count};
    for (size_t i = 0, next; i < wishes->count; i = next) {
        next = wishes_next(wishes, i);
        add_wishes(answers, relations, wishes, servers, i, next);
    }
    for (size_t i = 0; i < relations->count && wishes->rejections != NULL; i++) {
        add_others(&answers->items[i], &wishes->rejections[i]);
        answers->rejected += wishes->rejections[i].count;
    }
    for (size_t i = 0; i < relations->count; i++)
        rejections_sort(&answers->items[i].rejections);
}

void answers_free(struct answers *answers)
{
    for (size_t i = 0; i < answers->count; i++) {
        struct answer *answer = &answers->items[i];

        free(answer->wishes);
        strings_free(&answer->registered);
        rejections_free(&answer->rejections);
        free(answer->written);
    }
    free(answers->items);
    *answers = (struct answers){0};
}

/* ---- publishing ---- */

/* What publishing takes. */
struct publisher {
    const struct juju_transport *juju;
    const struct servers *servers;
    const struct wishes *wishes;
    size_t *omitted;     /* nodes, for want of room */
    char **certificates; /* each server's, as it is published */
    struct nodes known;  /* all that we have published so far */
};

static void add_version(cJSON *settings)
{
    cJSON_AddStringToObject(settings, "version", DATABAG_VERSION);
}

/* The value becomes the object's. */
static void add_value(cJSON *settings, const char *key, char *value)
{
    cJSON *item = cJSON_CreateStringReference(value);

    item->type = cJSON_String;
    cJSON_AddItemToObject(settings, key, item);
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

/* The settings become ours to delete. */
static int write_changes(struct answer *answer, const struct relation *relation,
                         enum juju_member kind, cJSON *settings, const struct publisher *publisher,
                         struct error *error)
{
    struct buffer keys = {0};
    const cJSON *item;
    int result = 0;

    keep_changes(settings,
                 kind == JUJU_UNIT ? relation->published : relation->application_published);
    if (settings->child != NULL)
        result = juju_relation_set(publisher->juju, relation->id, kind, settings, error);
    if (settings->child != NULL && result == 0) {
        buffer_append_string(&keys, answer->written != NULL ? answer->written : "");
        cJSON_ArrayForEach(item, settings)
        {
            buffer_printf(&keys, "%s%s", keys.length != 0 ? ", " : "", item->string);
        }
        free(answer->written);
        answer->written = keys.data;
    }
    cJSON_Delete(settings);
    return result;
}

static void add_server(struct nodes *nodes, const struct server *server,
                       const struct strings *fingerprints, const char *certificate)
{
    if (!server->info.clustered)
        nodes_add(nodes, server->endpoint.url, server->info.name, fingerprints, certificate);
    for (size_t i = 0; i < server->members.count; i++) {
        const struct lxd_member *member = &server->members.items[i];

        if (member->active)
            nodes_add(nodes, member->endpoint.url, member->name, fingerprints, certificate);
    }
}

/* Which of the relation's certificates the server trusts, each once. */
static void add_trusted(struct strings *fingerprints, const struct server *server,
                        const struct answer *answer, const struct wishes *wishes)
{
    for (size_t i = 0; i < answer->count; i++) {
        size_t number = answer->wishes[i];

        if (server->judgements[number].verdict == VERDICT_TRUSTED)
            strings_add(fingerprints, wish_fingerprint(&wishes->items[number]));
    }
    strings_sort(fingerprints);
}

/* Of servers that were not observed nothing new is known. */
static void keep_nodes(struct nodes *nodes, const struct relation *relation,
                       const struct publisher *publisher)
{
    size_t kept = 0;

    if (servers_are_observed(publisher->servers))
        return;
    nodes_read(nodes, relation->published);
    for (size_t i = 0; i < nodes->count; i++) {
        if (servers_keep_node(publisher->servers, &publisher->known, nodes->items[i]))
            nodes->items[kept++] = nodes->items[i];
        else
            cJSON_Delete(nodes->items[i]);
    }
    nodes->count = kept;
}

static char *compose_nodes(const struct relation *relation, const struct answer *answer,
                           const struct publisher *publisher)
{
    const struct servers *servers = publisher->servers;
    struct nodes nodes = {0};

    keep_nodes(&nodes, relation, publisher);
    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];
        struct strings fingerprints = {0};

        if (server->state == SERVER_UNKNOWN)
            continue;
        add_trusted(&fingerprints, server, answer, publisher->wishes);
        add_server(&nodes, server, &fingerprints, publisher->certificates[i]);
        strings_free(&fingerprints);
    }
    size_t count = nodes.count;
    char *value = databag_nodes(&nodes);
    *publisher->omitted += count - nodes.count;
    nodes_free(&nodes);
    return value;
}

static int publish_api(struct answer *answer, const struct relation *relation,
                       const struct publisher *publisher, struct error *error)
{
    cJSON *settings = cJSON_CreateObject();

    add_version(settings);
    add_value(settings, "nodes", compose_nodes(relation, answer, publisher));
    add_value(settings, "registered_certificates", databag_registered(&answer->registered));
    add_value(settings, "rejected_certificates", databag_rejected(&answer->rejections));
    return write_changes(answer, relation, JUJU_UNIT, settings, publisher, error);
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

    add_server(&nodes, server, &none, "");
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

/* Which databag of ours tells of the server, and what it tells. */
struct server_bag {
    const struct server *server;
    enum juju_member kind;
    bool serves; /* it trusts one of the relation's certificates: */
    struct strings trusted;
};

/* All that there is to say in one databag of ours, and nothing in the other. */
static int publish_server(struct answer *answer, const struct relation *relation,
                          enum juju_member kind, const struct server_bag *bag,
                          const struct publisher *publisher, struct error *error)
{
    const struct certificate *presented = lxd_presented(bag->server->client);
    cJSON *settings = cJSON_CreateObject();

    add_version(settings);
    add_value(settings, "certificate",
              pem_encode("CERTIFICATE", presented->der, presented->length));
    cJSON_AddStringToObject(settings, "certificate_fingerprint", presented->fingerprint);
    add_value(settings, "addresses", compose_addresses(bag->server));
    add_value(settings, "trusted_certs_fp", databag_registered(&bag->trusted));
    for (cJSON *item = settings->child; item != NULL && !(bag->serves && kind == bag->kind);
         item = item->next)
        *item->valuestring = '\0';
    add_value(settings, "rejected_certificates",
              kind == bag->kind ? databag_rejected(&answer->rejections) : mem_string(""));
    return write_changes(answer, relation, kind, settings, publisher, error);
}

static int publish_https(struct answer *answer, const struct relation *relation,
                         const struct publisher *publisher, struct error *error)
{
    struct server_bag bag = {.server = servers_first(publisher->servers)};

    if (bag.server == NULL)
        return 0;
    bag.kind = bag.server->info.clustered ? JUJU_APPLICATION : JUJU_UNIT;
    add_trusted(&bag.trusted, bag.server, answer, publisher->wishes);
    bag.serves = bag.trusted.count != 0;
    int result = publish_server(answer, relation, JUJU_UNIT, &bag, publisher, error);
    if (result == 0 && relation->application_published != NULL)
        result = publish_server(answer, relation, JUJU_APPLICATION, &bag, publisher, error);
    strings_free(&bag.trusted);
    return result;
}

static char **certificates_of(const struct servers *servers)
{
    char **certificates = mem_alloc(servers->count * sizeof *certificates);

    for (size_t i = 0; i < servers->count; i++) {
        if (servers->items[i].state != SERVER_UNKNOWN)
            certificates[i] = server_certificate(&servers->items[i]);
    }
    return certificates;
}

static void log_written(const struct answers *answers, const struct relations *relations,
                        const struct juju_transport *juju)
{
    struct strings lines = {0};

    for (size_t i = 0; i < answers->count; i++) {
        if (answers->items[i].written != NULL)
            strings_take(&lines, mem_printf("relation %s: published %s", relations->items[i].id,
                                            answers->items[i].written));
    }
    juju_log_lines(juju, JUJU_LOG_INFO, &lines, "relations were told");
    strings_free(&lines);
}

int publish(struct answers *answers, const struct relations *relations,
            const struct servers *servers, const struct wishes *wishes,
            const struct juju_transport *juju, struct error *error)
{
    size_t omitted = 0;
    struct publisher publisher = {
        .juju = juju, .servers = servers, .wishes = wishes, .omitted = &omitted};
    int result = 0;

    if (servers_observed(servers) == 0)
        return 0;
    publisher.certificates = certificates_of(servers);
    if (!servers_are_observed(servers))
        relations_known_nodes(relations, &publisher.known);
    for (size_t i = 0; i < relations->count && result == 0; i++) {
        const struct relation *relation = &relations->items[i];

        if (relation->state == RELATION_LIVING)
            result = relation->https
                         ? publish_https(&answers->items[i], relation, &publisher, error)
                         : publish_api(&answers->items[i], relation, &publisher, error);
    }
    log_written(answers, relations, juju);
    if (omitted != 0)
        juju_log(juju, JUJU_LOG_WARNING,
                 "%zu nodes are not published: a relation is told of %d MiB at most", omitted,
                 DATABAG_MAX_NODES >> 20);
    for (size_t i = 0; i < servers->count; i++)
        free(publisher.certificates[i]);
    free(publisher.certificates);
    nodes_free(&publisher.known);
    return result;
}
