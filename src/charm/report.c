/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "juju/hook_tools.h"

#define SECONDS_A_DAY 86400
#define MAX_NAMES 3   /* of relations or projects in a status */
#define DIGEST_SIZE 9 /* eight digits and a NUL: tells lines apart */
#define TOLD "told"   /* digests of what the last hook said */

static const struct {
    enum juju_log_level level;
    bool once; /* as long as nothing changes */
    const char *more;
} kinds[REPORT_KINDS] = {
    [REPORT_ERRORS] = {JUJU_LOG_ERROR, false, "servers are in trouble"},
    [REPORT_TROUBLES] = {JUJU_LOG_WARNING, false, "servers are in trouble"},
    [REPORT_REMARKS] = {JUJU_LOG_WARNING, false, "remarks of this kind"},
    [REPORT_WIDER] = {JUJU_LOG_ERROR, false, "certificates cannot be taken out of LXD"},
    [REPORT_CHANGES] = {JUJU_LOG_INFO, false, "changes were made in LXD"},
    [REPORT_WIDENED] = {JUJU_LOG_WARNING, false, "certificates open more than before"},
    [REPORT_PROJECTS] = {JUJU_LOG_WARNING, true, "projects do not exist"},
    [REPORT_FOREIGN] = {JUJU_LOG_WARNING, true, "entries of others are of note"},
    [REPORT_REPLACED] = {JUJU_LOG_WARNING, true, "relations are replaced"},
    [REPORT_REJECTIONS] = {JUJU_LOG_WARNING, true, "rejections"},
    [REPORT_LEFT] = {JUJU_LOG_WARNING, true, "LXD servers may keep entries of ours"},
    [REPORT_EXPIRING] = {JUJU_LOG_WARNING, false, "certificates are to be renewed"},
};

__attribute__((format(printf, 3, 4))) static void
add_line(struct report *report, enum report_kind kind, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    strings_take(&report->lines[kind], mem_vprintf(format, arguments));
    va_end(arguments);
}

/* ---- the status: parts with semicolons between them ---- */

static void begin_part(struct buffer *out)
{
    if (out->length != 0)
        buffer_append_string(out, "; ");
}

static void append_count(struct buffer *out, size_t count, const char *noun)
{
    buffer_printf(out, "%zu %s%s", count, noun, count != 1 ? "s" : "");
}

/* "a, b, c and 5 more" */
static void append_names(struct buffer *out, const struct strings *names)
{
    for (size_t i = 0; i < names->count && i < MAX_NAMES; i++)
        buffer_printf(out, "%s%s", i != 0 ? ", " : "", names->items[i]);
    if (names->count > MAX_NAMES)
        buffer_printf(out, " and %zu more", names->count - MAX_NAMES);
}

/* One line that fits, whatever LXD said. */
static void set_message(struct report *report, struct buffer *message)
{
    static const char ellipsis[] = "...";
    size_t size = sizeof report->message;

    snprintf(report->message, size, "%s", buffer_string(message));
    if (message->length >= size)
        memcpy(report->message + size - sizeof ellipsis, ellipsis, sizeof ellipsis);
    for (char *c = report->message; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
    buffer_free(message);
}

/* "LXD 5.0.2", each once. */
static void append_versions(struct buffer *out, const struct servers *servers)
{
    struct strings versions = {0};

    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];

        if (server->state == SERVER_OBSERVED)
            strings_take(&versions, mem_printf("%s %s", lxd_name(server->info.software),
                                               server->info.version));
    }
    strings_sort(&versions);
    for (size_t i = 0; i < versions.count; i++)
        buffer_printf(out, ", %s", versions.items[i]);
    strings_free(&versions);
}

static bool refuses(const struct rejections *rejections)
{
    for (size_t i = 0; i < rejections->count; i++) {
        if (!rejections->items[i].let_in)
            return true;
    }
    return false;
}

static void append_rejected(struct buffer *out, const struct findings *findings)
{
    struct strings names = {0};

    if (findings->answers->rejected == 0)
        return;
    for (size_t i = 0; i < findings->relations->count; i++) {
        if (refuses(&findings->answers->items[i].rejections))
            strings_take(&names, relation_describe(&findings->relations->items[i]));
    }
    begin_part(out);
    append_count(out, findings->answers->rejected, "certificate");
    buffer_append_string(out, " rejected: ");
    append_names(out, &names);
    strings_free(&names);
}

/* Relations that are not served as one would think. */
static void append_relations(struct buffer *out, const struct findings *findings)
{
    struct strings unknown = {0}, replaced = {0};

    for (size_t i = 0; i < findings->relations->count; i++) {
        const struct relation *relation = &findings->relations->items[i];

        if (relation->state == RELATION_UNKNOWN)
            strings_take(&unknown, relation_describe(relation));
        if (relation->state == RELATION_REPLACED)
            strings_take(&replaced, relation_describe(relation));
    }
    if (unknown.count != 0) {
        begin_part(out);
        buffer_append_string(out, "unreadable: ");
        append_names(out, &unknown);
    }
    if (replaced.count != 0) {
        begin_part(out);
        buffer_append_string(out, "only the newer relation is served: not ");
        append_names(out, &replaced);
    }
    strings_free(&unknown);
    strings_free(&replaced);
}

static void append_missing(struct buffer *out, const struct servers *servers)
{
    struct strings missing = {0};

    for (size_t i = 0; i < servers->count; i++) {
        for (size_t j = 0; j < servers->items[i].plan.missing.count; j++)
            strings_take(&missing, mem_printf("\"%s\"", servers->items[i].plan.missing.items[j]));
    }
    strings_sort(&missing);
    if (missing.count != 0) {
        begin_part(out);
        buffer_append_string(out, missing.count == 1 ? "project " : "projects ");
        append_names(out, &missing);
        buffer_append_string(out, missing.count == 1 ? " does not exist" : " do not exist");
    }
    strings_free(&missing);
}

/* Entries of others that open more than the option projects allows, of certificates asked for. */
static size_t count_beyond(const struct findings *findings)
{
    size_t beyond = 0;

    for (size_t i = 0, next; i < findings->wishes->count; i = next) {
        bool is_beyond = false;

        next = wishes_next(findings->wishes, i);
        for (size_t j = 0; j < findings->servers->count; j++) {
            const struct server *server = &findings->servers->items[j];

            is_beyond = is_beyond || (server->judgements != NULL && server->judgements[i].beyond);
        }
        beyond += is_beyond;
    }
    return beyond;
}

static void append_foreign(struct buffer *out, const struct findings *findings)
{
    size_t beyond = count_beyond(findings), strangers = 0;
    const char *filters = NULL;

    for (size_t i = 0; i < findings->servers->count; i++) {
        const struct server *server = &findings->servers->items[i];

        strangers += server->store.strangers;
        if (server->filtered)
            filters = lxd_name(server->info.software);
    }
    if (beyond != 0) {
        begin_part(out);
        buffer_printf(out, beyond == 1 ? "%zu entry of others opens" : "%zu entries of others open",
                      beyond);
        buffer_append_string(out, " more than the option projects allows");
    }
    if (strangers != 0) {
        begin_part(out);
        buffer_printf(out, "%zu %s of no client with a name of ours", strangers,
                      strangers == 1 ? "entry" : "entries");
    }
    if (filters != NULL) {
        begin_part(out);
        buffer_printf(out, "%s may hide entries from us", filters);
    }
}

static void append_expiring(struct buffer *out, const struct report *report, int64_t first)
{
    size_t count = report->lines[REPORT_EXPIRING].count;
    char date[CERTIFICATE_DATE_SIZE];

    if (count == 0)
        return;
    certificate_date(date, first);
    begin_part(out);
    append_count(out, count, "certificate");
    buffer_printf(out, " to renew, %sby %s", count != 1 ? "the first " : "", date);
}

static void append_due(struct buffer *out, const struct findings *findings)
{
    size_t due = servers_due(findings->servers);

    if (due == 0 || findings->changes_are_ours)
        return;
    begin_part(out);
    append_count(out, due, "change");
    buffer_append_string(out, " left to the leader");
}

static void append_left(struct buffer *out, const struct findings *findings)
{
    for (size_t i = 0; i < findings->left->count; i++) {
        begin_part(out);
        buffer_append_string(out, findings->left->items[i]);
    }
}

static void append_summary(struct buffer *out, const struct report *report,
                           const struct findings *findings, int64_t first_expiry)
{
    const struct servers *servers = findings->servers;
    size_t nodes = 0;

    for (size_t i = 0; i < servers->count; i++)
        nodes += servers->items[i].state == SERVER_OBSERVED ? server_nodes(&servers->items[i]) : 0;
    append_count(out, findings->answers->trusted, "certificate");
    buffer_append_string(out, " trusted");
    append_versions(out, servers);
    buffer_append_string(out, ", ");
    append_count(out, nodes, "node");
    append_rejected(out, findings);
    append_missing(out, servers);
    append_relations(out, findings);
    append_left(out, findings);
    append_foreign(out, findings);
    append_due(out, findings);
    if (findings->credentials->remark != NULL) {
        begin_part(out);
        buffer_append_string(out, findings->credentials->remark);
    }
    append_expiring(out, report, first_expiry);
}

static bool mends_itself(const struct error *error)
{
    return error->kind == ERROR_UNREACHABLE || error->kind == ERROR_WAITING;
}

/* Where the server's certificate that is expected is to be updated, by where it came from. */
static const char *name_identity(const struct credentials *credentials)
{
    const char *source = credentials->source;

    if (source == NULL || strcmp(source, "config") == 0)
        return "lxd_server_cert";
    return strcmp(source, "credential-get") == 0 ? "Juju's credential" : source;
}

static void append_error(struct report *report, struct buffer *out, const struct findings *findings,
                         const struct error *error)
{
    report->status = mends_itself(error) ? "waiting" : "blocked";
    begin_part(out);
    buffer_append_string(out, error->text);
    if (error->kind == ERROR_UNREACHABLE)
        buffer_append_string(out, "; retrying");
    if (error->kind == ERROR_IDENTITY)
        buffer_printf(out, ": update %s", name_identity(findings->credentials));
}

static void append_troubles(struct report *report, struct buffer *out,
                            const struct findings *findings, int64_t first_expiry)
{
    const struct servers *servers = findings->servers;
    const struct error *trouble = servers_trouble(servers);
    size_t troubled = 0;

    for (size_t i = 0; i < servers->count; i++)
        troubled += servers->items[i].state != SERVER_OBSERVED;
    if (trouble == NULL) {
        begin_part(out);
        append_summary(out, report, findings, first_expiry);
        return;
    }
    append_error(report, out, findings, trouble);
    if (troubled > 1) {
        buffer_append_string(out, "; ");
        append_count(out, troubled - 1, "more server");
        buffer_append_string(out, " in trouble");
    }
    append_left(out, findings);
    if (troubled < servers->count) {
        buffer_append_string(out, "; elsewhere ");
        append_summary(out, report, findings, first_expiry);
    }
}

static void make_status(struct report *report, const struct findings *findings,
                        int64_t first_expiry)
{
    const struct strings *wider = &report->lines[REPORT_WIDER];
    struct buffer message = {0};

    report->status = "active";
    if (findings->error != NULL) {
        append_left(&message, findings); /* else a long remedy leaves no room for it */
        append_error(report, &message, findings, findings->error);
    } else {
        if (wider->count != 0)
            buffer_append_string(&message, wider->items[0]);
        if (wider->count > 1)
            buffer_printf(&message, "; %zu more", wider->count - 1);
        if (findings->leaving_leader != NULL) {
            begin_part(&message);
            buffer_printf(&message,
                          "%s is leaving: remove its subordinates, or \"juju remove-unit "
                          "--force\" it",
                          findings->leaving_leader);
        }
        append_troubles(report, &message, findings, first_expiry);
        if (findings->leaving_leader != NULL && strcmp(report->status, "active") == 0)
            report->status = "waiting";
        if (wider->count != 0)
            report->status = "blocked";
    }
    set_message(report, &message);
}

/* ---- lines ---- */

static void add_trouble(struct report *report, const struct error *error)
{
    add_line(report, mends_itself(error) ? REPORT_TROUBLES : REPORT_ERRORS, "%s", error->text);
}

static void add_server_lines(struct report *report, const struct server *server)
{
    const char *warning = server->client != NULL ? lxd_warning(server->client) : NULL;
    const char *name = lxd_name(server->info.software), *url = server->endpoint.url;

    if (server->state != SERVER_OBSERVED)
        add_trouble(report, &server->trouble);
    if (warning != NULL)
        add_line(report, REPORT_REMARKS, "%s", warning);
    for (size_t i = 0; i < server->wider.count; i++)
        add_line(report, REPORT_WIDER, "%s", server->wider.items[i]);
    for (size_t i = 0; i < server->changes.count; i++)
        add_line(report, REPORT_CHANGES, "%s", server->changes.items[i]);
    for (size_t i = 0; i < server->widened.count; i++)
        add_line(report, REPORT_WIDENED, "%s", server->widened.items[i]);
    for (size_t i = 0; i < server->plan.missing.count; i++)
        add_line(report, REPORT_PROJECTS,
                 "project \"%s\", which is asked for, does not exist in "
                 "%s at %s",
                 server->plan.missing.items[i], name, url);
    if (server->store.strangers != 0)
        add_line(report, REPORT_FOREIGN,
                 "%s at %s: entries with a name of ours that are of another type than client, and "
                 "are left as they are: %zu",
                 name, url, server->store.strangers);
    if (server->filtered)
        add_line(report, REPORT_FOREIGN,
                 "%s at %s does not show our own certificate in its list, "
                 "so it may hide others: each is looked up",
                 name, url);
}

static void add_foreign_lines(struct report *report, const struct findings *findings)
{
    for (size_t i = 0; i < findings->servers->count; i++) {
        const struct server *server = &findings->servers->items[i];

        for (size_t j = 0; j < server->judged; j = wishes_next(findings->wishes, j)) {
            const char *fingerprint = wish_fingerprint(&findings->wishes->items[j]);
            const struct lxd_certificate *entry = store_find(&server->store, fingerprint);

            if (server->judgements[j].beyond && entry != NULL)
                add_line(report, REPORT_FOREIGN,
                         "certificate %.12s... of %s at %s opens more than the option projects "
                         "allows: its entry \"%s\" is somebody else's",
                         fingerprint, lxd_name(server->info.software), server->endpoint.url,
                         entry->name);
        }
    }
}

static void add_relation_lines(struct report *report, const struct findings *findings)
{
    for (size_t i = 0; i < findings->answers->count; i++) {
        const struct relation *relation = &findings->relations->items[i];
        const struct rejections *rejections = &findings->answers->items[i].rejections;
        char *name = relation_describe(relation);

        if (relation->state == RELATION_REPLACED)
            add_line(report, REPORT_REPLACED,
                     "%s is not served: a newer relation of the same "
                     "application to the same endpoint is",
                     name);
        for (size_t j = 0; j < rejections->count; j++) {
            const struct rejection *rejection = &rejections->items[j];
            const char *unit = rejection->unit != NULL ? rejection->unit : relation->application;

            if (rejection->fingerprint[0] != '\0')
                add_line(report, REPORT_REJECTIONS, "%s: certificate %.12s... of %s %s: %s", name,
                         rejection->fingerprint, unit,
                         rejection->let_in ? "let in to less than it asks for" : "rejected",
                         rejection->reason);
            else if (rejection->index >= 0)
                add_line(report, REPORT_REJECTIONS, "%s: entry %ld of %s rejected: %s", name,
                         rejection->index, unit, rejection->reason);
            else
                add_line(report, REPORT_REJECTIONS, "%s: %s rejected: %s", name, unit,
                         rejection->reason);
        }
        free(name);
    }
}

/* ---- certificates that end soon ---- */

struct expiry {
    struct report *report;
    int64_t now, limit, first;
};

/* What has ended already is told elsewhere: it is not trusted, or a remark of its own. */
static void note_expiry(struct expiry *expiry, const struct certificate *certificate,
                        const char *whose)
{
    struct strings *lines = &expiry->report->lines[REPORT_EXPIRING];
    char date[CERTIFICATE_DATE_SIZE];

    if (certificate->not_after >= expiry->limit || certificate->not_after < expiry->now)
        return;
    certificate_date(date, certificate->not_after);
    char *line =
        mem_printf("%s %.12s... expires on %s: renew it", whose, certificate->fingerprint, date);
    if (!strings_contain(lines, line)) {
        if (lines->count == 0 || certificate->not_after < expiry->first)
            expiry->first = certificate->not_after;
        strings_add(lines, line);
    }
    free(line);
}

static void add_expiring(struct expiry *expiry, const struct findings *findings)
{
    note_expiry(expiry, &findings->credentials->certificate, "our client certificate");
    for (size_t i = 0; i < findings->servers->count; i++) {
        const struct server *server = &findings->servers->items[i];

        if (server->state == SERVER_UNKNOWN)
            continue;
        char *whose = mem_printf("the server certificate of %s at %s",
                                 lxd_name(server->info.software), server->endpoint.url);
        note_expiry(expiry, lxd_presented(server->client), whose);
        free(whose);
    }
    for (size_t i = 0, next; i < findings->wishes->count; i = next) {
        const struct wish *wish = &findings->wishes->items[i];
        const struct server *ignored;

        next = wishes_next(findings->wishes, i); /* each certificate once */
        if (wish->entry->certificate.not_after >= expiry->limit)
            continue;
        while (wish < &findings->wishes->items[next] &&
               servers_verdict(findings->servers, (size_t)(wish - findings->wishes->items),
                               &ignored) == VERDICT_REJECTED)
            wish++;
        if (wish == &findings->wishes->items[next])
            continue;
        char *relation = relation_describe(wish->relation);
        char *whose = mem_printf("%s: certificate of %s", relation, wish->member->name);
        note_expiry(expiry, &wish->entry->certificate, whose);
        free(relation);
        free(whose);
    }
}

/* ---- all of it ---- */

void report_make(struct report *report, const struct findings *findings)
{
    int64_t days = findings->expiry_warning_days;
    struct expiry expiry = {report, findings->now, findings->now + days * SECONDS_A_DAY, 0};

    *report = (struct report){0};
    if (findings->error != NULL) {
        if (!findings->beginning)
            add_trouble(report, findings->error);
    } else {
        for (size_t i = 0; i < findings->servers->detours.count; i++)
            add_line(report, REPORT_REMARKS, "%s", findings->servers->detours.items[i]);
        for (size_t i = 0; i < findings->servers->count; i++)
            add_server_lines(report, &findings->servers->items[i]);
        if (findings->credentials->remark != NULL)
            add_line(report, REPORT_REMARKS, "%s", findings->credentials->remark);
        add_foreign_lines(report, findings);
        add_relation_lines(report, findings);
        add_expiring(&expiry, findings);
    }
    for (size_t i = 0; i < findings->left->count; i++)
        add_line(report, REPORT_LEFT, "%s: there, %s", findings->left->items[i],
                 findings->left_remedies->items[i]);
    make_status(report, findings, expiry.first);
}

/* The digests of lines that are told once, of this hook and of the last. */
struct memory {
    struct buffer now;
    const char *before;
};

/* Was it said in the last hook? It is remembered for the next one. */
static bool was_told(struct memory *memory, const char *line)
{
    char fingerprint[65];

    certificate_fingerprint(fingerprint, line, strlen(line));
    fingerprint[DIGEST_SIZE - 1] = '\0';
    buffer_append_string(&memory->now, fingerprint);
    return memory->before != NULL && strstr(memory->before, fingerprint) != NULL;
}

static void log_line(const char *line, size_t kind, struct memory *memory,
                     const struct juju_transport *juju)
{
    if (!kinds[kind].once || !was_told(memory, line))
        juju_log(juju, kinds[kind].level, "%s", line);
}

static void log_kind(const struct strings *lines, size_t kind, struct memory *memory,
                     const struct juju_transport *juju)
{
    for (size_t i = 0; i < lines->count && i < JUJU_MAX_LINES; i++)
        log_line(lines->items[i], kind, memory, juju);
    if (lines->count > JUJU_MAX_LINES) {
        char *more = mem_printf("%zu more %s", lines->count - JUJU_MAX_LINES, kinds[kind].more);

        log_line(more, kind, memory, juju);
        free(more);
    }
}

void report_log(const struct report *report, struct goal *goal, const struct juju_transport *juju)
{
    struct memory memory = {.before = goal_recall(goal, TOLD)};

    for (size_t kind = 0; kind < REPORT_KINDS; kind++)
        log_kind(&report->lines[kind], kind, &memory, juju);
    goal_keep(goal, TOLD, memory.now.data);
    buffer_free(&memory.now);
}

void report_free(struct report *report)
{
    for (size_t i = 0; i < REPORT_KINDS; i++)
        strings_free(&report->lines[i]);
}
