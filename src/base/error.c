/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~')
            *text = '?';
    }
}

int error_set(struct error *error, enum error_kind kind, const char *format, ...)
{
    va_list arguments;

    error->kind = kind;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    make_printable(error->text);
    return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
    char text[2 * sizeof error->text + 2]; /* prefix, ": ", old text */
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof error->text, format, arguments);
    va_end(arguments);
    size_t length = strlen(text);
    snprintf(text + length, sizeof text - length, ": %s", error->text);
    text[sizeof error->text - 1] = '\0';
    make_printable(text);
    memcpy(error->text, text, sizeof error->text);
    return -1;
}
