/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/enrolment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/json.h"
#include "base/net.h"
#include "juju/hook_tools.h"
#include "juju/yaml.h"
#include "x509/self_signed.h"

#define NAME "enrolment.json"
#define MAX_FILE 32768
#define MARKS 2  /* in one run: that LXD is being asked, and what came of it */
#define SPARE 64 /* line ends behind the text, so that marks find room on a full disk */
#define LABEL "lxd-enrolment"
#define LXD_TIME_MS (30 * 1000) /* for all addresses, which share it evenly until one serves */
#define SERVES_ON "; what was enrolled before serves on"

struct enrolment {
    enum enrolment_step step; /* BEGIN and GO_ON are both ENROLMENT_GO_ON by now */
    struct token token;
    char *path;       /* of the file */
    cJSON *state;     /* what is in it */
    int files[MARKS]; /* open at its beginning, one for each mark; -1: that is used, or none is due
                       */
    size_t length;    /* of what is in it */
    enum lxd_software software; /* that took the token, or refused it */
    cJSON *earlier;             /* the content that serves on, or NULL */
};

/* ---- sentences ---- */

/* "<cause>: run "<the command that makes another token>"" */
static int say_run(struct error *error, const struct event *event, enum lxd_software software,
                   const struct token *token, const char *cause)
{
    char *command = enrolment_command(event, software, token->kind, token->name);

    error_set(error, ERROR_INPUT, "%s: run \"%s\"", cause, command);
    free(command);
    return -1;
}

/* `unreadable` tells what is wrong with the token's text. */
static int say_problem(enum enrolment_problem problem, const struct event *event,
                       const struct token *token, const struct error *unreadable,
                       struct error *error)
{
    char *command;

    switch (problem) {
    case ENROLMENT_TOKEN_UNREADABLE:
        command = enrolment_command(event, LXD_LXD, LXD_TOKEN_CERTIFICATE, NULL);
        error_set(error, ERROR_INPUT, "%s: set what \"%s\" prints", unreadable->text, command);
        free(command);
        return -1;
    case ENROLMENT_NAME_TAKEN:
        return say_run(error, event, LXD_LXD, token, "its name is taken, so it is lost");
    case ENROLMENT_FOLDER:
        return error_set(error, ERROR_INPUT,
                         NAME " is a folder: run \"juju %s --unit %s -- rm -r " NAME "\"",
                         event->juju_major < 3 ? "run" : "exec", event->unit);
    case ENROLMENT_NEXT_HOOK:
        return error_set(error, ERROR_WAITING, "the next hook enrols");
    case ENROLMENT_LEADER_FIRST:
        return error_set(error, ERROR_WAITING, "the leader is to enrol for all units");
    default:
        return error_set(error, ERROR_INPUT,
                         "a token is good for one unit, the leader, which cannot share its key "
                         "where Juju has no secrets (3.0 and later do): set lxd_client_key and its "
                         "like");
    }
}

static int say_verdict(enum enrolment_verdict verdict, const struct enrolment *enrolment,
                       const struct event *event, const char *url, struct error *error)
{
    const struct token *token = &enrolment->token;
    const char *name = lxd_name(enrolment->software);
    char date[CERTIFICATE_DATE_SIZE];
    char cause[128];

    switch (verdict) {
    case ENROLMENT_UNDECIDED:
        return error_set(error, ERROR_WAITING,
                         "%s at %s has not decided yet whether it takes the token", name, url);
    case ENROLMENT_REFUSED: {
        struct error reason = *error;

        return error_set(error, ERROR_INPUT, "%s at %s refuses the token: %s", name, url,
                         reason.text);
    }
    case ENROLMENT_EXPIRED:
        certificate_date(date, token->expires);
        snprintf(cause, sizeof cause, "the token expired on %s", date);
        break;
    case ENROLMENT_TOKEN_LOST:
        snprintf(cause, sizeof cause, "its name is taken, so it is lost");
        break;
    case ENROLMENT_UNFINISHED:
        snprintf(cause, sizeof cause, "%s took the token, but not the key", name);
        break;
    default:
        snprintf(cause, sizeof cause, "the token is used up, withdrawn or expired");
    }
    say_run(error, event, enrolment->software, token, cause);
    size_t length = strlen(error->text);
    snprintf(error->text + length, sizeof error->text - length, " (%s at %s)", name, url);
    return -1;
}

/* ---- what is kept ---- */

static bool equals(const cJSON *content, const char *name, const char *value)
{
    const char *text = json_string(content, name);

    return text != NULL && value != NULL && strcmp(text, value) == 0;
}

static void set(cJSON *content, const char *name, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(content, name);
    if (value != NULL)
        cJSON_AddStringToObject(content, name, value);
}

static bool is_usable(const cJSON *content)
{
    struct credentials credentials;
    struct error ignored;

    if (!certificate_is_fingerprint(json_string(content, "token")) ||
        credentials_from_content(&credentials, content, &ignored) != 0)
        return false;
    credentials_wipe(&credentials);
    return true;
}

/* The credentials of such an object, which are of a key of ours. */
static int read_content(struct credentials *credentials, const cJSON *content, struct error *error)
{
    if (credentials_from_content(credentials, content, error) != 0)
        return -1;
    credentials->enrolled = true;
    credentials->token =
        equals(content, "kind", "identity") ? LXD_TOKEN_IDENTITY : LXD_TOKEN_CERTIFICATE;
    return 0;
}

/* A JSON object of usable credentials, or NULL. */
static cJSON *parse_content(const char *text)
{
    struct error ignored;
    cJSON *content = NULL;

    if (text == NULL || json_parse(&content, text, strlen(text), "", ERROR_INPUT, &ignored) != 0 ||
        is_usable(content))
        return content;
    json_wipe(content);
    return NULL;
}

/* *reason tells what is wrong with a file that is of no use. */
static enum enrolment_file read_file(struct enrolment *enrolment, struct error *reason)
{
    struct buffer text = {0};
    enum enrolment_file file = ENROLMENT_FILE_DAMAGED;

    switch (file_read(&text, enrolment->path, FILE_OF_OURS, MAX_FILE, reason)) {
    case FILE_FINE:
        enrolment->state = parse_content(buffer_string(&text));
        enrolment->length = text.length;
        if (enrolment->state == NULL)
            error_set(reason, ERROR_INPUT, NAME " is damaged");
        else if (equals(enrolment->state, "enrolled", "yes"))
            file = ENROLMENT_FILE_ENROLLED;
        else
            file = equals(enrolment->state, "taken", "yes") ? ENROLMENT_FILE_LOST
                                                            : ENROLMENT_FILE_PENDING;
        break;
    case FILE_ABSENT:
        file = ENROLMENT_FILE_ABSENT;
        break;
    case FILE_IS_FOLDER:
        file = ENROLMENT_FILE_FOLDER;
        break;
    default:
        break;
    }
    buffer_wipe(&text);
    return file;
}

/* A key and certificate for the token, which `earlier` are to give way to. */
static cJSON *make_state(const struct token *token, const char *application, const cJSON *earlier)
{
    cJSON *state = cJSON_CreateObject();
    struct buffer pem = {0}, addresses = {0};

    self_signed_make(&pem, application);
    char *key = strstr(pem.data, "-----BEGIN EC");
    if (key != NULL) {
        set(state, "client-key", key);
        bytes_wipe(key, strlen(key));
        *key = '\0';
    }
    set(state, "client-cert", pem.data);
    for (size_t i = 0; i < token->addresses.count; i++)
        buffer_printf(&addresses, "%s%s", i != 0 ? "," : "", token->addresses.items[i].url);
    set(state, "endpoint", addresses.data);
    set(state, "server-cert", token->fingerprint);
    set(state, "token", token->digest);
    set(state, "name", token->name);
    set(state, "kind", token->kind == LXD_TOKEN_IDENTITY ? "identity" : NULL);
    set(state, "enrolled", "no");
    if (earlier != NULL) {
        char *text = json_print(earlier);

        set(state, "former", text);
        bytes_wipe(text, strlen(text));
        free(text);
    }
    buffer_wipe(&pem);
    buffer_free(&addresses);
    return state;
}

static int write_file(struct enrolment *enrolment, struct error *error)
{
    struct buffer text = {0};

    yaml_print(&text, enrolment->state);
    for (int i = 0; i < SPARE; i++)
        buffer_append_string(&text, "\n");
    enrolment->length = text.length;
    int result = file_write(enrolment->path, &text, error);
    buffer_wipe(&text);
    return result;
}

/* Have the file say what has become of the key. What is there is overwritten, and no shorter; in
 * the sandbox, where no file can be opened nor wound back. */
static int mark_file(struct enrolment *enrolment, struct error *error)
{
    struct buffer text = {0};
    int *file = enrolment->files;

    while (*file < 0 && file < enrolment->files + MARKS - 1)
        file++;
    yaml_print(&text, enrolment->state);
    while (text.length < enrolment->length)
        buffer_append_string(&text, "\n");
    errno = ENOSPC; /* where only a part is written */
    bool done = write(*file, text.data, text.length) == (ssize_t)text.length;
    int reason = errno;
    close(*file);
    *file = -1;
    buffer_wipe(&text);
    return done ? 0
                : error_set(error, ERROR_WAITING, NAME " cannot be written: %s", strerror(reason));
}

/* ---- before the sandbox closes ---- */

/* Have a key in the file for the token, and the file open. What serves so far is not to be lost
 * with the file. */
static int prepare(struct enrolment *enrolment, const struct enrolment_decision *decision,
                   struct credentials *credentials, const struct event *event, struct error *error)
{
    if (decision->step == ENROLMENT_BEGIN) {
        bool in_secret = decision->serving == ENROLMENT_SECRET_SERVES;
        cJSON *state = make_state(&enrolment->token, event->application,
                                  in_secret ? NULL : enrolment->earlier);

        json_wipe(enrolment->state);
        enrolment->state = state;
        if (write_file(enrolment, error) != 0)
            return -1;
    }
    for (int i = 0; i < MARKS; i++) {
        enrolment->files[i] = open(enrolment->path, O_WRONLY | O_DSYNC | O_NOFOLLOW | O_CLOEXEC);
        if (enrolment->files[i] < 0)
            return error_set(error, ERROR_INPUT, NAME ": %s", strerror(errno));
    }
    return read_content(credentials, enrolment->state, error);
}

/* A secret that has what is in the file, or what came of the token, makes the file superfluous. */
static void clean_up(const struct enrolment *enrolment, const struct enrolment_facts *facts,
                     const cJSON *secret, const struct event *event)
{
    bool same = equals(secret, "token", json_string(enrolment->state, "token"));
    bool superseded = facts->token == ENROLMENT_TOKEN && facts->secret_match == ENROLMENT_OF_TOKEN;

    if (facts->secret && (same || superseded) && event->kind != EVENT_ACTION)
        unlink(enrolment->path);
}

/* Everything that the decision takes, and the contents that may serve. */
struct findings {
    struct enrolment_facts facts;
    struct error unreadable; /* what is wrong with the token's text */
    struct error damage;     /* and with the file */
    cJSON *secret;           /* usable, or NULL */
    cJSON *former;
};

static int find(struct findings *findings, struct enrolment *enrolment,
                const struct juju_transport *juju, const struct event *event, const char *token,
                struct error *error)
{
    struct enrolment_facts *facts = &findings->facts;

    if (token != NULL)
        facts->token = token_parse(&enrolment->token, token, &findings->unreadable) == 0
                           ? ENROLMENT_TOKEN
                           : ENROLMENT_UNREADABLE_TOKEN;
    facts->juju_has_secrets = event->juju_major >= 3;
    if (facts->juju_has_secrets &&
        juju_own_secret_get(juju, LABEL, &findings->secret, error) != 0) {
        struct error reason = *error;

        if (reason.kind == ERROR_HOOK)
            return -1;
        return error_set(error, ERROR_WAITING, "Juju does not tell the application's secret: %s",
                         reason.text);
    }
    if (findings->secret != NULL && !is_usable(findings->secret)) {
        json_wipe(findings->secret);
        findings->secret = NULL;
    }
    facts->file = read_file(enrolment, &findings->damage);
    findings->former = parse_content(json_string(enrolment->state, "former"));
    facts->file_has_former = findings->former != NULL;
    facts->secret = findings->secret != NULL;
    if (facts->token == ENROLMENT_TOKEN) {
        const char *digest = enrolment->token.digest;

        if (equals(enrolment->state, "token", digest))
            facts->file_match = ENROLMENT_OF_TOKEN;
        if (equals(findings->former, "token", digest))
            facts->former_match = ENROLMENT_OF_TOKEN;
        if (equals(findings->secret, "token", digest))
            facts->secret_match = ENROLMENT_OF_TOKEN;
    }
    return 0;
}

static const cJSON *content_of(enum enrolment_serving serving, const struct findings *findings,
                               const struct enrolment *enrolment)
{
    switch (serving) {
    case ENROLMENT_SECRET_SERVES:
        return findings->secret;
    case ENROLMENT_FILE_SERVES:
        return enrolment->state;
    case ENROLMENT_FORMER_SERVE:
        return findings->former;
    default:
        return NULL;
    }
}

/* Returns as enrolment_read does. */
static int carry_out(struct enrolment *enrolment, const struct enrolment_decision *decision,
                     const struct findings *findings, struct credentials *credentials,
                     const struct juju_transport *juju, const struct event *event,
                     struct error *error)
{
    const cJSON *serving = content_of(decision->serving, findings, enrolment);

    switch (decision->step) {
    case ENROLMENT_NOTHING:
        return 0;
    case ENROLMENT_FAIL:
        return say_problem(decision->problem, event, &enrolment->token, &findings->unreadable,
                           error);
    case ENROLMENT_BEGIN:
    case ENROLMENT_GO_ON:
        enrolment->step = ENROLMENT_GO_ON;
        enrolment->earlier = cJSON_Duplicate(serving, true);
        if (findings->facts.file == ENROLMENT_FILE_DAMAGED)
            juju_log(juju, JUJU_LOG_WARNING, "%s: a new key takes its place",
                     findings->damage.text);
        return prepare(enrolment, decision, credentials, event, error) == 0 ? 1 : -1;
    default:
        break;
    }
    if (read_content(credentials, serving, error) != 0)
        return -1;
    if (decision->problem != ENROLMENT_NO_PROBLEM) {
        struct error problem;

        say_problem(decision->problem, event, &enrolment->token, &findings->unreadable, &problem);
        credentials->remark = mem_printf("%s" SERVES_ON, problem.text);
    }
    enrolment->step = decision->step;
    if (decision->step == ENROLMENT_USE)
        clean_up(enrolment, &findings->facts, findings->secret, event);
    return 1;
}

int enrolment_read(struct credentials *credentials, struct enrolment **enrolment,
                   const struct juju_transport *juju, const struct event *event, const char *token,
                   enum enrolment_role role, struct error *error)
{
    struct enrolment *reading = mem_alloc(sizeof *reading);
    struct findings findings = {.facts = {.role = role}};

    *enrolment = NULL;
    for (int i = 0; i < MARKS; i++)
        reading->files[i] = -1;
    reading->path = mem_printf("%s/" NAME, event->charm_folder);
    int result = find(&findings, reading, juju, event, token, error);
    if (result == 0) {
        struct enrolment_decision decision = enrolment_decide(&findings.facts);

        result = carry_out(reading, &decision, &findings, credentials, juju, event, error);
    }
    json_wipe(findings.secret);
    json_wipe(findings.former);
    if (result == 1 && reading->step != ENROLMENT_USE)
        *enrolment = reading;
    else
        enrolment_free(reading);
    return result;
}

/* ---- in the sandbox ---- */

/* Have LXD take the key. The connection is to the token's server, or none. -1 where LXD was not
 * asked; else *verdict, with LXD's own reason in *error where it refuses. */
static int enrol_at(struct enrolment *enrolment, struct lxd_client *client,
                    struct lxd_server *server, enum enrolment_verdict *verdict, struct error *error)
{
    struct error ignored;
    struct enrolment_answer answer = {
        .kind = enrolment->token.kind, .expires = enrolment->token.expires, .now = time(NULL)};
    const char *asked = json_string(enrolment->state, "asked");

    lxd_ask_server(client);
    if (lxd_answer_server(client, server, error) != 0)
        return -1;
    enrolment->software = server->software;
    answer.trusted = server->trusted;
    if (!answer.trusted) {
        char now[24];

        if (asked != NULL)
            answer.asked = strtoll(asked, NULL, 10);
        snprintf(now, sizeof now, "%lld", (long long)answer.now);
        if (asked == NULL) {
            set(enrolment->state, "asked", now);
            mark_file(enrolment, &ignored); /* without it a lost answer is taken for none */
        }
        answer.trusted = lxd_enrol(client, server, enrolment->token.kind, enrolment->token.base64,
                                   &answer.status, error) == 0;
    }
    if (!answer.trusted) { /* it may be so all the same */
        struct lxd_server again = {0};

        lxd_ask_server(client);
        answer.trusted = lxd_answer_server(client, &again, &ignored) == 0 && again.trusted;
        lxd_server_free(&again);
    }
    *verdict = enrolment_judge(&answer);
    if (*verdict == ENROLMENT_UNDECIDED || *verdict == ENROLMENT_TRUSTED)
        return 0;
    if (answer.asked == 0)
        set(enrolment->state, "asked", NULL);
    if (*verdict == ENROLMENT_TOKEN_LOST)
        set(enrolment->state, "taken", "yes");
    mark_file(enrolment, &ignored);
    return 0;
}

/* The same, with the sentence for what is not well. `share` bounds the connecting. */
static int try_at(struct enrolment *enrolment, const struct endpoint *endpoint,
                  const struct credentials *credentials, const struct event *event, int64_t share,
                  int64_t deadline, enum enrolment_verdict *verdict, struct error *error)
{
    struct lxd_credentials ours = {&credentials->certificate, &credentials->key,
                                   &credentials->server};
    struct lxd_server server = {0};
    struct lxd_client *client = NULL;
    int result = lxd_open(&client, endpoint, &ours, share, error);

    *verdict = ENROLMENT_UNDECIDED;
    if (result == 0) {
        lxd_set_deadline(client, deadline);
        result = enrol_at(enrolment, client, &server, verdict, error);
        if (result == 0 && *verdict != ENROLMENT_TRUSTED)
            result = say_verdict(*verdict, enrolment, event, endpoint->url, error);
    } else if (error->kind == ERROR_IDENTITY) {
        struct error reason = *error;

        error_set(error, ERROR_INPUT, "%s: it is not the server that made the token", reason.text);
    }
    lxd_server_free(&server);
    lxd_close(client);
    return result;
}

/* Addresses that do not answer, or where somebody else does, are passed over. */
static int enrol(struct enrolment *enrolment, struct credentials *credentials,
                 const struct event *event, struct error *error)
{
    int64_t deadline = net_clock_ms() + LXD_TIME_MS;
    struct endpoints *endpoints = &credentials->endpoints;
    struct error each;

    for (size_t i = 0; i < endpoints->count; i++) {
        const struct endpoint *endpoint = &endpoints->items[i];
        int64_t share = net_share(deadline, endpoints->count - i);
        enum enrolment_verdict verdict;

        if (try_at(enrolment, endpoint, credentials, event, share, deadline, &verdict, &each) ==
            0) {
            endpoints->items[0] = *endpoint;
            endpoints->count = 1;
            return 0;
        }
        /* That LXD is at it counts more than what other addresses say, a refusal most of all. */
        if (i == 0 || verdict != ENROLMENT_UNDECIDED || each.kind == ERROR_WAITING ||
            error->kind == ERROR_UNREACHABLE)
            *error = each;
        if (verdict != ENROLMENT_UNDECIDED)
            return -1;
    }
    if (endpoints->count > 1 && error->kind == ERROR_UNREACHABLE)
        error_prefix(error, "no address in the token leads to LXD, the last one");
    return -1;
}

static int enrol_and_mark(struct enrolment *enrolment, struct credentials *credentials,
                          const struct juju_transport *juju, const struct event *event,
                          struct error *error)
{
    if (enrol(enrolment, credentials, event, error) != 0)
        return -1;
    const char *url = credentials->endpoints.items[0].url;
    set(enrolment->state, "endpoint", url);
    set(enrolment->state, "enrolled", "yes");
    set(enrolment->state, "asked", NULL);
    set(enrolment->state, "former", NULL);
    juju_log(juju, JUJU_LOG_INFO,
             "%s at %s trusts our certificate %.12s... now: the trust token is used up",
             lxd_name(enrolment->software), url, credentials->certificate.fingerprint);
    return mark_file(enrolment, error);
}

/* What is enrolled already serves on. */
static int fall_back(const struct enrolment *enrolment, struct credentials *credentials,
                     struct error *error)
{
    struct error reason = *error;
    const char *source = credentials->source;

    if (enrolment->earlier == NULL)
        return -1;
    credentials_wipe(credentials);
    if (read_content(credentials, enrolment->earlier, error) != 0)
        return -1;
    credentials->source = source;
    credentials->remark = mem_printf("%s" SERVES_ON, reason.text);
    return 0;
}

int enrolment_run(struct enrolment *enrolment, struct credentials *credentials,
                  const struct juju_transport *juju, const struct event *event, struct error *error)
{
    if (enrolment->step == ENROLMENT_GO_ON &&
        enrol_and_mark(enrolment, credentials, juju, event, error) != 0) {
        error_prefix(error, "%s", credentials->source);
        return fall_back(enrolment, credentials, error);
    }
    if (event->juju_major < 3 || juju_own_secret_set(juju, LABEL, enrolment->path, error) == 0)
        return 0;
    if (error->kind != ERROR_REFUSED)
        return -1;
    /* The file has it: the next hook tries again. */
    free(credentials->remark);
    credentials->remark = mem_printf("%s: Juju does not put the key into a secret: %s",
                                     credentials->source, error->text);
    return 0;
}

void enrolment_free(struct enrolment *enrolment)
{
    if (enrolment == NULL)
        return;
    for (int i = 0; i < MARKS; i++) {
        if (enrolment->files[i] >= 0)
            close(enrolment->files[i]);
    }
    token_wipe(&enrolment->token);
    json_wipe(enrolment->state);
    json_wipe(enrolment->earlier);
    free(enrolment->path);
    free(enrolment);
}
