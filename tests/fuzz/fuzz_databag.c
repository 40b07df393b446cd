/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two members of a relation write into their databags, and our answer to it. The first byte
 * of the input chooses whether the rest is the value of client_certificates or all settings.
 */
#include "fuzz.h"

#include "base/json.h"
#include "charm/databag.h"

/* Are these the bytes that the value prints as? */
static void check_json(char *text)
{
    struct error error;
    cJSON *value;

    if (text[0] != '\0') {
        MUST(json_parse(&value, text, strlen(text), "", ERROR_INPUT, &error) == 0);
        cJSON_Delete(value);
    }
    free(text);
}

static void answer(struct request *request)
{
    struct strings fingerprints = {0}, texts = {0};
    struct nodes nodes = {0};

    for (size_t i = 0; i < request->count; i++) {
        const struct wish *wish = &request->wishes[i];
        MUST(strlen(wish->certificate.fingerprint) == 64);
        MUST(i == 0 || strcmp(request->wishes[i - 1].certificate.fingerprint,
                              wish->certificate.fingerprint) <= 0);
        strings_add(&fingerprints, wish->certificate.fingerprint);
        strings_add(&texts, wish->text);
    }
    nodes_add(&nodes, "https://127.0.0.1:8443", "node", &fingerprints);
    check_json(databag_nodes(&nodes));
    nodes_free(&nodes);
    check_json(databag_registered(&texts));
    check_json(databag_rejected(&request->rejections));
    strings_free(&fingerprints);
    strings_free(&texts);
}

/* What we published is read again. */
static void read_nodes(const cJSON *settings)
{
    struct nodes nodes = {0};

    nodes_read(&nodes, settings);
    check_json(databag_nodes(&nodes));
    nodes_free(&nodes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    bool whole = (input_byte(&input) & 1) != 0;
    struct request request = {0};
    struct error error;
    char *text = input_text(&input);
    cJSON *settings = NULL;

    if (whole)
        json_parse(&settings, text, strlen(text), "", ERROR_INPUT, &error);
    else
        cJSON_AddStringToObject(settings = cJSON_CreateObject(), "client_certificates", text);
    if (cJSON_IsObject(settings)) {
        read_nodes(settings);
        request_read(&request, "builder/0", settings);
        request_read(&request, "builder/1", settings);
        request_read_https(&request, "builder/2", settings);
        request_sort(&request);
        rejections_sort(&request.rejections);
        answer(&request);
    }
    request_free(&request);
    cJSON_Delete(settings);
    free(text);
    return 0;
}
