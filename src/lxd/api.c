/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"

#define PROJECTS_URL "/1.0/projects/"
#define METADATA "\"metadata\""
#define SERVER_URL "/1.0"
#define TITLE "<title>"

static int wrong_shape(const char *what, struct error *error)
{
    return error_set(error, ERROR_NONSENSE, "answers with %s of unexpected shape", what);
}

/* Parse the envelope into *json, which the caller deletes. */
static int parse(const struct buffer *body, cJSON **json, struct error *error)
{
    return json_parse(json, body->data, body->length, "answers, but the body", ERROR_NONSENSE,
                      error);
}

static const cJSON *metadata_of(const cJSON *json)
{
    return cJSON_GetObjectItemCaseSensitive(json, "metadata");
}

static char *copy_string(const cJSON *object, const char *name)
{
    const char *text = json_string(object, name);

    return mem_string(text != NULL ? text : "");
}

static bool has_string(const cJSON *object, const char *name, const char *value)
{
    const char *text = json_string(object, name);

    return text != NULL && strcmp(text, value) == 0;
}

/* ---- server ---- */

static bool has_extension(const cJSON *metadata, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json_array(metadata, "api_extensions"))
    {
        if (cJSON_IsString(item) && strcmp(item->valuestring, name) == 0)
            return true;
    }
    return false;
}

/* What is none of them is left out, and what is beyond ENDPOINTS_MAX. */
static void read_addresses(const cJSON *environment, struct endpoints *addresses)
{
    struct error ignored;
    const cJSON *item;

    cJSON_ArrayForEach(item, json_array(environment, "addresses"))
    {
        if (cJSON_IsString(item))
            endpoints_add(addresses, item->valuestring, &ignored);
    }
}

int api_server(const struct buffer *body, struct lxd_server *server, struct error *error)
{
    cJSON *json;

    *server = (struct lxd_server){0};
    if (parse(body, &json, error) != 0)
        return -1;
    const cJSON *metadata = metadata_of(json);
    bool known = json_string(metadata, "auth") != NULL;
    if (known) {
        const cJSON *environment = json_object(metadata, "environment");
        server->trusted = has_string(metadata, "auth", "trusted");
        server->name = copy_string(environment, "server_name");
        server->version = copy_string(environment, "server_version");
        server->clustered = json_bool(environment, "server_clustered", false);
        read_addresses(environment, &server->addresses);
        if (has_string(environment, "server", "incus") ||
            has_extension(metadata, "dev_incus_events"))
            server->software = LXD_INCUS;
        server->restricts = has_extension(metadata, "certificate_project");
        server->takes_trust_token = has_extension(metadata, "explicit_trust_token");
        server->has_identities = has_extension(metadata, "access_management_tls");
    }
    json_wipe(json); /* it holds the server's configuration, secrets too */
    return known ? 0 : wrong_shape("server information", error);
}

void lxd_server_free(struct lxd_server *server)
{
    free(server->name);
    free(server->version);
    endpoints_free(&server->addresses);
    *server = (struct lxd_server){0};
}

/* ---- cluster members ---- */

static int read_member(const cJSON *object, struct lxd_member *member)
{
    const char *name = json_string(object, "server_name");
    const char *url = json_string(object, "url");
    struct error ignored;

    if (name == NULL || url == NULL || endpoint_parse(&member->endpoint, url, &ignored) != 0)
        return -1;
    member->name = mem_string(name);
    return 0;
}

/* Evacuated members run no instances, but their API serves on. One that does not serve may have no
 * address. */
static int read_members(const cJSON *array, struct lxd_members *list)
{
    const cJSON *object;

    if (!cJSON_IsArray(array))
        return -1;
    list->items = mem_alloc((size_t)cJSON_GetArraySize(array) * sizeof *list->items);
    cJSON_ArrayForEach(object, array)
    {
        struct lxd_member *member = &list->items[list->count];
        bool active =
            has_string(object, "status", "Online") || has_string(object, "status", "Evacuated");

        if (read_member(object, member) == 0)
            list->count++;
        else if (active)
            return -1;
        member->active = active;
    }
    return 0;
}

int api_members(const struct buffer *body, struct lxd_members *list, struct error *error)
{
    cJSON *json;

    *list = (struct lxd_members){0};
    if (parse(body, &json, error) != 0)
        return -1;
    int result = read_members(metadata_of(json), list);
    cJSON_Delete(json);
    if (result == 0)
        return 0;
    lxd_members_free(list);
    return wrong_shape("a list of cluster members", error);
}

void lxd_members_free(struct lxd_members *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].name);
    free(list->items);
    *list = (struct lxd_members){0};
}

/* ---- projects ---- */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *digit = c != '\0' ? strchr(digits, c) : NULL;

    if (digit == NULL)
        return -1;
    return (int)(digit - digits) - (digit - digits > 15 ? 6 : 0);
}

/* A % that no two hex digits follow stands for itself: LXD 5.0 writes names as they are. */
static void decode_percent(char *text)
{
    char *out = text;

    for (; *text != '\0'; text++) {
        int high = *text == '%' ? hex_digit(text[1]) : -1;
        int low = high >= 0 ? hex_digit(text[2]) : -1;

        *out = *text;
        if (low >= 0 && (high | low) != 0) { /* a NUL is none either */
            *out = (char)(high << 4 | low);
            text += 2;
        }
        out++;
    }
    *out = '\0';
}

static int read_projects(const cJSON *array, struct strings *names)
{
    const cJSON *item;

    if (!cJSON_IsArray(array))
        return -1;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsString(item) ||
            strncmp(item->valuestring, PROJECTS_URL, strlen(PROJECTS_URL)) != 0)
            return -1;
        decode_percent(item->valuestring + strlen(PROJECTS_URL));
        strings_add(names, item->valuestring + strlen(PROJECTS_URL));
    }
    return 0;
}

int api_projects(const struct buffer *body, struct strings *names, struct error *error)
{
    cJSON *json;

    *names = (struct strings){0};
    if (parse(body, &json, error) != 0)
        return -1;
    int result = read_projects(metadata_of(json), names);
    cJSON_Delete(json);
    if (result == 0)
        return 0;
    strings_free(names);
    return wrong_shape("a list of projects", error);
}

/* ---- our identity ---- */

static bool has_entitlement(const cJSON *metadata, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json_array(metadata, "effective_permissions"))
    {
        if (has_string(item, "entity_type", "server") && has_string(item, "url", SERVER_URL) &&
            has_string(item, "entitlement", name))
            return true;
    }
    return false;
}

static void read_entitlements(const cJSON *metadata, struct lxd_identity *identity)
{
    bool admin = has_entitlement(metadata, "admin");
    bool manager = admin || has_entitlement(metadata, "permission_manager");
    bool viewer = admin || has_entitlement(metadata, "viewer");

    identity->creates = manager || has_entitlement(metadata, "can_create_identities");
    identity->edits = manager || has_entitlement(metadata, "can_edit_identities");
    identity->deletes = manager || has_entitlement(metadata, "can_delete_identities");
    identity->sees_identities = manager || viewer ||
                                has_entitlement(metadata, "can_view_identities") ||
                                identity->edits || identity->deletes;
    identity->sees_projects = viewer || has_entitlement(metadata, "project_manager") ||
                              has_entitlement(metadata, "can_view_projects");
}

int api_identity(const struct buffer *body, struct lxd_identity *identity, struct error *error)
{
    cJSON *json;

    *identity = (struct lxd_identity){0};
    if (parse(body, &json, error) != 0)
        return -1;
    const cJSON *metadata = metadata_of(json);
    bool known = json_string(metadata, "type") != NULL;
    /* The key fine_grained is younger than such identities. */
    identity->fine_grained = json_bool(metadata, "fine_grained", false) ||
                             has_string(metadata, "type", "Client certificate");
    if (identity->fine_grained)
        read_entitlements(metadata, identity);
    else if (has_string(metadata, "type", "Client certificate (unrestricted)"))
        *identity = (struct lxd_identity){.sees_identities = true,
                                          .creates = true,
                                          .edits = true,
                                          .deletes = true,
                                          .sees_projects = true};
    cJSON_Delete(json);
    return known ? 0 : wrong_shape("an identity", error);
}

/* ---- certificates ---- */

static int read_certificate(const cJSON *object, struct lxd_certificate *certificate)
{
    const char *fingerprint = json_string(object, "fingerprint");

    *certificate = (struct lxd_certificate){0};
    if (!certificate_is_fingerprint(fingerprint) || json_string(object, "type") == NULL)
        return -1;
    memcpy(certificate->fingerprint, fingerprint, sizeof certificate->fingerprint);
    certificate->name = copy_string(object, "name");
    certificate->type = copy_string(object, "type");
    certificate->pem = copy_string(object, "certificate");
    projects_from_json(&certificate->projects, object);
    return 0;
}

int api_certificate(const struct buffer *body, const char *fingerprint,
                    struct lxd_certificate *certificate, struct error *error)
{
    cJSON *json;

    *certificate = (struct lxd_certificate){0};
    if (parse(body, &json, error) != 0)
        return -1;
    int result = read_certificate(metadata_of(json), certificate);
    cJSON_Delete(json);
    if (result == 0 && strcmp(certificate->fingerprint, fingerprint) == 0)
        return 0;
    lxd_certificate_free(certificate);
    return wrong_shape("a certificate", error);
}

void lxd_certificate_copy(struct lxd_certificate *copy, const struct lxd_certificate *certificate)
{
    *copy = (struct lxd_certificate){.name = mem_string(certificate->name),
                                     .type = mem_string(certificate->type),
                                     .pem = mem_string("")};
    memcpy(copy->fingerprint, certificate->fingerprint, sizeof copy->fingerprint);
    projects_copy(&copy->projects, &certificate->projects);
}

void lxd_certificate_free(struct lxd_certificate *certificate)
{
    free(certificate->name);
    free(certificate->type);
    free(certificate->pem);
    projects_free(&certificate->projects);
    *certificate = (struct lxd_certificate){0};
}

/* ---- a list of certificates as it arrives ---- */

static int wrong_list(struct error *error)
{
    return wrong_shape("a list of certificates", error);
}

static bool is_white_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Keep track of strings and brackets; all else is the parser's, who sees each part. */
static void note_byte(struct api_certificates *list, char c)
{
    if (list->escaped)
        list->escaped = false;
    else if (list->quoted && c == '\\')
        list->escaped = true;
    else if (c == '"')
        list->quoted = !list->quoted;
    else if (!list->quoted && (c == '[' || c == '{'))
        list->depth++;
    else if (!list->quoted && (c == ']' || c == '}') && list->depth != 0)
        list->depth--;
}

/*
 * A byte of the envelope. It ends where the array that is the value of "metadata" begins, which is
 * a key of the outermost object, in this spelling. An array under any other spelling stays in the
 * envelope, where api_certificates_end finds its elements and refuses them.
 */
static void read_envelope(struct api_certificates *list, char c)
{
    const struct buffer *envelope = &list->envelope;
    bool outermost = list->depth == 1 && !list->quoted;

    if (outermost && c == '[' && list->is_metadata) {
        list->part = API_FIRST_ELEMENT;
        list->depth = 0;
        list->lists++;
        list->is_metadata = false;
        return;
    }
    if (outermost && c == '"')
        list->quote = envelope->length - 1;
    if (outermost && c == ':')
        list->is_metadata = envelope->length - 1 >= list->quote + strlen(METADATA) &&
                            memcmp(envelope->data + list->quote, METADATA, strlen(METADATA)) == 0;
    else if (!is_white_space(c))
        list->is_metadata = false;
    note_byte(list, c);
}

static int take_element(struct api_certificates *list, struct error *error)
{
    struct lxd_certificate certificate;
    cJSON *json;

    if (list->element.length == 0)
        return wrong_list(error);
    if (json_parse(&json, list->element.data, list->element.length,
                   "answers, but an element of the list", ERROR_NONSENSE, error) != 0)
        return -1;
    int result = read_certificate(json, &certificate);
    cJSON_Delete(json);
    if (result != 0)
        return wrong_list(error);
    list->sink(list->context, &certificate);
    lxd_certificate_free(&certificate);
    buffer_clear(&list->element);
    return 0;
}

/* How many bytes from data on belong to the element; the one behind them, if any, ends it. */
static size_t measure_element(struct api_certificates *list, const char *data, size_t length)
{
    size_t count = 0;

    for (; count < length; count++) {
        char c = data[count];

        if (list->depth == 0 && !list->quoted && (c == ',' || c == ']'))
            break;
        note_byte(list, c);
    }
    return count;
}

/* Returns how many bytes were taken, at least one, or -1. */
static long read_element(struct api_certificates *list, const char *data, size_t length,
                         struct error *error)
{
    if (list->part == API_FIRST_ELEMENT && is_white_space(*data))
        return 1;
    bool is_empty = list->part == API_FIRST_ELEMENT && *data == ']';
    list->part = API_ELEMENT;
    size_t count = measure_element(list, data, length);
    if (count > API_MAX_ELEMENT - list->element.length)
        return error_set(error, ERROR_NONSENSE,
                         "answers with a list that has an element of more than 1 MiB");
    buffer_append(&list->element, data, count);
    if (count == length)
        return (long)count;
    if (!is_empty && take_element(list, error) != 0)
        return -1;
    if (data[count] == ']') { /* the outermost object goes on */
        buffer_append(&list->envelope, "]", 1);
        list->part = API_ENVELOPE;
        list->depth = 1;
    }
    return (long)count + 1;
}

int api_certificates_feed(struct api_certificates *list, const char *data, size_t length,
                          struct error *error)
{
    while (length != 0) {
        long taken = 1;

        if (list->part != API_ENVELOPE) {
            taken = read_element(list, data, length, error);
            if (taken < 0)
                return -1;
        } else {
            if (list->envelope.length == API_MAX_ELEMENT)
                return error_set(error, ERROR_NONSENSE,
                                 "answers with a list that has more than 1 MiB around it");
            buffer_append(&list->envelope, data, 1);
            read_envelope(list, *data);
        }
        data += taken;
        length -= (size_t)taken;
    }
    return 0;
}

/* LXD 5.21 says null for an empty list. */
static bool is_sound(const struct api_certificates *list, const cJSON *metadata)
{
    if (list->lists == 0)
        return cJSON_IsNull(metadata) ||
               (cJSON_IsArray(metadata) && cJSON_GetArraySize(metadata) == 0);
    return list->lists == 1 && cJSON_IsArray(metadata) && cJSON_GetArraySize(metadata) == 0;
}

int api_certificates_end(struct api_certificates *list, struct error *error)
{
    cJSON *json;
    int result = parse(&list->envelope, &json, error);

    if (result == 0 && !is_sound(list, metadata_of(json)))
        result = wrong_list(error);
    cJSON_Delete(json);
    buffer_free(&list->envelope);
    buffer_free(&list->element);
    return result;
}

/* ---- errors ---- */

/* "<title>502 Bad Gateway</title>" is "Bad Gateway". */
static void read_title(const char *page, char *reason, size_t size)
{
    const char *title = strstr(page, TITLE);

    if (title == NULL)
        return;
    title += strlen(TITLE);
    title += strspn(title, "0123456789 \t\r\n");
    snprintf(reason, size, "%.*s", (int)strcspn(title, "<"), title);
}

bool api_reason(const struct buffer *body, char *reason, size_t size)
{
    struct error ignored;
    cJSON *json;

    *reason = '\0';
    parse(body, &json, &ignored);
    const char *text = json_string(json, "error");
    bool known = text != NULL && *text != '\0';
    if (known)
        snprintf(reason, size, "%s", text);
    else if (body->length != 0)
        read_title(body->data, reason, size);
    json_wipe(json);
    return known;
}

/* ---- what LXD is told ---- */

static char *print(cJSON *object)
{
    char *text = json_print(object);

    cJSON_Delete(object);
    return text;
}

char *api_new_entry(const struct certificate *certificate, const char *name,
                    const struct projects *projects)
{
    cJSON *object = cJSON_CreateObject();
    char *base64 = base64_encode(certificate->der, certificate->length);

    cJSON_AddStringToObject(object, "type", "client");
    cJSON_AddStringToObject(object, "name", name);
    cJSON_AddStringToObject(object, "certificate", base64);
    if (projects->restricted)
        projects_to_json(projects, object);
    free(base64);
    return print(object);
}

char *api_changed_entry(const char *name, const struct projects *projects)
{
    cJSON *object = cJSON_CreateObject();

    if (name != NULL)
        cJSON_AddStringToObject(object, "name", name);
    if (projects != NULL)
        projects_to_json(projects, object);
    return print(object);
}

char *api_enrolment(const struct lxd_server *server, enum lxd_token kind, const char *token)
{
    struct buffer body = {0}; /* it leaves no copy behind while it grows */

    buffer_printf(&body, "{%s\"trust_token\":\"%s\"",
                  kind == LXD_TOKEN_CERTIFICATE ? "\"type\":\"client\"," : "", token);
    /* LXD until 5.21.1; Incus reads the other all the same. */
    if (kind == LXD_TOKEN_CERTIFICATE && !server->takes_trust_token)
        buffer_printf(&body, ",\"password\":\"%s\"", token);
    buffer_append_string(&body, "}");
    return body.data;
}
