/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/projects.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define BLANKS " \t\r\n"

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* After names were added in any order, and more than once. */
static void sort(struct strings *names)
{
    size_t kept = 0;

    if (names->count == 0)
        return;
    qsort(names->items, names->count, sizeof *names->items, compare);
    for (size_t i = 1; i < names->count; i++) {
        if (strcmp(names->items[i], names->items[kept]) == 0)
            free(names->items[i]);
        else
            names->items[++kept] = names->items[i];
    }
    names->count = kept + 1;
}

static bool contains(const struct strings *names, const char *name)
{
    return names->count != 0 &&
           bsearch(&name, names->items, names->count, sizeof *names->items, compare) != NULL;
}

/* The next name at *text, which moves behind it; false where there is none. */
static bool next_name(const char **text, char **name)
{
    const char *start = *text + strspn(*text, "," BLANKS);
    size_t length = strcspn(start, ",");

    *text = start + length;
    if (length == 0)
        return false;
    while (strchr(BLANKS, start[length - 1]) != NULL)
        length--;
    *name = mem_string_n(start, length);
    return true;
}

enum projects_text projects_parse(struct projects *projects, const char *text)
{
    struct strings *names = &projects->names;
    bool too_many = strlen(text) > PROJECTS_MAX_TEXT;
    char *name;

    *projects = (struct projects){0};
    if (*text == '\0')
        return PROJECTS_ALL;
    projects->restricted = true;
    while (!too_many && next_name(&text, &name)) {
        too_many = strlen(name) > PROJECTS_MAX_NAME;
        strings_add(names, name);
        free(name);
    }
    sort(names);
    if (too_many || names->count > PROJECTS_MAX) {
        strings_free(names);
        return PROJECTS_TOO_MANY;
    }
    return names->count != 0 ? PROJECTS_NAMED : PROJECTS_NAMELESS;
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
            strings_add(&projects->names, item->valuestring);
    }
    sort(&projects->names);
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
        if (!projects->restricted || contains(&projects->names, other->names.items[i]))
            strings_add(&both.names, other->names.items[i]);
    }
    projects_free(projects);
    *projects = both;
}

void projects_union(struct projects *projects, const struct projects *other)
{
    if (!projects->restricted || !other->restricted) {
        projects_free(projects);
        return;
    }
    for (size_t i = 0; i < other->names.count; i++)
        strings_add(&projects->names, other->names.items[i]);
    sort(&projects->names);
}

bool projects_cover(const struct projects *a, const struct projects *b)
{
    if (!a->restricted || !b->restricted)
        return !a->restricted;
    for (size_t i = 0; i < b->names.count; i++) {
        if (!contains(&a->names, b->names.items[i]))
            return false;
    }
    return true;
}

bool projects_equal(const struct projects *a, const struct projects *b)
{
    return projects_cover(a, b) && projects_cover(b, a);
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
