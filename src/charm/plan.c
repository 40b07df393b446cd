/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

/* One certificate as one relation wants it. */
struct want {
    const struct wish *wish;
    const struct plan_demand *demand;
};

static int compare_wants(const void *a, const void *b)
{
    const struct want *x = a, *y = b;
    int order = strcmp(x->wish->certificate.fingerprint, y->wish->certificate.fingerprint);

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
            wants[filled++] = (struct want){&demands[i].request->wishes[j], &demands[i]};
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

/* Whoever named projects and gets less is to know. */
static void note_narrowed(struct plan *plan, const struct want *wants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct wish *wish = wants[i].wish;
        struct plan_certificate *wanted = find(plan, wish->certificate.fingerprint);

        if (wanted != NULL && wish->projects.restricted &&
            !projects_equal(&wish->projects, &wanted->projects))
            wanted->narrowed = true;
    }
}

static void refuse_disagreement(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct projects *projects = &plan->certificates[i].projects;

        if (projects->restricted && projects->names.count == 0)
            plan_refuse(&plan->certificates[i], "no project is common to all that relations ask "
                                                "for and that the option projects allows");
    }
}

static void refuse_restricted(struct plan *plan, const struct lxd_server *server)
{
    char *reason = mem_printf("LXD %s cannot restrict certificates to projects: this one would "
                              "open all of it",
                              server->version);

    for (size_t i = 0; i < plan->count && !server->restricts; i++) {
        if (plan->certificates[i].projects.restricted)
            plan_refuse(&plan->certificates[i], reason);
    }
    free(reason);
}

static void add_certificate(struct plan *plan, const char *prefix, const struct want *want,
                            const struct projects *limit)
{
    struct plan_certificate *added = &plan->certificates[plan->count++];

    *added = (struct plan_certificate){
        .certificate = &want->wish->certificate,
        .state = PLAN_MISSING,
        .name = mem_printf("%s%s.%lu", prefix, want->demand->application, want->demand->relation),
    };
    projects_copy(&added->projects, limit);
}

/* Of equal fingerprints the first is the lowest relation's: it gives the name. */
static void plan_certificates(struct plan *plan, const char *prefix, const struct projects *limit,
                              const struct plan_demand *demands, size_t demand_count)
{
    size_t total;
    struct want *wants = collect_wants(demands, demand_count, &total);

    plan->certificates = mem_alloc(total * sizeof *plan->certificates);
    for (size_t i = 0; i < total; i++) {
        const struct want *want = &wants[i];

        if (i == 0 || strcmp(wants[i - 1].wish->certificate.fingerprint,
                             want->wish->certificate.fingerprint) != 0)
            add_certificate(plan, prefix, want, limit);
        projects_narrow(&plan->certificates[plan->count - 1].projects, &want->wish->projects);
    }
    note_narrowed(plan, wants, total);
    refuse_disagreement(plan);
    free(wants);
}

static bool is_ours(const struct lxd_certificate *entry, const char *prefix)
{
    return strcmp(entry->type, "client") == 0 && strncmp(entry->name, prefix, strlen(prefix)) == 0;
}

static char *make_prefix(const struct plan_self *self)
{
    return mem_printf("juju.%.8s.%s.", self->model_uuid, self->application);
}

/* What follows the prefix in a name of ours is "<remote application>.<relation>". */
bool plan_owns(const struct plan_self *self, const struct lxd_certificate *entry,
               char **application, unsigned long *relation)
{
    char *prefix = make_prefix(self);
    bool ours = is_ours(entry, prefix);

    if (ours && application != NULL) {
        const char *rest = entry->name + strlen(prefix);
        const char *dot = strrchr(rest, '.');

        *application = mem_string_n(rest, dot != NULL ? (size_t)(dot - rest) : strlen(rest));
        *relation = dot != NULL ? strtoul(dot + 1, NULL, 10) : 0;
    }
    free(prefix);
    return ours;
}

/* Our own certificate must stay as it is, also where it has a name of ours. */
static void settle_known(struct plan_certificate *wanted, const struct lxd_certificate *entry,
                         const struct plan_self *self)
{
    plan_settle(wanted, entry);
    if (wanted->state == PLAN_CHANGED && strcmp(entry->fingerprint, self->fingerprint) == 0)
        plan_refuse(wanted, "it is the integrator's own certificate, which cannot be restricted");
}

void plan_make(struct plan *plan, const struct plan_self *self, const struct plan_demand *demands,
               size_t count, const struct lxd_server *server, const struct lxd_certificates *store)
{
    char *prefix = make_prefix(self);

    *plan = (struct plan){0};
    plan_certificates(plan, prefix, &self->projects, demands, count);
    refuse_restricted(plan, server);
    plan->removals = mem_alloc(store->count * sizeof *plan->removals);
    for (size_t i = 0; i < store->count; i++) {
        const struct lxd_certificate *entry = &store->items[i];
        struct plan_certificate *wanted = find(plan, entry->fingerprint);

        if (wanted != NULL && wanted->state != PLAN_REFUSED)
            settle_known(wanted, entry, self);
        else if (is_ours(entry, prefix) && strcmp(entry->fingerprint, self->fingerprint) != 0)
            plan->removals[plan->removal_count++] = entry;
    }
    free(prefix);
}

/* Ours begin alike, up to the third dot. */
static bool is_of_same_owner(const char *name, const char *other)
{
    size_t length = 0;

    for (int dots = 0; dots < 3 && name[length] != '\0'; length++)
        dots += name[length] == '.';
    return strncmp(name, other, length) == 0;
}

static void settle_client(struct plan_certificate *certificate, const struct lxd_certificate *entry)
{
    const struct projects *has = &entry->projects;
    bool ours = is_of_same_owner(certificate->name, entry->name);
    bool open = !ours && !has->restricted; /* by somebody else's decision */

    if (open || projects_equal(has, &certificate->projects)) {
        certificate->state = PLAN_PRESENT;
    } else if (ours) {
        certificate->state = PLAN_CHANGED;
    } else {
        char *projects = projects_describe(has);
        char *reason = mem_printf("LXD has it as \"%s\", restricted to %s", entry->name, projects);

        plan_refuse(certificate, reason);
        free(projects);
        free(reason);
    }
}

void plan_settle(struct plan_certificate *certificate, const struct lxd_certificate *entry)
{
    if (strcmp(entry->type, "client") == 0) {
        settle_client(certificate, entry);
        return;
    }
    char *reason =
        mem_printf("LXD has it as a certificate of type %s named \"%s\"", entry->type, entry->name);
    plan_refuse(certificate, reason);
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
        projects_free(&plan->certificates[i].projects);
    }
    free(plan->certificates);
    free(plan->removals);
    *plan = (struct plan){0};
}
