/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hook command, as Juju puts it on PATH: it only tells the unit agent who calls and what, hands
 * over its stdin if the agent asks for it, and prints the answer. One program under all names; the
 * agent's socket lies beside it (agent.py, class CommandServer).
 *
 * A message is a 32-bit length in network order and so many bytes. Request: context, working
 * directory and arguments, each ended by NUL. Answer: one byte, STDIN_WANTED (the content of stdin
 * is sent, and the answer comes then) or DONE, followed by exit status, stdout and stderr.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DONE = 0, STDIN_WANTED = 1 };

static void check(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "ERROR hook command: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The socket is named relative to its directory: a path has room for 107 bytes only. */
static int connect_to_agent(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    char program[PATH_MAX] = "";

    check(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0, "readlink");
    check(chdir(dirname(program)) == 0, "chdir");
    int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(agent >= 0, "socket");
    check(connect(agent, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
    return agent;
}

static void write_all(int fd, const char *data, size_t length)
{
    while (length != 0) {
        ssize_t written = write(fd, data, length);
        check(written > 0, "write");
        data += written;
        length -= (size_t)written;
    }
}

static void read_all(int fd, char *data, size_t length)
{
    while (length != 0) {
        ssize_t got = read(fd, data, length);
        check(got > 0, "read");
        data += got;
        length -= (size_t)got;
    }
}

static void send_message(int agent, const char *data, size_t length)
{
    uint32_t size = htonl((uint32_t)length);

    write_all(agent, (const char *)&size, sizeof(size));
    write_all(agent, data, length);
}

static void send_stdin(int agent)
{
    char *data = NULL;
    size_t length = 0, size = 0;
    ssize_t got;

    do {
        if (length == size)
            check((data = realloc(data, size += 65536)) != NULL, "realloc");
        got = read(STDIN_FILENO, data + length, size - length);
        check(got >= 0, "read stdin");
        length += (size_t)got;
    } while (got > 0);
    send_message(agent, data, length);
    free(data);
}

static void send_request(int agent, const char *directory, int argc, char *argv[])
{
    const char *context = getenv("JUJU_CONTEXT_ID");
    char *request;
    size_t length;
    FILE *out = open_memstream(&request, &length);

    fprintf(out, "%s%c%s%c%s%c", context != NULL ? context : "", 0, directory, 0, basename(argv[0]),
            0);
    for (int i = 1; i < argc; i++)
        fprintf(out, "%s%c", argv[i], 0);
    check(fclose(out) == 0, "compose");
    send_message(agent, request, length);
    free(request);
}

static uint8_t read_byte(int agent)
{
    uint8_t byte;

    read_all(agent, (char *)&byte, 1);
    return byte;
}

static void copy_message(int agent, int to)
{
    uint32_t size;

    read_all(agent, (char *)&size, sizeof(size));
    char *data = malloc(ntohl(size) + 1);
    check(data != NULL, "malloc");
    read_all(agent, data, ntohl(size));
    write_all(to, data, ntohl(size));
    free(data);
}

int main(int argc, char *argv[])
{
    char directory[PATH_MAX];

    check(getcwd(directory, sizeof(directory)) != NULL, "getcwd");
    int agent = connect_to_agent();
    send_request(agent, directory, argc, argv);
    uint8_t answer = read_byte(agent);
    if (answer == STDIN_WANTED) {
        send_stdin(agent);
        answer = read_byte(agent);
    }
    check(answer == DONE, "protocol");
    int status = read_byte(agent);
    copy_message(agent, STDOUT_FILENO);
    copy_message(agent, STDERR_FILENO);
    return status;
}
