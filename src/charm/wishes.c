/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/wishes.h"

#include <stdlib.h>
#include <string.h>

const char *wish_fingerprint(const struct wish *wish)
{
    return wish->entry->certificate.fingerprint;
}

void wishes_candidates(const struct relations *relations, struct strings *fingerprints)
{
    for (size_t i = 0; i < relations->count; i++) {
        const struct relation *relation = &relations->items[i];

        for (size_t j = 0; j < relation->member_count && relation->state == RELATION_LIVING; j++) {
            const struct member *member = &relation->members[j];

            for (size_t k = 0; k < member->count; k++) {
                if (member->entries[k].reason == NULL)
                    strings_add(fingerprints, member->entries[k].certificate.fingerprint);
            }
        }
    }
    strings_sort(fingerprints);
}

/* ---- places ---- */

/* One relation, while its places are given. */
struct placing {
    struct wishes *wishes;
    const struct relation *relation;
    const struct member *application; /* NULL where nothing of it is known */
    const struct projects *default_projects;
    struct rejections *rejections;
    size_t *unplaced; /* entries of each member */
    size_t count, text;
};

static const struct member *find_application(const struct relation *relation)
{
    if (relation->member_count == 0)
        return NULL;
    const struct member *last = &relation->members[relation->member_count - 1];
    return last->is_application ? last : NULL;
}

static void add_wish(struct placing *placing, const struct member *member,
                     const struct entry *entry)
{
    struct wishes *wishes = placing->wishes;
    const struct projects *projects = placing->default_projects;

    if (member->names_projects)
        projects = &member->projects;
    else if (placing->application != NULL && placing->application->names_projects)
        projects = &placing->application->projects;
    wishes->items = mem_grow(wishes->items, wishes->count, sizeof *wishes->items);
    wishes->items[wishes->count++] = (struct wish){placing->relation, member, entry, projects};
}

/* Why the member's projects are not known, or NULL: those of its application would serve. */
static const char *lacks_projects(const struct placing *placing, const struct member *member)
{
    const struct member *application = placing->application;
    bool inherits = !member->names_projects && application != NULL && application->names_projects;

    return inherits ? application->reason : NULL;
}

static void place(struct placing *placing, size_t member_number, size_t entry_number)
{
    const struct member *member = &placing->relation->members[member_number];
    const struct entry *entry = &member->entries[entry_number];
    size_t length = databag_length(entry->text);

    if (placing->count == DATABAG_MAX_ENTRIES || placing->text + length > DATABAG_MAX_TEXT) {
        placing->unplaced[member_number]++;
        return;
    }
    placing->count++;
    placing->text += length;
    const char *reason = entry->reason != NULL ? entry->reason : lacks_projects(placing, member);
    if (reason != NULL)
        rejections_add(placing->rejections, member, entry, reason);
    else
        add_wish(placing, member, entry);
}

/* Every member's entry of one round: those that are known already, or the others. */
static bool place_round(struct placing *placing, size_t round, bool held, wishes_known *known,
                        const void *context)
{
    const struct relation *relation = placing->relation;
    bool more = false;

    for (size_t i = 0; i < relation->member_count; i++) {
        const struct member *member = &relation->members[i];

        if (member->reason != NULL || round >= member->count)
            continue;
        const struct entry *entry = &member->entries[round];
        bool is_held = entry->reason == NULL &&
                       (strings_find(&relation->held, entry->certificate.fingerprint) ||
                        known(context, relation->number, entry->certificate.fingerprint));
        more = true;
        if (is_held == held)
            place(placing, i, round);
    }
    return more;
}

static void reject_the_rest(const struct placing *placing)
{
    const struct relation *relation = placing->relation;

    for (size_t i = 0; i < relation->member_count; i++) {
        const struct member *member = &relation->members[i];
        size_t unplaced = placing->unplaced[i] + (member->reason == NULL ? member->beyond : 0);

        if (member->reason != NULL)
            rejections_add(placing->rejections, member, NULL, member->reason);
        if (unplaced == 0)
            continue;
        char *reason = mem_printf("%zu of its %zu entries found no place: a relation has %d at "
                                  "most, of %d KiB together",
                                  unplaced, member->count + member->beyond, DATABAG_MAX_ENTRIES,
                                  DATABAG_MAX_TEXT / 1024);
        rejections_add(placing->rejections, member, NULL, reason);
        free(reason);
    }
}

static void collect(struct wishes *wishes, const struct relation *relation,
                    const struct projects *default_projects, struct rejections *rejections,
                    wishes_known *known, const void *context)
{
    struct placing placing = {
        .wishes = wishes,
        .relation = relation,
        .application = find_application(relation),
        .default_projects = default_projects,
        .rejections = rejections,
        .unplaced = mem_alloc(relation->member_count * sizeof *placing.unplaced),
    };

    for (size_t round = 0; place_round(&placing, round, true, known, context); round++)
        place_round(&placing, round, false, known, context);
    reject_the_rest(&placing);
    free(placing.unplaced);
}

/* Of one certificate the lowest relation comes first: it names it. */
static int compare_wishes(const void *a, const void *b)
{
    const struct wish *x = a, *y = b;
    int order = strcmp(wish_fingerprint(x), wish_fingerprint(y));

    if (order == 0)
        order = (x->relation > y->relation) - (x->relation < y->relation);
    if (order == 0)
        order = strcmp(x->entry->text, y->entry->text);
    if (order == 0)
        order = (x->member > y->member) - (x->member < y->member);
    return order != 0 ? order : (x->entry > y->entry) - (x->entry < y->entry);
}

void wishes_collect(struct wishes *wishes, const struct relations *relations,
                    const struct projects *default_projects, wishes_known *known,
                    const void *context)
{
    *wishes = (struct wishes){0};
    wishes->rejections = mem_alloc(relations->count * sizeof *wishes->rejections);
    for (size_t i = 0; i < relations->count; i++) {
        if (relations->items[i].state == RELATION_LIVING)
            collect(wishes, &relations->items[i], default_projects, &wishes->rejections[i], known,
                    context);
    }
    if (wishes->count != 0)
        qsort(wishes->items, wishes->count, sizeof *wishes->items, compare_wishes);
}

size_t wishes_next(const struct wishes *wishes, size_t first)
{
    size_t next = first + 1;

    while (next < wishes->count && strcmp(wish_fingerprint(&wishes->items[first]),
                                          wish_fingerprint(&wishes->items[next])) == 0)
        next++;
    return next;
}

void wishes_free(struct wishes *wishes, const struct relations *relations)
{
    for (size_t i = 0; i < relations->count && wishes->rejections != NULL; i++)
        rejections_free(&wishes->rejections[i]);
    free(wishes->rejections);
    free(wishes->items);
    *wishes = (struct wishes){0};
}
