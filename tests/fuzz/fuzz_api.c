/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of LXD's answers; the first byte of the input chooses what was asked. */
#include "fuzz.h"

#include "base/json.h"
#include "lxd/api.h"

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void server(const struct buffer *body, struct error *error)
{
    struct lxd_server answer;

    if (api_server(body, &answer, error) != 0)
        return;
    MUST(answer.name != NULL && answer.version != NULL);
    lxd_server_free(&answer);
}

static void members(const struct buffer *body, struct error *error)
{
    struct lxd_members list;

    if (api_members(body, &list, error) != 0)
        return;
    for (size_t i = 0; i < list.count; i++)
        MUST(list.items[i].name != NULL && strncmp(list.items[i].endpoint.url, "https://", 8) == 0);
    lxd_members_free(&list);
}

static void projects(const struct buffer *body, struct error *error)
{
    struct strings names;

    if (api_projects(body, &names, error) == 0)
        strings_free(&names);
}

static void identity(const struct buffer *body, struct error *error)
{
    struct lxd_identity answer;

    api_identity(body, &answer, error);
}

static void check(const struct lxd_certificate *certificate)
{
    MUST(strspn(certificate->fingerprint, "0123456789abcdef") == 64);
    MUST(certificate->name != NULL && certificate->type != NULL && certificate->pem != NULL);
}

static void certificate(const struct buffer *body, struct error *error)
{
    struct lxd_certificate answer;

    if (api_certificate(body, FINGERPRINT, &answer, error) != 0)
        return;
    check(&answer);
    MUST(strcmp(answer.fingerprint, FINGERPRINT) == 0);
    lxd_certificate_free(&answer);
}

static void reason(const struct buffer *body, struct error *error)
{
    char text[100];

    (void)error;
    api_reason(body, text, sizeof text);
    MUST(strlen(text) < sizeof text);
}

/* ---- lists: in pieces of any size they are what they are as a whole ---- */

static void note(void *context, const struct lxd_certificate *entry)
{
    char *opens = projects_describe(&entry->projects);

    check(entry);
    buffer_printf(context, "%s%c%s%c%s%c%s%c%s%c", entry->fingerprint, 0, entry->name, 0,
                  entry->type, 0, entry->pem, 0, opens, 0);
    free(opens);
}

static int read_list(const struct buffer *body, size_t step, struct buffer *told,
                     struct error *error)
{
    struct api_certificates list = {.sink = note, .context = told};
    struct error ignored;
    int result = 0;

    for (size_t i = 0; i < body->length && result == 0; i += step) {
        size_t count = body->length - i < step ? body->length - i : step;

        result = api_certificates_feed(&list, body->data + i, count, error);
    }
    int ended = api_certificates_end(&list, result == 0 ? error : &ignored);
    return result == 0 ? ended : result;
}

static size_t count_brackets(const struct buffer *body)
{
    size_t count = 0;

    for (size_t i = 0; i < body->length; i++)
        count += body->data[i] == '[' || body->data[i] == '{';
    return count;
}

/* A sound list has the elements that the parser finds in it, and no others. */
static void compare_with_parser(const struct buffer *body, const struct buffer *told)
{
    struct buffer expected = {0};
    const cJSON *item;
    cJSON *json = cJSON_ParseWithLength(body->data, body->length);

    MUST(json != NULL || count_brackets(body) > 32); /* an element may nest as deep as a text */
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "metadata"))
    {
        char *entry = json_print(item);
        struct lxd_certificate answer;
        struct buffer one = {0};
        struct error error;

        buffer_printf(&one, "{\"metadata\":%s}", entry);
        if (api_certificate(&one, json_string(item, "fingerprint"), &answer, &error) == 0) {
            note(&expected, &answer);
            lxd_certificate_free(&answer);
        } else {
            buffer_printf(&expected, "%s", error.text);
        }
        buffer_free(&one);
        free(entry);
    }
    if (json != NULL)
        MUST(expected.length == told->length &&
             (told->length == 0 || memcmp(expected.data, told->data, told->length) == 0));
    buffer_free(&expected);
    cJSON_Delete(json);
}

static void certificates(const struct buffer *body, struct error *error)
{
    struct buffer whole = {0};
    int result = read_list(body, SIZE_MAX / 2, &whole, error);

    if (result == 0)
        compare_with_parser(body, &whole);
    for (size_t step = 1; step < 100; step = step * 2 + 1) {
        struct buffer told = {0};
        struct error piecewise = {0};

        MUST(read_list(body, step, &told, &piecewise) == result);
        MUST(result == 0 || strcmp(piecewise.text, error->text) == 0);
        MUST(told.length == whole.length &&
             (whole.length == 0 || memcmp(told.data, whole.data, whole.length) == 0));
        buffer_free(&told);
    }
    buffer_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ask[])(const struct buffer *body, struct error *error) = {
        server, members, certificates, certificate, reason, projects, identity};
    struct input input = {data, size};
    unsigned choice = input_byte(&input) % (sizeof ask / sizeof *ask);
    struct buffer body = {0};
    struct error error = {0};

    buffer_append(&body, input.data, input.size);
    ask[choice](&body, &error);
    if (error.kind != 0)
        MUST(error.kind == ERROR_NONSENSE && error.text[0] != '\0');
    buffer_free(&body);
    return 0;
}
