/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/net.h"

static const char *name_of(const struct server *server)
{
    return lxd_name(server->info.software);
}

/* ---- observe ---- */

/* In the order of asking. */
enum reading {
    READ_SERVER,
    READ_CERTIFICATES,
    READ_PROJECTS,
    READ_MEMBERS,
    READ_IDENTITY,
    READ_ALL
};

static void ask(struct server *server, enum reading what)
{
    static void (*const functions[])(struct lxd_client *) = {
        [READ_SERVER] = lxd_ask_server,     [READ_CERTIFICATES] = lxd_ask_certificates,
        [READ_PROJECTS] = lxd_ask_projects, [READ_MEMBERS] = lxd_ask_members,
        [READ_IDENTITY] = lxd_ask_identity,
    };

    functions[what](server->client);
    server->asked |= 1u << what;
}

void server_start(struct server *server, const struct endpoint *endpoint,
                  const struct lxd_credentials *credentials, const struct interest *interest,
                  int64_t deadline)
{
    server->endpoint = *endpoint;
    server->credentials = credentials;
    server->interest = interest;
    server->client = interest->start != NULL ? interest->start(endpoint, credentials, deadline)
                                             : lxd_start(endpoint, credentials, deadline);
    ask(server, READ_SERVER);
    ask(server, READ_CERTIFICATES);
    if (interest->projects)
        ask(server, READ_PROJECTS);
}

bool server_opened(struct server *server)
{
    return lxd_opened(&server->client, &server->trouble) == 0;
}

static int read_server(struct server *server, struct error *error)
{
    const char *own = server->credentials->certificate->fingerprint;

    if (lxd_answer_server(server->client, &server->info, error) != 0)
        return -1;
    if (!server->info.trusted)
        return error_set(error, ERROR_UNTRUSTED,
                         "%s at %s does not trust the client certificate %.12s...: %s",
                         name_of(server), server->endpoint.url, own,
                         server->interest->remedies[server->info.software]);
    return 0;
}

static void note_certificate(void *context, const struct lxd_certificate *entry)
{
    struct server *server = context;

    store_note(&server->store, server->interest->owner, server->interest->wanted, entry);
}

/* One of the older kind that is restricted can neither add nor remove, and is in no group. */
static int say_restricted(const struct server *server, struct error *error)
{
    return error_set(error, ERROR_UNTRUSTED,
                     "%s at %s restricts the client certificate %.12s... to projects: it may not "
                     "manage the trust store",
                     name_of(server), server->endpoint.url,
                     server->credentials->certificate->fingerprint);
}

/* What our certificate lacks for managing the trust store, where LXD knows fine-grained identities.
 */
static int read_identity(struct server *server, struct error *error)
{
    struct lxd_identity identity;
    struct buffer lacking = {0};

    if (lxd_answer_identity(server->client, &identity, error) != 0)
        return -1;
    server->sees_projects = identity.sees_projects;
    server->filtered = !identity.fine_grained;
    if (!identity.fine_grained && !identity.creates)
        return say_restricted(server, error);
    if (!identity.creates)
        buffer_append_string(&lacking, ", can_create_identities");
    if (!identity.edits)
        buffer_append_string(&lacking, ", can_edit_identities");
    if (!identity.deletes)
        buffer_append_string(&lacking, ", can_delete_identities");
    if (!identity.sees_identities)
        buffer_append_string(&lacking, ", can_view_identities");
    if (lacking.length == 0)
        return 0;
    error_set(error, ERROR_UNTRUSTED,
              "%s at %s: the client certificate %.12s... lacks %s: run \"lxc auth group permission "
              "add GROUP server ENTITLEMENT\" for each",
              name_of(server), server->endpoint.url, server->credentials->certificate->fingerprint,
              lacking.data + 2);
    buffer_free(&lacking);
    return -1;
}

static int take(struct server *server, enum reading what, struct error *error)
{
    switch (what) {
    case READ_SERVER:
        return read_server(server, error);
    case READ_CERTIFICATES:
        if (lxd_answer_certificates(server->client, note_certificate, server, error) == 0)
            return 0;
        store_free(&server->store); /* half a list is none */
        return -1;
    case READ_PROJECTS:
        return lxd_answer_projects(server->client, &server->projects, error);
    case READ_MEMBERS:
        return lxd_answer_members(server->client, &server->members, error);
    default:
        return read_identity(server, error);
    }
}

static int check_permission(struct server *server, struct error *error)
{
    const struct store *store = &server->store;

    server->sees_projects = store->shows_own && !store->own_restricted;
    server->filtered = !store->shows_own;
    return store->own_restricted ? say_restricted(server, error) : 0;
}

/* What is to be asked depends on what is known by now. */
static int ask_on(struct server *server, struct error *error)
{
    store_sort(&server->store);
    strings_sort(&server->projects);
    if (check_permission(server, error) != 0)
        return -1;
    if (server->info.clustered)
        ask(server, READ_MEMBERS);
    if (server->info.has_identities && !server->sees_projects)
        ask(server, READ_IDENTITY);
    return 0;
}

/* What a list that may not be complete lacks is looked up. */
static void ask_unseen(struct server *server)
{
    const struct strings *wanted = server->interest->wanted;

    for (size_t i = 0; i < wanted->count && server->filtered; i++) {
        if (store_find(&server->store, wanted->items[i]) != NULL)
            continue;
        strings_add(&server->unseen, wanted->items[i]);
        lxd_ask_certificate(server->client, wanted->items[i]);
    }
}

static int take_unseen(struct server *server, struct error *error)
{
    struct lxd_certificate entry;
    bool found;

    if (lxd_answer_certificate(server->client, &found, &entry, error) != 0)
        return -1;
    server->looked_up++;
    if (found) {
        store_put(&server->store, &entry);
        lxd_certificate_free(&entry);
    }
    return 0;
}

static int observe(struct server *server, struct error *error)
{
    if (server->reading == READ_ALL)
        return take_unseen(server, error);
    if (take(server, server->reading, error) != 0)
        return -1;
    unsigned left = server->asked >> (server->reading + 1);
    if (left == 0 && server->reading <= READ_PROJECTS) {
        if (ask_on(server, error) != 0)
            return -1;
        left = server->asked >> (server->reading + 1);
    }
    do
        server->reading++;
    while (server->reading < READ_ALL && (server->asked & (1u << server->reading)) == 0);
    if (left == 0) {
        server->reading = READ_ALL;
        ask_unseen(server);
    }
    return 0;
}

bool server_observe_step(struct server *server)
{
    if (observe(server, &server->trouble) != 0)
        return false;
    if (server->reading != READ_ALL || server->looked_up < server->unseen.count)
        return true;
    server->state = SERVER_OBSERVED;
    return false;
}

struct surroundings server_surroundings(const struct server *server)
{
    bool known = server->sees_projects && (server->asked & (1u << READ_PROJECTS)) != 0;

    return (struct surroundings){
        .software = server->info.software,
        .version = server->info.version,
        .restricts = server->info.restricts,
        .projects = known ? &server->projects : NULL,
    };
}

/* ---- apply ---- */

/* What the next answer is to. */
enum doing {
    DOING_CHANGE,   /* the present step's change */
    DOING_ENTRY,    /* the entry as it is, after a change */
    DOING_CLOSE,    /* its removal, since it could not be narrowed */
    DOING_PROJECTS, /* which of them there are now */
};

static void note_done(struct server *server, struct step *step)
{
    const char *fingerprint = step->fingerprint, *name = name_of(server),
               *url = server->endpoint.url;
    char *projects = projects_describe(&step->projects), *sentence;

    step->outcome = STEP_DONE;
    switch (step->kind) {
    case STEP_REMOVE:
        sentence = mem_printf("certificate %.12s... (%s) is removed from the trust store of %s at "
                              "%s",
                              fingerprint, step->name, name, url);
        break;
    case STEP_RENAME:
        sentence = mem_printf("certificate %.12s... in the trust store of %s at %s is called %s "
                              "now",
                              fingerprint, name, url, step->name);
        break;
    case STEP_ADD:
        sentence = mem_printf("certificate %.12s... (%s) is in the trust store of %s at %s now, "
                              "and opens %s",
                              fingerprint, step->name, name, url, projects);
        break;
    default:
        sentence = mem_printf("certificate %.12s... (%s) in the trust store of %s at %s opens %s "
                              "now",
                              fingerprint, step->name, name, url, projects);
    }
    strings_take(step->kind == STEP_WIDEN ? &server->widened : &server->changes, sentence);
    free(projects);
}

/* The store, once LXD has confirmed that the entry is there, or is not. */
static void settle_done(struct server *server, struct step *step)
{
    struct lxd_certificate entry = {
        .name = step->name, .type = (char[]){"client"}, .projects = step->projects};

    if (step->kind == STEP_REMOVE) {
        store_remove(&server->store, step->fingerprint);
    } else {
        memcpy(entry.fingerprint, step->fingerprint, sizeof entry.fingerprint);
        store_put(&server->store, &entry);
    }
    note_done(server, step);
}

static void note_trouble(struct server *server, const struct error *error)
{
    if (server->state == SERVER_OBSERVED)
        server->trouble = *error;
    server->state = SERVER_UNFINISHED;
}

static void note_wider(struct server *server, const struct step *step, const char *why)
{
    strings_take(&server->wider,
                 mem_printf("certificate %.12s... (%s) cannot be taken out of %s at %s: %s",
                            step->fingerprint, step->name, name_of(server), server->endpoint.url,
                            why));
}

static void refuse(struct step *step, char *reason)
{
    step->outcome = STEP_REFUSED;
    free(step->reason);
    step->reason = reason;
}

/* Not confirmed, and not done either. Whoever reads the reason sees only what LXD said. */
static void fail_step(struct server *server, struct step *step)
{
    const struct error *refusal = &server->refusal;

    if (refusal->kind != ERROR_REFUSED) {
        step->outcome = STEP_FAILED;
        note_trouble(server, refusal);
    } else if (server->status == 409 && (step->kind == STEP_ADD || step->kind == STEP_RENAME)) {
        bool incus = server->info.software == LXD_INCUS; /* it has no identities */

        refuse(step, mem_printf("%s has another entry named \"%s\", or has this certificate%s: see "
                                "\"%s config trust list\"%s",
                                name_of(server), step->name, incus ? "" : " as an identity",
                                lxd_program(server->info.software),
                                incus ? "" : " and \"lxc auth identity list\""));
    } else {
        refuse(step, mem_string(refusal->text));
    }
}

/* The projects were read before one of them went: once more, then. */
static bool is_stale(const struct server *server)
{
    return server->status == 404 && !server->remade && server_surroundings(server).projects != NULL;
}

/* Where the entry is as it was to be, the answer was lost. */
static void settle_confirmed(struct server *server, struct step *step)
{
    if (server->refusal.kind == ERROR_UNREACHABLE)
        lxd_note_held_up(server->client);
    note_done(server, step);
}

static void settle_present(struct server *server, struct step *step,
                           const struct lxd_certificate *entry)
{
    bool equal = projects_equal(&entry->projects, &step->projects);

    store_put(&server->store, entry);
    if (step->kind != STEP_ADD && step->kind != STEP_RENAME &&
        !owner_has(server->interest->owner, entry)) {
        server->stale = true; /* somebody has made it theirs meanwhile */
        return;
    }
    switch (step->kind) {
    case STEP_REMOVE:
        fail_step(server, step);
        note_wider(server, step, server->refusal.text);
        break;
    case STEP_RENAME:
        if (strcmp(entry->name, step->name) == 0)
            settle_confirmed(server, step);
        else
            fail_step(server, step);
        break;
    case STEP_ADD:
        if (equal && strcmp(entry->name, step->name) == 0)
            settle_confirmed(server, step);
        else
            server->stale = true; /* somebody else has added it: planned anew, it is ours or not */
        break;
    default:
        if (equal) {
            settle_confirmed(server, step);
        } else if (is_stale(server)) {
            server->stale = true;
        } else if (step->kind == STEP_NARROW &&
                   !projects_cover(&step->projects, &entry->projects)) {
            lxd_ask_remove(server->client, step->fingerprint);
            server->doing = DOING_CLOSE;
        } else {
            fail_step(server, step);
        }
    }
}

static void settle_absent(struct server *server, struct step *step)
{
    store_remove(&server->store, step->fingerprint);
    if (step->kind == STEP_REMOVE)
        settle_confirmed(server, step);
    else if (step->kind != STEP_ADD || is_stale(server))
        server->stale = true;
    else
        fail_step(server, step);
}

static void take_entry(struct server *server, struct step *step)
{
    struct lxd_certificate entry;
    struct error error;
    bool found;

    server->doing = DOING_CHANGE;
    if (lxd_answer_certificate(server->client, &found, &entry, &error) != 0) {
        if (server->status / 100 == 2) /* LXD has not refused it */
            server->refusal = error;
        fail_step(server, step);
        note_trouble(server, &error);
        if (step->kind <= STEP_NARROW)
            note_wider(server, step, error.text);
    } else if (found) {
        settle_present(server, step, &entry);
        lxd_certificate_free(&entry);
    } else {
        settle_absent(server, step);
    }
}

/* Closed in doubt: nothing of ours stays wider than its wishes. */
static void take_removal(struct server *server, struct step *step)
{
    struct error error;
    int status;

    server->doing = DOING_CHANGE;
    fail_step(server, step);
    if (lxd_answer_change(server->client, &status, &error) != 0) {
        note_trouble(server, &error);
        note_wider(server, step, error.text);
        return;
    }
    store_remove(&server->store, step->fingerprint);
    strings_take(
        &server->changes,
        mem_printf("certificate %.12s... (%s) is removed from the trust store of %s at %s, since "
                   "it cannot be narrowed: %s",
                   step->fingerprint, step->name, name_of(server), server->endpoint.url,
                   server->refusal.text));
}

static void take_projects(struct server *server, const struct terms *terms)
{
    struct surroundings surroundings;
    struct strings projects = {0};
    struct error error;

    server->doing = DOING_CHANGE;
    server->remade = true;
    if (lxd_answer_projects(server->client, &projects, &error) != 0) {
        note_trouble(server, &error);
    } else {
        strings_free(&server->projects);
        server->projects = projects;
        strings_sort(&server->projects);
    }
    surroundings = server_surroundings(server);
    plan_remake(&server->plan, terms, &surroundings, &server->store);
    server->step = 0;
}

/* What an entry has become is looked at; that one is there, or is not, is LXD's to say. */
static void take_change(struct server *server, struct step *step)
{
    server->status = 0;
    if (lxd_answer_change(server->client, &server->status, &server->refusal) == 0) {
        if (step->kind == STEP_ADD || step->kind == STEP_REMOVE) {
            settle_done(server, step);
            return;
        }
        error_set(&server->refusal, ERROR_REFUSED,
                  "LXD says that it has changed the entry, and has not");
    }
    lxd_ask_certificate(server->client, step->fingerprint);
    server->doing = DOING_ENTRY;
}

static void ask_change(const struct server *server, const struct step *step)
{
    struct lxd_client *client = server->client;

    switch (step->kind) {
    case STEP_REMOVE:
        lxd_ask_remove(client, step->fingerprint);
        break;
    case STEP_RENAME:
        lxd_ask_change(client, step->fingerprint, step->name, NULL);
        break;
    case STEP_ADD:
        lxd_ask_add(client, step->certificate, step->name, &step->projects);
        break;
    default:
        lxd_ask_change(client, step->fingerprint, NULL, &step->projects);
    }
}

/* May it go on? A person's, or the next hook's, where not. */
static bool may_go_on(struct server *server)
{
    struct error error;

    if (server->state == SERVER_UNFINISHED &&
        (server->trouble.kind == ERROR_UNTRUSTED || !lxd_is_connected(server->client)))
        return false;
    if (net_clock_ms() < server->deadline)
        return true;
    size_t due = plan_due(&server->plan);
    error_set(&error, ERROR_WAITING, "%s at %s: %zu change%s left for the next hook",
              name_of(server), server->endpoint.url, due, due == 1 ? " is" : "s are");
    note_trouble(server, &error);
    return false;
}

/* Ask for the next thing that is due. Is there one? */
static bool go_on(struct server *server)
{
    while (server->step < server->plan.count &&
           server->plan.steps[server->step].outcome != STEP_DUE)
        server->step++;
    if (server->step < server->plan.count) {
        if (!may_go_on(server))
            return false;
        ask_change(server, &server->plan.steps[server->step]);
        return true;
    }
    if (!server->stale || server->remade || !may_go_on(server))
        return false;
    lxd_ask_projects(server->client);
    server->doing = DOING_PROJECTS;
    return true;
}

bool server_apply_begin(struct server *server, int64_t deadline)
{
    if (server->state != SERVER_OBSERVED)
        return false;
    server->deadline = deadline;
    server->step = 0;
    server->stale = server->remade = false;
    server->doing = DOING_CHANGE;
    lxd_set_deadline(server->client, deadline);
    return go_on(server);
}

bool server_apply_step(struct server *server, const struct terms *terms)
{
    struct step *step = &server->plan.steps[server->step];

    switch (server->doing) {
    case DOING_CHANGE:
        take_change(server, step);
        break;
    case DOING_ENTRY:
        take_entry(server, step);
        break;
    case DOING_CLOSE:
        take_removal(server, step);
        break;
    default:
        take_projects(server, terms);
        return go_on(server);
    }
    if (server->doing != DOING_CHANGE)
        return true;
    server->step++;
    return go_on(server);
}

/* ---- what it is ---- */

void server_judge(struct server *server, const struct terms *terms)
{
    const struct surroundings surroundings = server_surroundings(server);

    judgements_free(server->judgements, server->judged);
    server->judged = terms->wishes->count;
    server->judgements = plan_judge(&server->plan, terms, &surroundings, &server->store);
}

bool server_lists(const struct server *server, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < server->members.count; i++) {
        if (endpoint_equal(&server->members.items[i].endpoint, endpoint))
            return true;
    }
    return endpoints_contain(&server->info.addresses, endpoint);
}

/* The certificate that is expected, or else the CA's that its chain ends in: one of those. */
char *server_certificate(const struct server *server)
{
    const struct certificate *presented = lxd_presented(server->client);
    const struct server_identity *identity = server->credentials->server;
    const struct certificate **anchors = mem_alloc(identity->count * sizeof *anchors);
    size_t count = server_identity_anchors(identity, anchors);
    struct buffer authorities = {0};

    for (size_t i = 0; i < identity->count; i++) {
        if (strcmp(identity->expected[i].fingerprint, presented->fingerprint) == 0)
            count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        char *pem = pem_encode("CERTIFICATE", anchors[i]->der, anchors[i]->length);

        buffer_append_string(&authorities, pem);
        free(pem);
    }
    free(anchors);
    return count != 0 ? authorities.data
                      : pem_encode("CERTIFICATE", presented->der, presented->length);
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
    judgements_free(server->judgements, server->judged);
    plan_free(&server->plan);
    store_free(&server->store);
    lxd_members_free(&server->members);
    lxd_server_free(&server->info);
    lxd_close(server->client);
    strings_free(&server->projects);
    strings_free(&server->unseen);
    strings_free(&server->changes);
    strings_free(&server->widened);
    strings_free(&server->wider);
    *server = (struct server){0};
}
