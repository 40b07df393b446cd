/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "charm/plan.h"
#include "world.h"

#define OURS WORLD_PREFIX "client.5"
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- every combination, judged by sets ---- */

/*
 * What a certificate opens is a set here: of the projects a and b, of one that LXD does not have,
 * and of all the rest of LXD. All of LXD is the whole set.
 */
enum { A = 1, B = 2, GONE = 4, REST = 8, ALL = 15, NOTHING = 0, NO_WISH = -1 };

static const char *text_of(int set)
{
    static const char *const texts[] = {NULL,   "a",      "b",      "a,b",
                                        "gone", "a,gone", "b,gone", "a,b,gone"};

    return set == ALL ? "" : texts[set];
}

static int set_of(const struct projects *projects)
{
    static const char *const names[] = {"a", "b", "gone"};
    int set = NOTHING;

    if (!projects->restricted)
        return ALL;
    for (size_t i = 0; i < COUNT(names); i++)
        set |= strings_contain(&projects->names, names[i]) ? 1 << i : 0;
    return set;
}

enum kind { ABSENT, IS_OURS, FOREIGN, SERVER_OF_OUR_NAME };

/* What is known of relation 5, for which an entry of ours was made. */
enum known {
    COMPLETE,
    UNSEEN,
    UNSEEN_BUT_HELD,
    UNSEEN_BUT_ENDED,
    UNKNOWN,
    GONE_FOR_GOOD,
    ENDING,
    REPLACED,
    NOT_LISTED,
    KNOWN_COUNT
};

/* One situation. */
struct situation {
    enum kind kind;
    int entry;         /* what it opens */
    bool own;          /* it is the certificate that we log in with */
    int first, second; /* wishes of relations 5 and 6; NO_WISH */
    int limit;
    enum known known;
    bool second_unseen; /* relation 6 may have members that we have not seen */
    bool everything, may_take, all_over;
    bool sees_projects, restricts;
};

/* Section 3: what a wish opens is in it, in the limit, and in LXD. */
static int effect_of(const struct situation *s, int wish)
{
    int effect = wish == NO_WISH ? NOTHING : wish & s->limit;

    if (effect != ALL && s->sees_projects)
        effect &= ~GONE;
    return effect != ALL && !s->restricts ? NOTHING : effect;
}

static bool asks(const struct situation *s)
{
    return !s->all_over && (s->first != NO_WISH || s->second != NO_WISH);
}

/* A certificate opens what all its wishes open together. */
static int wanted(const struct situation *s)
{
    return s->all_over ? NOTHING : effect_of(s, s->first) | effect_of(s, s->second);
}

/* May an entry that somebody wishes be cut to its wishes? Only if all of them have been seen. */
static bool may_cut(const struct situation *s)
{
    if (!s->may_take || s->known == UNKNOWN)
        return false;
    if (s->everything)
        return true;
    return !s->second_unseen && s->known != UNSEEN && s->known != UNSEEN_BUT_HELD &&
           s->known != UNSEEN_BUT_ENDED && s->known != NOT_LISTED;
}

/* Is what nobody wishes known to be over? */
static bool is_over(const struct situation *s)
{
    if (s->all_over)
        return true;
    if (s->known == UNKNOWN)
        return false;
    return s->everything || (s->known != UNSEEN && s->known != NOT_LISTED);
}

/* What LXD's entry is to open in the end; *gone: it is not to be there. */
static int outcome_of(const struct situation *s, bool *gone)
{
    bool ours = s->kind == IS_OURS && !s->own;
    bool exactly = asks(s) ? may_cut(s) : s->may_take && is_over(s);
    int target = wanted(s), rest = s->entry;

    *gone = false;
    if (s->kind == ABSENT) {
        *gone = target == NOTHING || s->own;
        return target;
    }
    if (!ours)
        return s->entry;
    if (exactly) {
        *gone = target == NOTHING;
        return target;
    }
    if (s->may_take) {
        rest &= s->limit;
        if (rest != ALL && s->sees_projects)
            rest &= ~GONE;
    }
    target |= rest;
    /* What this LXD could not hold, and what opens nothing any more, has no entry. */
    *gone = target != s->entry && (target == NOTHING || (target != ALL && !s->restricts));
    return target;
}

static struct relation *relate(struct world *world, const struct situation *s, unsigned number)
{
    static const enum relation_state states[KNOWN_COUNT] = {
        [UNSEEN] = RELATION_LIVING,           [UNSEEN_BUT_HELD] = RELATION_LIVING,
        [UNSEEN_BUT_ENDED] = RELATION_LIVING, [COMPLETE] = RELATION_LIVING,
        [UNKNOWN] = RELATION_UNKNOWN,         [GONE_FOR_GOOD] = RELATION_GONE,
        [ENDING] = RELATION_ENDING,           [REPLACED] = RELATION_REPLACED,
    };
    struct relation *relation = world_relate(world, 5, "client");
    char fingerprint[65];

    world_fingerprint(fingerprint, number);
    relation->state = states[s->known];
    relation->complete = s->known == COMPLETE || s->everything;
    if (s->known == UNSEEN_BUT_HELD)
        strings_add(&relation->held, fingerprint);
    if (s->known == UNSEEN_BUT_ENDED)
        strings_add(&relation->ended, fingerprint);
    return relation;
}

static void ask(struct relation *relation, int wish, unsigned number)
{
    if (wish == NO_WISH)
        return;
    struct member *member = world_join(relation, "client/0");

    world_ask(member, number);
    if (wish != ALL)
        world_name_projects(member, text_of(wish));
}

static void build(struct world *world, struct store *store, const struct situation *s)
{
    unsigned number = s->own ? WORLD_OWN : 1;

    world_open(world);
    if (s->known != NOT_LISTED)
        ask(relate(world, s, number), s->first, number);
    struct relation *second = world_relate(world, 6, "other");
    second->complete = !s->second_unseen || s->everything;
    ask(second, s->second, number);
    world->relations.everything = s->everything;
    world->terms.may_take = s->may_take;
    world->terms.all_over = s->all_over;
    if (s->limit != ALL)
        projects_parse(&world->terms.limit, text_of(s->limit));
    if (!s->all_over)
        world_collect(world);
    if (s->kind != ABSENT)
        world_store(store, number, s->kind == FOREIGN ? "bob" : OURS,
                    s->kind == SERVER_OF_OUR_NAME ? "server" : "client", text_of(s->entry));
}

/* Do to the store what the plan says. */
static void carry_out(struct plan *plan, struct store *store)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        struct lxd_certificate entry = {.name = step->name,
                                        .type = (char[]){"client"},
                                        .pem = (char[]){""},
                                        .projects = step->projects};

        memcpy(entry.fingerprint, step->fingerprint, sizeof entry.fingerprint);
        if (step->kind == STEP_REMOVE)
            store_remove(store, step->fingerprint);
        else
            store_put(store, &entry);
        plan->steps[i].outcome = STEP_DONE;
    }
}

/* How the step is called that leads from the one to the other. */
static void check_step(const struct situation *s, const struct plan *plan, int target, bool gone)
{
    assert_true(plan->count <= 1);
    if (plan->count == 0)
        return;
    switch (plan->steps[0].kind) {
    case STEP_ADD:
        assert_int_equal(s->kind, ABSENT);
        break;
    case STEP_REMOVE:
        assert_true(gone);
        break;
    case STEP_NARROW:
        assert_int_not_equal(s->entry & ~target, 0);
        break;
    default:
        assert_int_equal(plan->steps[0].kind, STEP_WIDEN);
        assert_int_equal(s->entry & ~target, 0);
        assert_int_not_equal(target & ~s->entry, 0);
    }
}

/* Each wish is judged by what is in the store now, whatever was planned. */
static void check_verdict(const struct situation *s, int wish, const struct judgement *judgement,
                          const struct lxd_certificate *entry)
{
    int effect = effect_of(s, wish), lacking = wish & ~effect;
    enum verdict expected = VERDICT_PENDING;
    bool ours = s->kind == IS_OURS && !s->own;
    bool foreign = entry != NULL && (s->kind == FOREIGN || s->own);

    /* LXD lets it in to all that it asks for. */
    if (entry != NULL && strcmp(entry->type, "client") == 0 &&
        (wish & ~set_of(&entry->projects)) == 0) {
        expected = VERDICT_TRUSTED;
        lacking = NOTHING;
    } else if (effect == NOTHING)
        expected = VERDICT_REJECTED;
    else if (entry == NULL)
        expected = s->own ? VERDICT_REJECTED : VERDICT_PENDING;
    else if (strcmp(entry->type, "client") != 0)
        expected = VERDICT_REJECTED;
    else if ((effect & ~set_of(&entry->projects)) == 0)
        expected = VERDICT_TRUSTED;
    else if (!ours && s->kind != ABSENT)
        expected = VERDICT_REJECTED;
    assert_int_equal(judgement->verdict, expected);
    if (expected == VERDICT_REJECTED)
        assert_non_null(judgement->reason);
    if (expected == VERDICT_TRUSTED && wish != ALL)
        assert_int_equal(judgement->reason != NULL, lacking != NOTHING);
    assert_int_equal(judgement->beyond, foreign && strcmp(entry->type, "client") == 0 &&
                                            (set_of(&entry->projects) & ~s->limit) != NOTHING);
}

static void check_verdicts(const struct situation *s, const struct world *world,
                           const struct plan *plan, const struct surroundings *surroundings,
                           const struct store *store)
{
    struct judgement *judgements = plan_judge(plan, &world->terms, surroundings, store);
    char fingerprint[65];

    world_fingerprint(fingerprint, s->own ? WORLD_OWN : 1);
    for (size_t i = 0; i < world->wishes.count; i++) {
        bool first = world->wishes.items[i].relation->number == 5;

        check_verdict(s, first ? s->first : s->second, &judgements[i],
                      store_find(store, fingerprint));
    }
    judgements_free(judgements, world->wishes.count);
}

/* For the log of a test that fails. */
static void show(const struct situation *s, int target, bool gone)
{
    print_message(
        "kind %d, opens %d, own %d, asked %d and %d, limit %d, relation 5 is %d, 6 unseen "
        "%d, everything %d, may take %d, all over %d, sees projects %d, restricts %d: "
        "to open %d, gone %d\n",
        (int)s->kind, s->entry, s->own, s->first, s->second, s->limit, (int)s->known,
        s->second_unseen, s->everything, s->may_take, s->all_over, s->sees_projects, s->restricts,
        target, gone);
}

static void check(const struct situation *s)
{
    struct strings projects = {0};
    struct store store = {0};
    struct world world;
    struct plan plan, again;
    char fingerprint[65];
    bool gone;
    int target = outcome_of(s, &gone);

    build(&world, &store, s);
    strings_add(&projects, "a");
    strings_add(&projects, "b");
    const struct surroundings surroundings = {.version = "6.6",
                                              .restricts = s->restricts,
                                              .projects = s->sees_projects ? &projects : NULL};
    plan_make(&plan, &world.terms, &surroundings, &store);
    check_step(s, &plan, target, gone);
    check_verdicts(s, &world, &plan, &surroundings, &store);
    carry_out(&plan, &store);
    world_fingerprint(fingerprint, s->own ? WORLD_OWN : 1);
    const struct lxd_certificate *entry = store_find(&store, fingerprint);
    if ((entry == NULL) != gone || (entry != NULL && set_of(&entry->projects) != target))
        show(s, target, gone);
    assert_int_equal(entry == NULL, gone);
    if (entry != NULL)
        assert_int_equal(set_of(&entry->projects), target);
    if (s->kind == ABSENT && entry != NULL)
        assert_string_equal(entry->name, s->first != NO_WISH ? OURS ".000000000001"
                                                             : WORLD_PREFIX "other.6.000000000001");
    check_verdicts(s, &world, &plan, &surroundings, &store);
    plan_make(&again, &world.terms, &surroundings, &store); /* and that is all */
    assert_int_equal(again.count, 0);
    plan_free(&again);
    plan_free(&plan);
    store_free(&store);
    strings_free(&projects);
    world_close(&world);
}

static const struct {
    enum kind kind;
    int entry;
    bool own;
} entries[] = {
    {ABSENT, NOTHING, false}, {IS_OURS, ALL, false},   {IS_OURS, A, false},
    {IS_OURS, B, false},      {IS_OURS, A | B, false}, {IS_OURS, NOTHING, false},
    {FOREIGN, ALL, false},    {FOREIGN, A, false},     {SERVER_OF_OUR_NAME, ALL, false},
    {ABSENT, NOTHING, true},  {IS_OURS, ALL, true},    {FOREIGN, ALL, true},
};
static const int firsts[] = {NO_WISH, ALL, A | B, A | GONE};
static const int seconds[] = {NO_WISH, ALL, B};
static const int limits[] = {ALL, A, B | GONE};

static void check_all(enum known known, bool restricts)
{
    for (size_t i = 0; i < COUNT(entries) * COUNT(firsts) * COUNT(seconds) * COUNT(limits); i++) {
        size_t j = i / COUNT(entries), k = j / COUNT(firsts), l = k / COUNT(seconds);
        struct situation s = {.kind = entries[i % COUNT(entries)].kind,
                              .entry = entries[i % COUNT(entries)].entry,
                              .own = entries[i % COUNT(entries)].own,
                              .first = firsts[j % COUNT(firsts)],
                              .second = seconds[k % COUNT(seconds)],
                              .limit = limits[l],
                              .known = known,
                              .restricts = restricts};

        if (known != COMPLETE && known > UNSEEN_BUT_ENDED && s.first != NO_WISH)
            continue; /* nothing is read of such a relation */
        for (unsigned flags = 0; flags < 32; flags++) {
            s.second_unseen = (flags & 1) != 0;
            s.everything = (flags & 2) != 0;
            s.may_take = (flags & 4) != 0;
            s.sees_projects = (flags & 8) != 0;
            s.all_over = s.may_take && (flags & 16) != 0;
            if ((flags & 16) != 0 && !s.all_over)
                continue;
            check(&s);
        }
    }
}

static void test_complete_relation(void **state)
{
    (void)state;
    check_all(COMPLETE, true);
}

static void test_relation_not_seen_to_its_end(void **state)
{
    (void)state;
    check_all(UNSEEN, true);
    check_all(UNSEEN_BUT_HELD, true);
    check_all(UNSEEN_BUT_ENDED, true);
}

static void test_relation_that_is_none(void **state)
{
    (void)state;
    check_all(UNKNOWN, true);
    check_all(GONE_FOR_GOOD, true);
    check_all(ENDING, true);
    check_all(REPLACED, true);
    check_all(NOT_LISTED, true);
}

/* LXD 4.0 takes restrictions, and does not keep them. */
static void test_lxd_that_cannot_restrict(void **state)
{
    (void)state;
    check_all(COMPLETE, false);
    check_all(UNSEEN, false);
    check_all(NOT_LISTED, false);
}

/* ---- names, order, sentences ---- */

static void plan_for(struct plan *plan, struct world *world, const struct store *store)
{
    const struct surroundings surroundings = {.version = "6.6", .restricts = true};

    world_collect(world);
    plan_make(plan, &world->terms, &surroundings, store);
}

/* Numbers, not text: api:9 comes before api:10. */
static void test_lowest_relation_names(void **state)
{
    struct world world;
    struct store store = {0};
    struct plan plan;

    (void)state;
    world_open(&world);
    world_ask(world_join(world_relate(&world, 9, "early"), "early/0"), 1);
    struct member *late = world_join(world_relate(&world, 10, "late"), "late/0");
    world_ask(late, 1);
    world_ask(late, 2);
    plan_for(&plan, &world, &store);
    assert_int_equal(plan.count, 2);
    assert_string_equal(plan.steps[0].name, WORLD_PREFIX "early.9.000000000001");
    assert_string_equal(plan.steps[1].name, WORLD_PREFIX "late.10.000000000002");
    assert_int_equal(plan_due(&plan), 2);
    plan_free(&plan);
    world_close(&world);
}

static void test_what_takes_away_comes_first(void **state)
{
    static const enum step_kind kinds[] = {STEP_REMOVE, STEP_REMOVE, STEP_NARROW, STEP_WIDEN,
                                           STEP_ADD};
    struct world world;
    struct store store = {0};
    struct plan plan;

    (void)state;
    world_open(&world);
    struct relation *relation = world_relate(&world, 5, "client");
    struct member *all = world_join(relation, "client/0"), *some = world_join(relation, "client/1");
    world_ask(all, 1);
    world_ask(all, 2);
    world_ask(some, 3);
    world_name_projects(some, "a");
    world_store(&store, 2, OURS, "client", "a");
    world_store(&store, 3, OURS, "client", "");
    world_store(&store, 7, OURS, "client", "");
    world_store(&store, 4, OURS, "client", "a");
    plan_for(&plan, &world, &store);
    assert_int_equal(plan.count, COUNT(kinds));
    for (size_t i = 0; i < COUNT(kinds); i++)
        assert_int_equal(plan.steps[i].kind, kinds[i]);
    assert_true(strcmp(plan.steps[0].fingerprint, plan.steps[1].fingerprint) < 0);
    plan_free(&plan);
    store_free(&store);
    world_close(&world);
}

/* A name of the first edition stays as it is. */
static void test_old_name_stays(void **state)
{
    struct world world;
    struct store store = {0};
    struct plan plan;

    (void)state;
    world_open(&world);
    world_ask(world_join(world_relate(&world, 5, "client"), "client/0"), 1);
    world_store(&store, 1, OURS, "client", "");
    plan_for(&plan, &world, &store);
    assert_int_equal(plan.count, 0);
    plan_free(&plan);
    store_free(&store);
    world_close(&world);
}

static void test_missing_projects(void **state)
{
    struct strings projects = {0};
    struct surroundings surroundings = {.version = "6.6", .restricts = true, .projects = &projects};
    struct world world;
    struct store store = {0};
    struct plan plan;

    (void)state;
    strings_add(&projects, "blue");
    world_open(&world);
    struct relation *relation = world_relate(&world, 5, "client");
    for (unsigned i = 1; i < 3; i++) {
        struct member *member = world_join(relation, i == 1 ? "client/0" : "client/1");

        world_ask(member, i);
        world_name_projects(member, "blue,gren");
    }
    projects_parse(&world.terms.limit, "blue,gren,red");
    world_collect(&world);
    plan_make(&plan, &world.terms, &surroundings, &store);
    assert_int_equal(plan.missing.count, 2);
    assert_string_equal(plan.missing.items[0], "gren");
    assert_string_equal(plan.missing.items[1], "red");
    plan_free(&plan);
    surroundings.projects = NULL; /* where we do not see all of them none counts as missing */
    plan_make(&plan, &world.terms, &surroundings, &store);
    assert_int_equal(plan.missing.count, 0);
    plan_free(&plan);
    strings_free(&projects);
    world_close(&world);
}

/* The reason of the only wish. */
static void assert_reason(struct world *world, const struct store *store, struct plan *plan,
                          const struct surroundings *surroundings, enum verdict verdict,
                          const char *reason)
{
    struct judgement *judgements = plan_judge(plan, &world->terms, surroundings, store);

    assert_int_equal(judgements[0].verdict, verdict);
    if (reason != NULL)
        assert_string_equal(judgements[0].reason, reason);
    else
        assert_null(judgements[0].reason);
    judgements_free(judgements, world->wishes.count);
}

/* What is said of a wish for these projects, with this limit and this entry. */
static void assert_said(const char *projects, const char *limit, const char *name, const char *type,
                        const char *opens, enum verdict verdict, const char *reason)
{
    struct strings known = {0};
    const struct surroundings surroundings = {
        .version = "6.6", .restricts = true, .projects = &known};
    struct world world;
    struct store store = {0};
    struct plan plan;

    strings_add(&known, "blue");
    strings_add(&known, "red");
    world_open(&world);
    struct member *member = world_join(world_relate(&world, 5, "client"), "client/0");
    world_ask(member, 1);
    if (projects != NULL)
        world_name_projects(member, projects);
    projects_parse(&world.terms.limit, limit);
    if (name != NULL)
        world_store(&store, 1, name, type, opens);
    world_collect(&world);
    plan_make(&plan, &world.terms, &surroundings, &store);
    assert_reason(&world, &store, &plan, &surroundings, verdict, reason);
    plan_free(&plan);
    store_free(&store);
    strings_free(&known);
    world_close(&world);
}

#define EXCLUDES "the integrator's option projects excludes "

static void test_reasons(void **state)
{
    (void)state;
    assert_said(NULL, "", OURS, "client", "", VERDICT_TRUSTED, NULL);
    assert_said(NULL, "", "node-1", "server", "", VERDICT_REJECTED,
                "LXD has it as a certificate of type server, named \"node-1\"");
    assert_said(NULL, "", "bob", "client", NULL, VERDICT_REJECTED,
                "LXD has it as \"bob\", which opens no project");
    assert_said("red,blue", "", "bob", "client", "blue", VERDICT_REJECTED,
                "LXD has it as \"bob\", which opens project blue");
    assert_said("gren", "", OURS, "client", "blue", VERDICT_REJECTED,
                "no such project in LXD: \"gren\"");
    assert_said("blue,gren", "", OURS, "client", "blue", VERDICT_TRUSTED,
                "no such project in LXD: \"gren\"");
    assert_said("blue,gren,red", "blue,gren", OURS, "client", "blue", VERDICT_TRUSTED,
                "no such project in LXD: \"gren\"; " EXCLUDES "\"red\"");
    assert_said("red", "blue", NULL, NULL, NULL, VERDICT_REJECTED, EXCLUDES "\"red\"");
    assert_said(NULL, "gren", NULL, NULL, NULL, VERDICT_REJECTED,
                "LXD has no project of the integrator's option projects");
    assert_said(" , ", "", NULL, NULL, NULL, VERDICT_REJECTED,
                "LXD has no project of the integrator's option projects");
}

/* The clock decides what is told, never what is removed. */
static void test_dates(void **state)
{
    const struct surroundings surroundings = {.version = "6.6", .restricts = true};
    struct world world;
    struct store store = {0};
    struct plan plan;

    (void)state;
    world_open(&world);
    struct entry *entry = world_ask(world_join(world_relate(&world, 5, "client"), "client/0"), 1);
    world_store(&store, 1, OURS, "client", "");
    entry->certificate.not_after = WORLD_NOW - 1;
    plan_for(&plan, &world, &store);
    assert_int_equal(plan.count, 0);
    assert_reason(&world, &store, &plan, &surroundings, VERDICT_REJECTED,
                  "it expired on 2027-01-15: renew it");
    entry->certificate.not_after = INT64_C(4000000000);
    entry->certificate.not_before = WORLD_NOW + 86400;
    assert_reason(&world, &store, &plan, &surroundings, VERDICT_REJECTED,
                  "it is not valid before 2027-01-16");
    entry->certificate.not_before = 0;
    assert_reason(&world, &store, &plan, &surroundings, VERDICT_TRUSTED, NULL);
    plan_free(&plan);
    store_free(&store);
    world_close(&world);
}

/* What LXD has refused stays refused, as long as the same is planned. */
static void test_remaking(void **state)
{
    const struct surroundings surroundings = {.version = "6.6", .restricts = true};
    struct world world;
    struct store store = {0};
    struct plan plan;

    (void)state;
    world_open(&world);
    struct member *member = world_join(world_relate(&world, 5, "client"), "client/0");
    for (unsigned i = 1; i < 5; i++)
        world_ask(member, i);
    plan_for(&plan, &world, &store);
    assert_int_equal(plan.count, 4);
    for (size_t i = 0; i < 2; i++) {
        plan.steps[i].outcome = STEP_REFUSED;
        plan.steps[i].reason = mem_string("too weak");
    }
    plan.steps[3].outcome = STEP_FAILED;
    world_store(&store, 2, OURS, "client", "a");
    plan_remake(&plan, &world.terms, &surroundings, &store);
    assert_int_equal(plan.count, 4);
    assert_int_equal(plan.steps[0].kind, STEP_WIDEN);
    assert_int_equal(plan.steps[0].outcome, STEP_DUE);
    assert_int_equal(plan.steps[1].outcome, STEP_REFUSED);
    assert_string_equal(plan.steps[1].reason, "too weak");
    assert_int_equal(plan.steps[3].outcome, STEP_DUE);
    struct judgement *judgements = plan_judge(&plan, &world.terms, &surroundings, &store);
    assert_int_equal(judgements[0].verdict, VERDICT_REJECTED);
    assert_string_equal(judgements[0].reason, "too weak");
    assert_int_equal(judgements[1].verdict, VERDICT_PENDING);
    judgements_free(judgements, world.wishes.count);
    plan_free(&plan);
    store_free(&store);
    world_close(&world);
}

/* ---- adopting ---- */

static void test_adopting(void **state)
{
    static const struct {
        unsigned number;
        const char *name, *type, *projects;
        bool adopted;
    } stored[] = {
        {1, "cn-1", "client", "", true},
        {2, "bob", "client", "", false},
        {3, "cn-3", "client", "a", false},
        {4, "cn-4", "server", "", false},
        {5, OURS, "client", "", false},
        {6, "", "client", "", false},
        {WORLD_OWN, "cn-99", "client", "", false},
        {8, "cn-8", "client", "", false},
    };
    struct world world;
    struct store store = {0};
    struct plan plan;

    (void)state;
    world_open(&world);
    struct member *member = world_join(world_relate(&world, 5, "client"), "client/0");
    for (size_t i = 0; i < COUNT(stored); i++) {
        world_store(&store, stored[i].number, stored[i].name, stored[i].type, stored[i].projects);
        if (stored[i].number != 8) /* which nobody asks for */
            world_ask(member, stored[i].number);
    }
    world_collect(&world);
    plan_adopt(&plan, &world.terms, &store);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.steps[0].kind, STEP_RENAME);
    assert_string_equal(plan.steps[0].name, OURS ".000000000001");
    plan_free(&plan);
    plan_remove(&plan, &store.items[0]);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.steps[0].kind, STEP_REMOVE);
    assert_string_equal(plan.steps[0].fingerprint, store.items[0].fingerprint);
    plan_free(&plan);
    store_free(&store);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete_relation),
        cmocka_unit_test(test_relation_not_seen_to_its_end),
        cmocka_unit_test(test_relation_that_is_none),
        cmocka_unit_test(test_lxd_that_cannot_restrict),
        cmocka_unit_test(test_lowest_relation_names),
        cmocka_unit_test(test_what_takes_away_comes_first),
        cmocka_unit_test(test_old_name_stays),
        cmocka_unit_test(test_missing_projects),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_remaking),
        cmocka_unit_test(test_adopting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
