/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/event.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? value : "";
}

/* JUJU_HOOK_NAME is empty for actions; JUJU_DISPATCH_PATH is "hooks/<name>" or "actions/<name>". */
static const char *find_name(void)
{
    const char *name = variable("JUJU_HOOK_NAME");
    const char *path = variable("JUJU_DISPATCH_PATH");
    const char *slash = strrchr(path, '/');

    if (*name != '\0')
        return name;
    return slash != NULL ? slash + 1 : path;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

bool event_is_action(void)
{
    return *variable("JUJU_ACTION_NAME") != '\0';
}

static enum event_kind find_kind(const char *name)
{
    if (event_is_action())
        return EVENT_ACTION;
    if (ends_with(name, "-relation-departed"))
        return EVENT_RELATION_DEPARTED;
    if (ends_with(name, "-relation-broken"))
        return EVENT_RELATION_BROKEN;
    if (strcmp(name, "update-status") == 0)
        return EVENT_UPDATE_STATUS;
    if (strcmp(name, "stop") == 0 || strcmp(name, "remove") == 0)
        return EVENT_STOP;
    return EVENT_OTHER;
}

static bool is_uuid(const char *text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    for (size_t i = 0; i < sizeof shape - 1; i++) {
        bool fits = shape[i] == '-' ? text[i] == '-' : isxdigit((unsigned char)text[i]) != 0;

        if (!fits)
            return false;
    }
    return text[sizeof shape - 1] == '\0';
}

/* "<application>/<number>": the length of the application's name, 0 if it is no unit's name. */
static size_t application_length(const char *unit)
{
    size_t length = strspn(unit, "abcdefghijklmnopqrstuvwxyz0123456789-");
    size_t digits = unit[length] == '/' ? strspn(unit + length + 1, "0123456789") : 0;

    return digits != 0 && unit[length + 1 + digits] == '\0' ? length : 0;
}

int event_read(struct event *event, struct error *error)
{
    const char *folder = variable("JUJU_CHARM_DIR");

    *event = (struct event){
        .name = find_name(),
        .unit = variable("JUJU_UNIT_NAME"),
        .model_uuid = variable("JUJU_MODEL_UUID"),
        .relation_id = variable("JUJU_RELATION_ID"),
        .remote_unit = variable("JUJU_REMOTE_UNIT"),
        .remote_application = variable("JUJU_REMOTE_APP"),
        .departing_unit = variable("JUJU_DEPARTING_UNIT"),
        .charm_folder = *folder != '\0' ? folder : ".",
    };
    event->kind = find_kind(event->name);
    event->juju_major = strtoul(variable("JUJU_VERSION"), NULL, 10);

    size_t length = application_length(event->unit);
    if (length == 0)
        return error_set(error, ERROR_HOOK, "JUJU_UNIT_NAME \"%s\" is no unit's name", event->unit);
    if (!is_uuid(event->model_uuid))
        return error_set(error, ERROR_HOOK, "JUJU_MODEL_UUID \"%s\" is no UUID", event->model_uuid);
    event->application = mem_string_n(event->unit, length);
    return 0;
}

bool event_departs(const struct event *event, const char *relation_id, const char *unit)
{
    return event->kind == EVENT_RELATION_DEPARTED && strcmp(event->relation_id, relation_id) == 0 &&
           strcmp(event->remote_unit, unit) == 0;
}

bool event_breaks(const struct event *event, const char *relation_id)
{
    return event->kind == EVENT_RELATION_BROKEN && strcmp(event->relation_id, relation_id) == 0;
}

void event_free(struct event *event)
{
    free(event->application);
    event->application = NULL;
}
