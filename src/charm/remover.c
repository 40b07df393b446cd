/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/remover.h"

#include <string.h>

#include "base/json.h"
#include "juju/hook_tools.h"

static bool is_dying(const cJSON *unit)
{
    const char *status = json_string(unit, "status");

    return status != NULL && strcmp(status, "dying") == 0;
}

enum remover_fate remover_judge(const cJSON *goal_state, const char *unit)
{
    const cJSON *units = json_object(goal_state, "units");
    const cJSON *item;
    bool known = false, staying = false, others_stay = false;

    cJSON_ArrayForEach(item, units)
    {
        known = true;
        if (is_dying(item))
            continue;
        if (strcmp(item->string, unit) == 0)
            staying = true;
        else
            others_stay = true;
    }
    if (staying || !known)
        return REMOVER_STAYS;
    return others_stay ? REMOVER_LEAVES : REMOVER_LAST;
}

static int read_fate(const struct juju_transport *juju, const char *unit, enum remover_fate *fate,
                     struct error *error)
{
    cJSON *goal_state;

    if (juju_goal_state(juju, &goal_state, error) != 0)
        return -1;
    *fate = remover_judge(goal_state, unit);
    cJSON_Delete(goal_state);
    return 0;
}

bool remover_allowed(const struct juju_transport *juju, const struct event *event)
{
    enum remover_fate fate = REMOVER_STAYS;
    struct error error;
    bool leader = false;

    if (event_is_farewell(event) && read_fate(juju, event->unit, &fate, &error) != 0)
        goto unknown;
    if (fate != REMOVER_STAYS)
        return fate == REMOVER_LAST;
    if (juju_is_leader(juju, &leader, &error) != 0)
        goto unknown;
    return leader;

unknown:
    juju_log(juju, JUJU_LOG_WARNING, "nothing is removed from LXD in this hook: %s", error.text);
    return false;
}
