/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void stop(const struct vectors *vectors, const char *what, const char *name)
{
    fprintf(stderr, "%s:%u: %s: %s\n", vectors->path, vectors->line, what, name);
    exit(1);
}

void vectors_open(struct vectors *vectors, const char *path)
{
    *vectors = (struct vectors){.path = path, .file = fopen(path, "r")};
    if (vectors->file == NULL)
        stop(vectors, "cannot open", path);
}

static void forget(struct vectors *vectors, size_t keep)
{
    while (vectors->count > keep) {
        vectors->count--;
        free(vectors->entries[vectors->count].name);
        free(vectors->entries[vectors->count].value);
    }
}

static void add(struct vectors *vectors, char *line)
{
    const size_t capacity = sizeof vectors->entries / sizeof vectors->entries[0];
    char *value = strchr(line, '=');

    if (value == NULL || value == line || vectors->count == capacity)
        stop(vectors, "no such line expected", line);
    value[-1] = '\0';
    value++;
    struct vectors_entry *entry = &vectors->entries[vectors->count++];
    entry->name = strdup(line);
    entry->value = strdup(value + strspn(value, " "));
}

static void extend(struct vectors *vectors, const char *line)
{
    if (vectors->count == vectors->group_count)
        stop(vectors, "continues nothing", line);
    struct vectors_entry *entry = &vectors->entries[vectors->count - 1];
    size_t length = strlen(entry->value);

    line += strspn(line, " ");
    entry->value = realloc(entry->value, length + strlen(line) + 1);
    memcpy(entry->value + length, line, strlen(line) + 1);
}

bool vectors_next(struct vectors *vectors)
{
    char *line = NULL;
    size_t size = 0;
    bool in_group = false;

    forget(vectors, vectors->group_count);
    while (getline(&line, &size, vectors->file) > 0) {
        vectors->line++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#')
            continue;
        if (line[0] == '[') {
            if (!in_group)
                forget(vectors, 0);
            in_group = true;
            line[strcspn(line, "]")] = '\0';
            add(vectors, line + 1);
            vectors->group_count = vectors->count;
        } else if (line[0] == ' ') {
            extend(vectors, line);
        } else if (line[0] != '\0') {
            add(vectors, line);
        } else if (vectors->count > vectors->group_count) {
            break;
        }
    }
    free(line);
    return vectors->count > vectors->group_count;
}

static const char *find(const struct vectors *vectors, const char *name)
{
    for (size_t i = 0; i < vectors->count; i++) {
        if (strcmp(vectors->entries[i].name, name) == 0)
            return vectors->entries[i].value;
    }
    return NULL;
}

bool vectors_have(const struct vectors *vectors, const char *name)
{
    return find(vectors, name) != NULL;
}

const char *vectors_text(const struct vectors *vectors, const char *name)
{
    const char *value = find(vectors, name);

    if (value == NULL)
        stop(vectors, "this vector lacks", name);
    return value;
}

static int nibble(int c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

size_t vectors_hex(const struct vectors *vectors, const char *name, uint8_t *out, size_t size)
{
    const char *value = vectors_text(vectors, name);
    size_t length = strlen(value) / 2;

    if (strlen(value) % 2 != 0 || length > size)
        stop(vectors, "wrong length", name);
    for (size_t i = 0; i < length; i++) {
        if (!isxdigit((unsigned char)value[2 * i]) || !isxdigit((unsigned char)value[2 * i + 1]))
            stop(vectors, "not hex", name);
        out[i] = (uint8_t)(nibble(value[2 * i]) << 4 | nibble(value[2 * i + 1]));
    }
    return length;
}

void vectors_close(struct vectors *vectors)
{
    forget(vectors, 0);
    fclose(vectors->file);
}
