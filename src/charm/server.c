/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/server.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LANES 2     /* two connections save a sixth of LXD's time, more of them no more */
#define MANY_CHANGES 20 /* that pay for the handshake of another one */

/* ---- several at once ---- */

/* A connection to a server, and what it is in use for. */
struct lane {
    struct server *server;
    struct lxd_client *client;
    size_t change; /* of the plan: removals first */
    bool asked;    /* its answer is to be collected */
};

static struct lxd_client **clients_of(const struct lane *lanes, size_t count)
{
    struct lxd_client **clients = mem_alloc(count * sizeof *clients);

    for (size_t i = 0; i < count; i++)
        clients[i] = lanes[i].client;
    return clients;
}

/* Let all go on with a step whenever their server answers, until they have no more to do. */
static void run(struct lane *lanes, size_t count, bool (*step)(struct lane *lane))
{
    struct lxd_client **clients = clients_of(lanes, count);
    size_t next;

    while ((next = lxd_wait(clients, count)) < count) {
        if (!step(&lanes[next]))
            clients[next] = NULL;
    }
    free(clients);
}

static void connect_all(const struct lane *lanes, size_t count)
{
    struct lxd_client **clients = clients_of(lanes, count);

    lxd_connect(clients, count);
    free(clients);
}

/* ---- observe ---- */

static int log_in(struct server *server, struct error *error)
{
    const struct certificate *ours = server->credentials->certificate;

    if (lxd_get_server(server->client, &server->info, error) != 0)
        return -1;
    if (!server->info.trusted)
        return error_set(error, ERROR_UNTRUSTED,
                         "LXD at %s does not trust the client certificate %.12s...: run \"lxc "
                         "config trust add\"",
                         server->endpoint.url, ours->fingerprint);
    return 0;
}

/* A restricted certificate could neither add nor remove; LXD shows it its own entry at least. */
static int check_permission(const struct server *server, struct error *error)
{
    const char *own = server->credentials->certificate->fingerprint;

    for (size_t i = 0; i < server->store.count; i++) {
        const struct lxd_certificate *entry = &server->store.items[i];

        if (entry->projects.restricted && strcmp(entry->fingerprint, own) == 0)
            return error_set(error, ERROR_UNTRUSTED,
                             "LXD at %s restricts the client certificate %.12s... to projects: it "
                             "may not manage the trust store",
                             server->endpoint.url, own);
    }
    return 0;
}

/* What was asked first: both requests leave with the handshake. Then the members of a cluster. */
static int collect(struct server *server, struct error *error)
{
    if (server->step++ != 0)
        return lxd_list_members(server->client, &server->members, error);
    if (log_in(server, error) != 0 ||
        lxd_list_certificates(server->client, &server->store, error) != 0)
        return -1;
    return check_permission(server, error);
}

/* Is there more to be done? */
static bool observe_step(struct lane *lane)
{
    struct server *server = lane->server;
    bool failed = collect(server, &server->trouble) != 0;

    if (!failed && server->info.clustered && server->step == 1) {
        lxd_ahead_get(server->client, LXD_MEMBERS);
        return true;
    }
    server->observed = !failed;
    server->troubled = failed;
    return false;
}

void server_start(struct server *server, const struct endpoint *endpoint,
                  const struct lxd_credentials *credentials, int64_t deadline)
{
    server->endpoint = *endpoint;
    server->credentials = credentials;
    server->client = lxd_start(endpoint, credentials, deadline);
    lxd_ahead_get(server->client, LXD_SERVER);
    lxd_ahead_get(server->client, LXD_CERTIFICATES);
}

void server_observe(struct server *servers, size_t count)
{
    struct lane *lanes = mem_alloc(count * sizeof *lanes);

    for (size_t i = 0; i < count; i++)
        lanes[i] = (struct lane){.server = &servers[i], .client = servers[i].client};
    connect_all(lanes, count);
    for (size_t i = 0; i < count; i++) {
        servers[i].troubled = lxd_opened(&servers[i].client, &servers[i].trouble) != 0;
        lanes[i].client = servers[i].client;
    }
    run(lanes, count, observe_step);
    free(lanes);
}

/* ---- apply ---- */

/* The sentence becomes the server's. */
static void note(struct server *server, char *sentence)
{
    strings_add(&server->changes, sentence);
    free(sentence);
}

/* Keep the first trouble. There may be no use in going on. */
static void note_trouble(struct lane *lane, const struct error *error)
{
    struct server *server = lane->server;

    if (!server->troubled)
        server->trouble = *error;
    server->troubled = true;
    if (error->kind == ERROR_UNTRUSTED || !lxd_is_connected(lane->client))
        server->given_up = true;
}

static int add(const struct lane *lane, struct plan_certificate *wanted, struct error *error)
{
    struct server *server = lane->server;
    struct lxd_certificate entry;

    if (lxd_add_certificate(lane->client, wanted->certificate, wanted->name, &wanted->projects,
                            &entry, error) != 0) {
        if (error->kind != ERROR_REFUSED)
            return -1;
        plan_refuse(wanted, error->text);
        return 0;
    }
    plan_settle(wanted, &entry);
    if (wanted->state == PLAN_PRESENT)
        note(server,
             mem_printf("certificate %.12s... (%s) is now in the trust store of LXD at %s as "
                        "%s",
                        entry.fingerprint, wanted->certificate->common_name, server->endpoint.url,
                        entry.name));
    lxd_certificate_free(&entry);
    return 0;
}

static int restrict_to_plan(const struct lane *lane, struct plan_certificate *wanted,
                            struct error *error)
{
    struct server *server = lane->server;
    const char *fingerprint = wanted->certificate->fingerprint;

    if (lxd_change_certificate(lane->client, fingerprint, wanted->name, &wanted->projects, error) !=
        0) {
        if (error->kind != ERROR_REFUSED)
            return -1;
        plan_refuse(wanted, error->text);
        return 0;
    }
    wanted->state = PLAN_PRESENT;
    char *projects = projects_describe(&wanted->projects);
    note(server,
         mem_printf("certificate %.12s... (%s) in the trust store of LXD at %s now opens %s",
                    fingerprint, wanted->name, server->endpoint.url, projects));
    free(projects);
    return 0;
}

/* LXD's own reason, with what it is about. */
static int say_refused(const struct server *server, const struct lxd_certificate *entry,
                       const char *what, struct error *error)
{
    if (error->kind == ERROR_REFUSED)
        error_prefix(error, "LXD at %s does not let certificate %.12s... be %s",
                     server->endpoint.url, entry->fingerprint, what);
    return -1;
}

static int remove_entry(const struct lane *lane, const struct lxd_certificate *entry,
                        struct error *error)
{
    struct server *server = lane->server;

    if (lxd_remove_certificate(lane->client, entry->fingerprint, error) != 0)
        return say_refused(server, entry, "removed", error);
    note(server,
         mem_printf("certificate %.12s... (%s) is removed from the trust store of LXD at %s",
                    entry->fingerprint, entry->name, server->endpoint.url));
    return 0;
}

int server_remove(struct server *server, const struct lxd_certificate *entry, struct error *error)
{
    return remove_entry(&(struct lane){.server = server, .client = server->client}, entry, error);
}

int server_rename(struct server *server, const struct lxd_certificate *entry, const char *name,
                  struct error *error)
{
    if (lxd_change_certificate(server->client, entry->fingerprint, name, NULL, error) != 0)
        return say_refused(server, entry, "renamed", error);
    note(server,
         mem_printf("certificate %.12s... (%s) in the trust store of LXD at %s is now called %s",
                    entry->fingerprint, entry->name, server->endpoint.url, name));
    return 0;
}

/* How many changes the plan may ask for; removals come first. */
static size_t change_count(const struct server *server)
{
    return server->plan.removal_count + server->plan.count;
}

/* The certificate that the change is about, or NULL: then it is a removal. */
static struct plan_certificate *wanted_by(const struct server *server, size_t change)
{
    const struct plan *plan = &server->plan;

    return change < plan->removal_count ? NULL : &plan->certificates[change - plan->removal_count];
}

static bool is_needed(const struct server *server, size_t change)
{
    const struct plan_certificate *wanted = wanted_by(server, change);

    return wanted == NULL || wanted->state == PLAN_MISSING || wanted->state == PLAN_CHANGED;
}

/* Send the request for the lane's change ahead. */
static void ask(struct lane *lane)
{
    const struct server *server = lane->server;
    const struct plan_certificate *wanted = wanted_by(server, lane->change);

    if (wanted == NULL)
        lxd_ahead_remove(lane->client, server->plan.removals[lane->change]->fingerprint);
    else if (wanted->state == PLAN_MISSING)
        lxd_ahead_add(lane->client, wanted->certificate, wanted->name, &wanted->projects);
    else
        lxd_ahead_change(lane->client, wanted->certificate->fingerprint, wanted->name,
                         &wanted->projects);
}

/* Take the next change that no lane has taken. Is there one? */
static bool take(struct lane *lane)
{
    struct server *server = lane->server;

    while (!server->given_up && server->step < change_count(server)) {
        lane->change = server->step++;
        if (is_needed(server, lane->change))
            return true;
    }
    return false;
}

/* Carry out what was asked for. Did an addition turn out to be a change? */
static bool change(struct lane *lane)
{
    struct server *server = lane->server;
    struct plan_certificate *wanted = wanted_by(server, lane->change);
    bool adding = wanted != NULL && wanted->state == PLAN_MISSING;
    struct error error;
    int result;

    if (wanted == NULL)
        result = remove_entry(lane, server->plan.removals[lane->change], &error);
    else if (adding)
        result = add(lane, wanted, &error);
    else
        result = restrict_to_plan(lane, wanted, &error);
    if (result != 0)
        note_trouble(lane, &error);
    return result == 0 && adding && wanted->state == PLAN_CHANGED;
}

static bool apply_step(struct lane *lane)
{
    bool again = lane->asked && change(lane);

    lane->asked = again || take(lane);
    if (lane->asked)
        ask(lane);
    return lane->asked;
}

/* LXD works on one request of a connection after the other, and on several connections at once. */
static size_t count_lanes(const struct server *server)
{
    size_t needed = 0;

    if (!server->observed)
        return 0;
    for (size_t i = server->step; i < change_count(server); i++)
        needed += is_needed(server, i);
    return needed < MANY_CHANGES ? 1 : MAX_LANES;
}

/* The server's own connection, and the further ones, begun only. */
static void start_lanes(struct lane *lanes, size_t count, struct server *server, int64_t deadline)
{
    for (size_t i = 0; i < count; i++) {
        lanes[i].server = server;
        lanes[i].client =
            i == 0 ? server->client : lxd_start(&server->endpoint, server->credentials, deadline);
    }
}

/* What could not be opened is done without. */
static void open_lanes(struct lane *lanes, size_t count)
{
    struct error ignored;

    connect_all(lanes, count);
    for (size_t i = 0; i < count; i++) {
        if (lanes[i].client != lanes[i].server->client)
            lxd_opened(&lanes[i].client, &ignored);
    }
}

static void close_lanes(struct lane *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lanes[i].client != lanes[i].server->client)
            lxd_close(lanes[i].client);
    }
    free(lanes);
}

void server_apply(struct server *servers, size_t count, bool removing, int64_t deadline)
{
    struct lane *lanes = mem_alloc(count * MAX_LANES * sizeof *lanes);
    size_t lane_count = 0;

    for (size_t i = 0; i < count; i++) {
        struct server *server = &servers[i];

        server->step = removing ? 0 : server->plan.removal_count;
        size_t wanted = count_lanes(server);
        start_lanes(&lanes[lane_count], wanted, server, deadline);
        lane_count += wanted;
        if (wanted != 0)
            lxd_set_deadline(server->client, deadline);
    }
    open_lanes(lanes, lane_count);
    run(lanes, lane_count, apply_step);
    close_lanes(lanes, lane_count);
}

/* ---- what it is ---- */

const struct lxd_certificate *server_find(const struct server *server, const char *fingerprint)
{
    for (size_t i = 0; i < server->store.count; i++) {
        if (strcmp(server->store.items[i].fingerprint, fingerprint) == 0)
            return &server->store.items[i];
    }
    return NULL;
}

bool server_has_member(const struct server *server, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < server->members.count; i++) {
        if (endpoint_equal(&server->members.items[i].endpoint, endpoint))
            return true;
    }
    return false;
}

const char *server_warning(const struct server *server)
{
    return server->client != NULL ? lxd_warning(server->client) : NULL;
}

size_t server_nodes(const struct server *server)
{
    size_t active = 0;

    for (size_t i = 0; i < server->members.count; i++)
        active += server->members.items[i].active;
    return server->info.clustered ? active : 1;
}

void server_free(struct server *server)
{
    plan_free(&server->plan);
    lxd_certificates_free(&server->store);
    lxd_members_free(&server->members);
    lxd_server_free(&server->info);
    lxd_close(server->client);
    strings_free(&server->changes);
    *server = (struct server){0};
}
