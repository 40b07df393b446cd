/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/databag.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"

void rejections_add(struct rejections *rejections, const char *fingerprint, const char *reason)
{
    rejections->items = mem_grow(rejections->items, rejections->count, sizeof *rejections->items);
    struct rejection *rejection = &rejections->items[rejections->count++];
    *rejection = (struct rejection){.reason = mem_string(reason)};
    if (fingerprint != NULL)
        memcpy(rejection->fingerprint, fingerprint, sizeof rejection->fingerprint);
}

static int compare_rejections(const void *a, const void *b)
{
    const struct rejection *x = a, *y = b;
    int order = strcmp(x->fingerprint, y->fingerprint);

    return order != 0 ? order : strcmp(x->reason, y->reason);
}

void rejections_sort(struct rejections *rejections)
{
    size_t kept = 0;

    if (rejections->count == 0)
        return;
    qsort(rejections->items, rejections->count, sizeof *rejections->items, compare_rejections);
    for (size_t i = 1; i < rejections->count; i++) {
        if (compare_rejections(&rejections->items[kept], &rejections->items[i]) == 0)
            free(rejections->items[i].reason);
        else
            rejections->items[++kept] = rejections->items[i];
    }
    rejections->count = kept + 1;
}

void rejections_free(struct rejections *rejections)
{
    for (size_t i = 0; i < rejections->count; i++)
        free(rejections->items[i].reason);
    free(rejections->items);
    *rejections = (struct rejections){0};
}

void request_reject(struct request *request, const char *member, const char *reason)
{
    char *text = mem_printf("%s: %s", member, reason);

    rejections_add(&request->rejections, NULL, text);
    free(text);
}

/* An absent version is ours: the first requirers did not send one. */
static bool is_our_version(const char *version)
{
    return version == NULL || strcmp(version, "1") == 0 || strncmp(version, "1.", 2) == 0;
}

/* The list of client_certificates, owned by the caller; NULL where nothing is to be read. */
static cJSON *parse_list(struct request *request, const char *member, const char *value)
{
    struct error error;
    cJSON *list;
    size_t length = strlen(value);

    if (length > DATABAG_MAX_VALUE) {
        error_set(&error, ERROR_INPUT,
                  "client_certificates has %zu bytes, more than the %d MiB allowed", length,
                  DATABAG_MAX_VALUE / 1024 / 1024);
        request_reject(request, member, error.text);
        return NULL;
    }
    if (json_parse(&list, value, length, "client_certificates", ERROR_INPUT, &error) != 0) {
        request_reject(request, member, error.text);
        return NULL;
    }
    if (!cJSON_IsArray(list)) {
        request_reject(request, member, "client_certificates is no JSON list of PEM certificates");
        cJSON_Delete(list);
        return NULL;
    }
    return list;
}

static int parse_entry(struct certificate *certificate, const cJSON *entry, struct error *error)
{
    if (!cJSON_IsString(entry))
        return error_set(error, ERROR_INPUT, "not a string");
    if (strlen(entry->valuestring) > CERTIFICATE_MAX_PEM)
        return error_set(error, ERROR_INPUT, "%zu bytes, more than the %d KiB allowed",
                         strlen(entry->valuestring), CERTIFICATE_MAX_PEM / 1024);
    return certificate_from_pem(certificate, entry->valuestring, error);
}

/* number is 0 where it is no entry of a list. */
static void read_entry(struct request *request, const char *member, size_t number,
                       const cJSON *entry, const struct projects *projects)
{
    struct certificate certificate;
    struct error error;

    if (parse_entry(&certificate, entry, &error) != 0) {
        if (number != 0)
            error_prefix(&error, "certificate %zu", number);
        else
            error_prefix(&error, "certificate");
        request_reject(request, member, error.text);
        return;
    }
    request->wishes = mem_grow(request->wishes, request->count, sizeof *request->wishes);
    struct wish *wish = &request->wishes[request->count++];
    *wish = (struct wish){.certificate = certificate, .text = mem_string(entry->valuestring)};
    projects_copy(&wish->projects, projects);
}

/* What both interfaces have. Is anything to be read? Then the projects are the caller's. */
static bool read_terms(struct request *request, const char *member, const cJSON *settings,
                       struct projects *projects)
{
    const char *version = json_string(settings, "version");
    const char *names = json_string(settings, "projects");
    struct error error;

    if (!is_our_version(version)) {
        error_set(&error, ERROR_INPUT,
                  "version \"%.32s\" of the interface is not supported, only 1.x", version);
        request_reject(request, member, error.text);
        return false;
    }
    projects_parse(projects, names != NULL ? names : "");
    return true;
}

void request_read(struct request *request, const char *member, const cJSON *settings)
{
    const char *value = json_string(settings, "client_certificates");
    struct projects projects;
    struct error error;
    const cJSON *entry;
    size_t number = 0;

    if (!read_terms(request, member, settings, &projects))
        return;
    cJSON *list = value != NULL ? parse_list(request, member, value) : NULL;
    cJSON_ArrayForEach(entry, list)
    {
        if (++number <= DATABAG_MAX_CERTIFICATES)
            read_entry(request, member, number, entry, &projects);
    }
    if (number > DATABAG_MAX_CERTIFICATES) {
        error_set(&error, ERROR_INPUT,
                  "%zu certificates, more than the %d allowed: the last %zu are left out", number,
                  DATABAG_MAX_CERTIFICATES, number - DATABAG_MAX_CERTIFICATES);
        request_reject(request, member, error.text);
    }
    cJSON_Delete(list);
    projects_free(&projects);
}

void request_read_https(struct request *request, const char *member, const cJSON *settings)
{
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(settings, "certificate");
    struct projects projects;

    if (!read_terms(request, member, settings, &projects))
        return;
    if (entry != NULL)
        read_entry(request, member, 0, entry, &projects);
    projects_free(&projects);
}

static int compare_wishes(const void *a, const void *b)
{
    const struct wish *x = a, *y = b;
    int order = strcmp(x->certificate.fingerprint, y->certificate.fingerprint);

    return order != 0 ? order : strcmp(x->text, y->text);
}

static void wish_free(struct wish *wish)
{
    certificate_free(&wish->certificate);
    projects_free(&wish->projects);
    free(wish->text);
}

void request_sort(struct request *request)
{
    size_t kept = 0;

    if (request->count == 0)
        return;
    qsort(request->wishes, request->count, sizeof *request->wishes, compare_wishes);
    for (size_t i = 1; i < request->count; i++) {
        struct wish *last = &request->wishes[kept], *next = &request->wishes[i];

        if (compare_wishes(last, next) == 0) {
            projects_narrow(&last->projects, &next->projects);
            wish_free(next);
        } else {
            request->wishes[++kept] = *next;
        }
    }
    request->count = kept + 1;
}

void request_free(struct request *request)
{
    for (size_t i = 0; i < request->count; i++)
        wish_free(&request->wishes[i]);
    free(request->wishes);
    rejections_free(&request->rejections);
    *request = (struct request){0};
}

/* Print and delete. */
static char *print(cJSON *value)
{
    char *text = json_print(value);

    cJSON_Delete(value);
    return text;
}

static cJSON *list_of(const struct strings *strings)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < strings->count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(strings->items[i]));
    return list;
}

/* ---- nodes ---- */

static void append_node(struct nodes *nodes, cJSON *node)
{
    nodes->items = mem_grow(nodes->items, nodes->count, sizeof *nodes->items);
    nodes->items[nodes->count++] = node;
}

void nodes_add(struct nodes *nodes, const char *endpoint, const char *name,
               const struct strings *fingerprints)
{
    cJSON *node = cJSON_CreateObject();

    cJSON_AddStringToObject(node, "endpoint", endpoint);
    cJSON_AddStringToObject(node, "name", name);
    cJSON_AddItemToObject(node, "trusted_certs_fp", list_of(fingerprints));
    append_node(nodes, node);
}

void nodes_read(struct nodes *nodes, const cJSON *settings)
{
    const char *value = json_string(settings, "nodes");
    struct error ignored;
    cJSON *list;

    if (value == NULL ||
        json_parse(&list, value, strlen(value), "nodes", ERROR_INPUT, &ignored) != 0)
        return;
    while (cJSON_IsArray(list) && list->child != NULL) {
        cJSON *node = cJSON_DetachItemFromArray(list, 0);

        if (node_endpoint(node) != NULL)
            append_node(nodes, node);
        else
            cJSON_Delete(node);
    }
    cJSON_Delete(list);
}

const char *node_endpoint(const cJSON *node)
{
    return json_string(node, "endpoint");
}

void nodes_free(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++)
        cJSON_Delete(nodes->items[i]);
    free(nodes->items);
    *nodes = (struct nodes){0};
}

static int compare_nodes(const void *a, const void *b)
{
    const cJSON *const *x = a, *const *y = b;

    return strcmp(node_endpoint(*x), node_endpoint(*y));
}

void nodes_sort(struct nodes *nodes)
{
    if (nodes->count != 0)
        qsort(nodes->items, nodes->count, sizeof *nodes->items, compare_nodes);
}

char *databag_nodes(struct nodes *nodes)
{
    cJSON *list = cJSON_CreateArray();

    nodes_sort(nodes);
    for (size_t i = 0; i < nodes->count; i++)
        cJSON_AddItemReferenceToArray(list, nodes->items[i]);
    return print(list);
}

/* ---- our values ---- */

char *databag_registered(const struct strings *texts)
{
    return print(list_of(texts));
}

char *databag_rejected(const struct rejections *rejections)
{
    if (rejections->count == 0)
        return mem_string("");
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < rejections->count; i++) {
        const struct rejection *rejection = &rejections->items[i];
        cJSON *item = cJSON_CreateObject();

        if (rejection->fingerprint[0] != '\0')
            cJSON_AddStringToObject(item, "fingerprint", rejection->fingerprint);
        cJSON_AddStringToObject(item, "reason", rejection->reason);
        cJSON_AddItemToArray(list, item);
    }
    return print(list);
}
