/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <string.h>
#include <time.h>

#include "base/net.h"

static void sleep_until(int64_t deadline)
{
    while (net_clock_ms() < deadline)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static long script_read(void *context, void *data, size_t size, int64_t deadline,
                        struct error *error)
{
    struct script *script = context;
    size_t length = script->length != 0 ? script->length : strlen(script->input);
    size_t count = length - script->position;

    script->deadline = deadline;
    if (count == 0 && script->slow) {
        sleep_until(deadline);
        return error_set(error, ERROR_UNREACHABLE, "timed out during a request");
    }
    if (count == 0 && script->breaks)
        return error_set(error, ERROR_UNREACHABLE, "broke the connection");
    if (count > size)
        count = size;
    if (script->step != 0 && count > script->step)
        count = script->step;
    memcpy(data, script->input + script->position, count);
    script->position += count;
    return (long)count;
}

static int script_write(void *context, const void *data, size_t length, int64_t deadline,
                        struct error *error)
{
    struct script *script = context;

    (void)deadline;
    if (script->deaf)
        return error_set(error, ERROR_UNREACHABLE, "broke the connection");
    buffer_append(&script->output, data, length);
    script->writes++;
    return 0;
}

struct http_stream script_stream(struct script *script)
{
    return (struct http_stream){.context = script, .read = script_read, .write = script_write};
}
