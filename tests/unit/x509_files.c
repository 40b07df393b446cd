/* SPDX-License-Identifier: Apache-2.0 */
#include "x509_files.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"

static void stop(const char *name, const char *what)
{
    fprintf(stderr, "%s/x509/%s: %s\n", VECTORS_DIR, name, what);
    exit(1);
}

char *x509_file(const char *name)
{
    char *path = mem_printf("%s/x509/%s", VECTORS_DIR, name);
    FILE *file = fopen(path, "r");
    struct buffer text = {0};
    char piece[4096];
    size_t length;

    if (file == NULL)
        stop(name, "cannot open");
    while ((length = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_append(&text, piece, length);
    fclose(file);
    free(path);
    if (text.length == 0)
        stop(name, "empty");
    return text.data;
}

struct certificate x509_certificate(const char *name)
{
    struct certificate certificate;
    struct error error;
    char *text = x509_file(name);

    if (certificate_from_pem(&certificate, text, &error) != 0)
        stop(name, error.text);
    free(text);
    return certificate;
}
