/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP responses: two requests over one connection, the input is all that the server says. */
#include "fuzz.h"

#include "base/net.h"
#include "lxd/http.h"

static size_t step; /* bytes that one read brings at most */

static long read_some(void *context, void *data, size_t size, int64_t deadline, struct error *error)
{
    struct input *input = context;
    size_t length = size < step ? size : step;

    (void)deadline;
    (void)error;
    if (length > input->size)
        length = input->size;
    if (length != 0)
        memcpy(data, input->data, length);
    input->data += length;
    input->size -= length;
    return (long)length;
}

static int take(void *context, const char *data, size_t length, struct error *error)
{
    (void)error;
    buffer_append(context, data, length);
    return 0;
}

static int write_all(void *context, const void *data, size_t length, int64_t deadline,
                     struct error *error)
{
    (void)context;
    (void)deadline;
    (void)error;
    MUST(memmem(data, length, "\r\n\r\n", 4) != NULL);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct http_connection connection = {.stream = {&input, read_some, write_all}};
    int64_t deadline = net_clock_ms() + 60000;
    struct buffer request = {0};
    struct error error = {0};
    struct buffer taken = {0};
    struct http_sink into_taken = {.take = take, .context = &taken};

    step = 1 + (size_t)input_byte(&input) * 64;
    http_compose(&request, "h", "POST", "/", "{}");
    if (step % 128 == 1) /* the second request is sent before the first response comes */
        http_send(&connection, &request, deadline, &error);
    for (int i = 0; i < 2 && !connection.closed; i++) {
        struct http_response response;
        bool used = connection.used;
        const struct http_sink *sink = i == 1 ? &into_taken : NULL;

        if (connection.pending < 2 - (unsigned)i)
            http_send(&connection, &request, deadline, &error);
        if (http_receive(&connection, deadline, deadline, sink, &response, &error) == 0) {
            MUST(response.status >= 200 && response.status <= 999 && response.status != 101);
            MUST(response.body.length <= HTTP_MAX_BODY);
            MUST(sink == NULL || response.status != 200 || response.body.length == 0);
            MUST(taken.length == 0 || response.status == 200);
            buffer_free(&response.body);
        } else {
            MUST(error.kind == ERROR_UNREACHABLE || error.kind == ERROR_NONSENSE);
            MUST(error.text[0] != '\0');
            MUST(connection.closed && response.body.data == NULL);
            MUST(!connection.stale || used);
        }
    }
    buffer_free(&taken);
    buffer_free(&request);
    http_connection_free(&connection);
    return 0;
}
