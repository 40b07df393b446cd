# SPDX-License-Identifier: Apache-2.0
"""The miniature agent itself: it must follow Juju, or the other tests prove nothing.

Its charm here is a shell script that reads what to do from the file `script` beside it.
"""

import json
import zipfile

import pytest

from agent import Event
from juju import HookFailed, Juju, lxd_cloud
from pki import identity

DISPATCH = "#!/bin/sh\n[ ! -e script ] || . ./script\n"
CONFIG = """
options:
  name: {type: string, default: ""}
  size: {type: int, default: 3}
  unset: {type: string}
"""


@pytest.fixture(params=["2.9", "3.6", "4.0"])
def juju(request, tmp_path):
    charm = tmp_path / "stub.charm"
    with zipfile.ZipFile(charm, "w") as archive:
        for name, mode, text in (
            ("metadata.yaml", 0o644, "name: stub"),
            ("config.yaml", 0o644, CONFIG),
            ("dispatch", 0o755, DISPATCH),
        ):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, text)
    with Juju(charm, request.param) as controller:
        yield controller


@pytest.fixture
def app(juju):
    return juju.deploy()


@pytest.fixture
def unit(app):
    return app.units[0]


@pytest.fixture
def play(unit):
    """Run a shell script as one hook of the unit."""

    def run(script, event=Event("update-status")):
        path = unit.charm_directory / "script"
        path.write_text(script)
        hook = unit.run(event)
        path.unlink()
        return hook

    return run


@pytest.fixture
def answer(play):
    """What one hook command prints on stdout, parsed, and where it failed its exit status and
    stderr."""

    def run(command, event=Event("update-status")):
        (call,) = play(command, event).calls
        if call.reply.code == 0:
            return json.loads(call.reply.stdout)
        return call.reply.code, call.reply.stderr.decode().rstrip("\n")

    return run


@pytest.fixture
def relation(app):
    relation = app.relate("builder")
    relation.join("builder/0", colour="red")
    return relation


def test_environment_of_a_plain_hook(unit, juju, play):
    hook = play("env; pwd; cat")
    printed = dict(line.partition("=")[::2] for line in hook.logged("DEBUG"))
    printed = {name: value for name, value in printed.items() if name not in ("PWD", "_", "SHLVL")}
    assert printed.pop(str(unit.charm_directory)) == ""
    assert printed == hook.environment
    assert "HOME" not in printed and "JUJU_RELATION" not in printed
    assert ("JUJU_SLA" in printed) == (juju.version != "4.0")


def test_environment_of_relation_hooks(unit, relation):
    relation.depart("builder/0")
    relation.remove()
    seen = {
        hook.name: [
            hook.environment.get(name)
            for name in ("JUJU_REMOTE_UNIT", "JUJU_REMOTE_APP", "JUJU_DEPARTING_UNIT")
        ]
        for hook in unit.hooks
        if "JUJU_RELATION_ID" in hook.environment
    }
    assert seen == {
        "api-relation-created": ["", "builder", None],
        "api-relation-joined": ["builder/0", "builder", None],
        "api-relation-changed": ["builder/0", "builder", None],
        "api-relation-departed": ["builder/0", "builder", "builder/0"],
        "api-relation-broken": ["", "builder", None],
    }


def test_hooks_in_juju_s_order(app, unit):
    app.upgrade()
    names = [hook.name for hook in unit.hooks]
    assert names == (
        ["install", "leader-elected", "config-changed", "start", "upgrade-charm", "config-changed"]
    )


def test_output_streams_are_logged(play):
    hook = play("echo out; echo err >&2; juju-log -l error some thing; juju-log other")
    assert hook.logged("DEBUG") == ["out"]
    assert hook.logged("WARNING") == ["err"]
    assert hook.logged("ERROR") == ["some thing"]
    assert hook.logged("INFO") == ["other"]


def test_relation_is_named_in_the_log(relation, play):
    hook = play("juju-log -- -x", Event("relation-changed", relation, "builder/0"))
    assert hook.logged("INFO") == [f"{relation.id}: -x"]


def test_failed_hook_is_retried_and_keeps_others_waiting(app, unit):
    (unit.charm_directory / "script").write_text("exit 3")
    with pytest.raises(HookFailed, match="config-changed ended with 3"):
        app.configure(name="x")
    (unit.charm_directory / "script").unlink()
    assert [hook.name for hook in app.update_status()] == ["config-changed", "update-status"]


def test_missing_dispatch_is_no_failure(app, unit):
    (unit.charm_directory / "dispatch").unlink()
    (hook,) = app.update_status()
    assert hook.logged("INFO") == ['skipped "update-status" hook (missing)']


def test_hook_commands_answer_only_their_hook(play):
    hook = play("JUJU_CONTEXT_ID=other is-leader --format=json")
    assert hook.exit_code == 1
    assert hook.logged("WARNING") == ["ERROR bad request: wrong context ID"]


def test_writes_of_a_failed_hook_are_dropped(unit, relation, play):
    commands = (
        f"relation-set -r {relation.id} a=1; state-set s=1; status-set blocked why;"
        "application-version-set 7; juju-log kept; relation-get --format=json"
        f" -r {relation.id} - {unit.name};"
    )
    hook = play(commands + "exit 1")
    assert json.loads(hook.called("relation-get")[0].reply.stdout)["a"] == "1"
    assert relation.published() == {} and unit.state == {}
    assert unit.status == ("blocked", "why") and unit.application.version == "7"
    assert hook.logged("INFO") == ["kept"]
    play(commands)
    assert relation.published() == {"a": "1"} and unit.state == {"s": "1"}


def test_relation_set_reads_a_yaml_map_from_stdin(relation, play):
    play(
        f"""relation-set -r {relation.number} --file - b=override <<'END'
{{"a": "1\\n\\u00e9\\t<", "b": "2"}}
END
relation-set -r x:{relation.number} c=x=y a2= b2="" """
    )
    assert relation.published() == {"a": "1\n\u00e9\t<", "b": "override", "c": "x=y"}
    play(f"relation-set -r {relation.id} a= c=''; relation-set -r {relation.id} d=1")
    assert relation.published() == {"b": "override", "d": "1"}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "\\ud83d\\ude00"}',  # UTF-16 surrogates
        '{"a": 1}',
        '{"a": null}',
        '{"a": ["x"]}',
        '["a"]',
        '{"a": "\x7f"}',
        '{"a": "b"',
    ],
)
def test_relation_set_refuses(relation, play, text):
    hook = play(f"relation-set -r {relation.id} --file - <<'END'\n{text}\nEND\n")
    assert hook.exit_code == 1
    assert hook.calls[-1].reply.stderr.startswith(b"ERROR yaml: ")


def test_relation_get(relation, answer, juju):
    joined = Event("relation-joined", relation, "builder/0")
    network = {"egress-subnets", "ingress-address", "private-address"}
    settings = answer("relation-get --format=json", joined)
    assert set(settings) - network == {"colour"}
    assert (settings.keys() >= network) == (juju.version != "4.0")
    assert answer("relation-get --format=json colour", joined) == "red"
    assert answer("relation-get --format=json nothing", joined) is None
    assert answer("relation-get --format=json --app -", joined) == {}
    by_id = f"relation-get --format=json -r {relation.id} "
    assert answer(by_id + "colour builder/0") == "red"
    assert answer(by_id + "- --app builder") == {}
    assert answer(by_id + "-") == (2, "ERROR no unit or application specified")
    other = "relation unit not found" if juju.is_new else "permission denied"
    assert answer(by_id + "- other/0") == (1, f"ERROR {other}")
    assert answer(by_id + "- builder") == (
        2,
        'ERROR expected unit name, got application name "builder"',
    )


def test_settings_of_a_unit_that_left_stay_readable(relation, answer):
    relation.depart("builder/0")
    by_id = f"relation-get --format=json -r {relation.id} "
    assert answer(by_id + "colour builder/0") == "red"
    relation.unreadable = True
    assert answer(by_id + "- builder/0") == (1, "ERROR lost the controller")


def test_own_application_bag_is_the_leader_s(app, relation, answer, play):
    second = app.add_unit()
    by_id = f"relation-get --format=json -r {relation.id} - --app {app.name}"
    play(f"relation-set -r {relation.id} --app k=v")
    assert answer(by_id) == {"k": "v"}
    app.elect(second)
    assert answer(by_id) == (1, "ERROR permission denied")
    hook = play(f"relation-set -r {relation.id} --app k=v")
    assert hook.logged("WARNING") == ["ERROR cannot write relation settings"]


def test_relation_list(relation, answer):
    relation.join("builder/1")
    assert answer(f"relation-list --format=json -r {relation.id}") == ["builder/0", "builder/1"]
    assert answer(f"relation-list --format=json -r {relation.id} --app") == "builder"
    assert answer("relation-list --format=json") == (2, "ERROR no relation id specified")
    assert answer("relation-list --format=json -r api:99") == (
        2,
        'ERROR invalid value "api:99" for option -r: relation not found',
    )
    relation.depart("builder/0")
    assert answer(f"relation-list --format=json -r {relation.id}") == ["builder/1"]


def test_broken_relation_is_listed(app, relation, answer):
    second = app.relate("other")
    broken = Event("relation-broken", relation)
    assert answer("relation-ids --format=json api", broken) == [relation.id, second.id]
    assert answer("relation-ids --format=json nothing") == []


def test_broken_relation_has_no_units(app, relation, play):
    broken = app.relate("other")
    broken.join("other/0")
    hook = play(
        f"relation-list --format=json -r {broken.id}; relation-list --format=json -r {relation.id}",
        Event("relation-broken", broken),
    )
    assert [json.loads(call.reply.stdout) for call in hook.calls] == [[], ["builder/0"]]


def test_config_get(app, answer):
    assert answer("config-get --format=json") == {"name": "", "size": 3}
    assert answer("config-get --format json --all") == {"name": "", "size": 3, "unset": None}
    app.configure(unset="x", size=4)
    assert answer("config-get --format=json") == {"name": "", "size": 4, "unset": "x"}
    assert answer("config-get --format=json missing") is None
    with pytest.raises(TypeError):
        app.configure(size="4")


def test_credential_get(app, answer):
    denied = (1, "ERROR cannot access cloud credentials: permission denied")
    app.cloud = lxd_cloud("https://10.0.0.1:8443", identity(), "certificate")
    assert answer("credential-get --format=json") == denied
    app.trust()
    assert answer("credential-get --format=json") == app.cloud
    app.trust(False)
    assert answer("credential-get --format=json") == denied


def test_secret_of_the_application(app, play, juju, tmp_path):
    """It is there once the hook was successful, and all units find it by its label."""
    content = tmp_path / "content"
    content.write_text('{"client-key": "first"}')
    add = f"secret-add --label own --file {content}"
    get = "secret-get --label own --refresh --format=json"
    if juju.version == "2.9":
        assert b"unknown command" in play(add).calls[0].reply.stderr
        return
    play(f"{add}; exit 1")
    assert b"not found" in play(get).calls[0].reply.stderr
    play(add)
    assert b"already exists" in play(add).calls[0].reply.stderr
    app.add_unit()
    app.elect(app.units[1])
    assert json.loads(play(get).calls[0].reply.stdout) == {"client-key": "first"}
    assert b"not the leader" in play(add).calls[0].reply.stderr
    (identifier,) = juju.secrets
    app.elect(app.units[0])
    content.write_text('{"client-key": "second"}')
    play(f"secret-set {identifier} --file {content}; exit 1")
    assert json.loads(play(get).calls[0].reply.stdout) == {"client-key": "first"}
    play(f"secret-set {identifier} --file {content}")
    assert json.loads(play(get).calls[0].reply.stdout) == {"client-key": "second"}
    (call,) = play("secret-add --label two --file script").calls
    assert b"no such file" in call.reply.stderr


def test_goal_state_tells_who_is_dying(app, relation, unit):
    app.add_unit()
    (unit.charm_directory / "script").write_text("goal-state --format=json")
    (hook, *_) = app.remove_unit(unit)
    state = json.loads(hook.calls[0].reply.stdout)
    assert {name: entry["status"] for name, entry in state["units"].items()} == {
        "lxd-integrator/0": "dying",
        "lxd-integrator/1": "maintenance",
    }
    assert list(state["relations"]["api"]) == ["builder", "builder/0"]


def test_json_is_written_as_go_writes_it(app, play):
    app.configure(name='<a&b>\u2028\u00e9"\\b\x08\x01\n')
    hook = play("config-get --format=json name")
    expected = '"\\u003ca\\u0026b\\u003e\\u2028\u00e9\\"\\\\b\\u0008\\u0001\\n"\n'
    assert hook.calls[0].reply.stdout.decode() == expected


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("status-set done", 2, "invalid status"),
        ("status-set active a b", 2, 'unrecognized args: ["b"]'),
        ("is-leader --colour=red", 2, "option provided but not defined: --colour"),
        ("relation-set a=1", 2, "no relation id specified"),
        ("relation-get --format", 2, "option needs an argument: --format"),
    ],
)
def test_wrong_arguments(play, command, code, message):
    hook = play(command)
    assert hook.exit_code == hook.calls[0].reply.code == code
    assert hook.logged("WARNING")[0].startswith("ERROR " + message)


def test_measures_the_process_itself(play):
    """Neither the agent's own size nor that of a child shows in a hook's figures."""
    busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
    hook = play(f"sh -c '{busy}'; is-leader --format=json")
    assert 0 < hook.peak_rss_kib < 4096
    assert hook.own_cpu_seconds < hook.children_cpu_seconds


def test_private_values_can_be_searched_for(play):
    hook = play("juju-log 'in argv'; echo 'in stdin' | state-set --file - ; true")
    assert ("juju-log", "in argv") == hook.calls[0].arguments
    assert hook.calls[1].stdin == b"in stdin\n"
