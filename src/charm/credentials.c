/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/credentials.h"

#include <stdbool.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/json.h"
#include "charm/enrolment.h"
#include "juju/hook_tools.h"

#define SECRET_OPTION "lxd_credentials"
#define TOKEN_OPTION "lxd_trust_token"
#define SECRET_SCHEME "secret:"

static const char *const option_names[CREDENTIAL_PARTS] = {"lxd_endpoint", "lxd_client_cert",
                                                           "lxd_client_key", "lxd_server_cert"};
static const char *const attribute_names[CREDENTIAL_PARTS] = {"endpoint", "client-cert",
                                                              "client-key", "server-cert"};

static bool is_blank(const char *text)
{
    return text == NULL || text[strspn(text, " \t\r\n")] == '\0';
}

static int parse_part(struct credentials *credentials, int part, const char *text,
                      struct error *error)
{
    if (is_blank(text))
        return error_set(error, ERROR_INPUT, "missing");
    switch (part) {
    case CREDENTIAL_ENDPOINT:
        return endpoints_parse(&credentials->endpoints, text, error);
    case CREDENTIAL_CERTIFICATE:
        return certificate_from_pem(&credentials->certificate, text, error);
    case CREDENTIAL_KEY:
        if (private_key_from_pem(&credentials->key, text, error) != 0)
            return -1;
        return private_key_matches(&credentials->key, &credentials->certificate, error);
    default:
        return server_identity_parse(&credentials->server, text, error);
    }
}

int credentials_parse(struct credentials *credentials, const char *const names[CREDENTIAL_PARTS],
                      const char *const texts[CREDENTIAL_PARTS], struct error *error)
{
    memset(credentials, 0, sizeof *credentials);
    for (int part = 0; part < CREDENTIAL_PARTS; part++) {
        if (parse_part(credentials, part, texts[part], error) != 0) {
            credentials_wipe(credentials);
            return error_prefix(error, "%s", names[part]);
        }
    }
    return 0;
}

int credentials_from_content(struct credentials *credentials, const cJSON *content,
                             struct error *error)
{
    const char *texts[CREDENTIAL_PARTS];

    for (int part = 0; part < CREDENTIAL_PARTS; part++)
        texts[part] = json_string(content, attribute_names[part]);
    return credentials_parse(credentials, attribute_names, texts, error);
}

static bool is_lxd(const cJSON *cloud)
{
    const char *type = json_string(cloud, "type");

    return type != NULL && strcmp(type, "lxd") == 0;
}

/* Find the four options; returns whether they are complete. */
static bool find_options(const cJSON *options, const char *texts[CREDENTIAL_PARTS])
{
    bool complete = true;

    for (int part = 0; part < CREDENTIAL_PARTS; part++) {
        texts[part] = json_string(options, option_names[part]);
        complete = complete && !is_blank(texts[part]);
    }
    return complete;
}

static int from_cloud(struct credentials *credentials, const cJSON *cloud, struct error *error)
{
    const cJSON *credential = json_object(cloud, "credential");
    const cJSON *attributes = json_object(credential, "attrs");
    const char *type = json_string(credential, "auth-type");
    const char *texts[CREDENTIAL_PARTS];

    if (type == NULL || strcmp(type, "certificate") != 0)
        return error_set(error, ERROR_INPUT,
                         "the cloud's credential is of type \"%s\", LXD needs \"certificate\"",
                         type != NULL ? type : "");
    for (int part = 0; part < CREDENTIAL_PARTS; part++)
        texts[part] =
            json_string(part == CREDENTIAL_ENDPOINT ? cloud : attributes, attribute_names[part]);
    if (credentials_parse(credentials, attribute_names, texts, error) != 0)
        return error_prefix(error, "the cloud's credential");
    credentials->source = "credential-get";
    return 0;
}

/* Say which options are still to be set, and what else would help. */
static int say_missing(const cJSON *cloud, const char *const texts[CREDENTIAL_PARTS],
                       const char *application, struct error *error)
{
    struct buffer missing = {0};
    int present = 0;

    for (int part = 0; part < CREDENTIAL_PARTS; part++) {
        if (is_blank(texts[part]))
            buffer_printf(&missing, "%s%s", missing.length != 0 ? ", " : "", option_names[part]);
        else
            present++;
    }
    const char *type = json_string(cloud, "type");
    if (present != 0)
        error_set(error, ERROR_INPUT, "missing credentials: set %s as well", missing.data);
    else if (cloud != NULL)
        error_set(error, ERROR_INPUT,
                  "missing credentials: the cloud is of type \"%s\", not \"lxd\": set %s",
                  type != NULL ? type : "", missing.data);
    else
        error_set(error, ERROR_INPUT, "missing credentials: run \"juju trust %s\", or set %s",
                  application, missing.data);
    buffer_free(&missing);
    return -1;
}

int credentials_choose(struct credentials *credentials, const cJSON *cloud, const cJSON *options,
                       const char *application, struct error *error)
{
    const char *texts[CREDENTIAL_PARTS];

    if (is_lxd(cloud))
        return from_cloud(credentials, cloud, error);
    if (!find_options(options, texts))
        return say_missing(cloud, texts, application, error);
    if (credentials_parse(credentials, option_names, texts, error) != 0)
        return -1;
    credentials->source = "config";
    return 0;
}

static int read_secret(struct credentials *credentials, const struct juju_transport *juju,
                       const struct event *event, const char *uri, struct error *error)
{
    cJSON *content;

    if (strncmp(uri, SECRET_SCHEME, strlen(SECRET_SCHEME)) != 0)
        return error_set(error, ERROR_INPUT, "not a secret's URI (secret:...)");
    if (event->juju_major < 3)
        return error_set(error, ERROR_INPUT, "this Juju has no secrets, Juju 3.3 and later do");
    if (juju_secret_get(juju, uri, &content, error) != 0)
        return -1;
    if (content == NULL)
        return error_set(error, ERROR_INPUT,
                         "the secret is not granted: run \"juju grant-secret %s %s\"",
                         uri + strlen(SECRET_SCHEME), event->application);
    int result = credentials_from_content(credentials, content, error);
    credentials->source = "secret";
    json_wipe(content);
    return result;
}

/* What is enrolled comes where nothing else is complete. */
static int choose_or_enrol(struct credentials *credentials, const struct juju_transport *juju,
                           const struct event *event, const cJSON *cloud, const cJSON *options,
                           struct error *error)
{
    const char *texts[CREDENTIAL_PARTS];
    const char *token = json_string(options, TOKEN_OPTION);
    bool found = false;

    if (!is_lxd(cloud) && !find_options(options, texts) &&
        enrolment_read(credentials, juju, event, is_blank(token) ? NULL : token, &found, error) !=
            0)
        return -1;
    return found ? 0 : credentials_choose(credentials, cloud, options, event->application, error);
}

int credentials_read(struct credentials *credentials, const struct juju_transport *juju,
                     const struct event *event, const cJSON *options, struct error *error)
{
    const char *uri = json_string(options, SECRET_OPTION);
    cJSON *cloud;

    if (!is_blank(uri)) {
        if (read_secret(credentials, juju, event, uri, error) == 0)
            return 0;
        return error->kind == ERROR_HOOK ? -1 : error_prefix(error, SECRET_OPTION);
    }
    if (juju_credential_get(juju, &cloud, error) != 0)
        return -1;
    int result = choose_or_enrol(credentials, juju, event, cloud, options, error);
    json_wipe(cloud);
    return result;
}

void credentials_wipe(struct credentials *credentials)
{
    endpoints_free(&credentials->endpoints);
    certificate_free(&credentials->certificate);
    private_key_wipe(&credentials->key);
    server_identity_free(&credentials->server);
    enrolment_free(credentials->enrolment);
    bytes_wipe(credentials, sizeof *credentials);
}
