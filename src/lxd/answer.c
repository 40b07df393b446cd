/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static int wrong_shape(const char *what, struct error *error)
{
    return error_set(error, ERROR_UNREACHABLE, "answered with %s of unexpected shape", what);
}

/* Parse the envelope into *json, which the caller deletes. */
static int parse(const struct buffer *body, cJSON **json, struct error *error)
{
    return json_parse(json, body->data, body->length, "answered, but the body", ERROR_UNREACHABLE,
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

int answer_server(const struct buffer *body, struct lxd_server *server, struct error *error)
{
    cJSON *json;

    *server = (struct lxd_server){0};
    if (parse(body, &json, error) != 0)
        return -1;
    const char *auth = json_string(metadata_of(json), "auth");
    if (auth != NULL) {
        const cJSON *environment = json_object(metadata_of(json), "environment");
        server->trusted = strcmp(auth, "trusted") == 0;
        server->name = copy_string(environment, "server_name");
        server->version = copy_string(environment, "server_version");
        server->clustered = json_bool(environment, "server_clustered", false);
        read_addresses(environment, &server->addresses);
        server->restricts = has_extension(metadata_of(json), "certificate_project");
        server->software =
            has_extension(metadata_of(json), "dev_incus_events") ? LXD_INCUS : LXD_LXD;
        server->takes_trust_token = has_extension(metadata_of(json), "explicit_trust_token");
    }
    cJSON_Delete(json);
    return auth != NULL ? 0 : wrong_shape("server information", error);
}

void lxd_server_free(struct lxd_server *server)
{
    free(server->name);
    free(server->version);
    endpoints_free(&server->addresses);
    *server = (struct lxd_server){0};
}

/* ---- cluster members ---- */

/* Evacuated members run no instances, but their API serves on. */
static bool is_active(const cJSON *object)
{
    const char *status = json_string(object, "status");

    return status != NULL && (strcmp(status, "Online") == 0 || strcmp(status, "Evacuated") == 0);
}

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

static int read_members(const cJSON *array, struct lxd_members *list)
{
    const cJSON *object;

    if (!cJSON_IsArray(array))
        return -1;
    list->items = mem_alloc((size_t)cJSON_GetArraySize(array) * sizeof *list->items);
    cJSON_ArrayForEach(object, array)
    {
        struct lxd_member *member = &list->items[list->count];
        bool active = is_active(object);

        if (read_member(object, member) == 0)
            list->count++;
        else if (active)
            return -1;
        member->active = active;
    }
    return 0;
}

int answer_members(const struct buffer *body, struct lxd_members *list, struct error *error)
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

/* ---- certificates ---- */

static int read_certificate(const cJSON *object, struct lxd_certificate *certificate)
{
    const char *fingerprint = json_string(object, "fingerprint");

    if (!certificate_is_fingerprint(fingerprint) || json_string(object, "type") == NULL)
        return -1;
    memcpy(certificate->fingerprint, fingerprint, sizeof certificate->fingerprint);
    certificate->name = copy_string(object, "name");
    certificate->type = copy_string(object, "type");
    certificate->pem = copy_string(object, "certificate");
    projects_from_json(&certificate->projects, object);
    return 0;
}

int answer_certificate(const struct buffer *body, const char *fingerprint,
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

void lxd_certificate_free(struct lxd_certificate *certificate)
{
    free(certificate->name);
    free(certificate->type);
    free(certificate->pem);
    projects_free(&certificate->projects);
    *certificate = (struct lxd_certificate){0};
}

static int read_certificates(const cJSON *array, struct lxd_certificates *list)
{
    const cJSON *object;

    if (cJSON_IsNull(array)) /* LXD 5.21 for an empty list */
        return 0;
    if (!cJSON_IsArray(array))
        return -1;
    list->items = mem_alloc((size_t)cJSON_GetArraySize(array) * sizeof *list->items);
    cJSON_ArrayForEach(object, array)
    {
        if (read_certificate(object, &list->items[list->count]) != 0)
            return -1;
        list->count++;
    }
    return 0;
}

int answer_certificates(const struct buffer *body, struct lxd_certificates *list,
                        struct error *error)
{
    cJSON *json;

    *list = (struct lxd_certificates){0};
    if (parse(body, &json, error) != 0)
        return -1;
    int result = read_certificates(metadata_of(json), list);
    cJSON_Delete(json);
    if (result == 0)
        return 0;
    lxd_certificates_free(list);
    return wrong_shape("a list of certificates", error);
}

void lxd_certificates_free(struct lxd_certificates *list)
{
    for (size_t i = 0; i < list->count; i++)
        lxd_certificate_free(&list->items[i]);
    free(list->items);
    *list = (struct lxd_certificates){0};
}

/* ---- errors ---- */

void answer_reason(const struct buffer *body, char *reason, size_t size)
{
    struct error ignored;
    cJSON *json;

    parse(body, &json, &ignored);
    const char *text = json_string(json, "error");
    snprintf(reason, size, "%s", text != NULL ? text : "");
    cJSON_Delete(json);
}
