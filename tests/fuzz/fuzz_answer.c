/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of LXD's answers; the first byte of the input chooses what was asked. */
#include "fuzz.h"

#include "lxd/answer.h"

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void server(const struct buffer *body, struct error *error)
{
    struct lxd_server answer;

    if (answer_server(body, &answer, error) != 0)
        return;
    MUST(answer.name != NULL && answer.version != NULL);
    lxd_server_free(&answer);
}

static void members(const struct buffer *body, struct error *error)
{
    struct lxd_members list;

    if (answer_members(body, &list, error) != 0)
        return;
    for (size_t i = 0; i < list.count; i++)
        MUST(list.items[i].name != NULL && strncmp(list.items[i].endpoint.url, "https://", 8) == 0);
    lxd_members_free(&list);
}

static void check(const struct lxd_certificate *certificate)
{
    MUST(strspn(certificate->fingerprint, "0123456789abcdef") == 64);
    MUST(certificate->name != NULL && certificate->type != NULL);
}

static void certificates(const struct buffer *body, struct error *error)
{
    struct lxd_certificates list;

    if (answer_certificates(body, &list, error) != 0)
        return;
    for (size_t i = 0; i < list.count; i++)
        check(&list.items[i]);
    lxd_certificates_free(&list);
}

static void certificate(const struct buffer *body, struct error *error)
{
    struct lxd_certificate answer;

    if (answer_certificate(body, FINGERPRINT, &answer, error) != 0)
        return;
    check(&answer);
    MUST(strcmp(answer.fingerprint, FINGERPRINT) == 0);
    lxd_certificate_free(&answer);
}

static void reason(const struct buffer *body, struct error *error)
{
    answer_reason(body, error->text, 100);
    MUST(strlen(error->text) < 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ask[])(const struct buffer *body, struct error *error) = {
        server, members, certificates, certificate, reason};
    struct input input = {data, size};
    unsigned choice = input_byte(&input) % (sizeof ask / sizeof *ask);
    struct buffer body = {0};
    struct error error = {0};

    buffer_append(&body, input.data, input.size);
    ask[choice](&body, &error);
    if (error.kind != 0)
        MUST(error.kind == ERROR_UNREACHABLE && error.text[0] != '\0');
    buffer_free(&body);
    return 0;
}
