/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"

static _Noreturn void out_of_memory(void)
{
    static const char sentence[] = "lxd-integrator: out of memory\n";
    ssize_t written = write(STDERR_FILENO, sentence, sizeof sentence - 1);

    (void)written; /* nothing left to tell it to */
    _exit(1);
}

void *mem_alloc(size_t size)
{
    void *memory = calloc(1, size != 0 ? size : 1);

    if (memory == NULL)
        out_of_memory();
    return memory;
}

void *mem_alloc_pages(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        out_of_memory();
    return memory;
}

void mem_free_pages(void *memory, size_t size)
{
    munmap(memory, size);
}

void *mem_resize(void *memory, size_t size)
{
    memory = realloc(memory, size != 0 ? size : 1);
    if (memory == NULL)
        out_of_memory();
    return memory;
}

/* The room is always a power of two, so that growing takes linear time, and leaves no trail of
 * holes behind. */
void *mem_grow(void *items, size_t count, size_t item_size)
{
    if ((count & (count - 1)) != 0)
        return items;
    return mem_resize(items, (count != 0 ? 2 * count : 1) * item_size);
}

char *mem_string(const char *text)
{
    return text != NULL ? mem_string_n(text, strlen(text)) : NULL;
}

char *mem_string_n(const char *text, size_t length)
{
    char *copy = mem_alloc(length + 1);

    memcpy(copy, text, length);
    return copy;
}

char *mem_vprintf(const char *format, va_list arguments)
{
    char *text;

    if (vasprintf(&text, format, arguments) < 0)
        out_of_memory();
    return text;
}

char *mem_printf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    char *text = mem_vprintf(format, arguments);
    va_end(arguments);
    return text;
}

void buffer_reserve(struct buffer *buffer, size_t extra)
{
    if (extra >= SIZE_MAX / 2 - buffer->length)
        out_of_memory();
    size_t needed = buffer->length + extra + 1;
    if (needed <= buffer->capacity)
        return;
    size_t capacity = buffer->capacity != 0 ? buffer->capacity : 64;
    while (capacity < needed)
        capacity *= 2;
    /* Not realloc: it could leave a secret behind in the memory it moves away from. */
    char *data = mem_alloc(capacity);
    if (buffer->data != NULL) {
        memcpy(data, buffer->data, buffer->length);
        bytes_wipe(buffer->data, buffer->capacity);
        free(buffer->data);
    }
    buffer->data = data;
    buffer->capacity = capacity;
}

void buffer_append(struct buffer *buffer, const void *data, size_t length)
{
    buffer_reserve(buffer, length);
    if (length != 0)
        memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void buffer_append_string(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length > 0) {
        buffer_reserve(buffer, (size_t)length);
        vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
}

const char *buffer_string(struct buffer *buffer)
{
    buffer_reserve(buffer, 0);
    return buffer->data;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_wipe(struct buffer *buffer)
{
    if (buffer->data != NULL)
        bytes_wipe(buffer->data, buffer->capacity);
    buffer_free(buffer);
}

void strings_add(struct strings *strings, const char *text)
{
    strings_take(strings, mem_string(text));
}

void strings_take(struct strings *strings, char *text)
{
    strings->items = mem_grow(strings->items, strings->count, sizeof *strings->items);
    strings->items[strings->count++] = text;
}

bool strings_contain(const struct strings *strings, const char *text)
{
    for (size_t i = 0; i < strings->count; i++) {
        if (strcmp(strings->items[i], text) == 0)
            return true;
    }
    return false;
}

static int compare_strings(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

void strings_sort(struct strings *strings)
{
    size_t kept = 0;

    if (strings->count == 0)
        return;
    qsort(strings->items, strings->count, sizeof *strings->items, compare_strings);
    for (size_t i = 1; i < strings->count; i++) {
        if (strcmp(strings->items[kept], strings->items[i]) == 0)
            free(strings->items[i]);
        else
            strings->items[++kept] = strings->items[i];
    }
    strings->count = kept + 1;
}

bool strings_find(const struct strings *strings, const char *text)
{
    return strings->count != 0 && bsearch(&text, strings->items, strings->count,
                                          sizeof *strings->items, compare_strings) != NULL;
}

void strings_free(struct strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct strings){0};
}
