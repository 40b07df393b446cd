/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/peers.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "juju/hook_tools.h"

#define PEERS "peers"

static bool find_relation(const struct juju_transport *juju, struct strings *ids)
{
    struct error ignored;

    return juju_relation_ids(juju, PEERS, ids, &ignored) == 0 && ids->count != 0;
}

/* ---- telling ---- */

/* Owned by the caller; "" for none. */
static char *print_refused(const struct servers *servers)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        for (size_t j = 0; j < server->plan.count; j++) {
            const struct step *step = &server->plan.steps[j];

            if (step->outcome != STEP_REFUSED || cJSON_GetArraySize(list) == PEERS_MAX_REFUSED)
                continue;
            cJSON *item = cJSON_CreateObject();
            cJSON_AddStringToObject(item, "endpoint", server->endpoint.url);
            cJSON_AddStringToObject(item, "fingerprint", step->fingerprint);
            cJSON_AddStringToObject(item, "reason", step->reason);
            cJSON_AddItemToArray(list, item);
        }
    }
    char *text = list->child != NULL ? json_print(list) : mem_string("");
    cJSON_Delete(list);
    return text;
}

/* What LXD has for us, and has refused. Sixteen digits are enough to tell changes. */
static char *digest(const struct servers *servers, const char *refused)
{
    struct buffer text = {0};
    char fingerprint[65];

    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        buffer_printf(&text, "%s %d\n", server->endpoint.url, (int)server->state);
        for (size_t j = 0; j < server->store.count; j++) {
            const struct lxd_certificate *entry = &server->store.items[j];
            char *projects = projects_describe(&entry->projects);

            buffer_printf(&text, "%s %s\n", entry->fingerprint, projects);
            free(projects);
        }
    }
    buffer_append_string(&text, refused);
    certificate_fingerprint(fingerprint, buffer_string(&text), text.length);
    buffer_free(&text);
    return mem_string_n(fingerprint, 16);
}

int peers_tell(const struct servers *servers, struct goal *goal, bool going,
               struct leadership *leadership, const struct event *event, struct error *error)
{
    const struct juju_transport *juju = leadership->juju;
    const char *told = goal_recall(goal, PEERS);
    struct strings ids = {0};
    int result = 0;

    if (told == NULL && goal_is_single(goal, event->unit))
        return 0;
    char *refused = going ? mem_string("") : print_refused(servers);
    char *value = digest(servers, refused);
    bool news = going || told == NULL || strcmp(told, value) != 0 ||
                strcmp(event->name, "leader-elected") == 0;
    if (news && leadership_held(leadership)) {
        cJSON *settings = cJSON_CreateObject();

        cJSON_AddStringToObject(settings, "leader", going ? "" : event->unit);
        cJSON_AddStringToObject(settings, "digest", going ? "" : value);
        cJSON_AddStringToObject(settings, "refused", refused);
        bool is_there = find_relation(juju, &ids);
        if (is_there)
            result = juju_relation_set(juju, ids.items[0], JUJU_APPLICATION, settings, error);
        if (is_there && result == 0)
            goal_keep(goal, PEERS, going ? NULL : value);
        cJSON_Delete(settings);
    }
    strings_free(&ids);
    free(refused);
    free(value);
    return result;
}

/* ---- hearing ---- */

static void hear_refused(struct servers *servers, const char *text)
{
    struct error ignored;
    const cJSON *item;
    cJSON *list;

    if (text == NULL || json_parse(&list, text, strlen(text), "refused", ERROR_HOOK, &ignored) != 0)
        return;
    cJSON_ArrayForEach(item, list)
    {
        const char *url = json_string(item, "endpoint"), *reason = json_string(item, "reason");
        const char *fingerprint = json_string(item, "fingerprint");
        struct endpoint endpoint;

        if (url != NULL && fingerprint != NULL && reason != NULL &&
            endpoint_parse(&endpoint, url, &ignored) == 0)
            servers_note_refused(servers, &endpoint, fingerprint, reason);
    }
    cJSON_Delete(list);
}

/* NULL where nothing is to be had. */
static cJSON *read_word(const struct event *event, const struct juju_transport *juju)
{
    struct strings ids = {0};
    enum juju_refusal refusal;
    struct error ignored;
    cJSON *settings = NULL;

    if (find_relation(juju, &ids))
        juju_relation_get(juju, ids.items[0], event->application, JUJU_APPLICATION, &settings,
                          &refusal, &ignored);
    strings_free(&ids);
    return settings;
}

char *peers_hear(struct servers *servers, const struct goal *goal, const struct event *event,
                 const struct juju_transport *juju)
{
    cJSON *settings = read_word(event, juju);
    const char *leader = json_string(settings, "leader");
    char *leaving = NULL;

    if (leader != NULL && goal_is_dying(goal, leader))
        leaving = mem_string(leader);
    hear_refused(servers, json_string(settings, "refused"));
    cJSON_Delete(settings);
    return leaving;
}

bool peers_agree(const struct servers *servers, const struct event *event,
                 const struct juju_transport *juju)
{
    cJSON *settings = read_word(event, juju);
    const char *told = json_string(settings, "digest");
    char *refused = print_refused(servers);
    char *own = digest(servers, refused);
    bool agree = told != NULL && strcmp(told, own) == 0;

    free(own);
    free(refused);
    cJSON_Delete(settings);
    return agree;
}

char *peers_find_leader(struct leadership *leadership, const struct event *event)
{
    if (leadership_held(leadership))
        return mem_string(event->unit);
    cJSON *settings = read_word(event, leadership->juju);
    char *leader = mem_string(json_string(settings, "leader"));

    cJSON_Delete(settings);
    return leader;
}

bool peers_are_gone(const struct goal *goal, const struct juju_transport *juju)
{
    struct strings ids = {0}, units = {0};
    struct error ignored;
    bool known =
        find_relation(juju, &ids) && juju_relation_units(juju, ids.items[0], &units, &ignored) == 0;
    bool gone = known;

    for (size_t i = 0; i < units.count; i++)
        gone = gone && goal_is_dying(goal, units.items[i]);
    strings_free(&ids);
    strings_free(&units);
    return gone;
}
