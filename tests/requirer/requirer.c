/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of the lxd interface, as an example and to try the integrator with: a charm whose
 * dispatch is this program. It makes a key and certificate, asks every integrator that it is
 * related to to have it trusted, waits until all LXD nodes do, and logs in to one. Each hook does
 * all of it.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/net.h"
#include "base/sandbox.h"
#include "charm/event.h"
#include "juju/channel.h"
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
    char *server_certificate; /* the option; "" where it is not set */
    size_t relations;         /* with integrators */
    cJSON *nodes;             /* an array: of all of them, each as one integrator wrote it */
    char *rejection;          /* why one of them does not have us trusted; NULL: none says so */
};

/* ---- what is ours: a key in a file, which survives a refresh of the charm ---- */

static int load_key(struct requirer *requirer, struct error *error)
{
    char *path = mem_printf("%s/" KEY_FILE, requirer->event->charm_folder);
    struct buffer pem = {0};
    int result = -1;

    switch (file_read(&pem, path, FILE_OF_OURS, MAX_KEY_FILE, error)) {
    case FILE_FINE:
        result = 0;
        break;
    case FILE_ABSENT:
        self_signed_make(&pem, requirer->event->application);
        result = file_write(path, &pem, error);
        break;
    default:
        break;
    }
    if (result == 0 &&
        self_signed_read(buffer_string(&pem), &requirer->certificate, &requirer->key, error) != 0)
        result = error_prefix(error, "%s: delete it to have another one made", KEY_FILE);
    buffer_wipe(&pem);
    free(path);
    return result;
}

static int read_options(struct requirer *requirer, struct error *error)
{
    cJSON *options;

    if (juju_config_get(requirer->juju, &options, error) != 0)
        return -1;
    const char *pem = json_string(options, "lxd_server_cert");
    requirer->server_certificate = mem_string(pem != NULL ? pem : "");
    cJSON_Delete(options);
    return 0;
}

/* ---- relations ---- */

/* Of a relation that was removed by force and made anew, Juju 4 lists both numbers until its agent
 * restarts. They have one databag, and a hook that touches it by both fails: the higher one is it.
 */
static bool is_made_anew(const struct strings *ids, const struct strings *applications, size_t i)
{
    for (size_t j = 0; j < ids->count; j++) {
        if (strcmp(applications->items[j], applications->items[i]) == 0 &&
            strtoul(ids->items[j] + sizeof ENDPOINT, NULL, 10) >
                strtoul(ids->items[i] + sizeof ENDPOINT, NULL, 10))
            return true;
    }
    return false;
}

/* Returns 1 where there is no such relation any more: we may not read there what is our own. Juju
 * would go on refusing, so the hook does not fail. */
static int publish(const struct requirer *requirer, const char *relation_id, struct error *error)
{
    const struct certificate *certificate = &requirer->certificate;
    char *pem = pem_encode("CERTIFICATE", certificate->der, certificate->length);
    cJSON *list = cJSON_CreateArray(), *settings = cJSON_CreateObject(), *ours;
    enum juju_refusal refusal = JUJU_REFUSAL_OTHER;
    struct error ignored;

    cJSON_AddItemToArray(list, cJSON_CreateString(pem));
    char *value = json_print(list);
    cJSON_AddStringToObject(settings, "version", "1.0");
    cJSON_AddStringToObject(settings, "client_certificates", value);
    int result = juju_relation_set(requirer->juju, relation_id, JUJU_UNIT, settings, error);
    cJSON_Delete(settings);
    cJSON_Delete(list);
    free(value);
    free(pem);
    if (result == 0)
        return 0;
    if (juju_relation_get(requirer->juju, relation_id, requirer->event->unit, JUJU_UNIT, &ours,
                          &refusal, &ignored) == 0)
        cJSON_Delete(ours);
    if (refusal != JUJU_REFUSAL_DENIED)
        return -1;
    juju_log(requirer->juju, JUJU_LOG_WARNING, "relation %s is gone: %s", relation_id, error->text);
    return 1;
}

/* A list in JSON text; empty where it is none. */
static cJSON *read_list(const cJSON *settings, const char *key)
{
    const char *text = json_string(settings, key);
    struct error ignored;
    cJSON *list = NULL;

    if (text == NULL || json_parse(&list, text, strlen(text), key, ERROR_INPUT, &ignored) != 0)
        return cJSON_CreateArray();
    return list;
}

/* What one unit of an integrator has published. */
static void read_integrator(struct requirer *requirer, const cJSON *settings)
{
    cJSON *nodes = read_list(settings, "nodes");
    cJSON *rejections = read_list(settings, "rejected_certificates");
    const cJSON *rejection;

    for (cJSON *node = nodes->child, *next; node != NULL; node = next) {
        next = node->next;
        if (json_string(node, "endpoint") != NULL)
            cJSON_AddItemToArray(requirer->nodes, cJSON_DetachItemViaPointer(nodes, node));
    }
    cJSON_ArrayForEach(rejection, rejections)
    {
        const char *fingerprint = json_string(rejection, "fingerprint");
        const char *reason = json_string(rejection, "reason");

        if (fingerprint == NULL || reason == NULL ||
            strcmp(fingerprint, requirer->certificate.fingerprint) != 0)
            continue;
        free(requirer->rejection);
        requirer->rejection = mem_string(reason);
    }
    cJSON_Delete(nodes);
    cJSON_Delete(rejections);
}

static int exchange(struct requirer *requirer, struct error *error)
{
    const struct juju_transport *juju = requirer->juju;
    struct strings ids = {0}, applications = {0};
    int result = juju_relation_ids(juju, ENDPOINT, &ids, error);

    for (size_t i = 0; i < ids.count && result == 0; i++) {
        char *application = NULL;

        result = juju_relation_application(juju, ids.items[i], &application, error);
        strings_add(&applications, application != NULL ? application : "");
        free(application);
    }
    for (size_t i = 0; i < ids.count && result == 0; i++) {
        const char *id = ids.items[i];
        struct strings units = {0};

        if (event_breaks(requirer->event, id) || is_made_anew(&ids, &applications, i))
            continue;
        result = publish(requirer, id, error);
        if (result > 0) {
            result = 0;
            continue;
        }
        requirer->relations++;
        if (result == 0)
            result = juju_relation_units(juju, id, &units, error);
        for (size_t j = 0; j < units.count && result == 0; j++) {
            enum juju_refusal refusal;
            cJSON *settings;

            result =
                juju_relation_get(juju, id, units.items[j], JUJU_UNIT, &settings, &refusal, error);
            if (result == 0)
                read_integrator(requirer, settings);
            if (result == 0)
                cJSON_Delete(settings);
        }
        strings_free(&units);
    }
    strings_free(&ids);
    strings_free(&applications);
    return result;
}

/* ---- LXD ---- */

static int wait_for_trust(const struct requirer *requirer, struct error *error)
{
    const char *fingerprint = requirer->certificate.fingerprint;
    const cJSON *node, *item;

    if (cJSON_GetArraySize(requirer->nodes) == 0 && requirer->rejection == NULL)
        return error_set(error, ERROR_WAITING, "no LXD node is known yet");
    cJSON_ArrayForEach(node, requirer->nodes)
    {
        bool trusts = false;

        cJSON_ArrayForEach(item, json_array(node, "trusted_certs_fp"))
        {
            trusts =
                trusts || (cJSON_IsString(item) && strcmp(item->valuestring, fingerprint) == 0);
        }
        if (!trusts && requirer->rejection == NULL)
            return error_set(error, ERROR_WAITING, "%s does not trust certificate %.12s... yet",
                             json_string(node, "endpoint"), fingerprint);
        if (!trusts)
            break;
    }
    if (node != NULL || cJSON_GetArraySize(requirer->nodes) == 0)
        return error_set(error, ERROR_REFUSED, "the integrator rejects our certificate: %s",
                         requirer->rejection);
    return 0;
}

/* Log in to the first node, which has to be the server that the operator or else the integrator
 * names. What there is to say when all is well goes into the message. */
static int log_in(const struct requirer *requirer, char **message, struct error *error)
{
    const cJSON *node = cJSON_GetArrayItem(requirer->nodes, 0);
    const char *url = json_string(node, "endpoint");
    const char *pem = requirer->server_certificate;
    struct server_identity identity = {0};
    struct lxd_credentials ours = {&requirer->certificate, &requirer->key, &identity};
    struct lxd_client *client = NULL;
    struct lxd_server server = {0};
    struct endpoint endpoint;
    int result = -1;

    if (*pem == '\0')
        pem = json_string(node, "certificate");
    if (pem == NULL)
        return error_set(error, ERROR_INPUT,
                         "trusted by LXD at %s: set lxd_server_cert to log in to it", url);
    if (server_identity_parse(&identity, pem, error) != 0) {
        error_prefix(error, *requirer->server_certificate != '\0' ? "lxd_server_cert"
                                                                  : "the integrator's certificate");
        goto out;
    }
    if (endpoint_parse(&endpoint, url, error) != 0 ||
        lxd_open(&client, &endpoint, &ours, net_clock_ms() + LXD_TIME_MS, error) != 0)
        goto out;
    lxd_ask_server(client);
    if (lxd_answer_server(client, &server, error) != 0)
        goto out;
    if (server.trusted) {
        *message = mem_printf("logged in to LXD %s at %s", server.version, url);
        result = 0;
    } else {
        error_set(error, ERROR_WAITING, "LXD at %s does not trust our certificate", url);
    }
    lxd_server_free(&server);
out:
    lxd_close(client);
    server_identity_free(&identity);
    return result;
}

/* ---- a hook ---- */

static int pass(struct requirer *requirer, char **message, struct error *error)
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
    if (wait_for_trust(requirer, error) != 0)
        return -1;
    return log_in(requirer, message, error);
}

/* 0 for all that a person or time will mend; -1 has Juju drop the hook's writes and try again. */
static int run_hook(const struct juju_transport *juju, const struct event *event,
                    struct error *error)
{
    struct requirer requirer = {.juju = juju, .event = event, .nodes = cJSON_CreateArray()};
    const char *status = "active";
    char *message = NULL;
    int result = pass(&requirer, &message, error);

    if (result != 0 && error->kind != ERROR_HOOK) {
        bool waits = error->kind == ERROR_WAITING || error->kind == ERROR_UNREACHABLE;

        status = waits ? "waiting" : "blocked";
        message = mem_string(error->text);
        result = 0;
    }
    if (result == 0 && event->kind != EVENT_STOP)
        result = juju_status_set(juju, status, message, error);
    cJSON_Delete(requirer.nodes);
    certificate_free(&requirer.certificate);
    private_key_wipe(&requirer.key);
    free(requirer.server_certificate);
    free(requirer.rejection);
    free(message);
    return result;
}

/* What relations and LXD say is read in the sandbox. */
static void shut_in(const struct juju_transport *juju, enum channel_way way)
{
    (void)juju;
    sandbox_enter(way == CHANNEL_AGENT ? SANDBOX_CLOSED : SANDBOX_PROGRAMS);
}

int main(void)
{
    struct event event = {0};
    struct channel channel;
    struct error error;

    signal(SIGPIPE, SIG_IGN);
    umask(077);
    sandbox_hide_memory();
    channel_open(&channel, shut_in);
    int result = event_read(&event, &error);
    if (result == 0)
        result = run_hook(&channel.juju, &event, &error);
    if (result != 0)
        juju_log(&channel.juju, JUJU_LOG_ERROR, "hook \"%s\" failed: %s", event.name, error.text);
    event_free(&event);
    if (channel_close(&channel) != 0)
        result = -1;
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
