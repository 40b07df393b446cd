/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/enrolment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/net.h"
#include "charm/private_file.h"
#include "juju/hook_tools.h"
#include "juju/yaml.h"
#include "lxd/client.h"
#include "x509/self_signed.h"

#define OPTION "lxd_trust_token"
#define NAME "enrolment.json"
#define LABEL "lxd-enrolment"
#define LXD_TIME_MS (30 * 1000) /* for all addresses, which share it evenly until one serves */
#define ANOTHER "make another token with \"lxc config trust add --name juju\""

struct enrolment {
    bool left;     /* is something to be done in the sandbox? */
    char *path;    /* of the file */
    cJSON *state;  /* what is in it */
    int file;      /* to be written once LXD has taken the token; -1: that is done */
    size_t length; /* of what is in it */
    char *token;   /* as LXD wants it */
};

/* ---- the token ---- */

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

/* The addresses with commas between them; false where they are no list of strings. */
static bool join_addresses(struct buffer *out, const cJSON *content)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json_array(content, "addresses"))
    {
        if (!cJSON_IsString(item))
            return false;
        buffer_printf(out, "%s%s", out->length != 0 ? "," : "", item->valuestring);
    }
    return out->length != 0;
}

/* lxd-5.0.2:shared/cert.go CertificateTokenDecode */
static bool is_token(const cJSON *content)
{
    return is_given(json_string(content, "client_name")) &&
           is_given(json_string(content, "secret")) &&
           certificate_is_fingerprint(json_string(content, "fingerprint"));
}

/* base64 is set to the token without blanks. */
static int parse_token(const char *text, cJSON **content, char **base64, struct error *error)
{
    size_t size = BASE64_DECODED_SIZE(strlen(text));
    uint8_t *json = mem_alloc(size);
    long length = base64_decode(json, text, strlen(text));

    if (length > 0 &&
        json_parse(content, (char *)json, (size_t)length, "", ERROR_INPUT, error) == 0)
        *base64 = base64_encode(json, (size_t)length);
    bytes_wipe(json, size);
    free(json);
    if (is_token(*content))
        return 0;
    return error_set(error, ERROR_INPUT,
                     "no token as \"lxc config trust add --name juju\" prints it");
}

/* ---- what is kept ---- */

static bool equals(const cJSON *state, const char *name, const char *value)
{
    const char *text = json_string(state, name);

    return text != NULL && strcmp(text, value) == 0;
}

static bool is_enrolled(const cJSON *state)
{
    return equals(state, "enrolled", "yes");
}

/* A key and certificate for the token. */
static int make_state(cJSON *state, const cJSON *token, const char *digest, const char *application,
                      struct error *error)
{
    struct buffer pem = {0}, addresses = {0};

    if (!join_addresses(&addresses, token)) {
        buffer_free(&addresses);
        return error_set(error, ERROR_INPUT, "the token has no addresses");
    }
    self_signed_make(&pem, application);
    char *key = strstr(pem.data, "-----BEGIN EC");
    cJSON_AddStringToObject(state, "client-key", key);
    bytes_wipe(key, strlen(key));
    cJSON_AddStringToObject(state, "client-cert", pem.data);
    cJSON_AddStringToObject(state, "server-cert", json_string(token, "fingerprint"));
    cJSON_AddStringToObject(state, "endpoint", addresses.data);
    cJSON_AddStringToObject(state, "token", digest);
    cJSON_AddStringToObject(state, "enrolled", "no");
    buffer_wipe(&pem);
    buffer_free(&addresses);
    return 0;
}

static int read_file(struct enrolment *enrolment, struct error *error)
{
    struct buffer text = {0};
    bool found;
    int result = private_file_read(enrolment->path, &text, &found, error);

    if (result == 0 && found &&
        json_parse(&enrolment->state, text.data, text.length, NAME, ERROR_INPUT, error) != 0)
        result = error_prefix(error, "delete the file, and " ANOTHER);
    enrolment->length = text.length;
    buffer_wipe(&text);
    return result;
}

static int write_file(struct enrolment *enrolment, struct error *error)
{
    struct buffer text = {0};

    yaml_print(&text, enrolment->state);
    enrolment->length = text.length;
    int result = private_file_write(enrolment->path, &text, error);
    buffer_wipe(&text);
    return result;
}

/* The file is open from before the sandbox closed; what it has is overwritten, and no shorter. */
static int mark_file(const struct enrolment *enrolment, struct error *error)
{
    struct buffer text = {0};

    yaml_print(&text, enrolment->state);
    while (text.length < enrolment->length)
        buffer_append_string(&text, "\n");
    ssize_t written = write(enrolment->file, text.data, text.length);
    bool done = written == (ssize_t)text.length;
    buffer_wipe(&text);
    return done ? 0 : error_set(error, ERROR_HOOK, NAME " cannot be written");
}

/* ---- before the sandbox closes ---- */

/* Have the file, to be written once more. */
static int open_file(struct enrolment *enrolment, struct error *error)
{
    if (enrolment->length == 0 && write_file(enrolment, error) != 0)
        return -1;
    enrolment->file = open(enrolment->path, O_WRONLY | O_DSYNC | O_NOFOLLOW | O_CLOEXEC);
    if (enrolment->file < 0)
        return error_set(error, ERROR_INPUT, NAME " cannot be opened: %s", strerror(errno));
    return 0;
}

/* Have a key in the file for the token, and the file open. */
static int begin(struct enrolment *enrolment, struct credentials *credentials, const char *text,
                 const char *digest, const char *application, struct error *error)
{
    cJSON *token = NULL;
    int result = parse_token(text, &token, &enrolment->token, error);

    if (result == 0 && !equals(enrolment->state, "token", digest)) {
        json_wipe(enrolment->state);
        enrolment->state = cJSON_CreateObject();
        result = make_state(enrolment->state, token, digest, application, error);
        enrolment->length = 0;
    }
    json_wipe(token);
    if (result != 0 || credentials_from_content(credentials, enrolment->state, error) != 0)
        return -1;
    enrolment->left = true;
    if (open_file(enrolment, error) == 0)
        return 0;
    credentials_wipe(credentials);
    return -1;
}

static int say_waiting(const struct event *event, bool leader, struct error *error)
{
    if (leader)
        return error_set(error, ERROR_UNREACHABLE, "the next hook enrols");
    if (event->juju_major >= 3)
        return error_set(error, ERROR_UNREACHABLE, "the leader is to enrol for all units");
    return error_set(error, ERROR_INPUT,
                     "a token is good for one unit, the leader, which cannot share its key where "
                     "Juju has no secrets (3.0 and later do): set lxd_client_key and its like");
}

/* Take what is enrolled, or enrol. `secret` is what the application's secret holds, or NULL. */
static int choose(struct enrolment *enrolment, struct credentials *credentials, const cJSON *secret,
                  const struct juju_transport *juju, const struct event *event, const char *token,
                  struct error *error)
{
    const cJSON *state = secret;
    char digest[65] = "";
    bool leader = false;

    if (token != NULL)
        certificate_fingerprint(digest, token, strlen(token));
    if (is_enrolled(enrolment->state) && !equals(secret, "token", digest))
        state = enrolment->state;
    bool saved = event->juju_major < 3 || state == secret;
    bool wanted = token != NULL && !equals(state, "token", digest);
    if ((wanted || !saved) && juju_is_leader(juju, &leader, error) != 0)
        return -1;
    if (wanted && leader && event->kind != EVENT_ACTION && event->kind != EVENT_STOP)
        return begin(enrolment, credentials, token, digest, event->application, error);
    if (state == NULL)
        return say_waiting(event, leader, error);
    if (credentials_from_content(credentials, state, error) != 0)
        return -1;
    enrolment->left = leader && !saved;
    return 0;
}

/* A secret that has it, or a later one, makes the file superfluous. */
static void clean_up(struct enrolment *enrolment, const cJSON *secret)
{
    const char *kept = json_string(enrolment->state, "token");

    if (kept == NULL || !equals(secret, "token", kept))
        return;
    unlink(enrolment->path);
    json_wipe(enrolment->state);
    enrolment->state = NULL;
}

static int read_all(struct enrolment *enrolment, struct credentials *credentials,
                    const struct juju_transport *juju, const struct event *event, const char *token,
                    bool *found, struct error *error)
{
    cJSON *secret = NULL;

    if (read_file(enrolment, error) != 0 ||
        (event->juju_major >= 3 && juju_own_secret_get(juju, LABEL, &secret, error) != 0))
        return -1;
    clean_up(enrolment, secret);
    *found = token != NULL || secret != NULL || is_enrolled(enrolment->state);
    int result = 0;
    if (*found)
        result = choose(enrolment, credentials, secret, juju, event, token, error);
    json_wipe(secret);
    return result;
}

int enrolment_read(struct credentials *credentials, const struct juju_transport *juju,
                   const struct event *event, const char *token, bool *found, struct error *error)
{
    struct enrolment *enrolment = mem_alloc(sizeof *enrolment);

    *found = false;
    enrolment->file = -1;
    enrolment->path = mem_printf("%s/" NAME, event->charm_folder);
    if (read_all(enrolment, credentials, juju, event, token, found, error) != 0) {
        enrolment_free(enrolment);
        return error->kind == ERROR_HOOK ? -1 : error_prefix(error, OPTION);
    }
    if (*found)
        credentials->source = "trust token";
    if (enrolment->left)
        credentials->enrolment = enrolment;
    else
        enrolment_free(enrolment);
    return 0;
}

/* ---- in the sandbox ---- */

/* Have one address of the server trust us. The connection is to the token's server, or none. */
static int enrol_at(const struct enrolment *enrolment, const struct endpoint *endpoint,
                    const struct credentials *credentials, int64_t share, int64_t deadline,
                    struct error *error)
{
    struct lxd_credentials ours = {&credentials->certificate, &credentials->key,
                                   &credentials->server};
    struct lxd_server server = {0};
    struct lxd_client *client;

    if (lxd_open(&client, endpoint, &ours, share, error) != 0)
        return -1;
    lxd_set_deadline(client, deadline);
    int result = lxd_get_server(client, &server, error);
    if (result == 0 && !server.trusted)
        result = lxd_enrol(client, &server, enrolment->token, error);
    lxd_server_free(&server);
    lxd_close(client);
    return result;
}

static int say_refused(const struct endpoint *endpoint, struct error *error)
{
    struct error reason = *error;

    if (reason.kind == ERROR_IDENTITY)
        return error_set(error, ERROR_INPUT, "%s: it is not the server that made the token",
                         reason.text);
    if (reason.kind != ERROR_REFUSED)
        return -1;
    const char *why = reason.text;
    if (strstr(why, "No matching") != NULL)
        why = "it is used up (perhaps for a key that we have lost), withdrawn or expired";
    else if (strstr(why, "expired") != NULL)
        why = "it has expired";
    return error_set(error, ERROR_INPUT, "LXD at %s does not take it: %s: " ANOTHER, endpoint->url,
                     why);
}

/* Addresses that do not answer, or where somebody else does, are passed over. */
static int enrol(const struct enrolment *enrolment, struct credentials *credentials,
                 struct error *error)
{
    int64_t deadline = net_clock_ms() + LXD_TIME_MS;
    struct endpoints *endpoints = &credentials->endpoints;
    struct error each;

    for (size_t i = 0; i < endpoints->count; i++) {
        const struct endpoint *endpoint = &endpoints->items[i];
        int64_t share = net_share(deadline, endpoints->count - i);

        if (enrol_at(enrolment, endpoint, credentials, share, deadline, &each) == 0) {
            endpoints->items[0] = *endpoint;
            endpoints->count = 1;
            return 0;
        }
        say_refused(endpoint, &each);
        if (i == 0 || error->kind == ERROR_UNREACHABLE)
            *error = each;
    }
    if (endpoints->count > 1 && error->kind == ERROR_UNREACHABLE)
        error_prefix(error, "no address in the token leads to LXD, the last one");
    return -1;
}

static int enrol_and_mark(struct enrolment *enrolment, struct credentials *credentials,
                          const struct juju_transport *juju, struct error *error)
{
    if (enrol(enrolment, credentials, error) != 0)
        return error_prefix(error, OPTION);
    const char *url = credentials->endpoints.items[0].url;
    cJSON_ReplaceItemInObject(enrolment->state, "endpoint", cJSON_CreateString(url));
    cJSON_ReplaceItemInObject(enrolment->state, "enrolled", cJSON_CreateString("yes"));
    if (mark_file(enrolment, error) != 0)
        return -1;
    juju_log(juju, JUJU_LOG_INFO,
             "LXD at %s trusts our certificate %.12s... now: the trust token is used up", url,
             credentials->certificate.fingerprint);
    return 0;
}

int enrolment_finish(struct credentials *credentials, const struct juju_transport *juju,
                     const struct event *event, struct error *error)
{
    struct enrolment *enrolment = credentials->enrolment;

    if (enrolment == NULL)
        return 0;
    if (enrolment->file >= 0 && enrol_and_mark(enrolment, credentials, juju, error) != 0)
        return -1;
    if (event->juju_major < 3)
        return 0;
    return juju_own_secret_set(juju, LABEL, enrolment->path, error);
}

void enrolment_free(struct enrolment *enrolment)
{
    if (enrolment == NULL)
        return;
    if (enrolment->file >= 0)
        close(enrolment->file);
    if (enrolment->token != NULL)
        bytes_wipe(enrolment->token, strlen(enrolment->token));
    free(enrolment->token);
    free(enrolment->path);
    json_wipe(enrolment->state);
    free(enrolment);
}
