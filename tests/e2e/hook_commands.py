# SPDX-License-Identifier: Apache-2.0
"""Juju's hook commands, as jujud runs them for a hook: arguments, output, errors, exit status.

`run` answers one command on behalf of a hook's context (agent.HookContext). How the command was
reached does not matter here. Only --format=json is known, the form a program asks for.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

COMMANDS = {}

STATE_KEY_LIMIT, STATE_VALUE_LIMIT = 256, 64 * 1024  # bytes (core/quota)
SECRET_URI = re.compile(
    "(secret:)?(//)?([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/)?(?P<id>[0-9a-z]{20})"
)
STATUSES = ("maintenance", "blocked", "waiting", "active")
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True)
class Request:
    """What a hook command's client sends, however it reaches the agent."""

    context_id: str
    directory: str
    name: str
    arguments: tuple
    stdin: bytes | None = None  # None as long as nobody asked for it


@dataclass(frozen=True)
class Reply:
    code: int
    stdout: bytes = b""
    stderr: bytes = b""


class StdinWanted(Exception):
    """The command reads its stdin, and none came with the request."""


class CommandError(Exception):
    """The command ran and failed: exit status 1."""

    code = 1


class UsageError(CommandError):
    """The command did not understand its arguments: exit status 2."""

    code = 2


def run(context, request):
    """Run one hook command."""
    try:
        function, flags, speaks_json = COMMANDS[request.name]
        options, positional = parse_flags(request.arguments, flags)
        if speaks_json and options.pop("format", None) != "json":
            raise UsageError(f"{request.name}: this agent knows only --format=json")
        if "file" in options and not request.name.startswith("secret-"):
            options["file"] = read_file(request, options["file"])
        answer = function(context, options, positional)
        return Reply(0, go_json(answer) if speaks_json else b"")
    except CommandError as error:
        return Reply(error.code, stderr=f"ERROR {error}\n".encode())


def command(name, *flags, speaks_json=True):
    """Register a hook command. A flag that takes a value is written with "=" at its end; several
    spellings are joined by "|", the last one is the option's name."""
    known = {}
    for flag in flags + (("format=",) if speaks_json else ()):
        spellings = flag.rstrip("=").split("|")
        for spelling in spellings:
            dashes = "-" if len(spelling) == 1 else "--"
            known[dashes + spelling] = (spellings[-1], flag.endswith("="))

    def register(function):
        COMMANDS[name] = (function, known, speaks_json)
        return function

    return register


# Of a flag that is a yes or a no (strconv.ParseBool).
TRUE = {"1", "t", "T", "TRUE", "true", "True"}
FALSE = {"0", "f", "F", "FALSE", "false", "False"}


def parse_flags(arguments, flags):
    """Flags and positional arguments may be mixed; "--" ends the flags (juju/gnuflag)."""
    options, positional, rest = {}, [], list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            return options, positional + rest
        if not argument.startswith("-") or argument == "-":
            positional.append(argument)
            continue
        flag, has_value, value = argument.partition("=")
        if flag not in flags:
            raise UsageError(f"option provided but not defined: {flag}")
        name, takes_value = flags[flag]
        if takes_value and not has_value:
            if not rest:
                raise UsageError(f"option needs an argument: {flag}")
            value = rest.pop(0)
        if not takes_value and has_value and value not in TRUE | FALSE:
            raise UsageError(f'invalid value "{value}" for flag {flag}')
        options[name] = value if takes_value else value not in FALSE
    return options, positional


def go_json(value):
    """JSON as Go's json.Marshal writes it: HTML-safe, control characters by number."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    go_escapes = {"\\b": "\\u0008", "\\f": "\\u000c"}
    text = re.sub(r"\\.", lambda escape: go_escapes.get(escape[0], escape[0]), text)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode() + b"\n"


def sorted_map(settings):
    """Go sorts the keys of a map (and keeps the order of a struct's fields)."""
    return dict(sorted(settings.items()))


def no_more(arguments):
    if arguments:
        raise UsageError("unrecognized args: [" + " ".join(f'"{a}"' for a in arguments) + "]")


# --- relations ---


def find_relation(context, options):
    """The relation of -r, or the hook's."""
    given = options.get("relation")
    if given is None:
        if context.event.relation is None:
            raise UsageError("no relation id specified")
        return context.event.relation
    prefix = f'invalid value "{given}" for option -r: '
    number = given.rpartition(":")[2]
    if not number.isdigit():
        raise UsageError(prefix + "invalid relation id")
    for relation in context.relations:
        if relation.number == int(number):
            return relation
    raise UsageError(prefix + "relation not found")


@command("relation-ids")
def relation_ids(context, _options, positional):
    if not positional and context.event.relation is None:
        raise UsageError("no endpoint name specified")
    endpoint = positional[0] if positional else context.event.relation.endpoint
    no_more(positional[1:])
    return sorted(r.id for r in context.relations if r.endpoint == endpoint)


@command("relation-list", "r|relation=", "app")
def relation_list(context, options, positional):
    relation = find_relation(context, options)
    no_more(positional)
    return relation.application if options.get("app") else context.members(relation)


@command("relation-get", "r|relation=", "app")
def relation_get(context, options, positional):
    relation = find_relation(context, options)
    key = positional[0] if positional and positional[0] != "-" else None
    owner = relation_get_target(context, options, positional[1:])
    no_more(positional[2:])
    settings = context.read(relation, owner)
    return settings.get(key) if key else sorted_map(settings)


def relation_get_target(context, options, positional):
    """Whose settings are asked for: a unit's or an application's."""
    if positional:
        return checked_target(positional[0], options.get("app"))
    event = context.event
    if event.relation is not None and (options.get("app") or not event.remote_unit):
        return event.relation.application
    if not event.remote_unit:
        raise UsageError("no unit or application specified")
    return event.remote_unit


def checked_target(name, wants_application):
    is_unit = re.fullmatch(r"[a-z][a-z0-9-]*/[0-9]+", name)
    if wants_application:
        return name.partition("/")[0]
    if not is_unit:
        raise UsageError(f'expected unit name, got application name "{name}"')
    return name


@command("relation-set", "r|relation=", "app", "file=", speaks_json=False)
def relation_set(context, options, positional):
    relation = find_relation(context, options)
    settings = read_settings(options)
    settings.update(parse_pairs(positional))
    if options.get("app") and not context.is_leader:
        raise CommandError("cannot write relation settings")
    context.write(relation, bool(options.get("app")), settings)


def read_file(request, name):
    """The content of --file; "-" is stdin. The agent opens it, from the caller's directory."""
    if name != "-":
        return (Path(request.directory) / name).read_bytes()
    if request.stdin is None:
        raise StdinWanted
    return request.stdin


def read_settings(options):
    """--file holds a YAML map of strings to strings (go-yaml v2, which is a port of libyaml)."""
    try:
        settings = yaml.load(options.get("file", b""), yaml.CSafeLoader) or {}
    except yaml.YAMLError as error:
        raise CommandError(f"yaml: {error}") from error
    if not isinstance(settings, dict):
        raise CommandError("yaml: unmarshal errors: cannot unmarshal into map[string]string")
    for key, value in settings.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise CommandError(f"yaml: unmarshal errors: {key} is not a quoted string")
    return settings


def parse_pairs(arguments):
    """key=value, split at the first "=", nothing trimmed (juju/utils keyvalues)."""
    pairs = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise UsageError(f'expected "key=value", got "{argument}"')
        if key in pairs:
            raise UsageError(f'key "{key}" specified more than once')
        pairs[key] = value
    return pairs


@command("goal-state")
def goal_state(context, _options, positional):
    no_more(positional)
    return context.goal_state()


# --- the application ---


@command("is-leader")
def is_leader(context, _options, positional):
    no_more(positional)
    return context.is_leader


@command("config-get", "a|all")
def config_get(context, options, positional):
    no_more(positional[1:])
    if positional:
        return context.config.get(positional[0])
    everything = context.config.items()
    return sorted_map({k: v for k, v in everything if v is not None or options.get("all")})


@command("credential-get")
def credential_get(context, _options, positional):
    no_more(positional)
    if context.in_kubernetes and float(context.juju_version) < 3.6:
        unsupported = 'credential-get on a "caas" model not supported'
        raise CommandError(f"cannot access cloud credentials: {unsupported}")
    if not context.trusted:
        raise CommandError("cannot access cloud credentials: permission denied")
    return context.cloud


@command("application-version-set", speaks_json=False)
def application_version_set(context, _options, positional):
    if not positional:
        raise UsageError("no version specified")
    no_more(positional[1:])
    context.set_version(positional[0])


@command("status-set", "application", speaks_json=False)
def status_set(context, options, positional):
    if not positional:
        raise UsageError("invalid args, require <status> [message]")
    status, message = positional[0], "".join(positional[1:2])
    if status not in STATUSES:
        raise UsageError(f'invalid status "{status}", expected one of [{" ".join(STATUSES)}]')
    no_more(positional[2:])
    if options.get("application") and not context.is_leader:
        raise CommandError("this unit is not the leader")
    context.set_status(bool(options.get("application")), status, message)


@command("juju-log", "l|log-level=", "debug", speaks_json=False)
def juju_log(context, options, positional):
    if not positional:
        raise UsageError("no message specified")
    level = "DEBUG" if options.get("debug") else options.get("log-level", "INFO").upper()
    prefix = f"{context.event.relation.id}: " if context.event.relation else ""
    context.log(level if level in LOG_LEVELS else "INFO", prefix + " ".join(positional))


# --- secrets ---


SECRET_KEY = re.compile("[a-z](?:-?[a-z0-9]){2,}")


def check_secrets(context, name):
    if context.juju_version.startswith("2."):
        raise CommandError(f"unknown command: {name}")


def find_secret(context, uri):
    match = SECRET_URI.fullmatch(uri)
    if match is None:
        raise UsageError(f"secret URI {go_quote(uri)} not valid")
    secret = context.find_secret(match["id"])
    if secret is None:
        raise CommandError(f'secret "{uri}" not found')
    if not secret.is_readable(context):
        denied = "permission denied"
        if context.juju_version.startswith("4."):
            denied = f'"{context.unit_name}" is not allowed to read this secret'
        raise CommandError(denied)
    return secret


def go_quote(text):
    """As Go's %q, of what tests have."""
    return json.dumps(text, ensure_ascii=False)


def find_own_secret(context, label):
    """Any unit finds what its application owns by its label."""
    for secret in context.own_secrets():
        if secret.label == label:
            return secret
    raise CommandError(f'secret with label "{label}" not found')


def read_secret_file(name):
    """The agent opens it, and not from the caller's directory: core/secrets ReadSecretData."""
    if not name.startswith("/"):
        raise CommandError(f"open {name}: no such file or directory")
    content = yaml.load(Path(name).read_bytes(), yaml.CSafeLoader)
    if not all(SECRET_KEY.fullmatch(key) and isinstance(content[key], str) for key in content):
        raise CommandError("yaml: unmarshal errors")
    return content


@command("secret-add", "label=", "file=", speaks_json=False)
def secret_add(context, options, positional):
    check_secrets(context, "secret-add")
    no_more(positional)
    if not context.is_leader:
        raise CommandError("this unit is not the leader")
    if any(secret.label == options["label"] for secret in context.own_secrets()):
        raise CommandError(f'secret with label "{options["label"]}" already exists')
    context.add_secret(options["label"], read_secret_file(options["file"]))


@command("secret-set", "file=", speaks_json=False)
def secret_set(context, options, positional):
    check_secrets(context, "secret-set")
    secret = find_secret(context, positional[0])
    no_more(positional[1:])
    if not context.is_leader:
        raise CommandError("permission denied")
    context.update_secret(secret, read_secret_file(options["file"]))


@command("secret-info-get", "label=")
def secret_info_get(context, options, positional):
    check_secrets(context, "secret-info-get")
    no_more(positional)
    if not context.is_leader:
        raise CommandError(f'secret "{options["label"]}" not found')
    secret = find_own_secret(context, options["label"])
    information = {"revision": secret.latest, "label": secret.label, "owner": "application"}
    return {secret.id: {**information, "rotation": "never"}}


@command("secret-get", "refresh", "peek", "label=")
def secret_get(context, options, positional):
    check_secrets(context, "secret-get")
    if len(positional) != ("label" not in options):
        raise UsageError("require either a secret URI or label")
    if positional:
        secret = find_secret(context, positional[0])
    else:
        secret = find_own_secret(context, options["label"])
    if options.get("peek") or options.get("refresh"):
        revision = secret.latest
    else:
        revision = context.tracked.get(secret.id, secret.latest)
    if not options.get("peek"):
        context.tracked[secret.id] = revision
    return sorted_map(secret.revisions[revision])


# --- actions ---

ACTION_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
RESERVED_RESULTS = {"stdout", "stdout-encoding", "stderr", "stderr-encoding"}


def check_action(context):
    if context.outcome is None:
        raise CommandError("not running an action")


@command("action-get")
def action_get(context, _options, positional):
    check_action(context)
    no_more(positional[1:])
    value = context.event.parameters
    for key in positional[0].split(".") if positional else ():
        value = value.get(key) if isinstance(value, dict) else None
    return value


@command("action-set", speaks_json=False)
def action_set(context, _options, positional):
    check_action(context)
    for argument in positional:
        key, equals, value = argument.partition("=")
        if not equals:
            raise UsageError(f'argument "{argument}" must be of the form key...=value')
        path = key.split(".")
        if path[0] in RESERVED_RESULTS:
            raise UsageError(f'cannot set reserved action key "{path[0]}"')
        if not all(ACTION_KEY.fullmatch(part) for part in path):
            raise UsageError(f'key "{key}" must start and end with lowercase alphanumeric, and '
                             "contain only lowercase alphanumeric and hyphens")
        results = context.outcome.results
        for part in path[:-1]:
            results = results.setdefault(part, {})
        results[path[-1]] = value


@command("action-fail", speaks_json=False)
def action_fail(context, _options, positional):
    check_action(context)
    no_more(positional[1:])
    context.outcome.status = "failed"
    context.outcome.message = positional[0] if positional else "action failed without reason given"


# --- the unit's own state ---


@command("state-get", "strict")
def state_get(context, options, positional):
    if not positional or positional[0] == "-":
        return sorted_map(context.state)
    if options.get("strict") and positional[0] not in context.state:
        raise CommandError(f'key "{positional[0]}" not found')
    return context.state.get(positional[0])


@command("state-set", "file=", speaks_json=False)
def state_set(context, options, positional):
    state = {**read_settings(options), **parse_pairs(positional)}
    for key, value in state.items():
        for what, text, limit in (
            ("key", key, STATE_KEY_LIMIT),
            ("value", value, STATE_VALUE_LIMIT),
        ):
            if len(text.encode()) > limit:
                raise CommandError(f"max allowed {what} length ({limit}) exceeded")
    context.state.update(state)


@command("state-delete", speaks_json=False)
def state_delete(context, _options, positional):
    if len(positional) != 1:
        raise UsageError("you must specify one key")
    context.state.pop(positional[0], None)
