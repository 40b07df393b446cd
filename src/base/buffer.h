/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Heap memory. Running out of it ends the process with a sentence on stderr and exit
 * status 1 (Juju then drops the hook's writes), so no caller handles it.
 */
void *mem_alloc(size_t size); /* zeroed; never NULL */
void *mem_resize(void *memory, size_t size);
/* For what is large and for the most part not used: zeroed, and a page that nobody touches costs
 * nothing, where mem_alloc may read them all to see whether they are zeros. */
void *mem_alloc_pages(size_t size);
void mem_free_pages(void *memory, size_t size);
/* Room for one item more in an array of count items that only this has grown (NULL at first): a
 * pointer to all of them, which may have moved. */
void *mem_grow(void *items, size_t count, size_t item_size);
char *mem_string(const char *text); /* a copy; NULL stays NULL */
char *mem_string_n(const char *text, size_t length);
__attribute__((format(printf, 1, 2))) char *mem_printf(const char *format, ...);
__attribute__((format(printf, 1, 0))) char *mem_vprintf(const char *format, va_list arguments);

/*
 * A growing run of bytes. Zero-initialise; the data is always followed by a NUL that
 * length does not count. The owner calls buffer_free, or buffer_wipe where the bytes
 * were secret (growing also wipes what it moves away from).
 */
struct buffer {
    char *data;
    size_t length;
    size_t capacity;
};

void buffer_reserve(struct buffer *buffer, size_t extra); /* room for extra more bytes and a NUL */
void buffer_append(struct buffer *buffer, const void *data, size_t length);
void buffer_append_string(struct buffer *buffer, const char *text);
__attribute__((format(printf, 2, 3))) void buffer_printf(struct buffer *buffer, const char *format,
                                                         ...);
const char *buffer_string(struct buffer *buffer); /* never NULL */
void buffer_clear(struct buffer *buffer);         /* length 0, memory kept */
void buffer_free(struct buffer *buffer);
void buffer_wipe(struct buffer *buffer);

/* An ordered list of owned strings. Zero-initialise. */
struct strings {
    char **items;
    size_t count;
};

void strings_add(struct strings *strings, const char *text);
void strings_take(struct strings *strings, char *text); /* which becomes theirs */
bool strings_contain(const struct strings *strings, const char *text);
void strings_sort(struct strings *strings); /* in the order of strcmp, each once */
bool strings_find(const struct strings *strings, const char *text); /* where they are sorted */
void strings_free(struct strings *strings);

#endif
