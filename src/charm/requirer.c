/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/requirer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/net.h"
#include "charm/databag.h"
#include "charm/status.h"
#include "juju/hook_tools.h"
#include "lxd/client.h"
#include "x509/self_signed.h"

#define ENDPOINT "lxd"
#define KEY_FILE "client-key.pem"
#define MAX_KEY_FILE 32768
#define LXD_TIME_MS (30 * 1000)

struct requirer {
    const struct juju_transport *juju;
    const struct event *event;
    struct certificate certificate;
    struct private_key key;
    struct server_identity server; /* from the option lxd_server_cert; empty where it is not set */
    size_t relations;              /* with integrators */
    struct nodes nodes;            /* of all of them */
    struct error rejection;        /* by one of them; kind is 0 where there is none */
};

bool requirer_is_charm(const char *charm_folder)
{
    char *path = mem_printf("%s/metadata.yaml", charm_folder);
    FILE *file = fopen(path, "re");
    char line[256];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strcmp(line, "name: lxd-requirer\n") == 0;
    if (file != NULL)
        fclose(file);
    free(path);
    return found;
}

/* ---- the key ---- */

/* What is in the file; where there is none, one is made. */
static int read_or_make(const char *path, const char *common_name, struct buffer *pem,
                        struct error *error)
{
    switch (file_read(pem, path, FILE_OF_OURS, MAX_KEY_FILE, error)) {
    case FILE_FINE:
        return 0;
    case FILE_ABSENT:
        self_signed_make(pem, common_name);
        return file_write(path, pem, error);
    default:
        return -1;
    }
}

static int load_key(struct requirer *requirer, struct error *error)
{
    const struct event *event = requirer->event;
    char *path = mem_printf("%s/" KEY_FILE, event->charm_folder);
    struct buffer pem = {0};
    int result = read_or_make(path, event->application, &pem, error);

    if (result == 0 &&
        self_signed_read(buffer_string(&pem), &requirer->certificate, &requirer->key, error) != 0)
        result = error_prefix(error, KEY_FILE ": delete it to have another one made");
    buffer_wipe(&pem);
    free(path);
    return result;
}

/* ---- the relation ---- */

/* The value of client_certificates. */
static char *compose_certificates(const struct requirer *requirer)
{
    const struct certificate *certificate = &requirer->certificate;
    char *pem = pem_encode("CERTIFICATE", certificate->der, certificate->length);
    struct strings texts = {0};

    strings_add(&texts, pem);
    char *value = databag_registered(&texts);
    strings_free(&texts);
    free(pem);
    return value;
}

static int publish(const struct requirer *requirer, const char *relation_id, struct error *error)
{
    char *value = compose_certificates(requirer);
    cJSON *settings = cJSON_CreateObject();

    cJSON_AddStringToObject(settings, "version", DATABAG_VERSION);
    cJSON_AddStringToObject(settings, "client_certificates", value);
    int result = juju_relation_set(requirer->juju, relation_id, false, settings, error);
    cJSON_Delete(settings);
    free(value);
    return result;
}

static void read_rejection(struct requirer *requirer, const cJSON *settings)
{
    const char *text = json_string(settings, "rejected_certificates");
    struct error ignored;
    cJSON *list;

    if (text == NULL ||
        json_parse(&list, text, strlen(text), "rejected", ERROR_INPUT, &ignored) != 0)
        return;
    const char *reason = json_string(cJSON_GetArrayItem(list, 0), "reason");
    error_set(&requirer->rejection, ERROR_REFUSED, "the integrator rejects our certificate: %s",
              reason != NULL ? reason : "it does not say why");
    cJSON_Delete(list);
}

static int read_integrator(struct requirer *requirer, const char *relation_id, struct error *error)
{
    struct strings units = {0};
    int result = juju_relation_units(requirer->juju, relation_id, &units, error);

    for (size_t i = 0; i < units.count && result == 0; i++) {
        cJSON *settings;

        result =
            juju_relation_get(requirer->juju, relation_id, units.items[i], false, &settings, error);
        if (result != 0)
            break;
        nodes_read(&requirer->nodes, settings);
        read_rejection(requirer, settings);
        cJSON_Delete(settings);
    }
    strings_free(&units);
    return result;
}

static int exchange(struct requirer *requirer, struct error *error)
{
    struct strings ids = {0};
    int result = juju_relation_ids(requirer->juju, ENDPOINT, &ids, error);

    for (size_t i = 0; i < ids.count && result == 0; i++) {
        const char *id = ids.items[i];

        if (event_breaks(requirer->event, id))
            continue;
        requirer->relations++;
        result = publish(requirer, id, error);
        if (result == 0)
            result = read_integrator(requirer, id, error);
    }
    strings_free(&ids);
    return result;
}

/* ---- LXD ---- */

static bool node_trusts(const cJSON *node, const char *fingerprint)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json_array(node, "trusted_certs_fp"))
    {
        if (cJSON_IsString(item) && strcmp(item->valuestring, fingerprint) == 0)
            return true;
    }
    return false;
}

/* The version of the node's LXD, once it trusts us. */
static int log_in(const struct requirer *requirer, const cJSON *node, struct lxd_server *server,
                  struct error *error)
{
    struct lxd_credentials ours = {&requirer->certificate, &requirer->key, &requirer->server};
    struct lxd_client *client = NULL;
    struct endpoint endpoint;

    if (endpoint_parse(&endpoint, node_endpoint(node), error) != 0 ||
        lxd_open(&client, &endpoint, &ours, net_clock_ms() + LXD_TIME_MS, error) != 0)
        return -1;
    int result = lxd_get_server(client, server, error);
    if (result == 0 && !server->trusted)
        result = error_set(error, ERROR_UNREACHABLE, "LXD at %s does not trust our certificate",
                           endpoint.url);
    lxd_close(client);
    return result;
}

static int wait_for_trust(const struct requirer *requirer, struct error *error)
{
    const char *fingerprint = requirer->certificate.fingerprint;

    if (requirer->rejection.kind != 0) {
        *error = requirer->rejection;
        return -1;
    }
    if (requirer->nodes.count == 0)
        return error_set(error, ERROR_UNREACHABLE, "no LXD node is known yet");
    for (size_t i = 0; i < requirer->nodes.count; i++) {
        const cJSON *node = requirer->nodes.items[i];

        if (!node_trusts(node, fingerprint))
            return error_set(error, ERROR_UNREACHABLE, "%s does not trust certificate %.12s... yet",
                             node_endpoint(node), fingerprint);
    }
    return 0;
}

/* What there is to say when all is well. */
static int use_lxd(const struct requirer *requirer, struct status *status, struct error *error)
{
    const cJSON *node = requirer->nodes.count != 0 ? requirer->nodes.items[0] : NULL;
    struct lxd_server server = {0};

    if (wait_for_trust(requirer, error) != 0)
        return -1;
    if (requirer->server.count == 0)
        return error_set(error, ERROR_INPUT,
                         "trusted by LXD at %s: set lxd_server_cert to log in to it",
                         node_endpoint(node));
    int result = log_in(requirer, node, &server, error);
    if (result == 0) {
        snprintf(status->message, sizeof status->message, "logged in to LXD %s at %s",
                 server.version, node_endpoint(node));
    }
    lxd_server_free(&server);
    return result;
}

/* ---- one pass ---- */

static int read_options(struct requirer *requirer, struct error *error)
{
    cJSON *options;

    if (juju_config_get(requirer->juju, &options, error) != 0)
        return -1;
    const char *pem = json_string(options, "lxd_server_cert");
    int result = 0;
    if (pem != NULL && *pem != '\0' && server_identity_parse(&requirer->server, pem, error) != 0)
        result = error_prefix(error, "lxd_server_cert");
    cJSON_Delete(options);
    return result;
}

static int pass(struct requirer *requirer, struct status *status, struct error *error)
{
    if (load_key(requirer, error) != 0 || read_options(requirer, error) != 0)
        return -1;
    juju_enclose(requirer->juju);
    if (exchange(requirer, error) != 0)
        return -1;
    if (requirer->relations == 0)
        return error_set(error, ERROR_INPUT,
                         "missing relation: run \"juju relate %s:lxd lxd-integrator:api\"",
                         requirer->event->application);
    return use_lxd(requirer, status, error);
}

static void requirer_free(struct requirer *requirer)
{
    nodes_free(&requirer->nodes);
    server_identity_free(&requirer->server);
    certificate_free(&requirer->certificate);
    private_key_wipe(&requirer->key);
}

int requirer_run(const struct juju_transport *juju, const struct event *event, struct error *error)
{
    struct requirer requirer = {.juju = juju, .event = event};
    struct status status = {.name = "active"};
    int result = pass(&requirer, &status, error);

    requirer_free(&requirer);
    if (result != 0) {
        if (error->kind == ERROR_HOOK)
            return -1;
        status_of_error(&status, error, 0, NULL);
    }
    if (event->kind == EVENT_STOP)
        return 0;
    return juju_status_set(juju, status.name, status.message, error);
}
