/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/goal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "juju/hook_tools.h"

#define TRIES 3
#define MAX_VALUE (64 * 1024) /* bytes: Juju's own limit */
#define MAX_NUMBERS 100000
#define KEY_SIZE 40

void goal_read(struct goal *goal, const struct juju_transport *juju)
{
    struct error error;
    int tries = 0;

    *goal = (struct goal){.kept = cJSON_CreateObject()};
    while (tries++ < TRIES && juju_goal_state(juju, &goal->state, &error) != 0)
        goal->state = NULL;
    if (goal->state == NULL)
        juju_log(juju, JUJU_LOG_WARNING, "who stays is not known in this hook: %s", error.text);
    if (juju_state_get(juju, &goal->memory, &error) != 0) {
        juju_log(juju, JUJU_LOG_WARNING, "what earlier hooks have kept cannot be read: %s",
                 error.text);
        goal->memory = NULL;
    }
}

/* ---- the memory ---- */

const char *goal_recall(const struct goal *goal, const char *key)
{
    const char *value = json_string(goal->kept, key);

    if (value == NULL)
        value = json_string(goal->memory, key);
    return value != NULL && *value != '\0' ? value : NULL;
}

void goal_keep(struct goal *goal, const char *key, const char *value)
{
    const char *known = goal_recall(goal, key);

    if (value == NULL)
        value = "";
    if (strcmp(known != NULL ? known : "", value) == 0)
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(goal->kept, key);
    cJSON_AddStringToObject(goal->kept, key, value);
}

static void warn_of_memory(const struct juju_transport *juju, const struct error *error)
{
    juju_log(juju, JUJU_LOG_WARNING, "what this hook has found cannot be kept: %s", error->text);
}

void goal_write(struct goal *goal, const struct juju_transport *juju)
{
    cJSON *item = goal->kept->child, *next;
    struct error error;

    if (goal->memory == NULL)
        return;
    for (; item != NULL; item = next) {
        next = item->next;
        if (*item->valuestring != '\0')
            continue;
        if (juju_state_delete(juju, item->string, &error) != 0)
            warn_of_memory(juju, &error);
        cJSON_Delete(cJSON_DetachItemViaPointer(goal->kept, item));
    }
    if (goal->kept->child != NULL && juju_state_set(juju, goal->kept, &error) != 0)
        warn_of_memory(juju, &error);
}

void goal_free(struct goal *goal)
{
    cJSON_Delete(goal->state);
    cJSON_Delete(goal->memory);
    cJSON_Delete(goal->kept);
    *goal = (struct goal){0};
}

/* ---- sets of numbers ---- */

static int compare_numbers(const void *a, const void *b)
{
    const unsigned long *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

bool numbers_contain(const struct numbers *numbers, unsigned long number)
{
    return numbers->count != 0 && bsearch(&number, numbers->items, numbers->count,
                                          sizeof *numbers->items, compare_numbers) != NULL;
}

void numbers_add(struct numbers *numbers, unsigned long number)
{
    size_t i = numbers->count;

    if (numbers_contain(numbers, number) || numbers->count == MAX_NUMBERS)
        return;
    numbers->items = mem_grow(numbers->items, numbers->count, sizeof *numbers->items);
    for (; i > 0 && numbers->items[i - 1] > number; i--)
        numbers->items[i] = numbers->items[i - 1];
    numbers->items[i] = number;
    numbers->count++;
}

/* Only this charm writes there; what is malformed ends the set. */
static void numbers_parse(struct numbers *numbers, const char *text)
{
    while (text != NULL && *text >= '0' && *text <= '9') {
        char *end;
        unsigned long first = strtoul(text, &end, 10), last = first;

        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        for (unsigned long i = first; i <= last && numbers->count < MAX_NUMBERS; i++)
            numbers_add(numbers, i);
        text = *end == ',' ? end + 1 : NULL;
    }
}

/* Owned by the caller; NULL for none. What does not fit is left out, which says less. */
static char *numbers_print(const struct numbers *numbers)
{
    struct buffer text = {0};

    for (size_t i = 0; i < numbers->count && text.length < MAX_VALUE - 2 * KEY_SIZE; i++) {
        size_t last = i;

        while (last + 1 < numbers->count && numbers->items[last + 1] == numbers->items[last] + 1)
            last++;
        buffer_printf(&text, "%s%lu", text.length != 0 ? "," : "", numbers->items[i]);
        if (last != i)
            buffer_printf(&text, "-%lu", numbers->items[last]);
        i = last;
    }
    return text.data;
}

static void recall_numbers(const struct goal *goal, const char *key, struct numbers *numbers)
{
    numbers_parse(numbers, goal_recall(goal, key));
}

static void keep_numbers(struct goal *goal, const char *key, const struct numbers *numbers)
{
    char *text = numbers_print(numbers);

    goal_keep(goal, key, text);
    free(text);
}

void goal_recall_gone(const struct goal *goal, struct numbers *gone)
{
    recall_numbers(goal, "gone", gone);
}

/* "shown-3": whose relation is listed no more? */
static bool is_forgotten(const char *key, const struct numbers *listed)
{
    const char *dash = strchr(key, '-');

    if (strncmp(key, "shown-", 6) != 0 && strncmp(key, "left-", 5) != 0)
        return false;
    return !numbers_contain(listed, strtoul(dash + 1, NULL, 10));
}

void goal_keep_relations(struct goal *goal, const struct numbers *gone,
                         const struct numbers *listed)
{
    const cJSON *item;

    keep_numbers(goal, "gone", gone);
    cJSON_ArrayForEach(item, goal->memory)
    {
        if (is_forgotten(item->string, listed))
            goal_keep(goal, item->string, NULL);
    }
}

/* ---- our own unit ---- */

static const cJSON *our_units(const struct goal *goal)
{
    return json_object(goal->state, "units");
}

bool goal_names_our(const struct goal *goal, const char *unit)
{
    return cJSON_GetObjectItemCaseSensitive(our_units(goal), unit) != NULL;
}

static bool says_dying(const cJSON *unit)
{
    const char *status = json_string(unit, "status");

    return status != NULL && strcmp(status, "dying") == 0;
}

bool goal_is_dying(const struct goal *goal, const char *unit)
{
    return says_dying(cJSON_GetObjectItemCaseSensitive(our_units(goal), unit));
}

bool goal_is_single(const struct goal *goal, const char *unit)
{
    return goal_names_our(goal, unit) && cJSON_GetArraySize(our_units(goal)) == 1;
}

static bool others_stay(const struct goal *goal, const char *unit)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, our_units(goal))
    {
        if (strcmp(item->string, unit) != 0 && !says_dying(item))
            return true;
    }
    return false;
}

/* Those that are through with leaving vanish from goal-state. */
static bool is_leaving(const struct goal *goal, const struct event *event)
{
    if (goal_is_dying(goal, event->unit) || strcmp(event->departing_unit, event->unit) == 0)
        return true;
    if (event->kind == EVENT_UPDATE_STATUS)
        return false;
    if (goal_recall(goal, "dying") != NULL)
        return true;
    return event->kind == EVENT_STOP && goal->state != NULL && !goal_names_our(goal, event->unit);
}

enum fate goal_fate(struct goal *goal, const struct event *event)
{
    const char *known = goal_recall(goal, "dying");

    if (!is_leaving(goal, event)) {
        bool told = event->kind == EVENT_UPDATE_STATUS || goal_names_our(goal, event->unit) ||
                    (event->kind == EVENT_RELATION_DEPARTED && *event->departing_unit != '\0');

        return told ? FATE_STAYS : FATE_UNKNOWN;
    }
    if (goal->state != NULL) {
        bool others = others_stay(goal, event->unit);

        goal_keep(goal, "dying", others ? "others" : "last");
        return others ? FATE_LEAVES : FATE_LAST;
    }
    if (known != NULL && strcmp(known, "others") == 0)
        return FATE_LEAVES;
    return event->kind == EVENT_RELATION_BROKEN || event->kind == EVENT_STOP ? FATE_LAST
                                                                             : FATE_UNKNOWN;
}

/* ---- related applications ---- */

/* Is it there under any endpoint? */
static bool names_remote(const struct goal *goal, const char *unit)
{
    const cJSON *endpoint;

    cJSON_ArrayForEach(endpoint, json_object(goal->state, "relations"))
    {
        if (cJSON_GetObjectItemCaseSensitive(endpoint, unit) != NULL)
            return true;
    }
    return false;
}

bool goal_is_complete(const struct goal *goal, const char *application,
                      const struct strings *listed, const char *leaving)
{
    size_t length = strlen(application), named = 0;
    const cJSON *endpoint, *item;

    cJSON_ArrayForEach(endpoint, json_object(goal->state, "relations"))
    {
        cJSON_ArrayForEach(item, endpoint)
        {
            if (strncmp(item->string, application, length) != 0 || item->string[length] != '/')
                continue;
            if (!strings_contain(listed, item->string) && strcmp(item->string, leaving) != 0)
                return false;
            named++;
        }
    }
    return named != 0;
}

static unsigned long unit_number(const char *unit)
{
    const char *slash = strchr(unit, '/');

    return slash != NULL ? strtoul(slash + 1, NULL, 10) : 0;
}

/* Without the memory nothing is known of what goal-state does not name. */
static int check_named(const struct goal *goal, const struct strings *listed, struct error *error)
{
    for (size_t i = 0; i < listed->count && goal->memory == NULL; i++) {
        if (!names_remote(goal, listed->items[i]))
            return error_set(
                error, ERROR_HOOK,
                "%s may have left: goal-state does not name it, and what earlier hooks "
                "have kept cannot be read",
                listed->items[i]);
    }
    return 0;
}

int goal_find_left(struct goal *goal, unsigned long relation, const struct strings *listed,
                   struct strings *left, struct error *error)
{
    struct numbers shown = {0}, lost = {0}, shown_of_listed = {0}, lost_of_listed = {0};
    char shown_key[KEY_SIZE], left_key[KEY_SIZE];

    if (check_named(goal, listed, error) != 0)
        return -1;
    snprintf(shown_key, sizeof shown_key, "shown-%lu", relation);
    snprintf(left_key, sizeof left_key, "left-%lu", relation);
    recall_numbers(goal, shown_key, &shown);
    recall_numbers(goal, left_key, &lost);
    for (size_t i = 0; i < listed->count; i++) {
        const char *unit = listed->items[i];
        unsigned long number = unit_number(unit);
        bool named = names_remote(goal, unit), known = numbers_contain(&shown, number);

        if (named || known)
            numbers_add(&shown_of_listed, number);
        if (named || !known || (goal->state == NULL && !numbers_contain(&lost, number)))
            continue;
        numbers_add(&lost_of_listed, number);
        strings_add(left, unit);
    }
    keep_numbers(goal, shown_key, &shown_of_listed);
    keep_numbers(goal, left_key, &lost_of_listed);
    free(shown.items);
    free(lost.items);
    free(shown_of_listed.items);
    free(lost_of_listed.items);
    return 0;
}
