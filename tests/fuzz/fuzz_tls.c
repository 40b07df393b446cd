/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS client fed with a server's bytes. The first byte of the input chooses how: bit 0 with a
 * client certificate, bit 1 one byte at a time, bit 2 the client writes, bit 3 it closes early, bit
 * 4 without X25519MLKEM768. Protected records must authenticate here: see fuzz_tls_unprotected.c.
 */
#include "fuzz.h"

#include "tls/engine.h"
#include "tls_server.h"

enum { WITHOUT_CERTIFICATE = 1, BYTE_BY_BYTE = 2, WRITES = 4, CLOSES = 8, SMALL_HELLO = 16 };

static struct tls tls;

/* The client's secrets and its session id are the same in every run, as the inputs need. */
static void fixed_random(void *context, void *data, size_t length)
{
    (void)context;
    memset(data, 0x42, length);
}

static int accept_any(void *context, const uint8_t *const der[], const size_t length[],
                      size_t count)
{
    (void)context;
    MUST(count >= 1 && count <= TLS_MAX_CHAIN);
    for (size_t i = 0; i < count; i++) {
        MUST(der[i] > tls.message && length[i] != 0);
        MUST(der[i] + length[i] <= tls.message + tls.message_length);
    }
    return 0;
}

/* Complete records and nothing else leave. */
static void take_output(void)
{
    size_t length;
    const uint8_t *output = tls_output(&tls, &length);

    for (size_t at = 0; at < length;) {
        MUST(length - at >= TLS_RECORD_HEADER);
        MUST(output[at] >= TLS_CHANGE_CIPHER_SPEC && output[at] <= TLS_APPLICATION_DATA);
        at += TLS_RECORD_HEADER + ((size_t)output[at + 3] << 8 | output[at + 4]);
        MUST(at <= length);
    }
    tls_output_done(&tls, length);
}

static void check(void)
{
    static const uint8_t zeros[sizeof tls.client_secret];

    if (tls_state(&tls) == TLS_HANDSHAKE)
        MUST(tls.data_left == 0);
    if (tls_state(&tls) != TLS_FAILED)
        return;
    MUST(tls_failure(&tls)[0] != '\0' && tls_origin(&tls) != TLS_ORIGIN_NONE);
    MUST(memcmp(tls.client_secret, zeros, sizeof zeros) == 0);
    MUST(memcmp(tls.server_secret, zeros, sizeof zeros) == 0);
    MUST(memcmp(tls.secret, zeros, sizeof zeros) == 0);
    MUST(tls_write(&tls, "x", 1) == 0);
}

static void use(unsigned choice)
{
    uint8_t data[1000];

    while (tls_read(&tls, data, sizeof data) != 0)
        MUST(tls_state(&tls) != TLS_HANDSHAKE);
    if ((choice & WRITES) != 0 && tls_state(&tls) == TLS_OPEN)
        tls_write(&tls, data, sizeof data);
    if ((choice & CLOSES) != 0 && tls_state(&tls) == TLS_OPEN)
        tls_close(&tls);
    take_output();
    check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct tls_configuration configuration = server_client_configuration();
    unsigned choice = input_byte(&input);
    size_t room;
    uint8_t *into;

    configuration.random = fixed_random;
    configuration.check_certificate = accept_any;
    if ((choice & WITHOUT_CERTIFICATE) != 0)
        configuration.ec_key = NULL;
    configuration.small_hello = (choice & SMALL_HELLO) != 0;
    tls_start(&tls, &configuration);
    take_output();
    while (into = tls_input(&tls, &room), room != 0 && input.size != 0) {
        size_t step = (choice & BYTE_BY_BYTE) != 0 ? 1 : room;
        if (step > input.size)
            step = input.size;
        memcpy(into, input.data, step);
        input.data += step;
        input.size -= step;
        tls_input_done(&tls, step);
        use(choice);
    }
    tls_input_end(&tls);
    check();
    MUST(tls_state(&tls) >= TLS_CLOSED);
    tls_wipe(&tls);
    return 0;
}
