/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/options.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/json.h"
#include "juju/hook_tools.h"

#define BLANKS " \t\r\n"

const char *const options_part_names[CREDENTIAL_PARTS] = {"lxd_endpoint", "lxd_client_cert",
                                                          "lxd_client_key", "lxd_server_cert"};

/* Without blanks around it; NULL where nothing else is there. */
static char *copy(const cJSON *values, const char *name)
{
    const char *text = json_string(values, name);

    if (text == NULL)
        return NULL;
    text += strspn(text, BLANKS);
    size_t length = strlen(text);
    while (length != 0 && strchr(BLANKS, text[length - 1]) != NULL)
        length--;
    return length != 0 ? mem_string_n(text, length) : NULL;
}

int options_read(struct options *options, const struct juju_transport *juju, struct error *error)
{
    cJSON *values;

    *options = (struct options){0};
    if (juju_config_get(juju, &values, error) != 0)
        return -1;
    for (int i = 0; i < CREDENTIAL_PARTS; i++)
        options->parts[i] = copy(values, options_part_names[i]);
    options->credentials = copy(values, "lxd_credentials");
    options->trust_token = copy(values, "lxd_trust_token");
    options->projects = mem_string(json_string(values, "projects"));
    options->default_projects = mem_string(json_string(values, "default-projects"));
    options->expiry_warning_days =
        json_int(values, "lxd_expiry_warning_days", OPTIONS_EXPIRY_WARNING_DAYS);
    json_wipe(values);
    return 0;
}

static void wipe(char *text)
{
    if (text != NULL)
        bytes_wipe(text, strlen(text));
    free(text);
}

void options_wipe(struct options *options)
{
    for (int i = 0; i < CREDENTIAL_PARTS; i++)
        wipe(options->parts[i]);
    wipe(options->credentials);
    wipe(options->trust_token);
    free(options->projects);
    free(options->default_projects);
    *options = (struct options){0};
}
