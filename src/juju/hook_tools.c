/* SPDX-License-Identifier: Apache-2.0 */
#include "juju/hook_tools.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "juju/yaml.h"

#define MAX_LINE 1024
#define MAX_RESULTS 500 /* of an action, in one call */
#define NOT_FOUND "not found"

static void reply_wipe(struct juju_reply *reply)
{
    buffer_wipe(&reply->output);
    buffer_wipe(&reply->message);
}

/* A failing command says why in the last line of its stderr, behind "ERROR ". Borrowed. */
static const char *reason_of(struct juju_reply *reply)
{
    struct buffer *message = &reply->message;

    while (message->length != 0 && message->data[message->length - 1] == '\n')
        message->data[--message->length] = '\0';
    const char *text = buffer_string(message);
    const char *line = strrchr(text, '\n');
    line = line != NULL ? line + 1 : text;
    if (strncmp(line, "ERROR ", 6) == 0)
        line += 6;
    return *line != '\0' ? line : "it did not say why";
}

static int say_failure(const char *command, struct juju_reply *reply, struct error *error)
{
    return error_set(error, ERROR_HOOK, "%s failed with exit status %d: %s", command, reply->code,
                     reason_of(reply));
}

static int call(const struct juju_transport *juju, const char *const arguments[],
                const struct buffer *input, struct juju_reply *reply, struct error *error)
{
    if (juju->call(juju->context, arguments, input != NULL ? input->data : NULL,
                   input != NULL ? input->length : 0, reply, error) != 0)
        return -1;
    return reply->code != 0 ? say_failure(arguments[0], reply, error) : 0;
}

/* For commands whose answer says nothing. */
static int run(const struct juju_transport *juju, const char *const arguments[],
               const struct buffer *input, struct error *error)
{
    struct juju_reply reply = {0};
    int result = call(juju, arguments, input, &reply, error);

    reply_wipe(&reply);
    return result;
}

/* null and nothing stand for what is empty (juju/juju issue 22523). */
static void fill_in(cJSON **value, int type)
{
    if (!cJSON_IsNull(*value) || (type != cJSON_Object && type != cJSON_Array))
        return;
    cJSON_Delete(*value);
    *value = type == cJSON_Object ? cJSON_CreateObject() : cJSON_CreateArray();
}

/* The answer of one JSON value; type is a mask of cJSON's types. */
static int parse(const char *command, const struct juju_reply *reply, int type, cJSON **value,
                 struct error *error)
{
    if (reply->cut)
        return error_set(error, ERROR_INPUT, "%s answers more than the %d MiB that are read",
                         command, JUJU_MAX_OUTPUT / 1024 / 1024);
    if (json_parse(value, reply->output.data != NULL ? reply->output.data : "",
                   reply->output.length, command, ERROR_INPUT, error) != 0)
        return -1;
    fill_in(value, type);
    if (((*value)->type & type) != 0)
        return 0;
    cJSON_Delete(*value);
    *value = NULL;
    return error_set(error, ERROR_INPUT, "%s answers JSON of an unexpected type", command);
}

static int ask(const struct juju_transport *juju, const char *const arguments[], int type,
               cJSON **value, struct error *error)
{
    struct juju_reply reply = {0};

    *value = NULL;
    int result = call(juju, arguments, NULL, &reply, error);
    if (result == 0)
        result = parse(arguments[0], &reply, type, value, error);
    reply_wipe(&reply);
    return result;
}

static int ask_strings(const struct juju_transport *juju, const char *const arguments[],
                       struct strings *strings, struct error *error)
{
    cJSON *list;
    const cJSON *item;
    int result = 0;

    if (ask(juju, arguments, cJSON_Array, &list, error) != 0)
        return -1;
    cJSON_ArrayForEach(item, list)
    {
        if (cJSON_IsString(item))
            strings_add(strings, item->valuestring);
        else
            result = error_set(error, ERROR_INPUT, "%s answers a list with more than strings",
                               arguments[0]);
    }
    cJSON_Delete(list);
    if (result != 0)
        strings_free(strings); /* no half a list: a caller may go by what is in it */
    return result;
}

int juju_config_get(const struct juju_transport *juju, cJSON **options, struct error *error)
{
    const char *const arguments[] = {"config-get", "--format=json", NULL};

    return ask(juju, arguments, cJSON_Object, options, error);
}

/* ---- credentials and secrets: what Juju refuses here is for the caller to explain ---- */

/* An object. Where the command runs and fails: ERROR_REFUSED, in Juju's own words. */
static int ask_for(const struct juju_transport *juju, const char *const arguments[], cJSON **value,
                   struct error *error)
{
    struct juju_reply reply = {0};

    *value = NULL;
    int result = call(juju, arguments, NULL, &reply, error);
    if (result == 0)
        result = parse(arguments[0], &reply, cJSON_Object, value, error);
    else if (reply.code != 0)
        error_set(error, ERROR_REFUSED, "%s", reason_of(&reply));
    reply_wipe(&reply);
    return result;
}

static bool was_refused_for(const char *reason, const struct error *error)
{
    return error->kind == ERROR_REFUSED && strstr(error->text, reason) != NULL;
}

int juju_credential_get(const struct juju_transport *juju, cJSON **cloud, struct error *error)
{
    const char *const arguments[] = {"credential-get", "--format=json", NULL};
    int result = ask_for(juju, arguments, cloud, error);

    if (result != 0 &&
        (was_refused_for("permission denied", error) || was_refused_for("not supported", error)))
        result = 0;
    return result;
}

int juju_secret_get(const struct juju_transport *juju, const char *uri, cJSON **content,
                    struct error *error)
{
    const char *const arguments[] = {"secret-get", "--refresh", "--format=json", uri, NULL};

    return ask_for(juju, arguments, content, error);
}

int juju_own_secret_get(const struct juju_transport *juju, const char *label, cJSON **content,
                        struct error *error)
{
    const char *const arguments[] = {"secret-get", "--refresh", "--format=json",
                                     "--label",    label,       NULL};
    int result = ask_for(juju, arguments, content, error);

    return result != 0 && was_refused_for(NOT_FOUND, error) ? 0 : result;
}

int juju_own_secret_set(const struct juju_transport *juju, const char *label, const char *path,
                        struct error *error)
{
    const char *const find[] = {"secret-info-get", "--format=json", "--label", label, NULL};
    const char *const add[] = {"secret-add", "--file", path, "--label", label, NULL};
    struct juju_reply reply = {0};
    cJSON *known;

    if (ask_for(juju, find, &known, error) != 0 && !was_refused_for(NOT_FOUND, error))
        return -1;
    const char *id = known != NULL && known->child != NULL ? known->child->string : NULL;
    const char *const set[] = {"secret-set", "--file", path, id, NULL};
    int result = call(juju, id != NULL ? set : add, NULL, &reply, error);
    if (result != 0 && reply.code != 0)
        error_set(error, ERROR_REFUSED, "%s", reason_of(&reply));
    reply_wipe(&reply);
    cJSON_Delete(known);
    return result;
}

int juju_is_leader(const struct juju_transport *juju, bool *leader, struct error *error)
{
    const char *const arguments[] = {"is-leader", "--format=json", NULL};
    cJSON *answer;

    if (ask(juju, arguments, cJSON_True | cJSON_False, &answer, error) != 0)
        return -1;
    *leader = cJSON_IsTrue(answer);
    cJSON_Delete(answer);
    return 0;
}

int juju_relation_ids(const struct juju_transport *juju, const char *endpoint, struct strings *ids,
                      struct error *error)
{
    const char *const arguments[] = {"relation-ids", "--format=json", endpoint, NULL};

    return ask_strings(juju, arguments, ids, error);
}

int juju_relation_units(const struct juju_transport *juju, const char *relation_id,
                        struct strings *units, struct error *error)
{
    const char *const arguments[] = {"relation-list", "--format=json", "-r", relation_id, NULL};

    return ask_strings(juju, arguments, units, error);
}

int juju_relation_application(const struct juju_transport *juju, const char *relation_id,
                              char **application, struct error *error)
{
    const char *const arguments[] = {
        "relation-list", "--format=json", "--app", "-r", relation_id, NULL};
    cJSON *answer;

    if (ask(juju, arguments, cJSON_String, &answer, error) != 0)
        return -1;
    *application = mem_string(cJSON_GetStringValue(answer));
    cJSON_Delete(answer);
    return 0;
}

static enum juju_refusal refusal_of(struct juju_reply *reply)
{
    const char *reason = reason_of(reply);

    if (strcmp(reason, "permission denied") == 0)
        return JUJU_REFUSAL_DENIED;
    return strcmp(reason, "relation unit not found") == 0 ? JUJU_REFUSAL_NO_UNIT
                                                          : JUJU_REFUSAL_OTHER;
}

int juju_relation_get(const struct juju_transport *juju, const char *relation_id,
                      const char *member, enum juju_member kind, cJSON **settings,
                      enum juju_refusal *refusal, struct error *error)
{
    const char *const of_unit[] = {
        "relation-get", "--format=json", "-r", relation_id, "-", member, NULL};
    const char *const of_application[] = {
        "relation-get", "--format=json", "--app", "-r", relation_id, "-", member, NULL};
    struct juju_reply reply = {0};

    *settings = NULL;
    *refusal = JUJU_REFUSAL_OTHER;
    int result = call(juju, kind == JUJU_UNIT ? of_unit : of_application, NULL, &reply, error);
    if (result == 0)
        result = parse("relation-get", &reply, cJSON_Object, settings, error);
    else
        *refusal = refusal_of(&reply);
    reply_wipe(&reply);
    return result;
}

/* A command that reads an object of strings from its standard input. */
static int run_with_settings(const struct juju_transport *juju, const char *const arguments[],
                             const cJSON *settings, struct error *error)
{
    struct buffer input = {0};

    yaml_print(&input, settings);
    int result = run(juju, arguments, &input, error);
    buffer_free(&input);
    return result;
}

int juju_relation_set(const struct juju_transport *juju, const char *relation_id,
                      enum juju_member kind, const cJSON *settings, struct error *error)
{
    const char *const arguments[] = {"relation-set",
                                     "-r",
                                     relation_id,
                                     "--file",
                                     "-",
                                     kind == JUJU_APPLICATION ? "--app" : NULL,
                                     NULL};

    return run_with_settings(juju, arguments, settings, error);
}

int juju_state_get(const struct juju_transport *juju, cJSON **state, struct error *error)
{
    const char *const arguments[] = {"state-get", "--format=json", NULL};

    return ask(juju, arguments, cJSON_Object, state, error);
}

int juju_state_set(const struct juju_transport *juju, const cJSON *values, struct error *error)
{
    const char *const arguments[] = {"state-set", "--file", "-", NULL};

    return run_with_settings(juju, arguments, values, error);
}

int juju_state_delete(const struct juju_transport *juju, const char *key, struct error *error)
{
    const char *const arguments[] = {"state-delete", key, NULL};

    return run(juju, arguments, NULL, error);
}

int juju_goal_state(const struct juju_transport *juju, cJSON **state, struct error *error)
{
    const char *const arguments[] = {"goal-state", "--format=json", NULL};

    return ask(juju, arguments, cJSON_Object, state, error);
}

int juju_status_set(const struct juju_transport *juju, const char *status, const char *message,
                    struct error *error)
{
    const char *const arguments[] = {"status-set", "--", status, message, NULL};

    return run(juju, arguments, NULL, error);
}

int juju_application_version_set(const struct juju_transport *juju, const char *version,
                                 struct error *error)
{
    const char *const arguments[] = {"application-version-set", "--", version, NULL};

    return run(juju, arguments, NULL, error);
}

/* ---- in actions ---- */

int juju_action_get(const struct juju_transport *juju, cJSON **parameters, struct error *error)
{
    const char *const arguments[] = {"action-get", "--format=json", NULL};

    return ask(juju, arguments, cJSON_Object, parameters, error);
}

static void flatten(struct strings *pairs, const char *prefix, const cJSON *results)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, results)
    {
        char *key = mem_printf("%s%s%s", prefix, *prefix != '\0' ? "." : "", item->string);

        if (cJSON_IsString(item))
            strings_take(pairs, mem_printf("%s=%s", key, item->valuestring));
        else
            flatten(pairs, key, item);
        free(key);
    }
}

/* What one call sets stays, so many results go by and by: a command line has its limits. */
int juju_action_set(const struct juju_transport *juju, const cJSON *results, struct error *error)
{
    struct strings pairs = {0};
    int result = 0;

    flatten(&pairs, "", results);
    for (size_t i = 0; i < pairs.count && result == 0;) {
        const char *arguments[MAX_RESULTS + 3] = {"action-set", "--"};

        for (size_t j = 2; j < MAX_RESULTS + 2 && i < pairs.count; j++)
            arguments[j] = pairs.items[i++];
        result = run(juju, arguments, NULL, error);
    }
    strings_free(&pairs);
    return result;
}

int juju_action_fail(const struct juju_transport *juju, const char *message, struct error *error)
{
    const char *const arguments[] = {"action-fail", "--", message, NULL};

    return run(juju, arguments, NULL, error);
}

/* ---- log ---- */

static int log_by_command(const struct juju_transport *juju, enum juju_log_level level,
                          const char *line)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    const char *const arguments[] = {"juju-log", "-l", names[level], "--", line, NULL};
    struct error ignored;

    return run(juju, arguments, NULL, &ignored);
}

/* Does Juju log, at this level, what is written to stdout or stderr? */
static FILE *stream_for(const struct juju_transport *juju, enum juju_log_level level)
{
    if (juju->captured)
        return NULL;
    if (level == JUJU_LOG_DEBUG)
        return stdout;
    return level == JUJU_LOG_WARNING ? stderr : NULL;
}

static void make_one_line(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
    }
}

void juju_log(const struct juju_transport *juju, enum juju_log_level level, const char *format, ...)
{
    char line[MAX_LINE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    make_one_line(line);

    FILE *stream = stream_for(juju, level);
    if (stream == NULL) {
        if (log_by_command(juju, level, line) == 0)
            return;
        stream = stderr;
    }
    fprintf(stream, "%s\n", line);
    fflush(stream);
}

void juju_log_lines(const struct juju_transport *juju, enum juju_log_level level,
                    const struct strings *lines, const char *more)
{
    for (size_t i = 0; i < lines->count && i < JUJU_MAX_LINES; i++)
        juju_log(juju, level, "%s", lines->items[i]);
    if (lines->count > JUJU_MAX_LINES)
        juju_log(juju, level, "%zu more %s", lines->count - JUJU_MAX_LINES, more);
}
