# SPDX-License-Identifier: Apache-2.0
"""The model of Juju where things go wrong: what was seen of a real Juju 4.0.15 and stands in the
source of 3.6, in the words in which hook commands have it.

The charm here is a shell script that reads what to do from the file `script` beside it. Hook
commands are reached both ways, over the agent's socket by a client as Juju's own is (jujuc/).
"""

import json
import zipfile

import pytest

import hook_commands
from agent import Event
from go_program import go_program
from juju import HookFailed, Juju

DISPATCH = "#!/bin/sh\n[ ! -e script ] || . ./script\n"
METADATA = """
name: stub
provides: {api: {interface: lxd}}
peers: {peers: {interface: lxd-integrator-peers}}
"""
UPDATE_STATUS = Event("update-status")
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def stub(tmp_path_factory):
    charm = tmp_path_factory.mktemp("stub") / "stub.charm"
    with zipfile.ZipFile(charm, "w") as archive:
        for name, mode, text in (
            ("metadata.yaml", 0o644, METADATA),
            ("config.yaml", 0o644, "options: {}"),
            ("dispatch", 0o755, DISPATCH),
        ):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, text)
    return charm


@pytest.fixture(params=["3.6", "4.0"])
def version(request):
    return request.param


@pytest.fixture
def juju(stub, version, transport):
    with Juju(stub, version, transport) as controller:
        yield controller


@pytest.fixture
def new(version):
    return version == "4.0"


@pytest.fixture
def app(juju):
    return with_commands(juju.deploy())


def with_commands(app):
    """Hook commands on PATH, which the way over the socket has none of."""
    for unit in app.units:
        for name in hook_commands.COMMANDS if unit.socket else ():
            command = unit.tools_directory / name
            if not command.exists():
                command.symlink_to(go_program("jujuc"))
    return app


@pytest.fixture
def unit(app):
    return app.units[0]


@pytest.fixture
def relation(app):
    relation = app.relate("req")
    relation.join("req/0", colour="red")
    return relation


def play(unit, script, event=UPDATE_STATUS):
    """Run a shell script as one hook."""
    path = unit.charm_directory / "script"
    path.write_text(script)
    hook = unit.run(event)
    path.unlink()
    return hook


def answer(unit, command, event=UPDATE_STATUS):
    """What one hook command says: stdout parsed, or exit status and stderr."""
    (call,) = play(unit, command, event).calls
    if call.reply.code == 0:
        return json.loads(call.reply.stdout or "null")
    return call.reply.code, call.reply.stderr.decode().rstrip("\n")


def listed(unit, event=UPDATE_STATUS):
    """Whom the agent lists, by relation."""
    identifiers = answer(unit, "relation-ids --format=json api", event)
    members = "relation-list --format=json -r "
    return {each: answer(unit, members + each, event) for each in identifiers}


def goal_state(unit):
    return answer(unit, "goal-state --format=json")


# --- goal-state ---


def test_goal_state_in_juju_s_form(app, unit, relation):
    unit.status = ("active", "")
    since = "2024-01-01 00:00:00Z"
    assert play(unit, "goal-state --format=json").calls[0].reply.stdout == (
        f'{{"units":{{"{unit.name}":{{"status":"active","since":"{since}"}}}},'
        f'"relations":{{"api":{{"req":{{"status":"joined","since":"{since}"}},'
        f'"req/0":{{"status":"active","since":"{since}"}}}}}}}}\n'.encode()
    )


def test_goal_state_leaves_out_what_juju_does(app, unit, relation):
    app.relate("other", cross_model=True).join("remote-x/0")
    subordinate = app.relate("agent", subordinate_to="ubuntu")
    subordinate.join("agent/0")
    assert set(goal_state(unit)["relations"]["api"]) == {"req", "req/0", "agent"}
    assert list(goal_state(unit)["relations"]) == ["api"]


# --- the state of a unit ---


def test_state_is_the_unit_s_and_bounded(app, unit):
    play(unit, "state-set a=1 b=2; state-delete a")
    assert answer(unit, "state-get --format=json") == {"b": "2"}
    assert answer(unit, "state-get --format=json a") is None
    play(unit, "state-set c=3; exit 1")
    assert unit.state == {"b": "2"}
    text = "head -c {} /dev/zero | tr '\\0' x | (printf 'k: \"'; cat; printf '\"')"
    large = f"{text} | state-set --file -"
    assert answer(unit, large.format(64 * 1024)) is None
    assert answer(unit, large.format(64 * 1024 + 1)) == (
        1,
        "ERROR max allowed value length (65536) exceeded",
    )
    assert len(unit.state["k"]) == 64 * 1024
    other = with_commands_of_new_unit(app)
    assert answer(other, "state-get --format=json") == {}


def with_commands_of_new_unit(app):
    app.add_unit()
    return with_commands(app).units[-1]


# --- peers ---


def test_peers(app, unit):
    other = with_commands_of_new_unit(app)
    peers = app.peers.id
    assert answer(unit, "relation-ids --format=json peers") == [peers]
    assert answer(unit, f"relation-list --format=json -r {peers}") == [other.name]
    assert answer(unit, f"relation-list --format=json --app -r {peers}") == app.name
    before = len(other.hooks)
    play(unit, f"relation-set -r {peers} --app k=v; relation-set -r {peers} own=1")
    app._run_all()
    woken = [hook for hook in other.hooks[before:]]
    assert {hook.name for hook in woken} == {"peers-relation-changed"}
    assert [hook.environment["JUJU_REMOTE_UNIT"] for hook in woken] == ["", unit.name]
    get = f"relation-get --format=json -r {peers} - "
    assert answer(other, get + f"--app {app.name}") == {"k": "v"}
    assert answer(other, get + unit.name)["own"] == "1"
    # What is already so wakes nobody.
    play(unit, f"relation-set -r {peers} --app k=v")
    assert app._run_all() == []
    denied = f"relation-set -r {peers} --app k=w"
    assert answer(other, denied) == (1, "ERROR cannot write relation settings")


def test_peer_that_leaves(app, unit):
    other = with_commands_of_new_unit(app)
    hooks = app.remove_unit(unit)
    names = [hook.name for hook in hooks]
    assert names == [
        "peers-relation-departed", "stop", "remove", "peers-relation-departed", "leader-elected"
    ]
    assert hooks[0].environment["JUJU_DEPARTING_UNIT"] == unit.name
    assert hooks[3].environment["JUJU_DEPARTING_UNIT"] == unit.name
    assert answer(other, f"relation-list --format=json -r {app.peers.id}") == []


def test_refresh_that_brings_peers(juju, new):
    app = with_commands(juju.deploy("old", units=2, peers=False))
    assert answer(app.units[0], "relation-ids --format=json peers") == []
    app.upgrade()
    expected = [] if new else [app.peers.id]
    assert answer(app.units[0], "relation-ids --format=json peers") == expected


# --- each agent's own lists ---


def test_new_unit_learns_of_everything_hook_by_hook(app, juju, relation):
    relation.join("req/1")
    second = app.relate("another")
    juju.asleep = True
    unit = with_commands_of_new_unit(app)
    seen = []
    while unit.pending:
        event = unit.pending[0]
        unit.run_next()
        seen.append((event.hook_name, listed(unit)))
    first, other = relation.id, second.id
    assert seen[:4] == [
        ("install", {}),
        ("api-relation-created", {first: []}),
        ("api-relation-created", {first: [], other: []}),
        ("peers-relation-created", {first: [], other: []}),
    ]
    assert [name for name, _ in seen[4:7]] == [
        "leader-settings-changed", "config-changed", "start"
    ]
    joined = [lists[first] for name, lists in seen if name == "api-relation-joined"]
    assert joined == [["req/0"], ["req/0", "req/1"]]


def test_agent_that_was_away(app, unit, relation):
    relation.join("req/1")
    unit.stop_agent()
    relation.depart("req/0")
    relation.join("req/2")
    relation.join("req/3")
    relation.depart("req/3")
    second = app.relate("another")
    app.fire("config-changed")
    assert listed(unit) == {relation.id: ["req/0", "req/1"]}
    hooks = unit.start_agent()
    assert [hook.name for hook in hooks] == [
        "api-relation-created",
        "config-changed",
        "api-relation-departed",
        "api-relation-joined",
        "api-relation-changed",
    ]
    assert listed(unit) == {relation.id: ["req/1", "req/2"], second.id: []}


def test_update_status_waits_for_the_rest(app, juju, relation):
    unit = app.units[0]
    juju.asleep = True
    app.update_status()
    relation.depart("req/0")
    assert listed(unit) == {relation.id: ["req/0"]}
    unit.deliver(UPDATE_STATUS)  # it had begun
    assert listed(unit) == {relation.id: ["req/0"]}
    assert list(goal_state(unit)["relations"]["api"]) == ["req"]
    juju.asleep = False
    assert [hook.name for hook in unit.run_pending()] == ["api-relation-departed", "update-status"]


# --- removals by force ---


def test_relation_removed_by_force(app, unit, relation, new):
    before = len(unit.hooks)
    assert relation.force_remove() == []
    assert len(unit.hooks) == before
    api = relation.id
    assert listed(unit) == {api: ["req/0"]}
    assert answer(unit, f"relation-list --format=json -r {api} --app") == "req"
    assert goal_state(unit)["relations"] == {}
    get = f"relation-get --format=json -r {api} - "
    gone = "getting regular relation by key: relation not found" if new else "permission denied"
    assert answer(unit, get + "req/0") == (1, f"ERROR {gone}")
    assert answer(unit, get + "--app req") == (1, f"ERROR {gone}")
    assert answer(unit, get + unit.name) == (1, "ERROR permission denied")
    assert answer(unit, f"relation-set -r {api} a=b") == (
        1,
        "ERROR cannot read relation settings: permission denied",
    )
    assert answer(unit, "relation-get --format=json -r api:99 - req/0") == (
        2,
        'ERROR invalid value "api:99" for option -r: relation not found',
    )
    assert unit.restart_agent() == []
    assert listed(unit) == {}


def test_living_relation_s_words(unit, relation, new):
    get = f"relation-get --format=json -r {relation.id} - "
    unit_unknown, application_unknown = ["permission denied"] * 2
    if new:
        unit_unknown = "relation unit not found"
        application_unknown = "getting relation endpoint UUID: application not found in relation"
    assert answer(unit, get + "other/0") == (1, f"ERROR {unit_unknown}")
    assert answer(unit, get + "--app other") == (1, f"ERROR {application_unknown}")
    assert "colour" in answer(unit, get + "req/0")


def test_application_removed_by_force(unit, relation):
    hooks = relation.force_remove_application()
    assert [hook.name for hook in hooks] == ["api-relation-departed"]
    assert listed(unit) == {relation.id: []}
    assert answer(unit, f"relation-get --format=json -r {relation.id} - {unit.name}") == (
        1,
        "ERROR permission denied",
    )


def test_unit_removed_by_force(app, unit, relation):
    relation.join("req/1")
    assert relation.force_remove_unit("req/0") == []
    assert listed(unit) == {relation.id: ["req/0", "req/1"]}
    get = f"relation-get --format=json -r {relation.id} colour req/0"
    assert answer(unit, get) == "red"
    assert list(goal_state(unit)["relations"]["api"]) == ["req", "req/1"]
    assert [hook.name for hook in app.update_status()] == ["update-status"]
    assert [hook.name for hook in unit.restart_agent()] == ["api-relation-departed"]
    assert listed(unit) == {relation.id: ["req/1"]}


def test_what_was_queued_about_a_gone_relation_does_not_come(app, juju, unit, relation):
    juju.asleep = True
    relation.publish("req/0", colour="blue")
    relation.force_remove()
    juju.asleep = False
    assert [hook.name for hook in app.update_status()] == ["update-status"]


def test_relation_made_anew(app, unit, relation, new):
    relation.force_remove()
    second = app.relate("req")
    assert listed(unit) == {relation.id: ["req/0"], second.id: []}
    play(unit, f"relation-set -r {second.id} a=b")
    own = "relation-get --format=json -r {} a " + unit.name
    get = "relation-get --format=json -r {} colour req/0"
    assert answer(unit, own.format(second.id)) == "b"
    if not new:
        assert answer(unit, own.format(relation.id)) == (1, "ERROR permission denied")
        assert answer(unit, get.format(relation.id)) == (1, "ERROR permission denied")
        return
    assert answer(unit, own.format(relation.id)) == "b"
    assert answer(unit, get.format(relation.id)) == (1, "ERROR relation unit not found")
    second.join("req/0", colour="blue")
    assert answer(unit, get.format(relation.id)) == "blue"
    # What is set by the one number is read by the other.
    play(unit, f"relation-set -r {relation.id} a=c")
    assert answer(unit, own.format(second.id)) == "c"


@pytest.mark.parametrize("use", ["relation-get --format=json -r {} - {}", "relation-set -r {} a=b"])
def test_hook_that_touches_both_numbers_fails(app, unit, relation, new, use):
    relation.force_remove()
    second = app.relate("req")
    both = ";".join(use.format(each.id, unit.name) for each in (relation, second)) + "; exit 0"
    for _ in range(2):
        hook = play(unit, both)
        if new:
            found = "expected 2 relations but found 1"
            assert hook.refusal == f"cannot apply changes: relations: {found}"
        else:
            assert hook.refusal == ""
        assert hook.exit_code == (1 if new else 0)
    for each in [second, relation] if new else [second]:
        assert play(unit, use.format(each.id, unit.name)).exit_code == 0
    unit.restart_agent()
    assert list(listed(unit)) == [second.id]


def test_relation_that_goes_during_a_hook(app, unit, relation):
    app.meanwhile["status-set"] = relation.force_remove
    write = f"relation-set -r {relation.id} a=b"
    hook = play(unit, f"{write}; status-set active")
    assert hook.exit_code == 1
    assert hook.refusal == (
        "cannot apply changes: transforming slice at index 1: getting regular relation by key:"
        " relation not found"
    )
    hook = play(unit, write)
    assert hook.exit_code == 1 and hook.refusal == ""


def test_failed_hook_of_a_gone_relation_ends_with_a_restart(app, unit, relation):
    (unit.charm_directory / "script").write_text(f"relation-set -r {relation.id} a=b")
    app.meanwhile["relation-set"] = relation.force_remove
    with pytest.raises(HookFailed):
        relation.publish("req/0", colour="blue")
    with pytest.raises(HookFailed):
        app.update_status()
    (unit.charm_directory / "script").unlink()
    assert [hook.name for hook in unit.restart_agent()] == ["update-status"]


def test_databag_that_is_too_large(unit, relation):
    def fill(size):
        text = f"head -c {size} /dev/zero | tr '\\0' x"
        return f"({text}) > value; (printf 'k: \"'; cat value; printf '\"') > file; rm value; " + (
            f"relation-set -r {relation.id} --file file; rm file"
        )

    network = len("".join(key + value for key, value in relation.settings[unit.name].items()))
    assert play(unit, fill(16 * MEBIBYTE - network - 1)).exit_code == 0
    hook = play(unit, fill(16 * MEBIBYTE - network))
    assert hook.exit_code == 1 and "cannot apply changes" in hook.refusal
    assert len(relation.settings[unit.name]["k"]) == 16 * MEBIBYTE - network - 1


# --- units that leave ---


def test_dying_leader_stays_leader(app, unit, relation):
    other = with_commands_of_new_unit(app)
    script = "is-leader --format=json; goal-state --format=json"
    (unit.charm_directory / "script").write_text(script)
    hooks = app.remove_unit(unit)
    farewell = [hook for hook in hooks if unit.name == hook.environment["JUJU_UNIT_NAME"]]
    assert [hook.name for hook in farewell] == [
        "api-relation-departed", "api-relation-broken", "peers-relation-departed", "stop", "remove"
    ]
    for hook in farewell:
        leads, state = (json.loads(call.reply.stdout) for call in hook.calls)
        assert leads and state["units"][unit.name]["status"] == "dying"
    departing = [hook.environment.get("JUJU_DEPARTING_UNIT") for hook in farewell]
    assert departing == [unit.name, None, unit.name, None, None]
    assert other.is_leader and other.hooks[-1].name == "leader-elected"


def test_leader_that_waits_for_its_subordinates(app, unit, relation):
    other = with_commands_of_new_unit(app)
    before = len(unit.hooks)
    assert app.remove_unit(unit, subordinates=True) == []
    relation.join("req/1")
    app.update_status()
    assert len(unit.hooks) == before and unit.is_leader
    assert goal_state(other)["units"][unit.name]["status"] == "dying"
    names = [hook.name for hook in unit.subordinates_gone()]
    assert names[:2] == ["api-relation-departed", "api-relation-broken"]
    assert other.is_leader


def test_unit_of_ours_that_is_lost(app, unit, relation):
    other = with_commands_of_new_unit(app)
    assert [hook.name for hook in app.lose_unit(unit)] == ["leader-elected"]
    assert list(goal_state(other)["units"]) == [other.name]
    peers = f"relation-list --format=json -r {app.peers.id}"
    assert answer(other, peers) == [unit.name]
    other.restart_agent()
    assert answer(other, peers) == []


def test_application_that_is_removed(juju, app, unit, relation):
    with_commands_of_new_unit(app)
    for each in app.units:
        (each.charm_directory / "script").write_text("goal-state --format=json")
    hooks = app.remove()
    seen = [json.loads(hook.calls[0].reply.stdout)["units"] for hook in hooks]
    assert all({entry["status"] for entry in units.values()} == {"dying"} for units in seen)
    assert len(seen[0]) == 2 and len(seen[-1]) == 1
    assert juju.applications == []


def test_application_scaled_to_none(app, unit, relation):
    app.remove_unit(unit)
    assert app.units == [] and app.relations == [relation]
    again = with_commands_of_new_unit(app)
    assert again.is_leader and listed(again) == {relation.id: ["req/0"]}


# --- across models ---


def test_name_of_a_cross_model_requirer(app, new):
    first, second = (app.relate("req", cross_model=True) for _ in range(2))
    assert first.application.startswith("remote-") and len(first.application) == 7 + 32
    assert (first.application != second.application) == new


def test_suspended_relation(app, unit, relation):
    (unit.charm_directory / "script").write_text(
        f"relation-get --format=json -r {relation.id} - {unit.name}"
    )
    hooks = relation.suspend()
    assert [hook.name for hook in hooks] == ["api-relation-departed", "api-relation-broken"]
    assert {hook.exit_code for hook in hooks} == {0}
    assert listed(unit) == {}
    (unit.charm_directory / "script").write_text("")
    assert [hook.name for hook in relation.resume()] == [
        "api-relation-created", "api-relation-joined", "api-relation-changed"
    ]
    assert listed(unit) == {relation.id: ["req/0"]}


def test_suspension_that_an_agent_did_not_see(app, unit, relation):
    unit.stop_agent()
    relation.suspend()
    relation.resume()
    assert [hook.name for hook in unit.start_agent()] == ["api-relation-changed"]
    assert listed(unit) == {relation.id: ["req/0"]}


def test_end_that_has_begun_is_the_last(unit, relation):
    script = unit.charm_directory / "script"
    script.write_text("case $JUJU_HOOK_NAME in *-broken) exit 1 ;; esac")
    with pytest.raises(HookFailed):
        relation.suspend()
    for move in (relation.resume, relation.remove):
        with pytest.raises(HookFailed):
            move()
    script.write_text("")
    assert [hook.name for hook in unit.run_pending()] == ["api-relation-broken"]
    assert listed(unit) == {}


# --- secrets ---


def test_secret_that_may_not_be_read(juju, app, unit, new):
    secret = juju.add_secret(client_key="k")
    get = f"secret-get {secret.uri} --format=json"
    denied = "permission denied"
    if new:
        denied = f'"{unit.name}" is not allowed to read this secret'
    assert answer(unit, get) == (1, f"ERROR {denied}")
    secret.grant(app)
    assert answer(unit, get) == {"client-key": "k"}
    code, text = answer(unit, "secret-get secret:x --format=json")
    assert code != 0 and text == 'ERROR secret URI "secret:x" not valid'
