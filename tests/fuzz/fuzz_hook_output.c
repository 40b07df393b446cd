/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hook commands print. The first byte of the input chooses the command, the second how it
 * ended: bit 0 it failed and the rest is its stderr, bit 1 its output was cut.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#include "base/base64.h"
#include "base/buffer.h"
#include "base/json.h"
#include "charm/goal.h"
#include "charm/sources.h"
#include "juju/hook_tools.h"

enum { FAILED = 1, CUT = 2 };

#define NO_FOLDER "/nonexistent"

struct command {
    struct input input;
    unsigned how;
};

static int call(void *context, const char *const arguments[], const void *data, size_t length,
                struct juju_reply *reply, struct error *error)
{
    const struct command *command = context;
    bool failed = (command->how & FAILED) != 0;

    (void)data;
    (void)length;
    (void)error;
    MUST(arguments[0] != NULL);
    reply->code = failed;
    reply->cut = (command->how & CUT) != 0;
    buffer_append(failed ? &reply->message : &reply->output, command->input.data,
                  command->input.size);
    return 0;
}

static int strings(const struct juju_transport *juju, struct error *error)
{
    struct strings list = {0};
    int result = juju_relation_units(juju, "api:1", &list, error);

    for (size_t i = 0; i < list.count; i++)
        MUST(list.items[i] != NULL);
    strings_free(&list);
    return result;
}

static int settings(const struct juju_transport *juju, struct error *error)
{
    enum juju_refusal refusal;
    cJSON *values;
    int result = juju_relation_get(juju, "api:1", "builder/0", JUJU_UNIT, &values, &refusal, error);

    MUST((result == 0) == (values != NULL));
    MUST(result != 0 || cJSON_IsObject(values));
    if (result == 0)
        result = juju_relation_set(juju, "api:1", JUJU_UNIT, values, error);
    cJSON_Delete(values);
    return result;
}

static int call_of_leader(void *context, const char *const arguments[], const void *data,
                          size_t length, struct juju_reply *reply, struct error *error)
{
    (void)context, (void)data, (void)length, (void)error;
    if (strcmp(arguments[0], "is-leader") == 0)
        buffer_append_string(&reply->output, "true");
    return 0;
}

/* The same text is goal-state and what earlier hooks have kept. */
static int goal_state(const struct juju_transport *juju, struct error *error)
{
    const struct event event = {
        .kind = EVENT_RELATION_BROKEN, .unit = "integrator/0", .departing_unit = ""};
    const struct juju_transport mute = {.call = call_of_leader};
    struct strings listed = {0}, left = {0};
    struct numbers gone = {0};
    struct goal goal;

    goal_read(&goal, juju);
    goal_fate(&goal, &event);
    strings_add(&listed, "builder/0");
    strings_add(&listed, "builder/18446744073709551615");
    goal_is_complete(&goal, "builder", &listed, "");
    if (goal_find_left(&goal, 3, &listed, &left, error) == 0)
        MUST(left.count <= listed.count);
    goal_recall_gone(&goal, &gone);
    goal_keep_relations(&goal, &gone, &gone);
    for (size_t i = 1; i < gone.count; i++)
        MUST(gone.items[i - 1] < gone.items[i]);
    goal_write(&goal, &mute);
    goal_free(&goal);
    free(gone.items);
    strings_free(&listed);
    strings_free(&left);
    return 0;
}

static int credentials(const struct juju_transport *juju, struct error *error)
{
    static char integrator[] = "integrator";
    const struct event event = {.application = integrator,
                                .charm_folder = NO_FOLDER,
                                .juju_major = 3,
                                .unit = "integrator/0",
                                .model_uuid = "9f1c1ab0"};
    struct leadership leadership = {juju, LEADERSHIP_HELD};
    const struct sources_self self = {.leadership = &leadership};
    struct credentials found;
    struct enrolment *enrolment;
    struct options options;

    if (options_read(&options, juju, error) != 0)
        return -1;
    int result = sources_read(&found, &enrolment, juju, &event, &options, &self, error);
    options_wipe(&options);
    MUST(enrolment == NULL);
    MUST((result == 0) == (found.source != NULL));
    credentials_wipe(&found);
    return result;
}

/* The option lxd_trust_token: base64 of what the command prints. Nothing can be written. */
static int token(const struct juju_transport *juju, struct error *error)
{
    static char integrator[] = "integrator";
    const struct command *command = juju->context;
    const struct juju_transport leader = {.call = call_of_leader};
    const struct event event = {.application = integrator,
                                .charm_folder = NO_FOLDER,
                                .juju_major = 2,
                                .model_uuid = "9f1c1ab0"};
    char *text = base64_encode(command->input.data, command->input.size);
    struct credentials found = {0};
    struct enrolment *enrolment;
    int result = enrolment_read(&found, &enrolment, &leader, &event, text, ENROLMENT_ENROLS, error);

    MUST(result < 0 && enrolment == NULL);
    free(text);
    return result;
}

static int action(const struct juju_transport *juju, struct error *error)
{
    cJSON *parameters;
    int result = juju_action_get(juju, &parameters, error);

    MUST((result == 0) == cJSON_IsObject(parameters));
    if (result == 0)
        result = juju_action_set(juju, parameters, error);
    cJSON_Delete(parameters);
    return result;
}

static int leader(const struct juju_transport *juju, struct error *error)
{
    bool is_leader;

    return juju_is_leader(juju, &is_leader, error);
}

static int application(const struct juju_transport *juju, struct error *error)
{
    char *name = NULL;
    int result = juju_relation_application(juju, "api:1", &name, error);

    MUST((result == 0) == (name != NULL));
    free(name);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const ask[])(const struct juju_transport *juju, struct error *error) = {
        strings, settings, goal_state, credentials, leader, application, action, token};
    struct command command = {.input = {data, size}};
    struct juju_transport juju = {.context = &command, .call = call};
    struct error error = {0};
    unsigned choice = input_byte(&command.input) % (sizeof ask / sizeof *ask);

    command.how = input_byte(&command.input);
    if (ask[choice](&juju, &error) != 0)
        MUST((error.kind == ERROR_INPUT || error.kind == ERROR_HOOK ||
              error.kind == ERROR_WAITING) &&
             error.text[0] != '\0');
    return 0;
}
