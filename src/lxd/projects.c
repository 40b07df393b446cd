/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/projects.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define BLANKS " \t\r\n"

static void add(struct projects *projects, const char *name)
{
    if (projects->names.count < PROJECTS_MAX && strlen(name) <= PROJECTS_MAX_NAME &&
        !strings_contain(&projects->names, name))
        strings_add(&projects->names, name);
}

void projects_parse(struct projects *projects, const char *text)
{
    *projects = (struct projects){0};
    for (;;) {
        text += strspn(text, "," BLANKS);
        size_t length = strcspn(text, ",");
        if (length == 0)
            break;
        char *name = mem_string_n(text, length);
        text += length;
        while (strchr(BLANKS, name[length - 1]) != NULL)
            name[--length] = '\0';
        add(projects, name);
        free(name);
        projects->restricted = true;
    }
}

void projects_from_json(struct projects *projects, const cJSON *entry)
{
    const cJSON *item;

    *projects = (struct projects){.restricted = json_bool(entry, "restricted", false)};
    if (!projects->restricted)
        return;
    cJSON_ArrayForEach(item, json_array(entry, "projects"))
    {
        if (cJSON_IsString(item))
            add(projects, item->valuestring);
    }
}

void projects_to_json(const struct projects *projects, cJSON *entry)
{
    cJSON_AddBoolToObject(entry, "restricted", projects->restricted);
    cJSON *names = cJSON_AddArrayToObject(entry, "projects");

    for (size_t i = 0; i < projects->names.count; i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(projects->names.items[i]));
}

void projects_narrow(struct projects *projects, const struct projects *other)
{
    struct projects both = {.restricted = true};

    if (!other->restricted)
        return;
    for (size_t i = 0; i < other->names.count; i++) {
        if (!projects->restricted || strings_contain(&projects->names, other->names.items[i]))
            add(&both, other->names.items[i]);
    }
    projects_free(projects);
    *projects = both;
}

bool projects_equal(const struct projects *a, const struct projects *b)
{
    if (a->restricted != b->restricted || a->names.count != b->names.count)
        return false;
    for (size_t i = 0; i < a->names.count; i++) {
        if (!strings_contain(&b->names, a->names.items[i]))
            return false;
    }
    return true;
}

char *projects_describe(const struct projects *projects)
{
    const struct strings *names = &projects->names;
    struct buffer text = {0};

    if (!projects->restricted)
        return mem_string("all of LXD");
    if (names->count == 0)
        return mem_string("no project");
    buffer_append_string(&text, names->count == 1 ? "project" : "projects");
    for (size_t i = 0; i < names->count; i++)
        buffer_printf(&text, "%s %s", i != 0 ? "," : "", names->items[i]);
    return text.data;
}

void projects_copy(struct projects *copy, const struct projects *projects)
{
    *copy = (struct projects){.restricted = projects->restricted};
    for (size_t i = 0; i < projects->names.count; i++)
        strings_add(&copy->names, projects->names.items[i]);
}

void projects_free(struct projects *projects)
{
    strings_free(&projects->names);
    *projects = (struct projects){0};
}
