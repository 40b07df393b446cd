/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RELATIONS 8
#define MAX_MEMBERS 16

void world_fingerprint(char fingerprint[65], unsigned number)
{
    snprintf(fingerprint, 65, "%012x%052x", number, number);
}

void world_open(struct world *world)
{
    *world = (struct world){0};
    world_fingerprint(world->own, WORLD_OWN);
    owner_make(&world->terms.owner, WORLD_UUID, "integrator", world->own);
    world->relations.items = mem_alloc(MAX_RELATIONS * sizeof *world->relations.items);
    world->terms.relations = &world->relations;
    world->terms.wishes = &world->wishes;
    world->terms.may_take = true;
    world->terms.now = WORLD_NOW;
}

void world_close(struct world *world)
{
    wishes_free(&world->wishes, &world->relations);
    relations_free(&world->relations);
    owner_free(&world->terms.owner);
    projects_free(&world->terms.limit);
    projects_free(&world->default_projects);
}

struct relation *world_relate(struct world *world, unsigned long number, const char *application)
{
    if (world->relations.count == MAX_RELATIONS)
        abort();
    struct relation *relation = &world->relations.items[world->relations.count++];

    *relation = (struct relation){
        .id = mem_printf("api:%lu", number),
        .number = number,
        .application = mem_string(application),
        .state = RELATION_LIVING,
        .complete = true,
        .members = mem_alloc(MAX_MEMBERS * sizeof *relation->members),
    };
    return relation;
}

struct member *world_join(struct relation *relation, const char *name)
{
    if (relation->member_count == MAX_MEMBERS)
        abort();
    struct member *member = &relation->members[relation->member_count++];

    *member =
        (struct member){.name = mem_string(name), .is_application = strchr(name, '/') == NULL};
    return member;
}

static struct entry *add_entry(struct member *member, const char *text)
{
    member->entries = mem_grow(member->entries, member->count, sizeof *member->entries);
    struct entry *entry = &member->entries[member->count];

    *entry = (struct entry){.index = member->count++, .text = mem_string(text)};
    return entry;
}

struct entry *world_ask(struct member *member, unsigned number)
{
    char *text = mem_printf("pem-%u", number);
    struct entry *entry = add_entry(member, text);

    char *der = mem_printf("%u", number);
    entry->certificate = (struct certificate){.der = (uint8_t *)der,
                                              .length = strlen(der),
                                              .common_name = mem_printf("cn-%u", number),
                                              .not_after = INT64_C(4000000000)};
    world_fingerprint(entry->certificate.fingerprint, number);
    free(text);
    return entry;
}

void world_ask_junk(struct member *member, const char *text)
{
    add_entry(member, text)->reason = mem_string("it is no certificate");
}

void world_name_projects(struct member *member, const char *projects)
{
    member->names_projects = true;
    projects_free(&member->projects);
    projects_parse(&member->projects, projects);
}

static bool knows_nothing(const void *context, unsigned long relation, const char *fingerprint)
{
    (void)context;
    (void)relation;
    (void)fingerprint;
    return false;
}

void world_collect(struct world *world)
{
    wishes_free(&world->wishes, &world->relations);
    wishes_collect(&world->wishes, &world->relations, &world->default_projects, knows_nothing,
                   NULL);
}

void world_entry(struct lxd_certificate *entry, unsigned number, const char *name, const char *type,
                 const char *projects)
{
    *entry = (struct lxd_certificate){
        .name = mem_string(name), .type = mem_string(type), .pem = mem_string("")};
    world_fingerprint(entry->fingerprint, number);
    if (projects != NULL)
        projects_parse(&entry->projects, projects);
    else
        entry->projects.restricted = true;
}

void world_store(struct store *store, unsigned number, const char *name, const char *type,
                 const char *projects)
{
    struct lxd_certificate entry;

    world_entry(&entry, number, name, type, projects);
    store_put(store, &entry);
    lxd_certificate_free(&entry);
}
