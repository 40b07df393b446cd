/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints: what is taken reads the same once more; what is refused is told in one line. */
#include "fuzz.h"

#include "lxd/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *text = input_text(&input);
    struct endpoint endpoint, again;
    struct error error = {0};

    if (endpoint_parse(&endpoint, text, &error) == 0) {
        MUST(endpoint.port != 0 && endpoint.host[0] != '\0');
        MUST(endpoint_parse(&again, endpoint.url, &error) == 0);
        MUST(strcmp(again.url, endpoint.url) == 0 && strcmp(again.host, endpoint.host) == 0);
        MUST(endpoint_is_address(&again) == endpoint_is_address(&endpoint));
    } else {
        MUST(error.kind == ERROR_INPUT && error.text[0] != '\0');
        for (const char *c = error.text; *c != '\0'; c++)
            MUST(*c >= ' ' && *c <= '~');
    }
    free(text);
    return 0;
}
