/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our verdict on chains: reads lines of "ID HOST TIME PINS CHAIN" from standard input and prints
 * "ID accept|refuse TEXT". PINS and CHAIN are certificates, base64 of DER with commas between; TEXT
 * is what a person would read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "x509/pem.h"
#include "x509/server_identity.h"

#define MAX_CHAIN 64

static int split(char *list, uint8_t *der[], size_t length[])
{
    int count = 0;

    for (char *item = strtok(list, ","); item != NULL && count < MAX_CHAIN;
         item = strtok(NULL, ",")) {
        size_t size = strlen(item);
        der[count] = mem_alloc(BASE64_DECODED_SIZE(size));
        long decoded = base64_decode(der[count], item, size);
        length[count++] = decoded > 0 ? (size_t)decoded : 0;
    }
    return count;
}

static void judge(const char *id, const char *host, int64_t now, char *pins, char *chain)
{
    uint8_t *der[MAX_CHAIN];
    size_t length[MAX_CHAIN];
    struct buffer bundle = {0};
    struct server_identity identity;
    struct error error = {0};
    char remark[SERVER_IDENTITY_REMARK_SIZE] = "";
    int count = split(pins, der, length), result;

    for (int i = 0; i < count; i++) {
        char *pem = pem_encode("CERTIFICATE", der[i], length[i]);
        buffer_append_string(&bundle, pem);
        free(pem);
        free(der[i]);
    }
    result = server_identity_parse(&identity, buffer_string(&bundle), &error);
    count = split(chain, der, length);
    if (result == 0) {
        const struct server_chain presented = {(const uint8_t *const *)der, length, (size_t)count};
        result = server_identity_check(&identity, &presented, host, now, remark, &error);
        server_identity_free(&identity);
    }
    printf("%s %s %s\n", id, result == 0 ? "accept" : "refuse", result == 0 ? remark : error.text);
    while (count > 0)
        free(der[--count]);
    buffer_free(&bundle);
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        char *rest = line, *field[5];

        for (int i = 0; i < 5; i++)
            field[i] = strtok_r(rest, " \n", &rest);
        if (field[4] == NULL)
            return EXIT_FAILURE;
        judge(field[0], field[1], strtoll(field[2], NULL, 10), field[3], field[4]);
    }
    free(line);
    return EXIT_SUCCESS;
}
