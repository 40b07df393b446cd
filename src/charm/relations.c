/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/relations.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "juju/hook_tools.h"

static const char *const endpoints[] = {"api", "https"};

/* What reading takes. */
struct reader {
    const struct juju_transport *juju;
    const struct event *event;
    struct goal *goal;
    struct leadership *leadership;
    struct strings *unreadable, *gone; /* a line each for the log */
};

static void note_unreadable(const struct reader *reader, const struct relation *relation,
                            const char *reason)
{
    strings_take(reader->unreadable,
                 mem_printf("relation %s is left as it is: %s", relation->id, reason));
}

/* ---- lists ---- */

static unsigned long number_behind(const char *text, char mark)
{
    const char *found = strrchr(text, mark);

    return strtoul(found != NULL ? found + 1 : text, NULL, 10);
}

static int compare_units(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    unsigned long i = number_behind(*x, '/'), j = number_behind(*y, '/');

    return (i > j) - (i < j);
}

/* Who is in it, and with whom: a unit's name tells its application's. */
static int read_lists(struct relation *relation, struct strings *units, const struct reader *reader,
                      struct error *error)
{
    const struct event *event = reader->event;

    if (relation->state == RELATION_ENDING) {
        relation->application = mem_string(event->remote_application);
        return 0;
    }
    if (juju_relation_units(reader->juju, relation->id, units, error) != 0)
        return -1;
    if (units->count == 0)
        return juju_relation_application(reader->juju, relation->id, &relation->application, error);
    qsort(units->items, units->count, sizeof *units->items, compare_units);
    relation->application = mem_string_n(units->items[0], strcspn(units->items[0], "/"));
    return 0;
}

static struct relation *add(struct relations *relations, const char *id, bool https)
{
    relations->items = mem_grow(relations->items, relations->count, sizeof *relations->items);
    struct relation *relation = &relations->items[relations->count++];

    *relation =
        (struct relation){.id = mem_string(id), .number = number_behind(id, ':'), .https = https};
    return relation;
}

/* Jujus list a relation that ends, or do not. */
static int read_ids(struct relations *relations, const struct reader *reader, struct error *error)
{
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        size_t length = strlen(endpoints[i]);
        const char *ending = reader->event->relation_id;
        struct strings ids = {0};

        if (juju_relation_ids(reader->juju, endpoints[i], &ids, error) != 0)
            return -1;
        for (size_t j = 0; j < ids.count; j++) {
            if (!event_breaks(reader->event, ids.items[j]))
                add(relations, ids.items[j], i != 0);
        }
        if (reader->event->kind == EVENT_RELATION_BROKEN &&
            strncmp(ending, endpoints[i], length) == 0 && ending[length] == ':')
            add(relations, ending, i != 0)->state = RELATION_ENDING;
        strings_free(&ids);
    }
    return 0;
}

static int compare_relations(const void *a, const void *b)
{
    const struct relation *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

/* ---- the table ---- */

static bool is_replaced(const struct relations *relations, size_t i)
{
    const struct relation *lower = &relations->items[i];

    for (size_t j = i + 1; j < relations->count && lower->application != NULL; j++) {
        const struct relation *higher = &relations->items[j];

        if (higher->https == lower->https && higher->application != NULL &&
            strcmp(higher->application, lower->application) == 0)
            return true;
    }
    return false;
}

/* Our own databag decides, where the lists could be read. `denied` is set for those of which it is
 * refused. */
static void read_own(struct relation *relation, bool *denied, const struct reader *reader)
{
    bool decides = relation->state != RELATION_ENDING && relation->application != NULL;
    enum juju_refusal refusal;
    struct error error;

    if (juju_relation_get(reader->juju, relation->id, reader->event->unit, JUJU_UNIT,
                          &relation->published, &refusal, &error) == 0) {
        if (decides)
            relation->state = RELATION_LIVING;
        return;
    }
    *denied = refusal == JUJU_REFUSAL_DENIED;
    if (!*denied && decides)
        note_unreadable(reader, relation, error.text);
}

/* Is the refusal about the relation? What we may read otherwise tells. */
static bool proves_gone(const struct relations *relations, const struct reader *reader)
{
    if (goal_names_our(reader->goal, reader->event->unit))
        return true;
    for (size_t i = 0; i < relations->count && relations->everything; i++) {
        if (relations->items[i].state == RELATION_LIVING)
            return true;
    }
    return false;
}

/* Which state is each in? Those that are remembered as gone are not read at all. */
static void judge(struct relations *relations, const struct reader *reader)
{
    bool *denied = mem_alloc(relations->count * sizeof *denied);
    struct numbers known = {0}, gone = {0}, listed = {0};

    goal_recall_gone(reader->goal, &known);
    for (size_t i = 0; i < relations->count; i++) {
        struct relation *relation = &relations->items[i];

        if (is_replaced(relations, i))
            relation->state = RELATION_REPLACED;
        else if (numbers_contain(&known, relation->number))
            relation->state = RELATION_GONE;
        else
            read_own(relation, &denied[i], reader);
    }
    bool proved = proves_gone(relations, reader);
    for (size_t i = 0; i < relations->count; i++) {
        struct relation *relation = &relations->items[i];

        if (denied[i] && proved)
            relation->state = RELATION_GONE;
        else if (denied[i])
            note_unreadable(reader, relation,
                            "Juju denies our own databag, and does not say whether it is gone");
        numbers_add(&listed, relation->number);
        if (relation->state != RELATION_GONE && relation->state != RELATION_REPLACED)
            continue;
        if (!numbers_contain(&known, relation->number) && relation->state == RELATION_GONE)
            strings_take(reader->gone,
                         mem_printf("relation %s is gone: it was removed by force", relation->id));
        numbers_add(&gone, relation->number);
    }
    goal_keep_relations(reader->goal, &gone, &listed);
    free(denied);
    free(known.items);
    free(gone.items);
    free(listed.items);
}

/* ---- members ---- */

/* The databag of one member; 1: Juju has no such unit. */
static int read_member(struct member *member, const struct relation *relation, const char *name,
                       enum juju_member kind, const struct reader *reader, struct error *error)
{
    enum juju_refusal refusal;
    bool is_application = kind == JUJU_APPLICATION;
    cJSON *settings;

    if (juju_relation_get(reader->juju, relation->id, name, kind, &settings, &refusal, error) ==
        0) {
        member_read(member, name, is_application, settings,
                    relation->https ? DATABAG_HTTPS : DATABAG_LXD);
        cJSON_Delete(settings);
        return 0;
    }
    if (refusal == JUJU_REFUSAL_NO_UNIT)
        return 1;
    if (error->kind != ERROR_INPUT)
        return -1;
    member_refuse(member, name, is_application, error->text);
    return 0;
}

/* Which certificates a member asks for, as far as that can be read. */
static void note_entries(struct strings *fingerprints, const struct relation *relation,
                         const char *name, enum juju_member kind, const struct reader *reader)
{
    struct member member = {0};
    struct error ignored;

    if (read_member(&member, relation, name, kind, reader, &ignored) == 0) {
        for (size_t i = 0; i < member.count; i++) {
            if (member.entries[i].reason == NULL)
                strings_add(fingerprints, member.entries[i].certificate.fingerprint);
        }
    }
    member_free(&member);
}

/* What one who leaves, or has left, asked for is over. */
static void note_ended(struct relation *relation, const char *unit, const struct reader *reader)
{
    note_entries(&relation->ended, relation, unit, JUJU_UNIT, reader);
}

/* Of an unknown relation all counts that can be read: it is left as it is. */
static void note_kept(struct relation *relation, const struct strings *units,
                      const struct reader *reader)
{
    for (size_t i = 0; i < units->count; i++)
        note_entries(&relation->held, relation, units->items[i], JUJU_UNIT, reader);
    if (relation->application != NULL)
        note_entries(&relation->held, relation, relation->application, JUJU_APPLICATION, reader);
}

/* Who leaves this relation with this event, or "". */
static const char *leaving(const struct relation *relation, const struct reader *reader)
{
    const char *unit = reader->event->remote_unit;

    return event_departs(reader->event, relation->id, unit) ? unit : "";
}

static int read_members(struct relation *relation, const struct strings *units,
                        const struct reader *reader, struct error *error)
{
    const char *departing = leaving(relation, reader);
    struct strings left = {0};
    int result = 0;

    if (goal_find_left(reader->goal, relation->number, units, &left, error) != 0)
        return -1;
    relation->members = mem_alloc((units->count + 1) * sizeof *relation->members);
    for (size_t i = 0; i <= units->count && result >= 0; i++) {
        bool unit = i < units->count;
        const char *name = unit ? units->items[i] : relation->application;

        if (unit && strcmp(name, departing) == 0)
            continue;
        if (unit && strings_contain(&left, name)) {
            note_ended(relation, name, reader);
            continue;
        }
        result = read_member(&relation->members[relation->member_count], relation, name,
                             unit ? JUJU_UNIT : JUJU_APPLICATION, reader, error);
        relation->member_count += result == 0;
    }
    if (*departing != '\0')
        note_ended(relation, departing, reader);
    strings_free(&left);
    return result < 0 ? -1 : 0;
}

/* ---- our own databags ---- */

static void note_held(struct relation *relation)
{
    struct nodes nodes = {0};

    nodes_read(&nodes, relation->published);
    nodes_read(&nodes, relation->application_published);
    for (size_t i = 0; i < nodes.count; i++)
        node_fingerprints(nodes.items[i], &relation->held);
    nodes_free(&nodes);
}

/* Only the leader may read our application's. */
static int read_application_published(struct relation *relation, const struct reader *reader,
                                      struct error *error)
{
    enum juju_refusal ignored;

    if (!relation->https || !leadership_held(reader->leadership))
        return 0;
    return juju_relation_get(reader->juju, relation->id, reader->event->application,
                             JUJU_APPLICATION, &relation->application_published, &ignored, error);
}

static void read_databags(struct relation *relation, const struct strings *units,
                          const struct relations *relations, const struct reader *reader)
{
    struct strings left = {0};
    struct error error;

    if (relation->state == RELATION_UNKNOWN && relation->application != NULL) {
        /* Whom goal-state has shown is known once it can be read again. */
        goal_find_left(reader->goal, relation->number, units, &left, &error);
        strings_free(&left);
    }
    if (relation->state == RELATION_REPLACED || relation->state == RELATION_GONE)
        return;
    if (relation->state == RELATION_LIVING) {
        relation->complete =
            relations->everything ||
            goal_is_complete(reader->goal, relation->application, units, leaving(relation, reader));
        if (read_application_published(relation, reader, &error) != 0 ||
            read_members(relation, units, reader, &error) != 0) {
            relation->state = RELATION_UNKNOWN;
            note_unreadable(reader, relation, error.text);
        }
    } else if (read_application_published(relation, reader, &error) != 0) {
        relation->application_published = NULL;
    }
    note_held(relation);
    if (relation->state == RELATION_UNKNOWN)
        note_kept(relation, units, reader);
    strings_sort(&relation->held);
    strings_sort(&relation->ended);
}

int relations_read(struct relations *relations, const struct juju_transport *juju,
                   const struct event *event, struct goal *goal, struct leadership *leadership,
                   struct error *error)
{
    struct strings unreadable = {0}, gone = {0};
    const struct reader reader = {juju, event, goal, leadership, &unreadable, &gone};

    relations->everything = event->kind == EVENT_UPDATE_STATUS;
    if (read_ids(relations, &reader, error) != 0)
        return -1;
    if (relations->count == 0)
        return 0;
    qsort(relations->items, relations->count, sizeof *relations->items, compare_relations);
    struct strings *units = mem_alloc(relations->count * sizeof *units);
    for (size_t i = 0; i < relations->count; i++) {
        struct error trouble;

        if (read_lists(&relations->items[i], &units[i], &reader, &trouble) != 0)
            note_unreadable(&reader, &relations->items[i], trouble.text);
    }
    judge(relations, &reader);
    for (size_t i = 0; i < relations->count; i++) {
        read_databags(&relations->items[i], &units[i], relations, &reader);
        strings_free(&units[i]);
    }
    juju_log_lines(juju, JUJU_LOG_INFO, &gone, "relations are gone");
    juju_log_lines(juju, JUJU_LOG_WARNING, &unreadable, "relations are left as they are");
    strings_free(&unreadable);
    strings_free(&gone);
    free(units);
    return 0;
}

/* ---- what is known ---- */

bool relations_are_complete(const struct relations *relations)
{
    for (size_t i = 0; i < relations->count && !relations->everything; i++) {
        const struct relation *relation = &relations->items[i];

        if (relation->state == RELATION_UNKNOWN ||
            (relation->state == RELATION_LIVING && !relation->complete))
            return false;
    }
    return true;
}

/* Does this relation being what it is end what asked for the entry? */
static bool ends(const struct relation *relation, bool bears, const char *fingerprint)
{
    if (relation->state == RELATION_LIVING)
        return (bears && relation->complete) || strings_find(&relation->held, fingerprint) ||
               strings_find(&relation->ended, fingerprint);
    return bears || strings_find(&relation->held, fingerprint);
}

enum relations_claim relations_claim(const struct relations *relations, unsigned long number,
                                     const char *fingerprint)
{
    bool over = relations->everything;

    for (size_t i = 0; i < relations->count; i++) {
        const struct relation *relation = &relations->items[i];
        bool bears = relation->number == number;

        if (relation->state != RELATION_UNKNOWN)
            over = over || ends(relation, bears, fingerprint);
        else if (bears || strings_find(&relation->held, fingerprint))
            return CLAIM_UNKNOWN;
    }
    return over ? CLAIM_OVER : CLAIM_PERHAPS;
}

const struct relation *relations_find(const struct relations *relations, unsigned long number)
{
    for (size_t i = 0; i < relations->count; i++) {
        if (relations->items[i].number == number)
            return &relations->items[i];
    }
    return NULL;
}

char *relation_describe(const struct relation *relation)
{
    if (relation->application == NULL)
        return mem_string(relation->id);
    return mem_printf("%s (%s)", relation->application, relation->id);
}

void relations_known_nodes(const struct relations *relations, struct nodes *known)
{
    for (size_t i = 0; i < relations->count; i++) {
        nodes_read(known, relations->items[i].published);
        nodes_read(known, relations->items[i].application_published);
    }
}

void relations_free(struct relations *relations)
{
    for (size_t i = 0; i < relations->count; i++) {
        struct relation *relation = &relations->items[i];

        for (size_t j = 0; j < relation->member_count; j++)
            member_free(&relation->members[j]);
        free(relation->members);
        strings_free(&relation->ended);
        strings_free(&relation->held);
        free(relation->id);
        free(relation->application);
        cJSON_Delete(relation->published);
        cJSON_Delete(relation->application_published);
    }
    free(relations->items);
    *relations = (struct relations){0};
}
