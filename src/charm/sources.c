/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/sources.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "juju/hook_tools.h"

#define SECRET_SCHEME "secret:"
#define MAX_URI 100
#define TOKEN_KEY "trust-token"

/* What the sources have in common. */
struct reading {
    struct credentials *credentials;
    struct enrolment **enrolment;
    const struct juju_transport *juju;
    const struct event *event;
    const struct options *options;
    const struct sources_self *self;
    char *cloud_type; /* where credential-get answers; else NULL */
};

/* ---- the sources: 1 with credentials, 0 where nothing is set there, -1 ---- */

/* May it be given to a command, and be quoted? Anything else could be a key in the wrong place. */
static bool is_uri(const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++) {
        if (!isgraph((unsigned char)text[i]))
            return false;
    }
    return length <= MAX_URI && strncmp(text, SECRET_SCHEME, strlen(SECRET_SCHEME)) == 0;
}

/* What Juju refuses the operator has to mend, whatever Juju's words for it are. */
static int say_refused(const struct reading *reading, struct error *error)
{
    struct error reason = *error;
    const char *uri = reading->options->credentials;
    const char *id = strrchr(uri, '/') != NULL ? strrchr(uri, '/') + 1 : strchr(uri, ':') + 1;

    return error_set(error, ERROR_INPUT, "%s: to grant it run \"juju grant-secret %s %s\"",
                     reason.text, *id != '\0' ? id : "NAME", reading->event->application);
}

static int read_token(struct reading *reading, const char *token, struct error *error)
{
    enum enrolment_role role = ENROLMENT_FOLLOWS;

    if (leadership_held(reading->self->leadership))
        role = reading->self->may_enrol ? ENROLMENT_ENROLS : ENROLMENT_LEADS;
    return enrolment_read(reading->credentials, reading->enrolment, reading->juju, reading->event,
                          token, role, error);
}

/* The secret's values; those that it has not are the options'. */
static int read_content(struct reading *reading, const cJSON *content, struct error *error)
{
    const char *names[CREDENTIAL_PARTS], *texts[CREDENTIAL_PARTS];
    const char *token = json_string(content, TOKEN_KEY);

    if (token != NULL && json_string(content, "client-key") == NULL)
        return read_token(reading, token, error);
    for (int i = 0; i < CREDENTIAL_PARTS; i++) {
        names[i] = credentials_part_names[i];
        texts[i] = json_string(content, names[i]);
        if (texts[i] != NULL || reading->options->parts[i] == NULL)
            continue;
        names[i] = options_part_names[i];
        texts[i] = reading->options->parts[i];
    }
    return credentials_parse(reading->credentials, names, texts, error) == 0 ? 1 : -1;
}

static int read_secret(struct reading *reading, struct error *error)
{
    const char *uri = reading->options->credentials;
    cJSON *content;

    if (uri == NULL)
        return 0;
    if (!is_uri(uri))
        return error_set(error, ERROR_INPUT, "not a secret's URI (secret:...)");
    if (reading->event->juju_major < 3)
        return error_set(error, ERROR_INPUT,
                         "this Juju has no user secrets, Juju 3.3 and later do");
    if (juju_secret_get(reading->juju, uri, &content, error) != 0)
        return error->kind == ERROR_REFUSED ? say_refused(reading, error) : -1;
    int result = read_content(reading, content, error);
    json_wipe(content);
    return result;
}

static int read_cloud_credential(struct reading *reading, const cJSON *cloud, struct error *error)
{
    const cJSON *credential = json_object(cloud, "credential");
    const cJSON *attributes = json_object(credential, "attrs");
    const char *type = json_string(credential, "auth-type");
    const char *texts[CREDENTIAL_PARTS];

    if (type == NULL || strcmp(type, "certificate") != 0)
        return error_set(error, ERROR_INPUT,
                         "the cloud's credential is of type \"%s\", LXD needs \"certificate\"",
                         type != NULL ? type : "");
    for (int i = 0; i < CREDENTIAL_PARTS; i++)
        texts[i] =
            json_string(i == CREDENTIAL_ENDPOINT ? cloud : attributes, credentials_part_names[i]);
    return credentials_parse(reading->credentials, credentials_part_names, texts, error) == 0 ? 1
                                                                                              : -1;
}

static int read_cloud(struct reading *reading, struct error *error)
{
    cJSON *cloud;

    if (juju_credential_get(reading->juju, &cloud, error) != 0) {
        if (error->kind != ERROR_HOOK) /* time, or who runs the controller */
            error->kind = ERROR_WAITING;
        return -1;
    }
    if (cloud == NULL)
        return 0;
    const char *type = json_string(cloud, "type");
    reading->cloud_type = mem_string(type != NULL ? type : "");
    int result = 0;
    if (strcmp(reading->cloud_type, "lxd") == 0)
        result = read_cloud_credential(reading, cloud, error);
    json_wipe(cloud);
    return result;
}

static int read_options(struct reading *reading, struct error *error)
{
    const char *const *texts = (const char *const *)reading->options->parts;
    struct buffer missing = {0};
    int present = 0;

    for (int i = 0; i < CREDENTIAL_PARTS; i++) {
        if (texts[i] != NULL)
            present++;
        else
            buffer_printf(&missing, "%s%s", missing.length != 0 ? ", " : "", options_part_names[i]);
    }
    int result = present != 0;
    if (present != 0 && missing.length != 0)
        result =
            error_set(error, ERROR_INPUT, "missing credentials: set %s as well%s", missing.data,
                      reading->options->trust_token != NULL
                          ? ", or reset the others for lxd_trust_token to serve"
                          : "");
    else if (present != 0 &&
             credentials_parse(reading->credentials, options_part_names, texts, error) != 0)
        result = -1;
    buffer_free(&missing);
    return result;
}

static int read_option_token(struct reading *reading, struct error *error)
{
    return read_token(reading, reading->options->trust_token, error);
}

static const struct source {
    const char *name;
    const char *prefix; /* of errors; NULL where they name an option already */
    int (*read)(struct reading *reading, struct error *error);
} sources[] = {
    {"lxd_credentials", "lxd_credentials", read_secret},
    {"credential-get", "credential-get", read_cloud},
    {"config", NULL, read_options},
    {"lxd_trust_token", "lxd_trust_token", read_option_token},
};

static int say_missing(const struct reading *reading, struct error *error)
{
    const char *kubernetes = getenv("KUBERNETES_SERVICE_HOST");
    const char *type = reading->cloud_type;
    struct buffer sentence = {0};

    buffer_append_string(&sentence, "missing credentials: ");
    if (type != NULL)
        buffer_printf(&sentence, "the cloud is of type \"%s\", not \"lxd\": ", type);
    else if (kubernetes == NULL || *kubernetes == '\0') /* there it gives no credential of an LXD */
        buffer_printf(&sentence, "run \"juju trust %s\", or ", reading->event->application);
    buffer_append_string(&sentence, "set ");
    for (int i = 0; i < CREDENTIAL_PARTS; i++)
        buffer_printf(&sentence, "%s%s", i != 0 ? ", " : "", options_part_names[i]);
    error_set(error, ERROR_INPUT, "%s", sentence.data);
    buffer_free(&sentence);
    reading->credentials->missing = true;
    return -1;
}

/* Of all errors but those that Juju is to repeat; and of a remark. */
static void name_source(const struct source *source, int result, struct credentials *credentials,
                        struct error *error)
{
    if (result < 0 && error->kind != ERROR_HOOK && source->prefix != NULL)
        error_prefix(error, "%s", source->prefix);
    if (result <= 0)
        return;
    credentials->source = source->name;
    if (credentials->remark != NULL) {
        char *remark = credentials->remark;

        credentials->remark = mem_printf("%s: %s", source->name, remark);
        free(remark);
    }
}

int sources_read(struct credentials *credentials, struct enrolment **enrolment,
                 const struct juju_transport *juju, const struct event *event,
                 const struct options *options, const struct sources_self *self,
                 struct error *error)
{
    struct reading reading = {credentials, enrolment, juju, event, options, self, NULL};
    int result = 0;

    memset(credentials, 0, sizeof *credentials);
    *enrolment = NULL;
    for (size_t i = 0; i < sizeof sources / sizeof *sources && result == 0; i++) {
        result = sources[i].read(&reading, error);
        name_source(&sources[i], result, credentials, error);
    }
    if (result == 0)
        result = say_missing(&reading, error);
    free(reading.cloud_type);
    return result > 0 ? 0 : -1;
}

char *sources_remedy(const struct credentials *credentials, const struct event *event,
                     enum lxd_software software, int64_t now)
{
    const char *source = credentials->source;
    char date[CREDENTIALS_DATE_SIZE];
    char *remedy;

    if (credentials->enrolled) {
        char *command = enrolment_command(event, software, credentials->token, NULL);

        remedy =
            mem_printf("set %s to what \"%s\" prints",
                       strcmp(source, "lxd_trust_token") == 0 ? source : "its " TOKEN_KEY, command);
        free(command);
    } else if (!credentials_are_current(credentials, now, date)) {
        remedy = mem_printf("it %s, renew it in %s", date, source);
    } else {
        remedy = mem_string(lxd_trust_remedy(software));
    }
    return remedy;
}
