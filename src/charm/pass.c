/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/pass.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/net.h"
#include "charm/peers.h"
#include "juju/hook_tools.h"

#define LXD_TIME_MS (60 * 1000) /* for all that a pass wants of LXD */
#define SERVERS "servers"       /* what the memory calls those that have entries of ours */

/* One DEBUG line for each step, with its duration. */
static void step_done(struct pass *pass, const char *what)
{
    int64_t now = net_clock_ms();

    juju_log(pass->juju, JUJU_LOG_DEBUG, "%s: %lld ms", what, (long long)(now - pass->step_start));
    pass->step_start = now;
}

void pass_begin(struct pass *pass, const struct juju_transport *juju, const struct event *event)
{
    *pass = (struct pass){.juju = juju, .event = event, .step_start = net_clock_ms()};
    pass->leadership.juju = juju;
    pass->terms.relations = &pass->relations;
    pass->terms.wishes = &pass->wishes;
    pass->terms.now = time(NULL);
    owner_make(&pass->terms.owner, event->model_uuid, event->application,
               pass->credentials.certificate.fingerprint);
}

bool pass_may_change(struct pass *pass)
{
    return pass->fate == FATE_LAST ||
           (pass->fate != FATE_LEAVES && leadership_held(&pass->leadership));
}

/* ---- observe Juju ---- */

/* An option. Set, but naming no project, it does not mean all of LXD. */
static int read_projects(struct projects *projects, const char *option, const char *text,
                         struct error *error)
{
    if (text == NULL)
        return 0;
    switch (projects_parse(projects, text)) {
    case PROJECTS_ALL: /* what a script left empty is no wish to open all */
    case PROJECTS_NAMELESS:
        return error_set(error, ERROR_INPUT,
                         "%s is \"%.40s\", which names no project: name one, or reset it", option,
                         text);
    case PROJECTS_TOO_MANY:
        return error_set(error, ERROR_INPUT, "%s names more than the %d projects allowed", option,
                         PROJECTS_MAX);
    default:
        return 0;
    }
}

static int read_options(struct pass *pass, struct options *options, struct error *error)
{
    const struct event *event = pass->event;
    struct sources_self self = {
        .leadership = &pass->leadership,
        .may_enrol = event->kind != EVENT_ACTION && event->kind != EVENT_STOP &&
                     pass->fate != FATE_LEAVES && pass->fate != FATE_LAST,
    };

    pass->expiry_warning_days = options->expiry_warning_days;
    if (read_projects(&pass->terms.limit, "projects", options->projects, error) != 0 ||
        read_projects(&pass->default_projects, "default-projects", options->default_projects,
                      error) != 0)
        return -1;
    return sources_read(&pass->credentials, &pass->enrolment, pass->juju, event, options, &self,
                        error);
}

/* Configuration and credentials; then the sandbox closes. Files are done with once this has the
 * credentials: what relations and LXD say is read in the sandbox. Changes nothing but, in a hook of
 * the leader where an enrolment is due, its file. */
static int read_credentials(struct pass *pass, struct error *error)
{
    struct options options = {0};

    goal_read(&pass->goal, pass->juju);
    pass->fate = goal_fate(&pass->goal, pass->event);
    pass->terms.all_over = pass->fate == FATE_LAST;
    pass->terms.may_take = pass->fate == FATE_LAST || pass->fate == FATE_STAYS;
    int result = options_read(&options, pass->juju, error);
    if (result == 0)
        result = read_options(pass, &options, error);
    options_wipe(&options);
    juju_enclose(pass->juju);
    step_done(pass, "credentials read");
    return result;
}

/* ---- observe LXD ---- */

/* Does a wish or the operator name a project? Then it matters which there are. */
static bool names_projects(const struct pass *pass)
{
    const struct relations *relations = &pass->relations;

    for (size_t i = 0; i < relations->count; i++) {
        for (size_t j = 0; j < relations->items[i].member_count; j++) {
            if (relations->items[i].members[j].names_projects)
                return true;
        }
    }
    return pass->terms.limit.restricted || pass->default_projects.restricted;
}

static void find_remedies(struct pass *pass)
{
    for (int software = 0; software < 2; software++)
        pass->remedies[software] =
            sources_remedy(&pass->credentials, pass->event, software, pass->terms.now);
}

static void observe_lxd(struct pass *pass)
{
    struct nodes known = {0};

    wishes_candidates(&pass->relations, &pass->wanted);
    find_remedies(pass);
    pass->interest = (struct interest){
        .owner = &pass->terms.owner,
        .wanted = &pass->wanted,
        .projects = names_projects(pass),
        .remedies = {pass->remedies[0], pass->remedies[1]},
    };
    pass->deadline = net_clock_ms() + LXD_TIME_MS;
    servers_observe(&pass->servers, &pass->credentials.endpoints, &pass->credentials,
                    &pass->interest, pass->deadline);
    if (!servers_are_observed(&pass->servers)) {
        relations_known_nodes(&pass->relations, &known);
        servers_detour(&pass->servers, &known, pass->deadline);
        nodes_free(&known);
    }
    step_done(pass, "LXD asked");
}

static void plan(struct pass *pass)
{
    if (!pass->terms.all_over)
        wishes_collect(&pass->wishes, &pass->relations, &pass->default_projects, servers_know,
                       &pass->servers);
    servers_plan(&pass->servers, &pass->terms);
}

/* What is due is the leader's to do, who asks Juju right before. Others: what came of that? */
static void hear_leader(struct pass *pass)
{
    if (servers_due(&pass->servers) == 0)
        return;
    leadership_renew(&pass->leadership);
    if (pass_may_change(pass))
        return;
    char *leaving = peers_hear(&pass->servers, &pass->goal, pass->event, pass->juju);
    if (servers_due(&pass->servers) != 0)
        pass->leaving_leader = leaving;
    else
        free(leaving);
}

static void judge(struct pass *pass)
{
    answers_free(&pass->answers);
    servers_judge(&pass->servers, &pass->terms);
    answers_make(&pass->answers, &pass->relations, &pass->wishes, &pass->servers);
}

static int observe_relations(struct pass *pass, struct error *error)
{
    if (relations_read(&pass->relations, pass->juju, pass->event, &pass->goal, &pass->leadership,
                       error) != 0)
        return -1;
    step_done(pass, "relations read");
    return 0;
}

int pass_observe(struct pass *pass, struct error *error)
{
    if (read_credentials(pass, error) != 0 || observe_relations(pass, error) != 0)
        return -1;
    observe_lxd(pass);
    plan(pass);
    hear_leader(pass);
    judge(pass);
    return 0;
}

/* ---- apply ---- */

/* The leader alone changes LXD, and hear_leader has just asked. */
static void apply(struct pass *pass)
{
    if (servers_due(&pass->servers) == 0 || !pass_may_change(pass))
        return;
    servers_apply(&pass->servers, &pass->terms, pass->deadline);
    step_done(pass, "LXD changed");
}

/* ---- what may stay for good ---- */

/* Both become the pass's. */
static void add_left(struct pass *pass, char *sentence, char *remedy)
{
    strings_take(&pass->left, sentence);
    strings_take(&pass->left_remedies, remedy);
}

/* `count` is 0 where it is not known, `software` NULL where the server has not said it. LXD and
 * Incus put the name into different columns, and the fingerprint into the same. */
static void note_left(struct pass *pass, size_t count, const char *url,
                      const enum lxd_software *software)
{
    const char *prefix = pass->terms.owner.prefix;
    enum lxd_software taken = software != NULL ? *software : LXD_LXD;
    const char *program = lxd_program(taken);

    char *number = count != 0 ? mem_printf("%zu ", count) : mem_string("");

    add_left(
        pass,
        mem_printf("%s%s named %s* may stay in %s at %s", number, count == 1 ? "entry" : "entries",
                   prefix, lxd_name(taken), url),
        mem_printf("run \"%s config trust list --format csv | grep -E '(^|,)%s' | cut -d, -f4 | "
                   "xargs -n1 %s config trust remove\"%s",
                   program, prefix, program,
                   software != NULL ? "" : " (incus for lxc where it is Incus)"));
    free(number);
}

/* What it has said that it is, or NULL. */
static const enum lxd_software *told(const struct server *server)
{
    return server->info.version != NULL ? &server->info.software : NULL;
}

/* A server that was taken out of the credentials: remove what is ours there. It may turn out to be
 * one that is served, under another name. */
static void take_leave(struct pass *pass, const struct endpoint *endpoint, size_t count,
                       int64_t deadline)
{
    struct endpoints endpoints = {0};
    struct relations no_relations = {.everything = true};
    struct wishes no_wishes = {0};
    struct strings nothing = {0};
    struct terms terms = pass->terms;
    struct interest interest = pass->interest;
    struct servers servers = {0};
    struct error ignored;

    terms.relations = &no_relations;
    terms.wishes = &no_wishes;
    terms.all_over = true;
    interest.wanted = &nothing;
    endpoints_add(&endpoints, endpoint->url, &ignored);
    servers_observe(&servers, &endpoints, &pass->credentials, &interest, deadline);
    enum servers_kinship kinship = servers_kinship(&pass->servers, &servers.items[0]);
    bool is_clean = kinship == SERVERS_SAME;
    if (kinship == SERVERS_STRANGER) {
        servers_plan(&servers, &terms);
        servers_apply(&servers, &terms, deadline);
        juju_log_lines(pass->juju, JUJU_LOG_INFO, &servers.items[0].changes,
                       "changes were made in LXD");
        is_clean = servers_trouble(&servers) == NULL && plan_undone(&servers.items[0].plan) == 0;
    }
    if (!is_clean)
        note_left(pass, count, endpoint->url, told(&servers.items[0]));
    servers_free(&servers);
    endpoints_free(&endpoints);
}

/* What was published as trusted at this endpoint, on all relations. */
static void find_published(const struct nodes *known, const char *url, struct strings *fingerprints)
{
    for (size_t i = 0; i < known->count; i++) {
        if (strcmp(node_endpoint(known->items[i]), url) == 0)
            node_fingerprints(known->items[i], fingerprints);
    }
    strings_sort(fingerprints);
}

/* Databags of the endpoint https name one server at most, so the memory has all that have entries
 * of ours: as nodes of which it is not said whom they trust, each with its certificate's
 * fingerprint, for Juju ends values at 64 KiB. */
static void recall_servers(const struct pass *pass, struct nodes *servers)
{
    const char *text = goal_recall(&pass->goal, SERVERS);
    cJSON *settings = cJSON_CreateObject();

    cJSON_AddStringToObject(settings, "nodes", text != NULL ? text : "");
    nodes_read(servers, settings);
    cJSON_Delete(settings);
}

static bool has_ours(const struct pass *pass, const struct server *server)
{
    for (size_t i = 0; i < server->store.count; i++) {
        if (owner_has(&pass->terms.owner, &server->store.items[i]))
            return true;
    }
    return false;
}

/* An endpoint leads to another LXD than before, which has nothing of ours: the first one may. */
static void note_moved(struct pass *pass)
{
    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct server *server = &pass->servers.items[i];
        const cJSON *node = nodes_find(&pass->remembered, server->endpoint.url);
        const char *before = node != NULL ? node_certificate(node) : NULL;

        if (before == NULL || server->state == SERVER_UNKNOWN || has_ours(pass, server) ||
            strcmp(before, lxd_presented(server->client)->fingerprint) == 0)
            continue;
        char *where = mem_printf("%s, where another one is now", server->endpoint.url);
        note_left(pass, 0, where, told(server));
        free(where);
    }
}

/* Those that could not be asked, or may be behind an endpoint that could not, stay remembered; so
 * do those that were dropped, until the leader has taken leave of them. */
static void keep_servers(struct pass *pass, const struct nodes *before, const struct nodes *dropped)
{
    bool is_visited = dropped->count == 0 || pass_may_change(pass) ||
                      peers_agree(&pass->servers, pass->event, pass->juju);
    struct nodes now = {0};
    struct strings none = {0};

    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct server *server = &pass->servers.items[i];

        if (server->state != SERVER_UNKNOWN && has_ours(pass, server))
            nodes_add(&now, server->endpoint.url, "", &none,
                      lxd_presented(server->client)->fingerprint);
    }
    for (size_t i = 0; i < before->count; i++) {
        const cJSON *node = before->items[i];
        const char *url = node_endpoint(node);

        if (servers_keep_node(&pass->servers, before, node) ||
            (!is_visited && nodes_find(dropped, url) != NULL))
            nodes_add(&now, url, "", &none, node_certificate(node));
    }
    char *text = now.count != 0 ? databag_nodes(&now) : NULL;
    goal_keep(&pass->goal, SERVERS, text);
    free(text);
    nodes_free(&now);
}

static void take_leaves(struct pass *pass)
{
    const struct nodes *remembered = &pass->remembered;
    struct nodes known = {0}, dropped = {0};
    bool is_recalled = remembered->count != 0;

    if (!is_recalled)
        relations_known_nodes(&pass->relations, &known);
    servers_find_dropped(&pass->servers, is_recalled ? remembered : &known, &dropped);
    if (is_recalled && dropped.count != 0)
        relations_known_nodes(&pass->relations, &known);
    for (size_t i = 0; i < dropped.count; i++) {
        struct strings fingerprints = {0};
        struct endpoint endpoint;
        struct error ignored;

        leadership_renew(&pass->leadership);
        if (!pass_may_change(pass))
            break;
        find_published(&known, node_endpoint(dropped.items[i]), &fingerprints);
        if (endpoint_parse(&endpoint, node_endpoint(dropped.items[i]), &ignored) == 0 &&
            (fingerprints.count != 0 || is_recalled))
            take_leave(pass, &endpoint, fingerprints.count,
                       net_share(pass->deadline, dropped.count - i));
        strings_free(&fingerprints);
    }
    keep_servers(pass, remembered, &dropped);
    nodes_free(&known);
    nodes_free(&dropped);
}

static bool servers_have(const struct servers *servers, const char *url)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (strcmp(servers->items[i].endpoint.url, url) == 0)
            return true;
    }
    return false;
}

/* All go, and LXD cannot be asked, or refuses. What relations held that have ended before is not
 * known any more, but for the memory of servers. */
static void note_unremoved(struct pass *pass)
{
    struct nodes remembered = {0};
    struct strings held = {0};

    for (size_t i = 0; i < pass->relations.count; i++) {
        const struct strings *each = &pass->relations.items[i].held;

        for (size_t j = 0; j < each->count; j++)
            strings_add(&held, each->items[j]);
    }
    strings_sort(&held);
    recall_servers(pass, &remembered);
    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct server *server = &pass->servers.items[i];
        bool unknown = server->state == SERVER_UNKNOWN;
        size_t count = unknown ? held.count : plan_undone(&server->plan);

        if (count != 0 || (unknown && nodes_find(&remembered, server->endpoint.url) != NULL))
            note_left(pass, count, server->endpoint.url, told(server));
    }
    for (size_t i = 0; i < remembered.count; i++) {
        const char *url = node_endpoint(remembered.items[i]);

        if (!servers_have(&pass->servers, url)) /* nor could it be visited */
            note_left(pass, 0, url, NULL);
    }
    goal_keep(&pass->goal, SERVERS, NULL); /* the next hook knows less of it */
    nodes_free(&remembered);
    strings_free(&held);
}

/* The key of an enrolment is ours alone: nobody needs its entry any more. */
static void note_own_entry(struct pass *pass)
{
    const char *own = pass->credentials.certificate.fingerprint;

    if (!pass->credentials.enrolled)
        return;
    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct server *server = &pass->servers.items[i];

        add_left(pass,
                 mem_printf("the entry of our own certificate stays in %s at %s",
                            lxd_name(server->info.software), server->endpoint.url),
                 pass->credentials.token == LXD_TOKEN_IDENTITY
                     ? mem_printf("run \"lxc auth identity delete tls/%s\"", own)
                     : mem_printf("run \"%s config trust remove %.12s\"",
                                  lxd_program(server->info.software), own));
    }
}

/* The credentials are gone: what is remembered is all that is known, or else what was published. */
static void note_lost(struct pass *pass)
{
    struct nodes known = {0}, remembered = {0};
    struct strings urls = {0};

    recall_servers(pass, &remembered);
    relations_known_nodes(&pass->relations, &known);
    const struct nodes *places = remembered.count != 0 ? &remembered : &known;
    for (size_t i = 0; i < places->count; i++)
        strings_add(&urls, node_endpoint(places->items[i]));
    strings_sort(&urls);
    for (size_t i = 0; i < urls.count; i++) {
        struct strings fingerprints = {0};

        find_published(&known, urls.items[i], &fingerprints);
        if (fingerprints.count != 0 || places == &remembered)
            note_left(pass, fingerprints.count, urls.items[i], NULL);
        strings_free(&fingerprints);
    }
    strings_free(&urls);
    nodes_free(&known);
    nodes_free(&remembered);
}

/* ---- all of it ---- */

/* Is it one of the last hooks of a unit that goes? */
static bool ends(const struct event *event)
{
    return event->kind == EVENT_RELATION_BROKEN || event->kind == EVENT_STOP;
}

static int change_and_publish(struct pass *pass, struct error *error)
{
    recall_servers(pass, &pass->remembered);
    note_moved(pass);
    apply(pass);
    judge(pass);
    if (pass->fate == FATE_STAYS || pass->fate == FATE_LAST) {
        take_leaves(pass);
        if (publish(&pass->answers, &pass->relations, &pass->servers, &pass->wishes, pass->juju,
                    error) != 0)
            return -1;
        step_done(pass, "relations written");
    }
    if (pass->fate == FATE_LAST) {
        note_unremoved(pass);
        note_own_entry(pass);
    } else if (pass->fate == FATE_LEAVES && ends(pass->event) &&
               peers_are_gone(&pass->goal, pass->juju)) {
        note_lost(pass);
    }
    if (pass->fate != FATE_STAYS && pass->fate != FATE_LAST)
        return 0;
    return peers_tell(&pass->servers, &pass->goal, pass->fate == FATE_LAST, &pass->leadership,
                      pass->event, error);
}

static int observe_and_change(struct pass *pass, struct error *error)
{
    int result = read_credentials(pass, error);

    if (result != 0 && error->kind == ERROR_HOOK)
        return -1;
    struct error trouble;
    if (observe_relations(pass, &trouble) != 0) {
        *error = trouble;
        return -1;
    }
    if (result != 0) {
        if (pass->credentials.missing || pass->fate == FATE_LAST)
            note_lost(pass);
        return -1;
    }
    if (pass->enrolment != NULL &&
        enrolment_run(pass->enrolment, &pass->credentials, pass->juju, pass->event, error) != 0)
        return -1;
    observe_lxd(pass);
    plan(pass);
    hear_leader(pass);
    return change_and_publish(pass, error);
}

void pass_make_report(struct pass *pass, const struct error *trouble)
{
    struct findings findings = {
        .error = trouble,
        .beginning = pass->credentials.missing,
        .relations = &pass->relations,
        .wishes = &pass->wishes,
        .servers = &pass->servers,
        .answers = &pass->answers,
        .credentials = &pass->credentials,
        .left = &pass->left,
        .left_remedies = &pass->left_remedies,
        .leaving_leader = pass->leaving_leader,
        .changes_are_ours = servers_due(&pass->servers) == 0 || pass_may_change(pass),
        .now = pass->terms.now,
        .expiry_warning_days = pass->expiry_warning_days,
    };

    report_make(&pass->report, &findings);
}

/* LXD's version changes too rarely for relation hooks. A unit that goes has its status from Juju.
 */
static int tell_status(struct pass *pass, struct error *error)
{
    const struct event *event = pass->event;

    for (size_t i = 0; i < pass->servers.count && *event->relation_id == '\0'; i++) {
        const struct server *server = &pass->servers.items[i];

        if (server->state == SERVER_UNKNOWN)
            continue;
        if (juju_application_version_set(pass->juju, server->info.version, error) != 0)
            return -1;
        break;
    }
    if (event->kind == EVENT_STOP || pass->fate == FATE_LEAVES)
        return 0;
    return juju_status_set(pass->juju, pass->report.status, pass->report.message, error);
}

int pass_run(struct pass *pass, struct error *error)
{
    struct error trouble;
    int result = observe_and_change(pass, &trouble);

    if (result != 0 && trouble.kind == ERROR_HOOK) {
        *error = trouble;
        return -1;
    }
    pass_make_report(pass, result != 0 ? &trouble : NULL);
    report_log(&pass->report, &pass->goal, pass->juju);
    goal_write(&pass->goal, pass->juju);
    return tell_status(pass, error);
}

void pass_end(struct pass *pass)
{
    report_free(&pass->report);
    answers_free(&pass->answers);
    wishes_free(&pass->wishes, &pass->relations);
    servers_free(&pass->servers);
    relations_free(&pass->relations);
    enrolment_free(pass->enrolment);
    credentials_wipe(&pass->credentials);
    owner_free(&pass->terms.owner);
    projects_free(&pass->terms.limit);
    projects_free(&pass->default_projects);
    strings_free(&pass->wanted);
    strings_free(&pass->left);
    strings_free(&pass->left_remedies);
    free(pass->remedies[0]);
    free(pass->remedies[1]);
    nodes_free(&pass->remembered);
    free(pass->leaving_leader);
    goal_free(&pass->goal);
}
