/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/databag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "lxd/endpoint.h"

#define BLANKS " \t\r\n"

/* ---- what members write ---- */

__attribute__((format(printf, 2, 3))) static void refuse(struct member *member, const char *format,
                                                         ...)
{
    va_list arguments;

    va_start(arguments, format);
    free(member->reason);
    member->reason = mem_vprintf(format, arguments);
    va_end(arguments);
}

/* A value, unpacked where it is a JSON string: owned by the caller, NULL where there is none. */
static char *read_value(const cJSON *settings, const char *key)
{
    const char *value = json_string(settings, key);
    struct error ignored;
    cJSON *string;

    if (value == NULL)
        return NULL;
    const char *start = value + strspn(value, BLANKS);
    if (*start != '"' || json_parse(&string, start, strlen(start), key, ERROR_INPUT, &ignored) != 0)
        return mem_string(value);
    char *text = mem_string(string->valuestring);
    cJSON_Delete(string);
    return text;
}

/* An absent version is ours: the first requirers did not send one. */
static bool read_version(struct member *member, const cJSON *settings)
{
    char *version = read_value(settings, "version");
    bool ours = version == NULL || *version == '\0' || strcmp(version, "null") == 0 ||
                strcmp(version, "1") == 0 || strncmp(version, "1.", 2) == 0;

    if (!ours)
        refuse(member, "version \"%.32s\" of the interface is not supported, only 1.x", version);
    free(version);
    return ours;
}

/* The names of a JSON list with commas between them, owned by the caller; NULL where it is none. */
static char *join_projects(const char *value)
{
    struct buffer names = {0};
    struct error ignored;
    const cJSON *item;
    cJSON *list;
    bool usable = true;

    if (json_parse(&list, value, strlen(value), "projects", ERROR_INPUT, &ignored) != 0)
        return NULL;
    cJSON_ArrayForEach(item, list)
    {
        usable = usable && cJSON_IsString(item) && strchr(item->valuestring, ',') == NULL;
        if (usable)
            buffer_printf(&names, "%s%s", item == list->child ? "" : ",", item->valuestring);
    }
    cJSON_Delete(list);
    if (usable)
        buffer_reserve(&names, 0);
    else
        buffer_free(&names);
    return names.data;
}

/* names may come out of a JSON value. */
static void parse_projects(struct member *member, const char *names, const char *value)
{
    switch (projects_parse(&member->projects, names)) {
    case PROJECTS_NAMED:
        break;
    case PROJECTS_TOO_MANY:
        refuse(member, "projects names more than the %d projects or %d KiB allowed", PROJECTS_MAX,
               PROJECTS_MAX_TEXT / 1024);
        break;
    default:
        refuse(member,
               "projects is \"%.40s\", which names no project: name one, or delete the key to ask "
               "for all of LXD",
               value);
    }
}

/* A list that names no project is refused: it does not mean all of LXD. Is there one? */
static bool read_projects(struct member *member, const cJSON *settings)
{
    const char *written = json_string(settings, "projects"); /* Juju has no empty values */
    char *value = read_value(settings, "projects"), *names = NULL;
    bool named = value != NULL && written != NULL && *written != '\0';

    if (named) {
        const char *start = value + strspn(value, BLANKS);

        if (*start == '[')
            names = join_projects(start);
        if (strncmp(start, "null", 4) == 0 && start[4 + strspn(start + 4, BLANKS)] == '\0')
            refuse(member,
                   "projects is null: name projects, or delete the key to ask for all of LXD");
        else if (*start == '[' && names == NULL)
            refuse(member, "projects is \"%.40s\", which is no list of names", start);
        else
            parse_projects(member, names != NULL ? names : value, value);
    }
    free(names);
    free(value);
    return named;
}

static void read_entry(struct member *member, const cJSON *item, size_t index)
{
    struct error error;

    member->entries = mem_grow(member->entries, member->count, sizeof *member->entries);
    struct entry *entry = &member->entries[member->count++];
    *entry = (struct entry){.index = index};
    if (!cJSON_IsString(item)) {
        entry->text = mem_string("");
        entry->reason = mem_string("not a string");
        return;
    }
    size_t length = strlen(item->valuestring);
    if (length > CERTIFICATE_MAX_PEM) {
        entry->text = mem_string("");
        entry->reason = mem_printf("%zu bytes, more than the %d KiB allowed", length,
                                   CERTIFICATE_MAX_PEM / 1024);
        return;
    }
    if (strstr(item->valuestring, "PRIVATE KEY-----") != NULL) { /* what is taken is repeated */
        entry->text = mem_string("");
        entry->reason = mem_string("holds a private key, expected a certificate");
        return;
    }
    entry->text = mem_string(item->valuestring);
    if (certificate_from_pem(&entry->certificate, entry->text, &error) != 0)
        entry->reason = mem_string(error.text);
}

static void read_entries(struct member *member, const char *value)
{
    struct error error;
    cJSON *list;
    const cJSON *item;
    size_t index = 0, length = 0;

    if (json_parse(&list, value, strlen(value), "client_certificates", ERROR_INPUT, &error) != 0) {
        refuse(member, "%s", error.text);
        return;
    }
    if (!cJSON_IsArray(list)) {
        refuse(member, "client_certificates is no JSON list of PEM certificates");
        goto out;
    }
    cJSON_ArrayForEach(item, list)
    {
        if (index == DATABAG_MAX_ENTRIES || length >= DATABAG_MAX_TEXT) {
            member->beyond++;
            continue;
        }
        read_entry(member, item, index++);
        length += strlen(member->entries[member->count - 1].text);
    }
out:
    cJSON_Delete(list);
}

void member_read(struct member *member, const char *name, bool is_application,
                 const cJSON *settings, enum databag_interface interface)
{
    *member = (struct member){.name = mem_string(name), .is_application = is_application};
    member->names_projects = read_projects(member, settings);
    if (member->reason != NULL || !read_version(member, settings))
        return;
    char *value =
        read_value(settings, interface == DATABAG_LXD ? "client_certificates" : "certificate");
    if (value != NULL && interface == DATABAG_LXD) {
        read_entries(member, value);
    } else if (value != NULL) {
        cJSON *item = cJSON_CreateStringReference(value);
        read_entry(member, item, 0);
        cJSON_Delete(item);
    }
    free(value);
}

void member_refuse(struct member *member, const char *name, bool is_application, const char *reason)
{
    *member = (struct member){
        .name = mem_string(name), .is_application = is_application, .names_projects = true};
    refuse(member, "%s", reason);
}

void member_free(struct member *member)
{
    for (size_t i = 0; i < member->count; i++) {
        struct entry *entry = &member->entries[i];

        if (entry->reason == NULL)
            certificate_free(&entry->certificate);
        free(entry->text);
        free(entry->reason);
    }
    free(member->entries);
    free(member->name);
    free(member->reason);
    projects_free(&member->projects);
    *member = (struct member){0};
}

/* ---- rejections ---- */

void rejections_add(struct rejections *rejections, const struct member *member,
                    const struct entry *entry, const char *reason)
{
    rejections->items = mem_grow(rejections->items, rejections->count, sizeof *rejections->items);
    struct rejection *rejection = &rejections->items[rejections->count++];
    *rejection = (struct rejection){
        .reason = mem_string_n(reason, strnlen(reason, DATABAG_MAX_REASON)),
        .unit = member->is_application ? NULL : member->name,
        .index = entry != NULL ? (long)entry->index : -1,
    };
    utf8_mend(rejection->reason); /* it may have been cut in a character, here or before */
    if (entry != NULL && entry->reason == NULL)
        memcpy(rejection->fingerprint, entry->certificate.fingerprint,
               sizeof rejection->fingerprint);
}

static int compare_rejections(const void *a, const void *b)
{
    const struct rejection *x = a, *y = b;
    int order = strcmp(x->fingerprint, y->fingerprint);

    if (order == 0)
        order = strcmp(x->unit != NULL ? x->unit : "", y->unit != NULL ? y->unit : "");
    if (order == 0)
        order = (x->index > y->index) - (x->index < y->index);
    return order != 0 ? order : strcmp(x->reason, y->reason);
}

void rejections_sort(struct rejections *rejections)
{
    if (rejections->count != 0)
        qsort(rejections->items, rejections->count, sizeof *rejections->items, compare_rejections);
}

void rejections_free(struct rejections *rejections)
{
    for (size_t i = 0; i < rejections->count; i++)
        free(rejections->items[i].reason);
    free(rejections->items);
    *rejections = (struct rejections){0};
}

/* ---- nodes ---- */

/* Print and delete. */
static char *print(cJSON *value)
{
    char *text = json_print(value);

    cJSON_Delete(value);
    return text;
}

/* make copies a text or borrows it. */
static cJSON *list_of(const struct strings *strings, cJSON *(*make)(const char *text))
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < strings->count; i++)
        cJSON_AddItemToArray(list, make(strings->items[i]));
    return list;
}

static void append_node(struct nodes *nodes, cJSON *node)
{
    nodes->items = mem_grow(nodes->items, nodes->count, sizeof *nodes->items);
    nodes->items[nodes->count++] = node;
}

void nodes_add(struct nodes *nodes, const char *endpoint, const char *name,
               const struct strings *fingerprints, const char *certificate)
{
    cJSON *node = cJSON_CreateObject();

    cJSON_AddItemToObject(node, "certificate", cJSON_CreateStringReference(certificate));
    cJSON_AddStringToObject(node, "endpoint", endpoint);
    cJSON_AddStringToObject(node, "name", name);
    cJSON_AddItemToObject(node, "trusted_certs_fp", list_of(fingerprints, cJSON_CreateString));
    append_node(nodes, node);
}

static void add_fingerprints(const cJSON *list, struct strings *fingerprints)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        if (certificate_is_fingerprint(cJSON_GetStringValue(item)))
            strings_add(fingerprints, item->valuestring);
    }
}

/* The value of a key, which is JSON; owned, and NULL where it is none. */
static cJSON *parse_value(const cJSON *settings, const char *key)
{
    const char *value = json_string(settings, key);
    struct error ignored;
    cJSON *parsed;

    if (value == NULL || json_parse(&parsed, value, strlen(value), key, ERROR_INPUT, &ignored) != 0)
        return NULL;
    return parsed;
}

/* lxd-https names one server, by all its addresses. */
static void read_addresses(struct nodes *nodes, const cJSON *settings)
{
    const char *addresses = json_string(settings, "addresses");
    const char *certificate = json_string(settings, "certificate");
    cJSON *trusted = parse_value(settings, "trusted_certs_fp");
    struct strings fingerprints = {0};
    struct endpoints list = {0};
    struct error ignored;

    add_fingerprints(trusted, &fingerprints);
    if (addresses != NULL && certificate != NULL &&
        endpoints_parse(&list, addresses, &ignored) == 0) {
        for (size_t i = 0; i < list.count; i++)
            nodes_add(nodes, list.items[i].url, "", &fingerprints, certificate);
    }
    endpoints_free(&list);
    strings_free(&fingerprints);
    cJSON_Delete(trusted);
}

void nodes_read(struct nodes *nodes, const cJSON *settings)
{
    cJSON *list = parse_value(settings, "nodes");

    while (list != NULL && cJSON_IsArray(list) && list->child != NULL) {
        cJSON *node = cJSON_DetachItemFromArray(list, 0);

        if (node_endpoint(node) != NULL)
            append_node(nodes, node);
        else
            cJSON_Delete(node);
    }
    cJSON_Delete(list);
    read_addresses(nodes, settings);
}

const char *node_endpoint(const cJSON *node)
{
    return json_string(node, "endpoint");
}

const char *node_certificate(const cJSON *node)
{
    return json_string(node, "certificate");
}

const cJSON *nodes_find(const struct nodes *nodes, const char *endpoint)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (strcmp(node_endpoint(nodes->items[i]), endpoint) == 0)
            return nodes->items[i];
    }
    return NULL;
}

void node_fingerprints(const cJSON *node, struct strings *fingerprints)
{
    add_fingerprints(json_array(node, "trusted_certs_fp"), fingerprints);
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

static char *print_nodes(const struct nodes *nodes)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < nodes->count; i++)
        cJSON_AddItemReferenceToArray(list, nodes->items[i]);
    return print(list);
}

char *databag_nodes(struct nodes *nodes)
{
    nodes_sort(nodes);
    char *text = print_nodes(nodes);
    while (databag_length(text) > DATABAG_MAX_NODES) {
        for (size_t half = nodes->count / 2; nodes->count > half;)
            cJSON_Delete(nodes->items[--nodes->count]);
        free(text);
        text = print_nodes(nodes);
    }
    return text;
}

/* ---- our values ---- */

size_t databag_length(const char *text)
{
    static const char escaped[] = "\"\\\b\f\n\r\t" /* as two characters; these as six: */
                                  "&<>\1\2\3\4\5\6\7\13\16\17\20\21\22\23\24\25\26\27\30\31"
                                  "\32\33\34\35\36\37";
    size_t length = strlen(text);

    for (text += strcspn(text, escaped); *text != '\0'; text += strcspn(text, escaped))
        length += strchr(escaped, *text++) < escaped + 7 ? 1 : 5;
    return length;
}

char *databag_registered(const struct strings *texts)
{
    return print(list_of(texts, cJSON_CreateStringReference));
}

static cJSON *print_rejection(const struct rejection *rejection)
{
    cJSON *item = cJSON_CreateObject();

    if (rejection->fingerprint[0] != '\0')
        cJSON_AddStringToObject(item, "fingerprint", rejection->fingerprint);
    if (rejection->index >= 0)
        cJSON_AddNumberToObject(item, "index", (double)rejection->index);
    cJSON_AddStringToObject(item, "reason", rejection->reason);
    if (rejection->unit != NULL)
        cJSON_AddStringToObject(item, "unit", rejection->unit);
    return item;
}

char *databag_rejected(const struct rejections *rejections)
{
    size_t count = rejections->count;

    if (count == 0)
        return mem_string("");
    size_t listed = count > DATABAG_MAX_REJECTIONS ? DATABAG_MAX_REJECTIONS - 1 : count;
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < listed; i++)
        cJSON_AddItemToArray(list, print_rejection(&rejections->items[i]));
    if (listed < count) {
        char *reason = mem_printf("%zu more are rejected", count - listed);
        struct rejection last = {.reason = reason, .index = -1};

        cJSON_AddItemToArray(list, print_rejection(&last));
        free(reason);
    }
    return print(list);
}
