/* SPDX-License-Identifier: Apache-2.0 */
#include "base/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/random.h"

#define REASON_SIZE 16 /* bytes of what an answer is called in the log */
#define BLANKS " \t"
#define HEX_DIGITS "0123456789abcdefABCDEF"
#define SPACES " \t\r\v\f"
#define TURN_MS 1000 /* of a nameserver, before the next one gets its turn */
#define OTHER_MS 500 /* of a family, once it is known that the name has none of the other */
#define MAX_NAME 255 /* in wire format (RFC 1035 2.3.4) */
#define MAX_LABEL 63
#define MAX_POINTERS 128  /* in a name: more than one before each label is nonsense */
#define MAX_RECORDS 20000 /* read for one answer, those that are read again counted again */
#define MAX_LOG 64        /* lines for one name */
#define ALSO_NAMED 3      /* of the names in the search domains */
#define HEADER_SIZE 12

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, CLASS_IN = 1 };
enum { NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED };

static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
static const char *const type_names[] = {"A", "AAAA"};

/* ---- resolv.conf ---- */

/* The next line of *rest, which is moved behind it; false at the end. Also ends at a NUL. */
static bool next_line(const char **rest, const char *end, char **line)
{
    const char *start = *rest;

    if (start == end)
        return false;
    const char *newline = memchr(start, '\n', (size_t)(end - start));
    *rest = newline != NULL ? newline + 1 : end;
    *line =
        mem_string_n(start, strnlen(start, (size_t)((newline != NULL ? newline : end) - start)));
    return true;
}

/* What follows the keyword, or NULL where the line has another one. It has to be first in it. */
static char *value_of(char *line, const char *keyword)
{
    size_t length = strlen(keyword);

    if (strncmp(line, keyword, length) != 0 || line[length] == '\0' ||
        strchr(BLANKS, line[length]) == NULL)
        return NULL;
    return line + length + strspn(line + length, BLANKS);
}

static void read_nameserver(struct resolver_settings *settings, char *value)
{
    struct resolver_server server = {0};
    struct in_addr four;

    if (settings->server_count == RESOLVER_SERVERS)
        return;
    value[strcspn(value, BLANKS)] = '\0';
    snprintf(server.text, sizeof server.text, "%s", value);
    /* Some inet_aton also take what stands behind a blank. */
    if (value[strspn(value, HEX_DIGITS "xX.")] == '\0' && inet_aton(value, &four) != 0) {
        server.address.family = AF_INET;
        memcpy(server.address.bytes, &four, sizeof four);
    } else {
        char *zone = strchr(value, '%');

        if (zone != NULL) {
            *zone++ = '\0';
            snprintf(server.zone, sizeof server.zone, "%s", zone);
        }
        server.address.family = AF_INET6;
        if (inet_pton(AF_INET6, value, server.address.bytes) != 1)
            return;
    }
    settings->servers[settings->server_count++] = server;
}

static void read_domains(struct resolver_settings *settings, char *value, size_t count)
{
    char *rest, *domain = strtok_r(value, BLANKS, &rest);

    if (domain == NULL)
        return;
    strings_free(&settings->domains);
    for (; domain != NULL && settings->domains.count < count;
         domain = strtok_r(NULL, BLANKS, &rest))
        strings_add(&settings->domains, domain);
}

/* A number behind the option's name, as atoi has it, within bounds. */
static void read_number(const char *option, const char *name, unsigned least, unsigned most,
                        unsigned *number)
{
    size_t length = strlen(name);

    if (strncmp(option, name, length) != 0)
        return;
    long value = strtol(option + length, NULL, 10);
    if (value < (long)least)
        value = (long)least;
    *number = value > (long)most ? most : (unsigned)value;
}

static void read_options(struct resolver_settings *settings, char *value)
{
    char *rest;

    for (char *option = strtok_r(value, BLANKS, &rest); option != NULL;
         option = strtok_r(NULL, BLANKS, &rest)) {
        read_number(option, "ndots:", 0, 15, &settings->ndots);
        read_number(option, "timeout:", 1, 30, &settings->timeout);
        read_number(option, "attempts:", 1, 5, &settings->attempts);
        if (strncmp(option, "no-aaaa", 7) == 0)
            settings->no_aaaa = true;
        if (strncmp(option, "use-vc", 6) == 0)
            settings->use_vc = true;
    }
}

/* The servers of a machine whose resolv.conf names none. */
static void use_loopback(struct resolver_settings *settings)
{
    read_nameserver(settings, (char[]){"127.0.0.1"});
    read_nameserver(settings, (char[]){"::1"});
}

void resolver_settings_read(struct resolver_settings *settings, const char *resolv_conf,
                            size_t length, const char *host_name)
{
    const char *end = resolv_conf + length, *dot = strchr(host_name, '.');
    char *line, *value;

    settings->ndots = 1;
    settings->timeout = 5;
    settings->attempts = 2;
    while (next_line(&resolv_conf, end, &line)) {
        if ((value = value_of(line, "nameserver")) != NULL)
            read_nameserver(settings, value);
        else if ((value = value_of(line, "domain")) != NULL)
            read_domains(settings, value, 1);
        else if ((value = value_of(line, "search")) != NULL)
            read_domains(settings, value, RESOLVER_DOMAINS);
        else if ((value = value_of(line, "options")) != NULL)
            read_options(settings, value);
        free(line);
    }
    if (settings->server_count == 0)
        use_loopback(settings);
    if (settings->domains.count == 0 && dot != NULL && dot[1] != '\0')
        strings_add(&settings->domains, dot + 1);
}

void resolver_settings_free(struct resolver_settings *settings)
{
    strings_free(&settings->domains);
    buffer_free(&settings->hosts);
    *settings = (struct resolver_settings){0};
}

/* ---- names in wire format, in lower case ---- */

static void append_label(uint8_t wire[MAX_NAME], size_t *length, const char *label, size_t size)
{
    wire[(*length)++] = (uint8_t)size;
    for (size_t i = 0; i < size; i++) {
        char c = label[i];

        wire[(*length)++] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
}

/* Labels behind those that are there; false where they do not fit. A final dot is left out. */
static bool append_labels(uint8_t wire[MAX_NAME], size_t *length, const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn(text, ".");

        if (size == 0 || size > MAX_LABEL || *length + 1 + size > MAX_NAME - 1)
            return false;
        append_label(wire, length, text, size);
        text += size + (text[size] == '.');
    }
    return true;
}

/* How many names there are to be asked for: as it stands, and in each domain. */
static size_t count_candidates(const struct resolver_lookup *lookup)
{
    return lookup->complete ? 1 : 1 + lookup->settings->domains.count;
}

static const char *domain_of(const struct resolver_lookup *lookup, size_t candidate)
{
    size_t dots = 0, domains = lookup->settings->domains.count;

    for (const char *c = lookup->name; *c != '\0'; c++)
        dots += *c == '.';
    bool first_as_it_stands = dots >= lookup->settings->ndots;
    if (lookup->complete || candidate == (first_as_it_stands ? 0 : domains))
        return "";
    const char *domain = lookup->settings->domains.items[candidate - first_as_it_stands];
    return domain + (*domain == '.');
}

/* The length of a candidate in wire format, 0 where it is no name. */
static size_t candidate_to_wire(const struct resolver_lookup *lookup, size_t candidate,
                                uint8_t wire[MAX_NAME])
{
    size_t length = 0;

    if (!append_labels(wire, &length, lookup->name) ||
        !append_labels(wire, &length, domain_of(lookup, candidate)))
        return 0;
    wire[length++] = 0;
    return length;
}

static char *candidate_text(const struct resolver_lookup *lookup, size_t candidate)
{
    const char *domain = domain_of(lookup, candidate);

    return mem_printf("%s%s%s", lookup->name, *domain != '\0' ? "." : "", domain);
}

/* ---- messages (RFC 1035 4.1) ---- */

struct message {
    const uint8_t *data;
    size_t length;
};

static unsigned read_16(const uint8_t *data)
{
    return (unsigned)data[0] << 8 | data[1];
}

static void write_16(uint8_t *out, unsigned value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

/*
 * The name at *offset, which is moved behind it. Returns its length in wire format, 0 where there
 * is none. It comes to an end: each pointer leads further to the front than the one before.
 */
static size_t read_name(const struct message *message, size_t *offset, uint8_t wire[MAX_NAME])
{
    size_t at = *offset, bound = at, length = 0, pointers = 0;

    for (;;) {
        if (at >= message->length)
            return 0;
        size_t size = message->data[at++];
        if (size >= 0xc0) {
            if (at == message->length)
                return 0;
            size_t target = (size & 0x3f) << 8 | message->data[at++];
            if (pointers++ == 0)
                *offset = at;
            if (target >= bound || pointers > MAX_POINTERS)
                return 0;
            at = bound = target;
            continue;
        }
        if (size > MAX_LABEL || size > message->length - at || length + 1 + size > MAX_NAME)
            return 0;
        append_label(wire, &length, (const char *)message->data + at, size);
        at += size;
        if (size == 0)
            break;
    }
    if (pointers == 0)
        *offset = at;
    return length;
}

struct record {
    uint8_t owner[MAX_NAME];
    size_t owner_length;
    unsigned type, class;
    size_t data, length; /* where its data lies in the message */
};

static bool read_record(const struct message *message, size_t *offset, struct record *record)
{
    record->owner_length = read_name(message, offset, record->owner);
    if (record->owner_length == 0 || message->length - *offset < 10)
        return false;
    const uint8_t *fixed = message->data + *offset;
    record->type = read_16(fixed);
    record->class = read_16(fixed + 2);
    record->length = read_16(fixed + 8);
    record->data = *offset + 10;
    if (record->length > message->length - record->data)
        return false;
    *offset = record->data + record->length;
    return true;
}

/* Is it our question that the message repeats? *offset is moved behind it. */
static bool repeats_question(const struct message *message, const uint8_t *name, size_t name_length,
                             unsigned type, size_t *offset)
{
    uint8_t repeated[MAX_NAME];

    if (read_name(message, offset, repeated) != name_length ||
        memcmp(repeated, name, name_length) != 0 || message->length - *offset < 4)
        return false;
    const uint8_t *fixed = message->data + *offset;
    *offset += 4;
    return read_16(fixed) == type && read_16(fixed + 2) == CLASS_IN;
}

/* ---- addresses ---- */

static void add_address(struct resolver_lookup *lookup, int family, const void *bytes)
{
    struct resolver_address address = {.family = family};

    memcpy(address.bytes, bytes, family == AF_INET ? 4 : 16);
    for (size_t i = 0; i < lookup->address_count; i++) {
        if (memcmp(&lookup->addresses[i], &address, sizeof address) == 0)
            return;
    }
    if (lookup->address_count < RESOLVER_ADDRESSES)
        lookup->addresses[lookup->address_count++] = address;
}

static bool add_written(struct resolver_lookup *lookup, const char *text)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1)
        add_address(lookup, AF_INET, bytes);
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        add_address(lookup, AF_INET6, bytes);
    else
        return false;
    return true;
}

/* The next word of a line that has `left` bytes more, in place. Returns its length, 0 at the end,
 * which is also at "#" and NUL. */
static size_t next_word(const char **word, size_t *left)
{
    const char *end = *word + *left, *start = *word;

    while (start < end && *start != '\0' && strchr(SPACES, *start) != NULL)
        start++;
    const char *next = start;
    while (next < end && *next != '\0' && *next != '#' && strchr(SPACES, *next) == NULL)
        next++;
    *word = start;
    *left = (size_t)(end - start);
    return (size_t)(next - start);
}

/* address name name...  # comment */
static void look_into_line(struct resolver_lookup *lookup, const char *line, size_t left)
{
    size_t wanted = strlen(lookup->name), length = next_word(&line, &left);
    char address[INET6_ADDRSTRLEN];

    if (length >= sizeof address)
        return; /* what is longer is none */
    snprintf(address, sizeof address, "%.*s", (int)length, line);
    while (length != 0) {
        line += length;
        left -= length;
        length = next_word(&line, &left);
        if (length == wanted && strncasecmp(line, lookup->name, length) == 0) {
            add_written(lookup, address);
            return;
        }
    }
}

static void look_into_hosts(struct resolver_lookup *lookup)
{
    const struct buffer *hosts = &lookup->settings->hosts;

    for (size_t at = 0, end; at < hosts->length; at = end + 1) {
        const char *line = hosts->data + at, *newline = memchr(line, '\n', hosts->length - at);

        end = newline != NULL ? (size_t)(newline - hosts->data) : hosts->length;
        look_into_line(lookup, line, end - at);
    }
}

/* RFC 6761 6.3 */
static bool is_localhost(const char *name)
{
    static const char localhost[] = "localhost";
    size_t length = strlen(name), end = sizeof localhost - 1;

    return length >= end && strcasecmp(name + length - end, localhost) == 0 &&
           (length == end || name[length - end - 1] == '.');
}

static bool is_known(struct resolver_lookup *lookup)
{
    if (!lookup->complete && add_written(lookup, lookup->name))
        return true;
    look_into_hosts(lookup);
    if (lookup->address_count == 0 && is_localhost(lookup->name)) {
        add_written(lookup, "::1");
        add_written(lookup, "127.0.0.1");
    }
    return lookup->address_count != 0;
}

/* ---- what an answer says ---- */

enum verdict {
    NO_ANSWER,    /* to our question: whatever it is, the answer may still come */
    ADDRESSES,    /* taken */
    NOTHING,      /* there are none: no other server is asked */
    NO_NAME,      /* the same, and not for one family alone */
    NEXT_SERVER,  /* this one does not know */
    ASK_OVER_TCP, /* the answer is cut */
};

/* The addresses at the end of the chain of aliases, in whatever order the records are. */
static enum verdict take_records(struct resolver_lookup *lookup, const struct message *message,
                                 size_t start, unsigned kind, uint8_t name[MAX_NAME],
                                 size_t name_length)
{
    unsigned count = read_16(message->data + 6);
    size_t wanted = kind == 0 ? 4 : 16;
    bool any = false;

    for (unsigned records = count; records <= MAX_RECORDS; records += count) {
        size_t offset = start, alias_length = 0;
        uint8_t alias[MAX_NAME];

        for (unsigned i = 0; i < count; i++) {
            struct record record;

            if (!read_record(message, &offset, &record))
                return NEXT_SERVER;
            if (record.class != CLASS_IN || record.owner_length != name_length ||
                memcmp(record.owner, name, name_length) != 0)
                continue;
            if (record.type == types[kind] && record.length == wanted) {
                add_address(lookup, kind == 0 ? AF_INET : AF_INET6, message->data + record.data);
                any = true;
            }
            if (record.type == TYPE_CNAME &&
                (alias_length = read_name(message, &record.data, alias)) == 0)
                return NEXT_SERVER;
        }
        if (any)
            return ADDRESSES;
        if (alias_length == 0)
            return NOTHING;
        memcpy(name, alias, alias_length);
        name_length = alias_length;
    }
    return NEXT_SERVER;
}

static void name_code(char reason[REASON_SIZE], unsigned code)
{
    static const char *const names[] = {[FORMERR] = "FORMERR",
                                        [SERVFAIL] = "SERVFAIL",
                                        [NXDOMAIN] = "NXDOMAIN",
                                        [NOTIMP] = "NOTIMP",
                                        [REFUSED] = "REFUSED"};

    if (code < sizeof names / sizeof *names && names[code] != NULL)
        snprintf(reason, REASON_SIZE, "%s", names[code]);
    else
        snprintf(reason, REASON_SIZE, "error %u", code);
}

static enum verdict judge(struct resolver_lookup *lookup, const struct resolver_question *question,
                          const struct message *message, char reason[REASON_SIZE])
{
    uint8_t name[MAX_NAME];
    size_t name_length = candidate_to_wire(lookup, question->candidate, name), offset = HEADER_SIZE;
    const uint8_t *header = message->data;

    /* An answer (QR) to a standard query. */
    if (message->length < HEADER_SIZE || read_16(header) != question->id ||
        (header[2] & 0xf8) != 0x80)
        return NO_ANSWER;
    unsigned code = header[3] & 0x0f;
    bool cannot = code == SERVFAIL || code == NOTIMP || code == REFUSED;
    name_code(reason, code);
    if (read_16(header + 4) == 0 && (cannot || code == FORMERR))
        return NEXT_SERVER; /* the header alone: it could not even read the question */
    if (read_16(header + 4) != 1 ||
        !repeats_question(message, name, name_length, types[question->kind], &offset))
        return NO_ANSWER;
    if (cannot)
        return NEXT_SERVER;
    bool authoritative = header[2] & 4, recursive = header[3] & 0x80, cut = header[2] & 2;
    if (code == NOERROR && read_16(header + 6) == 0 && read_16(header + 10) == 0 &&
        !authoritative && !recursive) {
        snprintf(reason, REASON_SIZE, "a referral");
        return NEXT_SERVER;
    }
    if (cut) {
        snprintf(reason, REASON_SIZE, "a cut answer");
        return question->tcp ? NEXT_SERVER : ASK_OVER_TCP;
    }
    if (code != NOERROR)
        return code == NXDOMAIN ? NO_NAME : NOTHING;
    snprintf(reason, REASON_SIZE, "no address");
    size_t known = lookup->address_count;
    enum verdict verdict = take_records(lookup, message, offset, question->kind, name, name_length);
    if (verdict != ADDRESSES)
        lookup->address_count = known; /* of a message that breaks off nothing counts */
    if (verdict == NEXT_SERVER)
        snprintf(reason, REASON_SIZE, "nonsense");
    return verdict;
}

/* ---- the order of questions ---- */

static void note(struct resolver_lookup *lookup, const struct resolver_question *question,
                 const char *outcome)
{
    if (lookup->log.count == MAX_LOG)
        return;
    char *name = candidate_text(lookup, question->candidate);
    strings_take(&lookup->log,
                 mem_printf("nameserver %s, asked for %s %s%s: %s",
                            lookup->settings->servers[question->server].text, name,
                            type_names[question->kind], question->tcp ? " over TCP" : "", outcome));
    free(name);
}

/* Forget the questions for which it holds that (candidate is or is not that of `like`) and, unless
 * all kinds are meant, the kind is. */
static void drop_questions(struct resolver_lookup *lookup, size_t candidate, int kind)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++) {
        struct resolver_question *question = &lookup->questions[i];
        bool same = question->candidate == candidate;

        if (kind < 0 ? !same : same && question->kind == kind)
            question->serial = 0;
    }
}

/* An empty place, or that of the oldest question. */
static struct resolver_question *find_place(struct resolver_lookup *lookup)
{
    struct resolver_question *place = &lookup->questions[0];

    for (size_t i = 1; i < RESOLVER_QUESTIONS; i++) {
        if (lookup->questions[i].serial < place->serial)
            place = &lookup->questions[i];
    }
    return place;
}

static struct resolver_question *find_open(struct resolver_lookup *lookup, unsigned kind,
                                           unsigned server)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++) {
        struct resolver_question *question = &lookup->questions[i];

        if (question->serial != 0 && question->candidate == lookup->candidate &&
            question->kind == kind && question->server == server)
            return question;
    }
    return NULL;
}

static void wait_a_turn(struct resolver_lookup *lookup, unsigned kind, int64_t now)
{
    int64_t next = now + TURN_MS, until = lookup->kinds[kind].until;

    lookup->kinds[kind].next_at = next < until ? next : until;
}

/* Ask the server whose turn it is; where an earlier question to it is open, by that once more. */
static void ask(struct resolver_lookup *lookup, unsigned kind, int64_t now)
{
    unsigned server = lookup->kinds[kind].step % (unsigned)lookup->settings->server_count;
    struct resolver_question *question = find_open(lookup, kind, server);

    if (question != NULL) {
        question->sends++;
    } else {
        question = find_place(lookup);
        *question = (struct resolver_question){.serial = ++lookup->serial,
                                               .sends = 1,
                                               .tcp = lookup->settings->use_vc,
                                               .server = (uint8_t)server,
                                               .kind = (uint8_t)kind,
                                               .candidate = (uint8_t)lookup->candidate};
        random_bytes(&question->id, sizeof question->id);
    }
    lookup->kinds[kind].latest = question->serial;
    wait_a_turn(lookup, kind, now);
}

/* The next server, in the next round if need be. */
static void turn(struct resolver_lookup *lookup, unsigned kind, int64_t now)
{
    const struct resolver_settings *settings = lookup->settings;

    if (now < lookup->kinds[kind].until &&
        ++lookup->kinds[kind].step < settings->server_count * settings->attempts)
        ask(lookup, kind, now);
    else
        lookup->kinds[kind].pending = false;
}

static bool is_pending(const struct resolver_lookup *lookup)
{
    return lookup->kinds[0].pending || lookup->kinds[1].pending;
}

static bool is_anything_open(const struct resolver_lookup *lookup)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++) {
        if (lookup->questions[i].serial != 0)
            return true;
    }
    return false;
}

/* "search ." stands for the name as it stands, which is asked for once. */
static bool is_repeated(const struct resolver_lookup *lookup, size_t candidate)
{
    for (size_t i = 0; i < candidate && *domain_of(lookup, candidate) == '\0'; i++) {
        if (*domain_of(lookup, i) == '\0')
            return true;
    }
    return false;
}

static void begin_candidate(struct resolver_lookup *lookup, int64_t now)
{
    const struct resolver_settings *settings = lookup->settings;
    uint8_t wire[MAX_NAME];

    if (candidate_to_wire(lookup, lookup->candidate, wire) == 0 ||
        is_repeated(lookup, lookup->candidate))
        return;
    lookup->give_up =
        now + (int64_t)settings->server_count * settings->attempts * settings->timeout * 1000;
    for (unsigned kind = 0; kind < 2; kind++) {
        lookup->kinds[kind].pending = kind == 0 || !settings->no_aaaa;
        lookup->kinds[kind].step = 0;
        lookup->kinds[kind].until = INT64_MAX;
        if (lookup->kinds[kind].pending)
            ask(lookup, kind, now);
    }
}

/* Go on to the next candidate where this one has no address, or nobody tells. */
static void go_on(struct resolver_lookup *lookup, int64_t now)
{
    while (lookup->state == RESOLVER_ASKING && !lookup->exhausted && !is_pending(lookup)) {
        if (lookup->candidate + 1 < count_candidates(lookup)) {
            lookup->candidate++;
            begin_candidate(lookup, now);
        } else {
            lookup->exhausted = true;
        }
    }
    if (lookup->state == RESOLVER_ASKING && lookup->exhausted &&
        (now >= lookup->give_up || !is_anything_open(lookup)))
        lookup->state = RESOLVER_FAILED;
}

void resolver_start(struct resolver_lookup *lookup, const struct resolver_settings *settings,
                    const char *name, int64_t now)
{
    *lookup = (struct resolver_lookup){.settings = settings};
    snprintf(lookup->name, sizeof lookup->name, "%s", name);
    size_t length = strlen(lookup->name);
    lookup->complete = length > 1 && lookup->name[length - 1] == '.';
    if (lookup->complete)
        lookup->name[length - 1] = '\0';
    if (is_known(lookup)) {
        lookup->state = RESOLVER_FOUND;
        lookup->found_at = now;
        return;
    }
    begin_candidate(lookup, now);
    go_on(lookup, now);
}

int64_t resolver_tick(struct resolver_lookup *lookup, int64_t now)
{
    int64_t next = INT64_MAX;

    for (unsigned kind = 0; kind < 2; kind++) {
        if (lookup->kinds[kind].pending && now >= lookup->kinds[kind].next_at) {
            for (size_t i = 0; i < RESOLVER_QUESTIONS; i++) {
                if (lookup->questions[i].serial == lookup->kinds[kind].latest)
                    note(lookup, &lookup->questions[i], "no answer in time");
            }
            turn(lookup, kind, now);
        }
    }
    go_on(lookup, now);
    for (unsigned kind = 0; kind < 2; kind++) {
        if (lookup->kinds[kind].pending && lookup->kinds[kind].next_at < next)
            next = lookup->kinds[kind].next_at;
    }
    if (lookup->state == RESOLVER_ASKING && lookup->exhausted)
        next = lookup->give_up;
    return next;
}

size_t resolver_query(const struct resolver_lookup *lookup, size_t question,
                      uint8_t out[RESOLVER_MAX_QUERY])
{
    static const uint8_t recursion_desired_and_counts[] = {1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    const struct resolver_question *asked = &lookup->questions[question];
    uint8_t *message = out + (asked->tcp ? 2 : 0);

    write_16(message, asked->id);
    memcpy(message + 2, recursion_desired_and_counts, sizeof recursion_desired_and_counts);
    size_t length = HEADER_SIZE;
    length += candidate_to_wire(lookup, asked->candidate, message + length);
    write_16(message + length, types[asked->kind]);
    write_16(message + length + 2, CLASS_IN);
    length += 4;
    if (!asked->tcp)
        return length;
    write_16(out, (unsigned)length);
    return 2 + length;
}

/* ---- outcomes ---- */

static void take_found(struct resolver_lookup *lookup, const struct resolver_question *question,
                       int64_t now)
{
    size_t candidate = question->candidate;
    unsigned kind = question->kind;

    if (lookup->state == RESOLVER_ASKING) {
        lookup->state = RESOLVER_FOUND;
        lookup->found_at = now;
        drop_questions(lookup, candidate, -1);
        if (candidate != lookup->candidate) {
            lookup->kinds[0].pending = lookup->kinds[1].pending = false;
            lookup->candidate = candidate;
        }
    }
    lookup->kinds[kind].pending = false;
    drop_questions(lookup, candidate, (int)kind);
}

/* There is no such name, of which the server may say nothing to the question for the other family.
 * In each search domain that would take the time for the next. */
static void hurry(struct resolver_lookup *lookup, const struct resolver_question *question,
                  int64_t now)
{
    unsigned other = 1 - question->kind;
    int64_t until = now + OTHER_MS;

    if (question->candidate != lookup->candidate)
        return;
    lookup->kinds[other].until = until;
    if (until < lookup->kinds[other].next_at)
        lookup->kinds[other].next_at = until;
}

static void take_nothing(struct resolver_lookup *lookup, const struct resolver_question *question,
                         const char *reason)
{
    size_t candidate = question->candidate;
    unsigned kind = question->kind;
    bool as_it_stands = *domain_of(lookup, candidate) == '\0';

    if (!lookup->none || (as_it_stands && !lookup->none_as_it_stands)) {
        lookup->none = true;
        lookup->none_as_it_stands = as_it_stands;
        lookup->none_server = question->server;
        snprintf(lookup->none_reason, sizeof lookup->none_reason, "%s", reason);
    }
    if (candidate == lookup->candidate)
        lookup->kinds[kind].pending = false;
    drop_questions(lookup, candidate, (int)kind);
}

/* This server is of no use for this question. If nobody else is being asked, the next one is. */
static void take_refusal(struct resolver_lookup *lookup, struct resolver_question *question,
                         const char *reason, bool unreachable, int64_t now)
{
    unsigned kind = question->kind;
    bool latest = question->serial == lookup->kinds[kind].latest;

    if (!lookup->refused || (lookup->unreachable && !unreachable)) {
        lookup->refused = true;
        lookup->refused_server = question->server;
        lookup->unreachable = unreachable;
        snprintf(lookup->refused_reason, sizeof lookup->refused_reason, "%s", reason);
    }
    question->serial = 0;
    if (lookup->kinds[kind].pending && latest)
        turn(lookup, kind, now);
}

static void repeat_over_tcp(struct resolver_lookup *lookup, struct resolver_question *question,
                            int64_t now)
{
    bool latest = question->serial == lookup->kinds[question->kind].latest;

    question->serial = ++lookup->serial;
    question->tcp = true;
    question->sends = 1;
    if (latest) {
        lookup->kinds[question->kind].latest = question->serial;
        wait_a_turn(lookup, question->kind, now);
    }
}

void resolver_answer(struct resolver_lookup *lookup, size_t question, const uint8_t *message,
                     size_t length, int64_t now)
{
    struct resolver_question *asked = &lookup->questions[question];
    char reason[REASON_SIZE];

    enum verdict verdict = judge(lookup, asked, &(struct message){message, length}, reason);
    if (verdict != NO_ANSWER)
        note(lookup, asked, verdict == ADDRESSES ? "found" : reason);
    switch (verdict) {
    case ADDRESSES:
        take_found(lookup, asked, now);
        break;
    case NO_NAME:
        hurry(lookup, asked, now);
        take_nothing(lookup, asked, reason);
        break;
    case NOTHING:
        take_nothing(lookup, asked, reason);
        break;
    case NEXT_SERVER:
        take_refusal(lookup, asked, reason, false, now);
        break;
    case ASK_OVER_TCP:
        repeat_over_tcp(lookup, asked, now);
        break;
    case NO_ANSWER:
        break;
    }
    go_on(lookup, now);
}

void resolver_fail(struct resolver_lookup *lookup, size_t question, const char *reason, int64_t now)
{
    note(lookup, &lookup->questions[question], reason);
    take_refusal(lookup, &lookup->questions[question], reason, true, now);
    go_on(lookup, now);
}

bool resolver_is_done(const struct resolver_lookup *lookup)
{
    return lookup->state == RESOLVER_FAILED ||
           (lookup->state == RESOLVER_FOUND && !is_pending(lookup));
}

/* ---- why there is no address ---- */

static void list_candidates(const struct resolver_lookup *lookup, const char *before,
                            struct buffer *out)
{
    size_t named = 0, more = 0;

    for (size_t i = 0; i <= lookup->candidate; i++) {
        if (*domain_of(lookup, i) == '\0')
            continue;
        if (named == ALSO_NAMED) {
            more++;
            continue;
        }
        char *name = candidate_text(lookup, i);
        buffer_printf(out, "%s%s", named++ == 0 ? before : ", ", name);
        free(name);
    }
    if (more != 0)
        buffer_printf(out, " and %zu more", more);
}

int resolver_error(const struct resolver_lookup *lookup, struct error *error)
{
    const struct resolver_server *servers = lookup->settings->servers;
    struct buffer also = {0};

    if (lookup->none) {
        list_candidates(lookup, lookup->none_as_it_stands ? "; also as " : " for ", &also);
        error_set(error, ERROR_UNREACHABLE, "name \"%s\" %s (%s: %s%s)", lookup->name,
                  lookup->none_as_it_stands ? "not found" : "gets no answer",
                  servers[lookup->none_server].text, lookup->none_reason, buffer_string(&also));
        buffer_free(&also);
        return -1;
    }
    if (lookup->refused && !lookup->unreachable)
        return error_set(error, ERROR_UNREACHABLE,
                         "name \"%s\" not found (nameserver %s answers %s)", lookup->name,
                         servers[lookup->refused_server].text, lookup->refused_reason);
    if (lookup->serial == 0)
        return error_set(error, ERROR_UNREACHABLE, "\"%s\" is no name that can be looked up",
                         lookup->name);
    if (lookup->settings->server_count > 1)
        return error_set(error, ERROR_UNREACHABLE, "no nameserver answers");
    return error_set(error, ERROR_UNREACHABLE, "nameserver %s does not answer%s%s%s",
                     servers[0].text, lookup->refused ? " (" : "", lookup->refused_reason,
                     lookup->refused ? ")" : "");
}

void resolver_end(struct resolver_lookup *lookup)
{
    strings_free(&lookup->log);
    memset(lookup->questions, 0, sizeof lookup->questions);
}
