/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/plan.h"

#include <stdlib.h>
#include <string.h>

/* ---- what a wish opens ---- */

static bool exists(const struct surroundings *surroundings, const char *project)
{
    return surroundings->projects == NULL || strings_find(surroundings->projects, project);
}

static bool opens_nothing(const struct projects *projects)
{
    return projects->restricted && projects->names.count == 0;
}

/* What is in its list, in the limit, and in LXD. To be freed. */
static void find_effect(struct projects *effect, const struct projects *asked,
                        const struct projects *limit, const struct surroundings *surroundings)
{
    struct projects found = {.restricted = true};

    projects_copy(effect, asked);
    projects_narrow(effect, limit);
    if (!effect->restricted)
        return;
    for (size_t i = 0; i < effect->names.count; i++) {
        if (exists(surroundings, effect->names.items[i]))
            strings_add(&found.names, effect->names.items[i]);
    }
    projects_free(effect);
    *effect = found;
}

/* Does LXD let certificates be restricted as much as they must be? */
static bool can_hold(const struct projects *effect, const struct surroundings *surroundings)
{
    return surroundings->restricts || !effect->restricted;
}

/* What all wishes of one certificate open together; false where that is nothing. */
static bool find_union(struct projects *all, const struct terms *terms, size_t first, size_t next,
                       const struct surroundings *surroundings)
{
    *all = (struct projects){.restricted = true};
    for (size_t i = first; i < next; i++) {
        struct projects effect;

        find_effect(&effect, terms->wishes->items[i].projects, &terms->limit, surroundings);
        projects_union(all, &effect);
        projects_free(&effect);
    }
    return !opens_nothing(all) && can_hold(all, surroundings);
}

/* The certificate that we log in with; where LXD has it as an identity no list shows it. */
static bool is_own(const struct owner *owner, const char *fingerprint)
{
    return strcmp(owner->fingerprint, fingerprint) == 0;
}

/* ---- steps ---- */

static struct step *add_step(struct plan *plan, enum step_kind kind, const char *fingerprint,
                             const char *name)
{
    plan->steps = mem_grow(plan->steps, plan->count, sizeof *plan->steps);
    struct step *step = &plan->steps[plan->count++];

    *step = (struct step){.kind = kind, .name = mem_string(name)};
    memcpy(step->fingerprint, fingerprint, sizeof step->fingerprint);
    return step;
}

/* Have an entry of ours open what it is to open, if it does not. Taking away goes before giving;
 * what LXD could not hold is not there. */
static void plan_change(struct plan *plan, const struct lxd_certificate *entry,
                        const struct projects *target, const struct surroundings *surroundings)
{
    if (projects_equal(target, &entry->projects))
        return;
    if (opens_nothing(target) || !can_hold(target, surroundings)) {
        add_step(plan, STEP_REMOVE, entry->fingerprint, entry->name);
    } else {
        bool takes = !projects_cover(target, &entry->projects);
        struct step *step =
            add_step(plan, takes ? STEP_NARROW : STEP_WIDEN, entry->fingerprint, entry->name);

        projects_copy(&step->projects, target);
    }
}

/* What an entry of ours opens now, cut by the operator's limit, where we may take away. */
static void find_rest(struct projects *rest, const struct lxd_certificate *entry,
                      const struct terms *terms, const struct surroundings *surroundings)
{
    if (terms->may_take)
        find_effect(rest, &entry->projects, &terms->limit, surroundings);
    else
        projects_copy(rest, &entry->projects);
}

static enum relations_claim claim_of(const struct terms *terms, const struct lxd_certificate *entry)
{
    if (terms->all_over)
        return CLAIM_OVER;
    return relations_claim(terms->relations, owner_relation(&terms->owner, entry),
                           entry->fingerprint);
}

/* Is all that is asked of an entry known, so that it may open less than it does? The relation that
 * its name bears may not have been shown to us yet. */
static bool may_narrow(const struct terms *terms, const struct lxd_certificate *entry)
{
    const struct relations *relations = terms->relations;

    return terms->may_take && relations_are_complete(relations) &&
           (relations->everything ||
            relations_find(relations, owner_relation(&terms->owner, entry)) != NULL) &&
           claim_of(terms, entry) != CLAIM_UNKNOWN;
}

static void plan_wished(struct plan *plan, const struct terms *terms, size_t first, size_t next,
                        const struct surroundings *surroundings, const struct store *store)
{
    const struct wish *wish = &terms->wishes->items[first];
    const struct lxd_certificate *entry = store_find(store, wish_fingerprint(wish));
    struct projects want, rest;
    bool wanted = find_union(&want, terms, first, next, surroundings);

    if (entry == NULL && wanted && !is_own(&terms->owner, wish_fingerprint(wish))) {
        char *name = owner_name(&terms->owner, wish->relation->application, wish->relation->number,
                                wish_fingerprint(wish));
        struct step *step = add_step(plan, STEP_ADD, wish_fingerprint(wish), name);

        step->certificate = &wish->entry->certificate;
        projects_copy(&step->projects, &want);
        free(name);
    } else if (entry != NULL && owner_has(&terms->owner, entry)) {
        bool exactly = may_narrow(terms, entry);

        if (!wanted) {
            projects_free(&want);
            want = (struct projects){.restricted = true};
        }
        if (!exactly) {
            find_rest(&rest, entry, terms, surroundings);
            projects_union(&want, &rest);
            projects_free(&rest);
        }
        if (exactly && opens_nothing(&want))
            add_step(plan, STEP_REMOVE, entry->fingerprint, entry->name);
        else
            plan_change(plan, entry, &want, surroundings);
    }
    projects_free(&want);
}

static void plan_unwished(struct plan *plan, const struct terms *terms,
                          const struct surroundings *surroundings,
                          const struct lxd_certificate *entry)
{
    struct projects rest;

    if (terms->may_take && claim_of(terms, entry) == CLAIM_OVER) {
        add_step(plan, STEP_REMOVE, entry->fingerprint, entry->name);
        return;
    }
    find_rest(&rest, entry, terms, surroundings);
    plan_change(plan, entry, &rest, surroundings);
    projects_free(&rest);
}

static void find_missing(struct plan *plan, const struct projects *named,
                         const struct surroundings *surroundings)
{
    for (size_t i = 0; i < named->names.count; i++) {
        if (!exists(surroundings, named->names.items[i]))
            strings_add(&plan->missing, named->names.items[i]);
    }
}

static int compare_steps(const void *a, const void *b)
{
    const struct step *x = a, *y = b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return strcmp(x->fingerprint, y->fingerprint);
}

static bool is_wished(const struct wishes *wishes, const char *fingerprint)
{
    size_t low = 0, high = wishes->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(wish_fingerprint(&wishes->items[middle]), fingerprint);

        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

void plan_make(struct plan *plan, const struct terms *terms,
               const struct surroundings *surroundings, const struct store *store)
{
    const struct wishes *wishes = terms->wishes;

    *plan = (struct plan){0};
    for (size_t i = 0, next; i < wishes->count; i = next) {
        next = wishes_next(wishes, i);
        plan_wished(plan, terms, i, next, surroundings, store);
    }
    for (size_t i = 0; i < store->count; i++) {
        const struct lxd_certificate *entry = &store->items[i];

        if (owner_has(&terms->owner, entry) && !is_wished(wishes, entry->fingerprint))
            plan_unwished(plan, terms, surroundings, entry);
    }
    if (plan->count != 0)
        qsort(plan->steps, plan->count, sizeof *plan->steps, compare_steps);
    for (size_t i = 0; i < wishes->count; i++)
        find_missing(plan, wishes->items[i].projects, surroundings);
    find_missing(plan, &terms->limit, surroundings);
    strings_sort(&plan->missing);
}

static int compare_fingerprints(const void *a, const void *b)
{
    const struct step *const *x = a, *const *y = b;

    return strcmp((*x)->fingerprint, (*y)->fingerprint);
}

/* There is one step for an entry at most. Owned by the caller. */
static const struct step **steps_by_fingerprint(const struct plan *plan)
{
    const struct step **steps = mem_alloc(plan->count * sizeof *steps);

    for (size_t i = 0; i < plan->count; i++)
        steps[i] = &plan->steps[i];
    if (plan->count != 0)
        qsort(steps, plan->count, sizeof *steps, compare_fingerprints);
    return steps;
}

static int compare_to_step(const void *key, const void *item)
{
    const struct step *const *step = item;

    return strcmp(key, (*step)->fingerprint);
}

static const struct step *find_step(const struct step **steps, size_t count,
                                    const char *fingerprint)
{
    const struct step **found = NULL;

    if (count != 0)
        found = bsearch(fingerprint, steps, count, sizeof *steps, compare_to_step);
    return found != NULL ? *found : NULL;
}

void plan_remake(struct plan *plan, const struct terms *terms,
                 const struct surroundings *surroundings, const struct store *store)
{
    struct plan before = *plan;
    const struct step **steps = steps_by_fingerprint(&before);

    plan_make(plan, terms, surroundings, store);
    for (size_t i = 0; i < plan->count; i++) {
        struct step *step = &plan->steps[i];
        const struct step *tried = find_step(steps, before.count, step->fingerprint);

        if (tried == NULL || tried->outcome != STEP_REFUSED || tried->kind != step->kind ||
            !projects_equal(&tried->projects, &step->projects))
            continue;
        step->outcome = STEP_REFUSED;
        step->reason = mem_string(tried->reason);
    }
    free(steps);
    plan_free(&before);
}

void plan_adopt(struct plan *plan, const struct terms *terms, const struct store *store)
{
    const struct wishes *wishes = terms->wishes;

    *plan = (struct plan){0};
    for (size_t i = 0; i < wishes->count; i = wishes_next(wishes, i)) {
        const struct wish *wish = &wishes->items[i];
        const struct lxd_certificate *entry = store_find(store, wish_fingerprint(wish));

        if (entry == NULL || owner_has(&terms->owner, entry) || *entry->name == '\0' ||
            strcmp(entry->type, "client") != 0 || entry->projects.restricted ||
            strcmp(entry->name, wish->entry->certificate.common_name) != 0 ||
            is_own(&terms->owner, entry->fingerprint))
            continue;
        char *name = owner_name(&terms->owner, wish->relation->application, wish->relation->number,
                                entry->fingerprint);
        add_step(plan, STEP_RENAME, entry->fingerprint, name);
        free(name);
    }
}

void plan_remove(struct plan *plan, const struct lxd_certificate *entry)
{
    *plan = (struct plan){0};
    add_step(plan, STEP_REMOVE, entry->fingerprint, entry->name);
}

size_t plan_due(const struct plan *plan)
{
    size_t due = 0;

    for (size_t i = 0; i < plan->count; i++)
        due += plan->steps[i].outcome == STEP_DUE || plan->steps[i].outcome == STEP_FAILED;
    return due;
}

size_t plan_undone(const struct plan *plan)
{
    size_t undone = 0;

    for (size_t i = 0; i < plan->count; i++)
        undone += plan->steps[i].outcome != STEP_DONE;
    return undone;
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->steps[i].name);
        free(plan->steps[i].reason);
        projects_free(&plan->steps[i].projects);
    }
    free(plan->steps);
    strings_free(&plan->missing);
    *plan = (struct plan){0};
}

/* ---- what came of it ---- */

static void list_name(struct buffer *list, const char *name)
{
    buffer_printf(list, "%s\"%s\"", list->length != 0 ? ", " : "", name);
}

/* Which of the projects that are asked for are not opened, and why; NULL where all are. */
static char *describe_lack(const struct projects *asked, const struct projects *effect,
                           const struct projects *limit)
{
    struct buffer missing = {0}, excluded = {0}, text = {0};

    for (size_t i = 0; i < asked->names.count; i++) {
        const char *name = asked->names.items[i];
        struct projects one = {.restricted = true, .names = {&asked->names.items[i], 1}};

        if (projects_cover(effect, &one))
            continue;
        list_name(projects_cover(limit, &one) ? &missing : &excluded, name);
    }
    if (missing.length != 0)
        buffer_printf(&text, "no such project in LXD: %s", missing.data);
    if (excluded.length != 0)
        buffer_printf(&text, "%sthe integrator's option projects excludes %s",
                      text.length != 0 ? "; " : "", excluded.data);
    buffer_free(&missing);
    buffer_free(&excluded);
    return text.data;
}

static void reject(struct judgement *judgement, char *reason)
{
    free(judgement->reason);
    judgement->verdict = VERDICT_REJECTED;
    judgement->reason = reason;
}

/* By its own dates a client that logs in with it is not let in. Is that so? */
static bool reject_by_date(struct judgement *judgement, const struct certificate *certificate,
                           int64_t now)
{
    char date[CERTIFICATE_DATE_SIZE];

    if (certificate_is_current(certificate, now))
        return false;
    bool early = now < certificate->not_before;
    certificate_date(date, early ? certificate->not_before : certificate->not_after);
    reject(judgement, early ? mem_printf("it is not valid before %s", date)
                            : mem_printf("it expired on %s: renew it", date));
    return true;
}

/* The entry is there, and should serve. */
static void judge_entry(struct judgement *judgement, const struct lxd_certificate *entry,
                        const struct projects *effect, const struct step *step,
                        const struct terms *terms, const struct surroundings *surroundings)
{
    const char *lxd = lxd_name(surroundings->software);
    bool ours = owner_has(&terms->owner, entry);

    if (strcmp(entry->type, "client") != 0) {
        reject(judgement, mem_printf("%s has it as a certificate of type %s, named \"%s\"", lxd,
                                     entry->type, entry->name));
    } else if (projects_cover(&entry->projects, effect)) {
        judgement->verdict = VERDICT_TRUSTED;
    } else if (!ours) {
        char *projects = projects_describe(&entry->projects);

        reject(judgement,
               mem_printf("%s has it as \"%s\", which opens %s", lxd, entry->name, projects));
        free(projects);
    } else if (step != NULL && step->outcome == STEP_REFUSED) {
        reject(judgement, mem_string(step->reason));
    }
}

/* Does LXD let it in to all that it asks for, whatever we would have made, or will make, of it? */
static bool is_let_in(const struct lxd_certificate *entry, const struct wish *wish)
{
    return entry != NULL && strcmp(entry->type, "client") == 0 &&
           projects_cover(&entry->projects, wish->projects);
}

static void judge(struct judgement *judgement, const struct wish *wish, const struct step *step,
                  const struct terms *terms, const struct surroundings *surroundings,
                  const struct store *store)
{
    const struct lxd_certificate *entry = store_find(store, wish_fingerprint(wish));
    struct projects effect;

    find_effect(&effect, wish->projects, &terms->limit, surroundings);
    judgement->reason = describe_lack(wish->projects, &effect, &terms->limit);
    if (reject_by_date(judgement, &wish->entry->certificate, terms->now)) {
        /* that is all there is to say */
    } else if (is_let_in(entry, wish)) {
        free(judgement->reason);
        *judgement = (struct judgement){.verdict = VERDICT_TRUSTED};
    } else if (opens_nothing(&effect)) {
        judgement->verdict = VERDICT_REJECTED;
        if (judgement->reason == NULL)
            judgement->reason = mem_printf("%s has no project of the integrator's option projects",
                                           lxd_name(surroundings->software));
    } else if (!can_hold(&effect, surroundings)) {
        reject(judgement, mem_printf("LXD %s cannot restrict certificates to projects: this one "
                                     "would open all of it",
                                     surroundings->version));
    } else if (entry != NULL) {
        judge_entry(judgement, entry, &effect, step, terms, surroundings);
    } else if (is_own(&terms->owner, wish_fingerprint(wish))) {
        reject(judgement, mem_string("it is the integrator's own certificate"));
    } else if (step != NULL && step->outcome == STEP_REFUSED) {
        reject(judgement, mem_string(step->reason));
    }
    judgement->beyond = entry != NULL && strcmp(entry->type, "client") == 0 &&
                        !owner_has(&terms->owner, entry) &&
                        !projects_cover(&terms->limit, &entry->projects);
    projects_free(&effect);
}

struct judgement *plan_judge(const struct plan *plan, const struct terms *terms,
                             const struct surroundings *surroundings, const struct store *store)
{
    const struct wishes *wishes = terms->wishes;
    struct judgement *judgements = mem_alloc(wishes->count * sizeof *judgements);
    const struct step **steps = steps_by_fingerprint(plan);

    for (size_t i = 0; i < wishes->count; i++) {
        const struct wish *wish = &wishes->items[i];

        judge(&judgements[i], wish, find_step(steps, plan->count, wish_fingerprint(wish)), terms,
              surroundings, store);
    }
    free(steps);
    return judgements;
}

void judgements_free(struct judgement *judgements, size_t count)
{
    for (size_t i = 0; i < count && judgements != NULL; i++)
        free(judgements[i].reason);
    free(judgements);
}
