/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the members of a relation write into their databags, and our answer to it. The first byte of
 * the input chooses whether the rest is the value of client_certificates, of projects, or all
 * settings.
 */
#include "fuzz.h"

#include "base/json.h"
#include "charm/wishes.h"

#define MEMBERS 3

/* Are these the bytes that a value prints as? How many? */
static size_t check_json(char *text)
{
    size_t length = strlen(text);
    struct error error;
    cJSON *value;

    if (length != 0) {
        MUST(json_parse(&value, text, length, "", ERROR_INPUT, &error) == 0);
        cJSON_Delete(value);
    }
    free(text);
    return length;
}

static bool knows(const void *context, unsigned long relation, const char *fingerprint)
{
    (void)context;
    return (relation + (unsigned char)fingerprint[0]) % 2 == 0;
}

static void check_member(const struct member *member)
{
    MUST(member->count <= DATABAG_MAX_ENTRIES);
    MUST(member->reason == NULL || member->count == 0);
    MUST(member->projects.names.count <= PROJECTS_MAX);
    for (size_t i = 0; i < member->count; i++) {
        const struct entry *entry = &member->entries[i];

        MUST(entry->index == i && strlen(entry->text) <= CERTIFICATE_MAX_PEM);
        MUST(entry->reason != NULL || strlen(entry->certificate.fingerprint) == 64);
    }
}

/* Whatever the members write, our own databag stays small enough to be read again. */
static void answer(const struct wishes *wishes, struct rejections *rejections)
{
    struct strings fingerprints = {0}, texts = {0};
    struct nodes nodes = {0};
    size_t length = 0;

    MUST(wishes->count <= DATABAG_MAX_ENTRIES);
    for (size_t i = 0; i < wishes->count; i++) {
        const struct wish *wish = &wishes->items[i];

        MUST(wish->entry->reason == NULL && wish->member->reason == NULL);
        MUST(i == 0 || strcmp(wish_fingerprint(wish - 1), wish_fingerprint(wish)) <= 0);
        strings_add(&fingerprints, wish_fingerprint(wish));
        strings_add(&texts, wish->entry->text);
        length += strlen(wish->entry->text);
    }
    MUST(length <= DATABAG_MAX_TEXT);
    strings_sort(&fingerprints);
    nodes_add(&nodes, "https://127.0.0.1:8443", "node", &fingerprints, "pem");
    check_json(databag_nodes(&nodes));
    nodes_free(&nodes);
    MUST(check_json(databag_registered(&texts)) <= DATABAG_MAX_TEXT + 3 * DATABAG_MAX_ENTRIES + 2);
    rejections_sort(rejections);
    for (size_t i = 0; i < rejections->count; i++)
        MUST(strlen(rejections->items[i].reason) <= DATABAG_MAX_REASON);
    MUST(check_json(databag_rejected(rejections)) <= DATABAG_MAX_REJECTIONS * 1024);
    strings_free(&fingerprints);
    strings_free(&texts);
}

/* What we published is read again. */
static void read_nodes(const cJSON *settings)
{
    struct nodes nodes = {0};

    nodes_read(&nodes, settings);
    for (size_t i = 0; i < nodes.count; i++) {
        struct strings fingerprints = {0};

        node_fingerprints(nodes.items[i], &fingerprints);
        node_certificate(nodes.items[i]);
        strings_free(&fingerprints);
    }
    check_json(databag_nodes(&nodes));
    nodes_free(&nodes);
}

/* Two units and the application have written the same. */
static void relate(const cJSON *settings, enum databag_interface interface)
{
    static const char *const names[MEMBERS] = {"builder/0", "builder/1", "builder"};
    struct member members[MEMBERS];
    struct relation relation = {
        .number = 3, .state = RELATION_LIVING, .members = members, .member_count = MEMBERS};
    struct relations relations = {.items = &relation, .count = 1};
    const struct projects all = {0};
    struct strings candidates = {0};
    struct wishes wishes;

    for (size_t i = 0; i < MEMBERS; i++) {
        member_read(&members[i], names[i], i == MEMBERS - 1, settings, interface);
        check_member(&members[i]);
    }
    wishes_candidates(&relations, &candidates);
    wishes_collect(&wishes, &relations, &all, knows, NULL);
    for (size_t i = 0; i < wishes.count; i++)
        MUST(strings_find(&candidates, wish_fingerprint(&wishes.items[i])));
    answer(&wishes, &wishes.rejections[0]);
    wishes_free(&wishes, &relations);
    strings_free(&candidates);
    for (size_t i = 0; i < MEMBERS; i++)
        member_free(&members[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    unsigned choice = input_byte(&input) & 3;
    struct error error;
    char *text = input_text(&input);
    cJSON *settings = NULL;

    if ((choice & 1) != 0)
        json_parse(&settings, text, strlen(text), "", ERROR_INPUT, &error);
    else
        cJSON_AddStringToObject(settings = cJSON_CreateObject(),
                                choice == 0 ? "client_certificates" : "projects", text);
    if (cJSON_IsObject(settings)) {
        read_nodes(settings);
        relate(settings, DATABAG_LXD);
        relate(settings, DATABAG_HTTPS);
    }
    cJSON_Delete(settings);
    free(text);
    return 0;
}
