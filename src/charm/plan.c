/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/plan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

/* One certificate as one relation wants it. */
struct want {
    const struct certificate *certificate;
    const struct plan_demand *demand;
};

static int compare_wants(const void *a, const void *b)
{
    const struct want *x = a, *y = b;
    int order = strcmp(x->certificate->fingerprint, y->certificate->fingerprint);

    if (order != 0)
        return order;
    return (x->demand->relation > y->demand->relation) -
           (x->demand->relation < y->demand->relation);
}

/* All wants of all relations, by fingerprint, then relation. */
static struct want *collect_wants(const struct plan_demand *demands, size_t count, size_t *total)
{
    struct want *wants;
    size_t filled = 0;

    *total = 0;
    for (size_t i = 0; i < count; i++)
        *total += demands[i].request->count;
    wants = mem_alloc(*total * sizeof *wants);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < demands[i].request->count; j++)
            wants[filled++] =
                (struct want){&demands[i].request->wishes[j].certificate, &demands[i]};
    }
    qsort(wants, *total, sizeof *wants, compare_wants);
    return wants;
}

static int compare_to_fingerprint(const void *key, const void *item)
{
    const struct plan_certificate *certificate = item;

    return strcmp(key, certificate->certificate->fingerprint);
}

static struct plan_certificate *find(const struct plan *plan, const char *fingerprint)
{
    if (plan->count == 0)
        return NULL;
    return bsearch(fingerprint, plan->certificates, plan->count, sizeof *plan->certificates,
                   compare_to_fingerprint);
}

/* The first of equal fingerprints is the lowest relation's: it gives the name. */
static void plan_certificates(struct plan *plan, const char *prefix,
                              const struct plan_demand *demands, size_t demand_count)
{
    size_t total;
    struct want *wants = collect_wants(demands, demand_count, &total);

    plan->certificates = mem_alloc(total * sizeof *plan->certificates);
    for (size_t i = 0; i < total; i++) {
        const struct want *want = &wants[i];

        if (i != 0 &&
            strcmp(wants[i - 1].certificate->fingerprint, want->certificate->fingerprint) == 0)
            continue;
        plan->certificates[plan->count++] = (struct plan_certificate){
            .certificate = want->certificate,
            .state = PLAN_MISSING,
            .name =
                mem_printf("%s%s.%lu", prefix, want->demand->application, want->demand->relation),
        };
    }
    free(wants);
}

static bool is_ours(const struct lxd_certificate *entry, const char *prefix)
{
    return strcmp(entry->type, "client") == 0 && strncmp(entry->name, prefix, strlen(prefix)) == 0;
}

void plan_make(struct plan *plan, const struct plan_self *self, const struct plan_demand *demands,
               size_t count, const struct lxd_certificates *store)
{
    char *prefix = mem_printf("juju.%.8s.%s.", self->model_uuid, self->application);

    *plan = (struct plan){0};
    plan_certificates(plan, prefix, demands, count);
    plan->removals = mem_alloc(store->count * sizeof *plan->removals);
    for (size_t i = 0; i < store->count; i++) {
        const struct lxd_certificate *entry = &store->items[i];
        struct plan_certificate *wanted = find(plan, entry->fingerprint);

        if (wanted != NULL)
            plan_settle(wanted, entry);
        else if (is_ours(entry, prefix) && strcmp(entry->fingerprint, self->fingerprint) != 0)
            plan->removals[plan->removal_count++] = entry;
    }
    free(prefix);
}

void plan_settle(struct plan_certificate *certificate, const struct lxd_certificate *entry)
{
    char *reason = NULL;

    if (strcmp(entry->type, "client") != 0)
        reason = mem_printf("LXD has it as a certificate of type %s named \"%s\"", entry->type,
                            entry->name);
    else if (entry->restricted)
        reason = mem_printf("LXD has it as \"%s\", restricted to projects", entry->name);
    if (reason != NULL)
        plan_refuse(certificate, reason);
    else
        certificate->state = PLAN_PRESENT;
    free(reason);
}

void plan_refuse(struct plan_certificate *certificate, const char *reason)
{
    certificate->state = PLAN_REFUSED;
    free(certificate->reason);
    certificate->reason = mem_string(reason);
}

const struct plan_certificate *plan_find(const struct plan *plan, const char *fingerprint)
{
    return find(plan, fingerprint);
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->certificates[i].name);
        free(plan->certificates[i].reason);
    }
    free(plan->certificates);
    free(plan->removals);
    *plan = (struct plan){0};
}
