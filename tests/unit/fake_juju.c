/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_juju.h"

#include <stdlib.h>
#include <string.h>

static void remember(struct fake_juju *fake, const char *command, const void *input, size_t length)
{
    char *text = mem_string_n(input != NULL ? input : "", length);

    strings_add(&fake->calls, command);
    strings_add(&fake->inputs, text);
    free(text);
}

static void answer(const struct fake_juju *fake, const char *command, struct juju_reply *reply)
{
    const struct fake_answer *answer = fake->answers;

    while (answer != NULL && answer->command != NULL && strcmp(answer->command, command) != 0)
        answer++;
    if (answer == NULL || answer->command == NULL)
        return;
    reply->code = answer->code;
    if (answer->output != NULL)
        buffer_append_string(&reply->output, answer->output);
    if (answer->message != NULL)
        buffer_append_string(&reply->message, answer->message);
}

static int call(void *context, const char *const arguments[], const void *input, size_t length,
                struct juju_reply *reply, struct error *error)
{
    struct fake_juju *fake = context;
    struct buffer command = {0};

    if (fake->dead)
        return error_set(error, ERROR_HOOK, "%s cannot be run", arguments[0]);
    for (size_t i = 0; arguments[i] != NULL; i++)
        buffer_printf(&command, "%s%s", i != 0 ? " " : "", arguments[i]);
    remember(fake, command.data, input, length);
    answer(fake, command.data, reply);
    reply->cut = fake->cut;
    buffer_free(&command);
    return 0;
}

struct juju_transport fake_juju_transport(struct fake_juju *fake)
{
    return (struct juju_transport){.context = fake, .call = call};
}

void fake_juju_free(struct fake_juju *fake)
{
    strings_free(&fake->calls);
    strings_free(&fake->inputs);
}
