/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_lxd.h"

#include <cJSON.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "world.h"
#include "x509_files.h"

#define CERTIFICATES "/1.0/certificates"

struct fake_lxd *fake_lxds[8];

/* ---- the trust store ---- */

void fake_lxd_put(struct fake_lxd *lxd, unsigned number, const char *name, const char *type,
                  const char *projects)
{
    if (lxd->count == FAKE_LXD_MAX_ENTRIES)
        abort();
    world_entry(&lxd->entries[lxd->count++], number, name, type, projects);
}

static struct lxd_certificate *find(const struct fake_lxd *lxd, unsigned number)
{
    char fingerprint[65];

    world_fingerprint(fingerprint, number);
    for (size_t i = 0; i < lxd->count; i++) {
        if (strcmp(lxd->entries[i].fingerprint, fingerprint) == 0)
            return (struct lxd_certificate *)(uintptr_t)&lxd->entries[i];
    }
    return NULL;
}

const struct lxd_certificate *fake_lxd_find(const struct fake_lxd *lxd, unsigned number)
{
    return find(lxd, number);
}

static bool is_taken(const struct fake_lxd *lxd, const char *name)
{
    for (size_t i = 0; i < lxd->count; i++) {
        if (strcmp(lxd->entries[i].name, name) == 0)
            return true;
    }
    return false;
}

static const char *projects_of(const struct fake_lxd *lxd)
{
    const char *later = lxd->project_lists > 0 ? lxd->later_projects : NULL;
    const char *projects = later != NULL ? later : lxd->projects;

    return projects != NULL ? projects : "default";
}

static bool has_project(const struct fake_lxd *lxd, const char *name)
{
    char *all = mem_printf(" %s ", projects_of(lxd)), *one = mem_printf(" %s ", name);
    bool has = strstr(all, one) != NULL;

    free(all);
    free(one);
    return has;
}

static bool has_projects(const struct fake_lxd *lxd, const struct projects *projects)
{
    for (size_t i = 0; i < projects->names.count; i++) {
        if (!has_project(lxd, projects->names.items[i]))
            return false;
    }
    return true;
}

/* ---- answers ---- */

static void say(struct fake_lxd *lxd, int status, const char *body)
{
    char *text =
        mem_printf("HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);

    strings_add(&lxd->answers, text);
    free(text);
}

static void say_metadata(struct fake_lxd *lxd, const char *metadata)
{
    char *body = mem_printf("{\"type\":\"sync\",\"metadata\":%s}", metadata);

    say(lxd, 200, body);
    free(body);
}

static void refuse(struct fake_lxd *lxd, int status, const char *why)
{
    char *body = mem_printf("{\"type\":\"error\",\"error_code\":%d,\"error\":\"%s\"}", status, why);

    say(lxd, status, body);
    free(body);
}

static void say_server(struct fake_lxd *lxd)
{
    char *text = mem_printf(
        "{\"auth\":\"%s\",\"api_extensions\":[\"x\"%s%s],\"environment\":{\"server\":\"lxd\","
        "\"server_name\":\"node-1\",\"server_version\":\"6.6\",\"server_clustered\":%s,"
        "\"addresses\":[%s]}}",
        lxd->untrusted ? "untrusted" : "trusted", lxd->old ? "" : ",\"certificate_project\"",
        lxd->identities ? ",\"access_management_tls\"" : "", lxd->clustered ? "true" : "false",
        lxd->addresses != NULL ? lxd->addresses : "");

    say_metadata(lxd, text);
    free(text);
}

static char *print_entry(const struct lxd_certificate *entry)
{
    cJSON *object = cJSON_CreateObject();

    cJSON_AddStringToObject(object, "fingerprint", entry->fingerprint);
    cJSON_AddStringToObject(object, "name", entry->name);
    cJSON_AddStringToObject(object, "type", entry->type);
    cJSON_AddBoolToObject(object, "restricted", entry->projects.restricted);
    cJSON *projects = cJSON_AddArrayToObject(object, "projects");
    for (size_t i = 0; i < entry->projects.names.count; i++)
        cJSON_AddItemToArray(projects, cJSON_CreateString(entry->projects.names.items[i]));
    char *text = json_print(object);
    cJSON_Delete(object);
    return text;
}

static void say_entries(struct fake_lxd *lxd)
{
    struct buffer list = {0};

    for (size_t i = 0; i < lxd->count; i++) {
        const struct lxd_certificate *entry = &lxd->entries[i];
        char own[65];

        world_fingerprint(own, WORLD_OWN);
        if ((lxd->hides_own && strcmp(entry->fingerprint, own) == 0) ||
            (lxd->hides_all && strncmp(entry->name, WORLD_PREFIX, strlen(WORLD_PREFIX)) != 0))
            continue;
        char *text = print_entry(entry);
        buffer_printf(&list, "%s%s", list.length != 0 ? "," : "[", text);
        free(text);
    }
    buffer_append_string(&list, list.length != 0 ? "]" : "[]");
    say_metadata(lxd, list.data);
    buffer_free(&list);
}

static void say_projects(struct fake_lxd *lxd)
{
    struct buffer list = {0};
    char *names = mem_string(projects_of(lxd));

    for (char *name = strtok(names, " "); name != NULL; name = strtok(NULL, " "))
        buffer_printf(&list, "%s\"/1.0/projects/%s\"", list.length != 0 ? "," : "[", name);
    buffer_append_string(&list, "]");
    say_metadata(lxd, list.data);
    lxd->project_lists++;
    buffer_free(&list);
    free(names);
}

static void say_identity(struct fake_lxd *lxd)
{
    const struct lxd_certificate *own = fake_lxd_find(lxd, WORLD_OWN);
    const char *kind = own->projects.restricted ? " (restricted)" : " (unrestricted)";
    bool grained = lxd->permissions != NULL;
    char *text = mem_printf("{\"type\":\"Client certificate%s\",\"fine_grained\":%s,"
                            "\"effective_permissions\":[%s]}",
                            grained ? "" : kind, grained ? "true" : "false",
                            grained ? lxd->permissions : "");

    say_metadata(lxd, text);
    free(text);
}

static void say_list(struct fake_lxd *lxd, const char *items)
{
    char *text = mem_printf("[%s]", items != NULL ? items : "");

    say_metadata(lxd, text);
    free(text);
}

/* ---- changes ---- */

/* The number of the certificate in an addition. */
static unsigned number_of(const cJSON *body)
{
    const char *text = json_string(body, "certificate");
    uint8_t der[64] = {0};

    if (text == NULL || strlen(text) > 40 || base64_decode(der, text, strlen(text)) < 0)
        abort();
    return (unsigned)strtoul((char *)der, NULL, 10);
}

static void add(struct fake_lxd *lxd, unsigned number, const cJSON *body)
{
    struct projects projects = {0};
    const char *name = json_string(body, "name");

    projects_from_json(&projects, body);
    if (find(lxd, number) != NULL || is_taken(lxd, name)) {
        refuse(lxd, 409, "Certificate already exists");
    } else if (!has_projects(lxd, &projects)) {
        refuse(lxd, 404, "Project not found");
    } else {
        fake_lxd_put(lxd, number, name, "client", "");
        projects_copy(&lxd->entries[lxd->count - 1].projects, &projects);
        say_metadata(lxd, "{}");
    }
    projects_free(&projects);
}

static void change(struct fake_lxd *lxd, unsigned number, const cJSON *body)
{
    struct lxd_certificate *entry = find(lxd, number);
    struct projects projects = {0};
    const char *name = json_string(body, "name");
    bool restricts = cJSON_GetObjectItemCaseSensitive(body, "restricted") != NULL;

    if (restricts)
        projects_from_json(&projects, body);
    if (entry == NULL) {
        refuse(lxd, 404, "Certificate not found");
    } else if (name != NULL && strcmp(name, entry->name) != 0 && is_taken(lxd, name)) {
        refuse(lxd, 409, "Certificate already exists");
    } else if (!has_projects(lxd, &projects)) {
        refuse(lxd, 404, "Project not found");
    } else {
        if (name != NULL) {
            free(entry->name);
            entry->name = mem_string(name);
        }
        if (restricts) {
            projects_free(&entry->projects);
            projects_copy(&entry->projects, &projects);
        }
        say_metadata(lxd, "{}");
    }
    projects_free(&projects);
}

static void drop(struct fake_lxd *lxd, unsigned number)
{
    struct lxd_certificate *entry = find(lxd, number);

    if (entry == NULL) {
        refuse(lxd, 404, "Certificate not found");
        return;
    }
    lxd_certificate_free(entry);
    *entry = lxd->entries[--lxd->count];
    say_metadata(lxd, "{}");
}

/* ---- requests ---- */

static void serve(struct fake_lxd *lxd, const char *method, const char *what, unsigned number,
                  const cJSON *body)
{
    const struct lxd_certificate *entry = find(lxd, number);

    if (strcmp(what, "/1.0") == 0) {
        say_server(lxd);
    } else if (strcmp(what, "certificates") == 0) {
        say_entries(lxd);
    } else if (strcmp(what, "projects") == 0) {
        say_projects(lxd);
    } else if (strcmp(what, "members") == 0) {
        say_list(lxd, lxd->members);
    } else if (strcmp(what, "identity") == 0) {
        say_identity(lxd);
    } else if (strcmp(method, "POST") == 0) {
        add(lxd, number, body);
    } else if (strcmp(method, "PATCH") == 0) {
        change(lxd, number, body);
    } else if (strcmp(method, "DELETE") == 0) {
        drop(lxd, number);
    } else if (entry == NULL) {
        refuse(lxd, 404, "Certificate not found");
    } else {
        char *text = print_entry(entry);

        say_metadata(lxd, text);
        free(text);
    }
}

static struct fake_fault *find_fault(struct fake_lxd *lxd, const char *request)
{
    for (size_t i = 0; i < FAKE_LXD_MAX_FAULTS && lxd->faults[i].request != NULL; i++) {
        if (strcmp(lxd->faults[i].request, request) == 0 && lxd->faults[i].times >= 0)
            return &lxd->faults[i];
    }
    return NULL;
}

static void fail(struct fake_lxd *lxd, struct fake_fault *fault)
{
    if (fault->times > 0 && --fault->times == 0)
        fault->times = -1;
    lxd->ended = fault->status == 0;
    lxd->silent = fault->status < 0;
    if (fault->status == 200)
        say(lxd, 200, "{\"type\":\"sync\",\"metadata\":{}}"); /* which is not so */
    else if (fault->status > 0)
        refuse(lxd, fault->status, "it does not want to");
}

/* Which certificate the path names, by the first digits of its fingerprint; 0: none. */
static const char *name_of(const char *path, unsigned *number)
{
    char digits[13] = "";

    *number = 0;
    if (strcmp(path, "/1.0") == 0)
        return path;
    if (strncmp(path, "/1.0/projects", 13) == 0)
        return "projects";
    if (strncmp(path, "/1.0/cluster/members", 20) == 0)
        return "members";
    if (strncmp(path, "/1.0/auth/identities/current", 28) == 0)
        return "identity";
    if (strncmp(path, CERTIFICATES "/", sizeof CERTIFICATES) != 0)
        return "certificates";
    memcpy(digits, path + sizeof CERTIFICATES, 12);
    *number = (unsigned)strtoul(digits, NULL, 16);
    return "";
}

static void take(struct fake_lxd *lxd, const char *method, const char *path, const char *text)
{
    unsigned number;
    const char *what = name_of(path, &number);
    cJSON *body = cJSON_Parse(text);

    if (strcmp(method, "POST") == 0) {
        number = number_of(body);
        what = "";
    }
    char *request =
        *what != '\0' ? mem_printf("%s %s", method, what) : mem_printf("%s %u", method, number);
    struct fake_fault *fault = find_fault(lxd, request);
    size_t answers = lxd->answers.count;
    strings_add(&lxd->journal, request);
    if (fault == NULL || fault->applies)
        serve(lxd, method, what, number, body);
    if (fault != NULL) {
        while (lxd->answers.count > answers)
            free(lxd->answers.items[--lxd->answers.count]);
        fail(lxd, fault);
    }
    cJSON_Delete(body);
    free(request);
}

/* Take one request out of the input, where all of it is there. */
static bool take_request(struct fake_lxd *lxd)
{
    const char *text = buffer_string(&lxd->input), *end = strstr(text, "\r\n\r\n");
    const char *length_text = strstr(text, "Content-Length: ");
    char method[16], path[256];
    size_t length = 0;

    if (end == NULL || lxd->ended || lxd->silent)
        return false;
    if (length_text != NULL && length_text < end)
        length = strtoul(length_text + strlen("Content-Length: "), NULL, 10);
    size_t total = (size_t)(end + 4 - text) + length;
    if (lxd->input.length < total || sscanf(text, "%15s %255s", method, path) != 2)
        return false;
    char *body = mem_string_n(end + 4, length);
    take(lxd, method, path, body);
    free(body);
    lxd->input.length -= total;
    memmove(lxd->input.data, lxd->input.data + total, lxd->input.length + 1);
    return true;
}

/* ---- the connection ---- */

static long lxd_read(void *context, void *data, size_t size, int64_t deadline, struct error *error)
{
    struct fake_lxd *lxd = context;

    (void)deadline;
    if (lxd->answered == lxd->answers.count) {
        if (lxd->ended)
            return 0;
        return error_set(error, ERROR_UNREACHABLE, "timed out during a request");
    }
    const char *text = lxd->answers.items[lxd->answered] + lxd->position;
    size_t count = strlen(text);
    if (count > size)
        count = size;
    memcpy(data, text, count);
    lxd->position += count;
    if (text[count] == '\0') {
        lxd->answered++;
        lxd->position = 0;
    }
    return (long)count;
}

static int lxd_write(void *context, const void *data, size_t length, int64_t deadline,
                     struct error *error)
{
    struct fake_lxd *lxd = context;

    (void)deadline;
    (void)error;
    buffer_append(&lxd->input, data, length);
    while (take_request(lxd))
        ;
    return 0;
}

static int open_connection(void *context, struct http_stream *stream, int *fd, struct error *error)
{
    static int always_readable = -1;
    struct fake_lxd *lxd = context;

    if (lxd == NULL || lxd->down)
        return error_set(error, ERROR_UNREACHABLE, "connection refused");
    if (always_readable < 0)
        always_readable = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *fd = always_readable;
    *stream = (struct http_stream){.context = lxd, .read = lxd_read, .write = lxd_write};
    buffer_clear(&lxd->input);
    lxd->answered = lxd->answers.count;
    lxd->position = 0;
    lxd->ended = lxd->silent = false;
    return 0;
}

struct lxd_client *fake_lxd_start(const struct endpoint *endpoint,
                                  const struct lxd_credentials *credentials, int64_t deadline)
{
    struct lxd_transport transport = {.open = open_connection};
    const char *presents = "leaf.crt";

    for (size_t i = 0; i < 8 && fake_lxds[i] != NULL; i++) {
        if (strcmp(fake_lxds[i]->url, endpoint->url) != 0)
            continue;
        transport.context = fake_lxds[i];
        if (fake_lxds[i]->presents != NULL)
            presents = fake_lxds[i]->presents;
    }
    struct lxd_client *client = lxd_start_over(&transport, endpoint, credentials, deadline);
    *(struct certificate *)(uintptr_t)lxd_presented(client) = x509_certificate(presents);
    return client;
}

char *fake_lxd_journal(const struct fake_lxd *lxd, size_t from)
{
    struct buffer text = {0};

    for (size_t i = from; i < lxd->journal.count; i++)
        buffer_printf(&text, "%s%s", i != from ? ", " : "", lxd->journal.items[i]);
    buffer_append_string(&text, "");
    return text.data;
}

void fake_lxd_server(struct server *server, const char *url, const char *presents)
{
    static const struct server_identity anybody;
    static const struct lxd_credentials nobody = {.server = &anybody};
    struct error error;

    *server = (struct server){.state = SERVER_OBSERVED, .credentials = &nobody};
    if (endpoint_parse(&server->endpoint, url, &error) != 0)
        abort();
    server->client = fake_lxd_start(&server->endpoint, &nobody, 0);
    certificate_free((struct certificate *)(uintptr_t)lxd_presented(server->client));
    *(struct certificate *)(uintptr_t)lxd_presented(server->client) = x509_certificate(presents);
    server->info.name = mem_string("node-1");
    server->info.version = mem_string("6.6");
    server->info.restricts = true;
}

void fake_lxd_free(struct fake_lxd *lxd)
{
    for (size_t i = 0; i < lxd->count; i++)
        lxd_certificate_free(&lxd->entries[i]);
    strings_free(&lxd->journal);
    strings_free(&lxd->answers);
    buffer_free(&lxd->input);
    *lxd = (struct fake_lxd){0};
}
