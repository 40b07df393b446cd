/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/actions.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/net.h"
#include "charm/pass.h"
#include "charm/reconcile.h"
#include "juju/hook_tools.h"

#define MIN_DIGITS 12 /* of a fingerprint: as many as statuses and the log show */
#define MAX_DIGITS 64
#define CONNECT_MS 5000

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

static void add_date(cJSON *results, const char *key, int64_t seconds)
{
    char date[CERTIFICATE_DATE_SIZE];

    certificate_date(date, seconds);
    add(results, key, date);
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

/* What was changed: "change-1", "change-2", ... */
static void add_changes(struct action *action)
{
    const struct pass *pass = &action->pass;
    unsigned long count = 0;

    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct strings *changes = &pass->servers.items[i].changes;

        for (size_t j = 0; j < changes->count; j++)
            add_numbered(action->results, "change", ++count, changes->items[j]);
    }
    for (size_t i = 0; i < pass->relations.count; i++) {
        const struct relation *relation = &pass->relations.items[i];

        if (relation->written == NULL)
            continue;
        char *sentence = mem_printf("relation %s: published %s", relation->id, relation->written);
        add_numbered(action->results, "change", ++count, sentence);
        free(sentence);
    }
    if (count == 0)
        add(action->results, "changes", "none");
}

/* ---- get-connection-info ---- */

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

static int get_connection_info(struct action *action, struct error *error)
{
    const struct pass *pass = &action->pass;

    if (pass_observe(&action->pass, error) != 0)
        return -1;
    add(action->results, "credentials", pass->credentials.source);
    add(action->results, "client-fingerprint", pass->credentials.certificate.fingerprint);
    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct server *server = &pass->servers.items[i];
        cJSON *results = group(action->results, "server", i + 1);

        add(results, "endpoint", server->endpoint.url);
        add(results, "trusted", server->info.trusted ? "yes" : "no");
        if (server->client != NULL)
            add(results, "fingerprint", lxd_presented(server->client)->fingerprint);
        if (!server->observed)
            continue;
        add(results, "version", server->info.version);
        add_nodes(results, server);
    }
    return 0;
}

/* ---- list-trusted-clients ---- */

static void add_client(cJSON *relation, const struct lxd_certificate *entry, const char *requirer)
{
    cJSON *client = group(relation, "client", (unsigned long)cJSON_GetArraySize(relation) + 1);
    struct certificate content; /* LXD may have accepted what is none here */
    struct error ignored;

    add(client, "name", entry->name);
    add(client, "requirer", requirer);
    add(client, "fingerprint", entry->fingerprint);
    if (certificate_from_pem(&content, entry->pem, &ignored) == 0) {
        add(client, "common-name", content.common_name);
        add_date(client, "expires", content.not_after);
        certificate_free(&content);
    }
}

static int list_trusted_clients(struct action *action, struct error *error)
{
    const struct pass *pass = &action->pass;
    size_t count = 0;

    if (pass_observe(&action->pass, error) != 0)
        return -1;
    const struct plan_self self = pass_self(pass);
    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct server *server = &pass->servers.items[i];
        cJSON *results = group(action->results, "server", i + 1);

        add(results, "endpoint", server->endpoint.url);
        for (size_t j = 0; j < server->store.count; j++) {
            unsigned long relation;
            char *requirer;

            if (!plan_owns(&self, &server->store.items[j], &requirer, &relation))
                continue;
            add_client(group(results, "relation", relation), &server->store.items[j], requirer);
            free(requirer);
            count++;
        }
    }
    give(action->results, "count", mem_printf("%zu", count));
    return 0;
}

/* ---- reconcile ---- */

static int run_reconcile(struct action *action, struct error *error)
{
    struct status status;

    if (reconcile_pass(&action->pass, &status, error) != 0)
        return -1;
    add_changes(action);
    add(action->results, "status", status.name);
    add(action->results, "message", status.message);
    if (strcmp(status.name, "active") != 0)
        return error_set(error, ERROR_UNREACHABLE, "%s", status.message);
    return 0;
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
    const struct plan_self self = pass_self(pass);
    const char *found = NULL;

    for (size_t i = 0; i < pass->servers.count; i++) {
        const struct lxd_certificates *store = &pass->servers.items[i].store;

        for (size_t j = 0; j < store->count; j++) {
            const char *fingerprint = store->items[j].fingerprint;

            if (strncmp(fingerprint, digits, strlen(digits)) != 0 ||
                !plan_owns(&self, &store->items[j], NULL, NULL) ||
                strcmp(fingerprint, self.fingerprint) == 0)
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

/* Only one that no relation wants stays away. */
static void warn_of_return(struct action *action, const char *fingerprint)
{
    const struct relations *relations = &action->pass.relations;

    for (size_t i = 0; i < relations->count; i++) {
        const struct request *request = &relations->items[i].request;

        for (size_t j = 0; j < request->count; j++) {
            if (strcmp(request->wishes[j].certificate.fingerprint, fingerprint) != 0)
                continue;
            give(action->results, "warning",
                 mem_printf("relation %s still asks for it: the next hook brings it back",
                            relations->items[i].id));
            return;
        }
    }
}

static int remove_trusted_client(struct action *action, struct error *error)
{
    struct pass *pass = &action->pass;
    char fingerprint[MAX_DIGITS + 1];
    int result = 0;

    if (read_fingerprint(action, fingerprint, error) != 0 || pass_observe(pass, error) != 0)
        return -1;
    if (find_own_client(pass, fingerprint, error) != 0) {
        const struct error *trouble = servers_trouble(&pass->servers);

        if (trouble != NULL) /* it may be there */
            *error = *trouble;
        return -1;
    }
    for (size_t i = 0; i < pass->servers.count && result == 0; i++) {
        struct server *server = &pass->servers.items[i];
        const struct lxd_certificate *entry = server_find(server, fingerprint);

        if (entry != NULL)
            result = server_remove(server, entry, error);
    }
    pass_log_changes(pass);
    add_changes(action);
    warn_of_return(action, fingerprint);
    return result;
}

/* ---- adopt-trusted-clients ---- */

/* Was it made by the Python charm, which calls entries by the certificate's common name? The
 * certificate is the entry's, as a relation wants it. */
static bool is_adoptable(const struct plan_self *self, const struct lxd_certificate *entry,
                         const struct certificate *certificate)
{
    return strcmp(entry->type, "client") == 0 && !entry->projects.restricted &&
           *entry->name != '\0' && strcmp(entry->name, certificate->common_name) == 0 &&
           strcmp(entry->fingerprint, self->fingerprint) != 0;
}

static int adopt(struct server *server, const struct plan_self *self, struct error *error)
{
    for (size_t i = 0; i < server->plan.count; i++) {
        const struct plan_certificate *wanted = &server->plan.certificates[i];
        const struct lxd_certificate *entry = server_find(server, wanted->certificate->fingerprint);

        if (entry != NULL && is_adoptable(self, entry, wanted->certificate) &&
            server_rename(server, entry, wanted->name, error) != 0)
            return -1;
    }
    return 0;
}

static int adopt_trusted_clients(struct action *action, struct error *error)
{
    struct pass *pass = &action->pass;
    int result = 0;

    if (pass_observe(pass, error) != 0)
        return -1;
    const struct plan_self self = pass_self(pass);
    for (size_t i = 0; i < pass->servers.count && result == 0; i++)
        result = adopt(&pass->servers.items[i], &self, error);
    pass_log_changes(pass);
    add_changes(action);
    return result;
}

/* ---- check ---- */

static int check_network(cJSON *steps, const struct endpoint *endpoint, struct error *error)
{
    struct strings addresses = {0};
    struct buffer list = {0};
    int fd = -1;

    if (net_resolve(endpoint->host, &addresses, error) != 0) {
        add(steps, "1-name", error->text);
        goto out;
    }
    for (size_t i = 0; i < addresses.count; i++)
        buffer_printf(&list, "%s%s", i != 0 ? ", " : "", addresses.items[i]);
    give(steps, "1-name", mem_printf("%s is %s", endpoint->host, list.data));
    fd = net_connect(endpoint->host, endpoint->port, net_clock_ms() + CONNECT_MS, error);
    add(steps, "2-connection", fd >= 0 ? "stands" : error->text);
out:
    if (fd < 0)
        error_prefix(error, "%s", endpoint->url);
    else
        close(fd);
    strings_free(&addresses);
    buffer_free(&list);
    return fd < 0 ? -1 : 0;
}

/* How far did observing it come? */
static void add_steps(cJSON *steps, const struct server *server)
{
    if (server->client == NULL) {
        add(steps, "3-tls", server->trouble.text);
        return;
    }
    give(steps, "3-tls",
         mem_printf("server presents %s, as expected", lxd_presented(server->client)->fingerprint));
    if (!server->info.trusted) {
        add(steps, "4-trust", server->trouble.text);
        return;
    }
    give(steps, "4-trust", mem_printf("LXD %s trusts our certificate", server->info.version));
    if (!server->observed) {
        add(steps, "5-permission", server->trouble.text);
        return;
    }
    give(steps, "5-permission",
         mem_printf("the trust store, of %zu certificates, is ours to "
                    "manage",
                    server->store.count));
    add_nodes(steps, server);
}

static int check_server(cJSON *steps, const struct endpoint *endpoint,
                        const struct credentials *credentials, struct error *error)
{
    struct lxd_credentials ours = {&credentials->certificate, &credentials->key,
                                   &credentials->server};
    struct server server = {0};

    add(steps, "endpoint", endpoint->url);
    if (check_network(steps, endpoint, error) != 0)
        return -1;
    server_start(&server, endpoint, &ours, net_clock_ms() + LXD_REQUEST_MS);
    server_observe(&server, 1);
    add_steps(steps, &server);
    if (server.troubled)
        *error = server.trouble;
    int result = server.troubled ? -1 : 0;
    server_free(&server);
    return result;
}

/* Every endpoint for itself, from its name to what LXD lets us do; the last trouble is the error.
 */
static int check(struct action *action, struct error *error)
{
    struct pass *pass = &action->pass;
    struct credentials *credentials = &pass->credentials;
    int result = 0;

    if (pass_read_credentials(pass, error) != 0) {
        add(action->results, "credentials", error->text);
        return -1;
    }
    give(action->results, "credentials",
         mem_printf("%s, certificate %s", credentials->source,
                    credentials->certificate.fingerprint));
    for (size_t i = 0; i < credentials->endpoints.count; i++) {
        const struct endpoint *endpoint = &credentials->endpoints.items[i];

        if (check_server(group(action->results, "server", i + 1), endpoint, credentials, error) !=
            0)
            result = -1;
    }
    return result;
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    int (*run)(struct action *action, struct error *error);
} actions[] = {
    {"adopt-trusted-clients", adopt_trusted_clients},
    {"check", check},
    {"get-connection-info", get_connection_info},
    {"list-trusted-clients", list_trusted_clients},
    {"reconcile", run_reconcile},
    {"remove-trusted-client", remove_trusted_client},
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
