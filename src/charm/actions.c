/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/actions.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "charm/pass.h"
#include "charm/peers.h"
#include "charm/probe.h"
#include "juju/hook_tools.h"

#define MIN_DIGITS 12 /* of a fingerprint: as many as statuses and the log show */
#define MAX_DIGITS 64

struct action {
    struct pass pass;
    cJSON *parameters;
    cJSON *results; /* for juju_action_set */
};

/* ---- results ---- */

static void add(cJSON *results, const char *key, const char *value)
{
    cJSON_AddStringToObject(results, key, value);
}

/* The same with a value that is given away. */
static void give(cJSON *results, const char *key, char *value)
{
    add(results, key, value);
    free(value);
}

/* The group "<noun>-<number>" of the results, new or not. */
static cJSON *group(cJSON *results, const char *noun, unsigned long number)
{
    char *key = mem_printf("%s-%lu", noun, number);
    cJSON *found = cJSON_GetObjectItemCaseSensitive(results, key);

    if (found == NULL)
        found = cJSON_AddObjectToObject(results, key);
    free(key);
    return found;
}

static void add_numbered(cJSON *results, const char *noun, unsigned long number, const char *value)
{
    char *key = mem_printf("%s-%lu", noun, number);

    add(results, key, value);
    free(key);
}

static void add_sentences(cJSON *results, unsigned long *count, const struct strings *sentences)
{
    for (size_t i = 0; i < sentences->count; i++)
        add_numbered(results, "change", ++*count, sentences->items[i]);
}

/* What was changed: "change-1", "change-2", ... */
static void add_changes(struct action *action)
{
    const struct pass *pass = &action->pass;
    unsigned long count = 0;

    for (size_t i = 0; i < pass->servers.count; i++) {
        add_sentences(action->results, &count, &pass->servers.items[i].changes);
        add_sentences(action->results, &count, &pass->servers.items[i].widened);
    }
    for (size_t i = 0; i < pass->answers.count; i++) {
        const char *written = pass->answers.items[i].written;

        if (written == NULL)
            continue;
        char *name = relation_describe(&pass->relations.items[i]);
        char *sentence = mem_printf("%s: published %s", name, written);
        add_numbered(action->results, "change", ++count, sentence);
        free(sentence);
        free(name);
    }
    if (count == 0)
        add(action->results, "changes", "none");
}

/* ---- who may ---- */

/* The leader alone changes LXD, and nothing while it is leaving and others stay. */
static int require_leader(struct action *action, struct error *error)
{
    struct pass *pass = &action->pass;
    const char *application = pass->event->application;

    leadership_renew(&pass->leadership);
    if (pass_may_change(pass))
        return 0;
    if (leadership_held(&pass->leadership))
        return error_set(error, ERROR_WAITING,
                         "%s is leaving, and changes nothing: wait for the "
                         "next leader",
                         pass->event->unit);
    return error_set(error, ERROR_INPUT,
                     "only the leader changes LXD: run \"juju run %s/leader %s\"", application,
                     action->pass.event->name);
}

/* Carry out plans that a person has asked for. */
static void apply(struct action *action)
{
    struct pass *pass = &action->pass;

    servers_apply(&pass->servers, &pass->terms, pass->deadline);
    for (size_t i = 0; i < pass->servers.count; i++)
        juju_log_lines(pass->juju, JUJU_LOG_INFO, &pass->servers.items[i].changes,
                       "changes were made in LXD");
    add_changes(action);
}

/* Did LXD refuse one of the steps, or could a server not be asked, or not to the end? */
static int find_failure(const struct pass *pass, struct error *error)
{
    const struct error *trouble = servers_trouble(&pass->servers);

    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct server *server = &pass->servers.items[i];

        for (size_t j = 0; j < server->plan.count; j++) {
            const struct step *step = &server->plan.steps[j];

            if (step->outcome == STEP_REFUSED)
                return error_set(error, ERROR_REFUSED, "certificate %.12s... of %s at %s: %s",
                                 step->fingerprint, lxd_name(server->info.software),
                                 server->endpoint.url, step->reason);
        }
    }
    if (trouble == NULL)
        return 0;
    *error = *trouble;
    return -1;
}

/* ---- show ---- */

static void add_status(struct action *action)
{
    add(action->results, "status", action->pass.report.status);
    add(action->results, "message", action->pass.report.message);
}

static void add_day(cJSON *results, const char *key, int64_t seconds)
{
    char date[CERTIFICATE_DATE_SIZE];

    certificate_date(date, seconds);
    add(results, key, date);
}

static void add_count(cJSON *results, const char *key, size_t count)
{
    give(results, key, mem_printf("%zu", count));
}

/* What is the same for all relations and servers. */
static void add_terms(struct action *action)
{
    const struct pass *pass = &action->pass;
    const struct certificate *own = &pass->credentials.certificate;
    cJSON *credentials = cJSON_AddObjectToObject(action->results, "credentials");

    add(credentials, "source", pass->credentials.source);
    add(credentials, "fingerprint", own->fingerprint);
    add_day(credentials, "expires", own->not_after);
    give(action->results, "projects", projects_describe(&pass->terms.limit));
    give(action->results, "default-projects", projects_describe(&pass->default_projects));
}

static void add_nodes(cJSON *results, const struct server *server)
{
    if (!server->info.clustered)
        add_numbered(results, "node", 1, server->endpoint.url);
    for (size_t i = 0; i < server->members.count; i++) {
        const struct lxd_member *member = &server->members.items[i];
        char *node = mem_printf("%s %s%s", member->name, member->endpoint.url,
                                member->active ? "" : " (does not serve)");

        add_numbered(results, "node", i + 1, node);
        free(node);
    }
}

static void add_server(cJSON *results, const struct server *server)
{
    bool known = server->state != SERVER_UNKNOWN;
    bool untrusted = !known && server->trouble.kind == ERROR_UNTRUSTED;

    add(results, "endpoint", server->endpoint.url);
    add(results, "trusted", known || server->info.trusted ? "yes" : untrusted ? "no" : "unknown");
    if (server->client != NULL) {
        add(results, "fingerprint", lxd_presented(server->client)->fingerprint);
        add_day(results, "expires", lxd_presented(server->client)->not_after);
    }
    if (!known) {
        add(results, "problem", server->trouble.text);
        return;
    }
    add(results, "version", server->info.version);
    add_nodes(results, server);
}

static enum verdict add_wish(cJSON *client, const struct pass *pass, size_t number)
{
    static const char *const words[] = {"pending", "trusted", "rejected"};
    const struct wish *wish = &pass->wishes.items[number];
    const struct certificate *certificate = &wish->entry->certificate;
    const struct server *server;
    enum verdict verdict = servers_verdict(&pass->servers, number, &server);

    add(client, "asked-by", wish->member->name);
    add(client, "fingerprint", certificate->fingerprint);
    add(client, "common-name", certificate->common_name);
    add_day(client, "expires", certificate->not_after);
    give(client, "asks-for", projects_describe(wish->projects));
    add(client, "state", words[verdict]);
    if (server != NULL)
        add(client, "reason", server->judgements[number].reason);
    return verdict;
}

/* What is no certificate, and members of which nothing is processed. */
static void add_other(cJSON *client, const struct rejection *rejection)
{
    if (rejection->unit != NULL)
        add(client, "asked-by", rejection->unit);
    add(client, "state", "rejected");
    add(client, "reason", rejection->reason);
}

static void add_relation(cJSON *results, const struct pass *pass, size_t number)
{
    static const char *const words[] = {
        [RELATION_UNKNOWN] = "unreadable",    [RELATION_LIVING] = "served",
        [RELATION_ENDING] = "ending",         [RELATION_REPLACED] = "replaced by a newer one",
        [RELATION_GONE] = "removed by force",
    };
    const struct relation *relation = &pass->relations.items[number];
    const struct answer *answer = &pass->answers.items[number];
    const struct rejections *rejections = &answer->rejections;
    size_t verdicts[3] = {0};
    unsigned long clients = 0;

    add(results, "endpoint", relation->https ? "https" : "api");
    if (relation->application != NULL)
        add(results, "requirer", relation->application);
    add(results, "state", words[relation->state]);
    if (relation->state != RELATION_LIVING)
        return;
    for (size_t i = 0; i < answer->count; i++)
        verdicts[add_wish(group(results, "client", ++clients), pass, answer->wishes[i])]++;
    for (size_t i = 0; i < rejections->count; i++) {
        if (rejections->items[i].fingerprint[0] != '\0')
            continue;
        add_other(group(results, "client", ++clients), &rejections->items[i]);
        verdicts[VERDICT_REJECTED]++;
    }
    add_count(results, "trusted", verdicts[VERDICT_TRUSTED]);
    add_count(results, "pending", verdicts[VERDICT_PENDING]);
    add_count(results, "rejected", verdicts[VERDICT_REJECTED]);
}

/* Entries of ours that nobody asks for. */
static void add_unclaimed(struct action *action)
{
    const struct pass *pass = &action->pass;
    unsigned long count = 0;

    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct server *server = &pass->servers.items[i];

        for (size_t j = 0; j < server->store.count; j++) {
            const struct lxd_certificate *entry = &server->store.items[j];

            if (!owner_has(&pass->terms.owner, entry) ||
                strings_find(&pass->wanted, entry->fingerprint))
                continue;
            cJSON *client = group(action->results, "unclaimed", ++count);
            add(client, "name", entry->name);
            add(client, "fingerprint", entry->fingerprint);
            add(client, "endpoint", server->endpoint.url);
        }
    }
}

static int show(struct action *action, struct error *error)
{
    struct pass *pass = &action->pass;
    int result = pass_observe(pass, error);

    if (result != 0 && error->kind == ERROR_HOOK)
        return -1;
    char *leader = peers_find_leader(&pass->leadership, pass->event);
    add(action->results, "leader", leader != NULL ? leader : "unknown");
    free(leader);
    pass_make_report(pass, result != 0 ? error : NULL);
    add_status(action);
    if (result != 0)
        return -1;
    add_terms(action);
    for (size_t i = 0; i < pass->servers.count; i++)
        add_server(group(action->results, "server", i + 1), &pass->servers.items[i]);
    for (size_t i = 0; i < pass->relations.count; i++)
        add_relation(group(action->results, "relation", pass->relations.items[i].number), pass, i);
    add_unclaimed(action);
    add_count(action->results, "trusted", pass->answers.trusted);
    add_count(action->results, "rejected", pass->answers.rejected);
    return 0;
}

/* ---- reconcile ---- */

static int run_reconcile(struct action *action, struct error *error)
{
    struct pass *pass = &action->pass;

    if (pass_run(&action->pass, error) != 0)
        return -1;
    add_changes(action);
    add_status(action);
    if (strcmp(pass->report.status, "active") != 0)
        return error_set(error, ERROR_WAITING, "%s", pass->report.message);
    return servers_due(&pass->servers) != 0 ? require_leader(action, error) : 0;
}

/* ---- remove-trusted-client ---- */

/* The fingerprint's digits as LXD writes them: lower case, without colons. */
static int read_fingerprint(const struct action *action, char digits[MAX_DIGITS + 1],
                            struct error *error)
{
    const char *text = json_string(action->parameters, "fingerprint");
    size_t length = 0;

    for (const char *c = text != NULL ? text : ""; *c != '\0'; c++) {
        if (*c == ':')
            continue;
        if (isxdigit((unsigned char)*c) == 0 || length == MAX_DIGITS)
            return error_set(error, ERROR_INPUT, "\"%.80s\" is no fingerprint", text);
        digits[length++] = (char)tolower((unsigned char)*c);
    }
    digits[length] = '\0';
    if (length < MIN_DIGITS)
        return error_set(error, ERROR_INPUT,
                         "fingerprint=\"%s\" is too short: %d digits are the least", digits,
                         MIN_DIGITS);
    return 0;
}

/* Complete digits to the fingerprint of the one certificate of ours that they begin. */
static int find_own_client(const struct pass *pass, char digits[MAX_DIGITS + 1],
                           struct error *error)
{
    const char *found = NULL;

    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct store *store = &pass->servers.items[i].store;

        for (size_t j = 0; j < store->count; j++) {
            const char *fingerprint = store->items[j].fingerprint;

            if (strncmp(fingerprint, digits, strlen(digits)) != 0 ||
                !owner_has(&pass->terms.owner, &store->items[j]))
                continue;
            if (found != NULL && strcmp(found, fingerprint) != 0)
                return error_set(error, ERROR_INPUT, "%s begins several fingerprints", digits);
            found = fingerprint;
        }
    }
    if (found == NULL)
        return error_set(error, ERROR_INPUT,
                         "no certificate with fingerprint %s was added by this application",
                         digits);
    memcpy(digits, found, MAX_DIGITS + 1);
    return 0;
}

/* Only one that nobody asks for stays away. */
static void warn_of_return(struct action *action, const char *fingerprint)
{
    const struct wishes *wishes = &action->pass.wishes;

    for (size_t i = 0; i < wishes->count; i++) {
        if (strcmp(wish_fingerprint(&wishes->items[i]), fingerprint) != 0)
            continue;
        char *name = relation_describe(wishes->items[i].relation);
        give(action->results, "warning",
             mem_printf("%s still asks for it: the next hook brings it back", name));
        free(name);
        return;
    }
}

static int remove_trusted_client(struct action *action, struct error *error)
{
    struct pass *pass = &action->pass;
    char fingerprint[MAX_DIGITS + 1];

    if (read_fingerprint(action, fingerprint, error) != 0 || pass_observe(pass, error) != 0 ||
        require_leader(action, error) != 0)
        return -1;
    if (find_own_client(pass, fingerprint, error) != 0) {
        const struct error *trouble = servers_trouble(&pass->servers);

        if (trouble != NULL) /* it may be there */
            *error = *trouble;
        return -1;
    }
    for (size_t i = 0; i < pass->servers.count; i++) {
        struct server *server = &pass->servers.items[i];
        const struct lxd_certificate *entry = store_find(&server->store, fingerprint);

        plan_free(&server->plan);
        if (entry != NULL && owner_has(&pass->terms.owner, entry))
            plan_remove(&server->plan, entry);
    }
    apply(action);
    warn_of_return(action, fingerprint);
    return find_failure(pass, error);
}

/* ---- adopt-trusted-clients ---- */

static void say_adopted(cJSON *results, const struct server *server)
{
    for (size_t i = 0; i < server->plan.count; i++) {
        const struct step *step = &server->plan.steps[i];
        const struct lxd_certificate *entry = store_find(&server->store, step->fingerprint);
        char *sentence = mem_printf("certificate %.12s... of %s at %s: \"%s\" would be called %s",
                                    step->fingerprint, lxd_name(server->info.software),
                                    server->endpoint.url, entry->name, step->name);

        add_numbered(results, "would-adopt", (unsigned long)cJSON_GetArraySize(results) + 1,
                     sentence);
        free(sentence);
    }
}

static int adopt_trusted_clients(struct action *action, struct error *error)
{
    struct pass *pass = &action->pass;
    bool dry_run = json_bool(action->parameters, "dry-run", false);

    if (pass_observe(pass, error) != 0 || (!dry_run && require_leader(action, error) != 0))
        return -1;
    for (size_t i = 0; i < pass->servers.count; i++) {
        struct server *server = &pass->servers.items[i];

        plan_free(&server->plan);
        plan_adopt(&server->plan, &pass->terms, &server->store);
        if (dry_run)
            say_adopted(action->results, server);
    }
    if (dry_run)
        return 0;
    apply(action);
    return find_failure(pass, error);
}

/* ---- check ---- */

/* Every endpoint for itself, from its name to what LXD lets us do. Whether all is well is what a
 * pass finds: a cluster may be reached through another member. */
static int check(struct action *action, struct error *error)
{
    struct pass *pass = &action->pass;
    struct credentials *credentials = &pass->credentials;
    const struct strings nothing = {0};

    if (pass_observe(pass, error) != 0) {
        if (error->kind != ERROR_HOOK)
            add(action->results, "credentials", error->text);
        return -1;
    }
    give(action->results, "credentials",
         mem_printf("%s, certificate %s", credentials->source,
                    credentials->certificate.fingerprint));
    struct interest interest = {.owner = &pass->terms.owner,
                                .wanted = &nothing,
                                .remedies = {pass->remedies[0], pass->remedies[1]}};
    for (size_t i = 0; i < credentials->endpoints.count; i++) {
        cJSON *steps = group(action->results, "server", i + 1);
        struct probe probe;

        add(steps, "endpoint", credentials->endpoints.items[i].url);
        probe_run(&probe, &credentials->endpoints.items[i], credentials, &interest);
        for (size_t j = 0; j < probe.count; j++) {
            char *key = mem_printf("%zu-%s", j + 1, probe.steps[j].name);

            add(steps, key, probe.steps[j].text);
            free(key);
        }
        probe_free(&probe);
    }
    return 0;
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    int (*run)(struct action *action, struct error *error);
} actions[] = {
    {"adopt-trusted-clients", adopt_trusted_clients},
    {"check", check},
    {"get-connection-info", show},  /* these two are what show ... */
    {"list-trusted-clients", show}, /* ... was before: scripts may call them */
    {"reconcile", run_reconcile},
    {"remove-trusted-client", remove_trusted_client},
    {"show", show},
};

static int run_by_name(struct action *action, const char *name, struct error *error)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, name) == 0)
            return actions[i].run(action, error);
    }
    return error_set(error, ERROR_INPUT, "there is no action \"%s\"", name);
}

/* What the action itself did not fail for: that not all servers could be asked. */
static int find_trouble(const struct action *action, struct error *error)
{
    const struct error *trouble = servers_trouble(&action->pass.servers);

    if (trouble == NULL)
        return 0;
    *error = *trouble;
    return -1;
}

int action_run(const struct juju_transport *juju, const struct event *event, struct error *error)
{
    struct action action = {.results = cJSON_CreateObject()};
    struct error trouble;
    int result = -1;

    pass_begin(&action.pass, juju, event);
    if (juju_action_get(juju, &action.parameters, error) != 0)
        goto out;
    result = run_by_name(&action, event->name, &trouble);
    if (result == 0)
        result = find_trouble(&action, &trouble);
    if (result != 0 && trouble.kind == ERROR_HOOK) {
        *error = trouble;
        goto out;
    }
    if (result != 0)
        result = juju_action_fail(juju, trouble.text, error);
    if (result == 0)
        result = juju_action_set(juju, action.results, error);
out:
    pass_end(&action.pass);
    cJSON_Delete(action.parameters);
    cJSON_Delete(action.results);
    return result;
}
