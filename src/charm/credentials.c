/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"

const char *const credentials_part_names[CREDENTIAL_PARTS] = {"endpoint", "client-cert",
                                                              "client-key", "server-cert"};

static int parse_part(struct credentials *credentials, int part, const char *text,
                      struct error *error)
{
    if (text == NULL || text[strspn(text, " \t\r\n")] == '\0')
        return error_set(error, ERROR_INPUT, "missing");
    switch (part) {
    case CREDENTIAL_ENDPOINT:
        return endpoints_parse(&credentials->endpoints, text, error);
    case CREDENTIAL_CERTIFICATE:
        return certificate_from_pem(&credentials->certificate, text, error);
    case CREDENTIAL_KEY:
        if (private_key_from_pem(&credentials->key, text, error) != 0)
            return -1;
        return private_key_matches(&credentials->key, &credentials->certificate, error);
    default:
        return server_identity_parse(&credentials->server, text, error);
    }
}

int credentials_parse(struct credentials *credentials, const char *const names[CREDENTIAL_PARTS],
                      const char *const texts[CREDENTIAL_PARTS], struct error *error)
{
    memset(credentials, 0, sizeof *credentials);
    for (int part = 0; part < CREDENTIAL_PARTS; part++) {
        if (parse_part(credentials, part, texts[part], error) != 0) {
            credentials_wipe(credentials);
            return error_prefix(error, "%s", names[part]);
        }
    }
    return 0;
}

int credentials_from_content(struct credentials *credentials, const cJSON *content,
                             struct error *error)
{
    const char *texts[CREDENTIAL_PARTS];

    for (int part = 0; part < CREDENTIAL_PARTS; part++)
        texts[part] = json_string(content, credentials_part_names[part]);
    return credentials_parse(credentials, credentials_part_names, texts, error);
}

bool credentials_are_current(const struct credentials *credentials, int64_t now,
                             char date[CREDENTIALS_DATE_SIZE])
{
    const struct certificate *certificate = &credentials->certificate;
    bool early = now < certificate->not_before;
    char day[CERTIFICATE_DATE_SIZE];

    if (certificate_is_current(certificate, now))
        return true;
    certificate_date(day, early ? certificate->not_before : certificate->not_after);
    snprintf(date, CREDENTIALS_DATE_SIZE, "%s %s", early ? "not valid before" : "expired on", day);
    return false;
}

void credentials_wipe(struct credentials *credentials)
{
    free(credentials->remark);
    endpoints_free(&credentials->endpoints);
    certificate_free(&credentials->certificate);
    private_key_wipe(&credentials->key);
    server_identity_free(&credentials->server);
    bytes_wipe(credentials, sizeof *credentials);
}
