/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JUJU_GOB_H
#define JUJU_GOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A client of Juju's unit agent, without I/O and without allocation: the bytes of a hook command's
 * call, and what the bytes of its reply say. This header and gob.c need the C library alone.
 *
 * It speaks as much of Go's net/rpc and encoding/gob (https://pkg.go.dev/encoding/gob) as there is
 * in one method, Jujuc.Main, the same from Juju 2.9 to 4.x (juju/juju: cmd/jujuc/main.go and
 * internal/worker/uniter/runner/jujuc/server.go). To use it: connect a stream socket to
 * JUJU_AGENT_SOCKET_ADDRESS ('@' in front stands for an abstract name), where
 * JUJU_AGENT_SOCKET_NETWORK is "unix", and make one call after the other:
 *
 *     struct gob_client client = {0};              of a connection
 *
 *     size = gob_write_call(&client, NULL, &call);
 *     gob_write_call(&client, out, &call);         out has size bytes; send them
 *     do {
 *         receive some bytes behind those that are there
 *         result = gob_read_reply(&client, data, length, &fault);
 *     } while (result == GOB_MORE);
 *     look at client.reply                         and forget all that was received
 *
 * Close the socket before the process ends, and let no child inherit it: the agent waits for that.
 */

/* Bounds of what the agent may define in a connection, of how deep its values may nest, and of all
 * bytes of one reply together: a databag has up to 16 MiB, and JSON up to six bytes for one. */
#define GOB_MAX_TYPES 64
#define GOB_MAX_FIELDS 256 /* of all structs together */
#define GOB_MAX_DEPTH 32
#define GOB_MAX_REPLY (112 * 1024 * 1024)

/* A hook command. The caller's; nothing of it is kept. */
struct gob_call {
    const char *context_id;       /* JUJU_CONTEXT_ID */
    const char *directory;        /* absolute: what the command would run in */
    const char *const *arguments; /* the command's name first; to NULL */
    const void *input;            /* its standard input; NULL: it has none */
    size_t input_length;
};

/* A run of bytes of what was received, from its beginning on. */
struct gob_bytes {
    size_t start, length;
};

struct gob_reply {
    struct gob_bytes refusal; /* why the agent did not run the command; the rest is zero then */
    int code;                 /* exit status, 0 to 255 */
    struct gob_bytes output, message; /* stdout and stderr */
};

/* One connection. Zero-initialise; only the reply is the caller's to look at. */
struct gob_client {
    struct gob_reply reply;
    uint64_t calls;  /* that were answered */
    size_t used;     /* bytes of the reply that are read */
    bool has_header; /* a reply is a header and a body */
    size_t type_count, field_count;
    struct gob_type {
        int32_t number;
        uint8_t kind, known; /* known: a set of those fields that are looked for */
        uint16_t first_field, field_count;
    } types[GOB_MAX_TYPES];
    struct gob_field {
        int32_t type;
        uint8_t known; /* which of them it is */
    } fields[GOB_MAX_FIELDS];
};

/* Write the next call; returns its length. With out == NULL nothing but that. */
size_t gob_write_call(const struct gob_client *client, void *out, const struct gob_call *call);

enum gob_result {
    GOB_MORE,  /* it is not all there; come again with more behind it */
    GOB_REPLY, /* client.reply is filled */
    GOB_FAULT, /* the connection is of no use any more; *fault is a constant sentence that says why
                */
};

/*
 * Read the reply, of which the first `length` bytes are at `data` (they may have moved). Types go
 * by what the agent defines, fields by name and type; all others are skipped, whatever they are,
 * but for an interface whose type is not yet defined: Go cuts the message in two there, which is a
 * fault here. So is what follows the reply: no call is under way that it could be about.
 */
enum gob_result gob_read_reply(struct gob_client *client, const void *data, size_t length,
                               const char **fault);

#endif
