# SPDX-License-Identifier: Apache-2.0
"""Credentials that the charm makes itself and has LXD trust on the word of a token."""

import base64
import itertools
import json
import stat
import sys
import time
from pathlib import Path

import pytest

import memory
from expectations import active, published, served
from hook_commands import Reply
from juju import HookFailed, Juju
from lxd import Lxd, free_port
from pki import Identity, bundle, identity
from test_credentials import options
from test_memory import key_secrets
from test_secrets import places

FILE = "enrolment.json"
OPTION = "lxd_trust_token"
ANOTHER = 'make another token with "lxc config trust add --name juju"'


@pytest.fixture
def new_token(lxd):
    """Have LXD make a token, for a name of its own."""
    names = (f"token-{number}" for number in itertools.count(1))

    def make(name=None):
        return lxd.lxc("config", "trust", "add", "--name", name or next(names)).split()[-1]

    return make


@pytest.fixture
def token(new_token):
    return new_token()


@pytest.fixture
def old_juju(charm, transport):
    """A Juju without secrets."""
    with Juju(charm, version="2.9", transport=transport) as controller:
        yield controller


@pytest.fixture(params=["2.9", "3.6", "4.0"])
def any_juju(request, charm, transport):
    with Juju(charm, version=request.param, transport=transport) as controller:
        yield controller


def state_file(unit):
    return unit.charm_directory / FILE


def altered(token, **changes):
    """The token with other contents; None removes one."""
    content = {**json.loads(base64.b64decode(token)), **changes}
    content = {key: value for key, value in content.items() if value is not None}
    return base64.b64encode(json.dumps(content).encode()).decode()


def stored(juju):
    """What the application's secret holds."""
    (secret,) = juju.secrets.values()
    return secret.revisions[secret.latest]


def credentials(unit):
    return unit.run_action("get-connection-info").results["credentials"]


def posts(requests):
    return [request for request in requests if request.method == "POST"]


def test_token_is_all_it_takes(lxd, any_juju, token):
    app = any_juju.deploy(config={OPTION: token})
    (unit,) = app.units
    assert unit.status == active(lxd, 0)
    (entry,) = lxd.trust_store.values()
    assert (entry["name"], entry["type"], entry["restricted"]) == ("token-1", "client", False)
    relation = app.relate("builder")
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert published(relation) == served(lxd, client)
    assert credentials(unit) == "trust token"


def test_token_is_needed_and_sent_once(lxd, any_juju, token):
    app = any_juju.deploy(config={OPTION: token})
    (unit,) = app.units
    with lxd.recording() as requests:
        app.update_status()
        app.configure(lxd_trust_token=None)
        app.upgrade()
        app.configure(lxd_trust_token=token)
    assert requests and not posts(requests)
    assert unit.status == active(lxd, 0)
    lxd.distrust(*lxd.trust_store)
    with lxd.recording() as requests:
        app.update_status()
    assert requests and not posts(requests)
    assert unit.status[0] == "blocked" and "does not trust" in unit.status[1]


def test_key_is_in_the_secret_alone(lxd, juju, token):
    app = juju.deploy(config={OPTION: token})
    (unit,) = app.units
    assert set(stored(juju)) == {
        "endpoint", "client-cert", "client-key", "server-cert", "token", "enrolled"
    }
    assert stored(juju)["endpoint"] == lxd.url
    assert stored(juju)["server-cert"] == lxd.fingerprint
    app.update_status()
    assert not state_file(unit).exists()
    assert unit.status == active(lxd, 0)


def test_key_is_in_the_file_where_there_are_no_secrets(lxd, old_juju, token):
    app = old_juju.deploy(config={OPTION: token})
    file = state_file(app.units[0])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made = file.read_bytes()
    assert json.loads(made)["enrolled"] == "yes"
    app.upgrade()
    assert file.read_bytes() == made
    assert app.units[0].status == active(lxd, 0)


def test_no_trace_of_key_and_token(juju, token):
    app = juju.deploy(config={OPTION: token})
    secret = json.loads(base64.b64decode(token))["secret"]
    lines = [line for line in stored(juju)["client-key"].splitlines() if "-----" not in line]
    app.update_status()
    app.configure(lxd_trust_token="x" + token)
    assert places(app, [*lines, secret, token]) == set()


def test_no_trace_but_the_file(old_juju, token):
    app = old_juju.deploy(config={OPTION: token})
    key = json.loads(state_file(app.units[0]).read_text())["client-key"]
    lines = [line for line in key.splitlines() if "-----" not in line]
    assert places(app, lines) == {f"file {FILE}"}
    assert places(app, [token, json.loads(base64.b64decode(token))["secret"]]) == set()


@pytest.fixture
def remembered(tmp_path):
    """What of the secrets {name: bytes} is in the memory of a unit's hooks when they end."""

    def run(unit, secrets, move):
        report = tmp_path / "report"
        unit.wrapper = [sys.executable, str(Path(memory.__file__)), str(report)]
        report.write_text(json.dumps({name: data.hex() for name, data in secrets.items()}))
        move()
        unit.wrapper = []
        return json.loads(report.read_text())

    return run


def test_no_secret_is_left_in_memory(lxd, any_juju, token, remembered):
    """Not by the hook that enrols, and not by a later one."""
    port = free_port()
    token = altered(token, addresses=[f"127.0.0.1:{port}"])
    app = any_juju.deploy(config={OPTION: token})
    (unit,) = app.units
    key = json.loads(state_file(unit).read_text())["client-key"]
    secrets = {
        **key_secrets(Identity("", key)),
        "token": token.encode(),
        "secret": json.loads(base64.b64decode(token))["secret"].encode(),
        "environment": b"JUJU_CONTEXT_ID=",  # no secret: it shows that the search finds
    }
    lxd.set_config("core.https_address", f"127.0.0.1:{port}")
    try:
        for _ in range(2):
            assert remembered(unit, secrets, app.update_status) == ["environment"]
            assert unit.status[0] == "active"
    finally:
        lxd.set_config("core.https_address", lxd.address)


# --- the order of sources ---


def test_token_comes_last(lxd, juju, cloud, admin, token):
    other = identity("other")
    lxd.trust(other, "other")
    app = juju.deploy(trust=True, cloud=cloud, config={**options(lxd, other), OPTION: token})
    (unit,) = app.units
    assert credentials(unit) == "credential-get"
    app.trust(False)
    assert credentials(unit) == "config"
    assert len(lxd.trust_store) == 2
    app.configure(lxd_client_key=None)
    assert credentials(unit) == "trust token"
    assert len(lxd.trust_store) == 3


# --- several units ---


def test_other_units_have_it_from_the_leader(lxd, juju, token):
    app = juju.deploy(units=3, config={OPTION: token})
    assert {unit.status for unit in app.units} == {active(lxd, 0)}
    assert len(lxd.trust_store) == 1
    app.remove_unit(app.units[0])
    app.update_status()
    assert {unit.status for unit in app.units} == {active(lxd, 0)}


def test_other_units_wait_for_the_leader(lxd, juju, token):
    app = juju.deploy(units=2)
    juju.asleep = True
    app.configure(lxd_trust_token=token)
    leader, other = app.units
    assert other.run_next().exit_code == 0
    assert other.status == (
        "waiting",
        f"{OPTION}: the leader is to enrol for all units; retrying",
    )
    assert lxd.trust_store == {}
    juju.asleep = False
    leader.run_pending()
    app.update_status()
    assert {unit.status for unit in app.units} == {active(lxd, 0)}


def test_second_unit_without_secrets(lxd, old_juju, token):
    app = old_juju.deploy(units=2, config={OPTION: token})
    leader, other = app.units
    assert leader.status == active(lxd, 0)
    assert other.status[0] == "blocked"
    assert other.status[1].startswith(f"{OPTION}: a token is good for one unit")


# --- tokens of no use ---


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "juju",
        lambda token: token[:-5],
        lambda token: "-----BEGIN CERTIFICATE-----",
        lambda token: base64.b64encode(b"[]").decode(),
        lambda token: altered(token, secret=None),
        lambda token: altered(token, client_name=""),
        lambda token: altered(token, fingerprint="0" * 63),
        lambda token: altered(token, fingerprint=[]),
    ],
)
def test_malformed_token(lxd, juju, token, spoil):
    (unit,) = juju.deploy(config={OPTION: spoil(token)}).units
    message = f'{OPTION}: no token as "lxc config trust add --name juju" prints it'
    assert unit.status == ("blocked", message)
    assert not state_file(unit).exists()


@pytest.mark.parametrize("addresses", [[], [1], ["unix:///x"], ["a b"], None])
def test_token_with_unusable_addresses(juju, token, addresses):
    (unit,) = juju.deploy(config={OPTION: altered(token, addresses=addresses)}).units
    assert unit.status[0] == "blocked" and unit.status[1].startswith(f"{OPTION}: ")
    assert not state_file(unit).exists()


def test_blanks_around_a_token(lxd, juju, token):
    (unit,) = juju.deploy(config={OPTION: f" {token}\n"}).units
    assert unit.status == active(lxd, 0)


def test_used_token(lxd, juju, token):
    assert juju.deploy("first", config={OPTION: token}).units[0].status == active(lxd, 0)
    (unit,) = juju.deploy("second", config={OPTION: token}).units
    assert unit.status == (
        "blocked",
        f"{OPTION}: LXD at {lxd.url} does not take it: it is used up (perhaps for a key that we have "
        f"lost), withdrawn or expired: {ANOTHER}",
    )


def test_expired_token(lxd, juju, new_token):
    lxd.set_config("core.remote_token_expiry", "1S")
    try:
        token = new_token()
    finally:
        lxd.set_config("core.remote_token_expiry", "")
    time.sleep(1.5)
    app = juju.deploy(units=0, config={OPTION: token})
    juju.asleep = True
    unit = app.add_unit()
    assert unit.run_next().exit_code == 0
    assert unit.status == (
        "blocked",
        f"{OPTION}: LXD at {lxd.url} does not take it: it has expired: {ANOTHER}",
    )
    assert lxd.trust_store == {}


def test_token_that_lxd_has_forgotten(lxd, juju, token):
    """It holds its tokens in memory."""
    lxd.stop()
    lxd.start()
    (unit,) = juju.deploy(config={OPTION: token}).units
    assert unit.status[0] == "blocked" and "withdrawn or expired" in unit.status[1]


def test_withdrawn_token(lxd, juju, token):
    lxd.lxc("config", "trust", "revoke-token", "token-1")
    (unit,) = juju.deploy(config={OPTION: token}).units
    assert unit.status[0] == "blocked" and "withdrawn or expired" in unit.status[1]


def test_lost_key(lxd, old_juju, token, new_token):
    app = old_juju.deploy(config={OPTION: token})
    (unit,) = app.units
    state_file(unit).unlink()
    app.update_status()
    assert unit.status[0] == "blocked" and "for a key that we have lost" in unit.status[1]
    app.configure(lxd_trust_token=new_token())
    assert unit.status == active(lxd, 0)


def test_damaged_file(lxd, old_juju, token, new_token):
    app = old_juju.deploy(config={OPTION: token})
    (unit,) = app.units
    state_file(unit).write_text("{")
    app.update_status()
    assert unit.status[0] == "blocked" and "delete the file" in unit.status[1]
    state_file(unit).unlink()
    app.configure(lxd_trust_token=new_token())
    assert unit.status == active(lxd, 0)


def test_another_token_enrols_anew(lxd, any_juju, token, new_token):
    app = any_juju.deploy(config={OPTION: token})
    (first,) = lxd.trust_store
    app.configure(lxd_trust_token=new_token("second"))
    assert app.units[0].status == active(lxd, 0)
    (second,) = lxd.trust_store.keys() - {first}
    info = app.units[0].run_action("get-connection-info").results
    assert info["client-fingerprint"] == second
    assert lxd.trust_store[second]["name"] == "second"


def test_other_units_follow_to_another_token(lxd, juju, token, new_token):
    app = juju.deploy(units=2, config={OPTION: token})
    (first,) = lxd.trust_store
    app.configure(lxd_trust_token=new_token())
    app.update_status()
    lxd.distrust(first)
    app.update_status()
    assert {unit.status for unit in app.units} == {active(lxd, 0)}


# --- the server ---


def test_no_secret_goes_to_another_server(lxd, juju, token):
    other = "f" * 64
    with lxd.recording() as requests:
        (unit,) = juju.deploy(config={OPTION: altered(token, fingerprint=other)}).units
    assert requests == []
    assert unit.status == (
        "blocked",
        f"{OPTION}: LXD at {lxd.url} presents certificate {lxd.fingerprint[:12]}..., expected "
        f"{other[:12]}...: it is not the server that made the token",
    )


def test_addresses_that_do_not_serve_are_passed_over(lxd, juju, token):
    addresses = [f"127.0.0.1:{free_port()}", lxd.address]
    (unit,) = juju.deploy(config={OPTION: altered(token, addresses=addresses)}).units
    assert unit.status == active(lxd, 0)
    assert stored(juju)["endpoint"] == lxd.url


def test_no_address_serves(lxd, juju, token):
    addresses = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"]
    app = juju.deploy(config={OPTION: altered(token, addresses=addresses)})
    (unit,) = app.units
    assert unit.status == (
        "waiting",
        f"{OPTION}: no address in the token leads to LXD, the last one: LXD at "
        f"https://{addresses[1]} unreachable: connection refused; retrying",
    )
    made = state_file(unit).read_bytes()
    app.update_status()
    assert state_file(unit).read_bytes() == made


def test_lxd_that_comes_later(lxd, juju, token):
    port = free_port()
    app = juju.deploy(config={OPTION: altered(token, addresses=[f"127.0.0.1:{port}"])})
    assert app.units[0].status[0] == "waiting"
    lxd.set_config("core.https_address", f"127.0.0.1:{port}")
    try:
        app.update_status()
        assert app.units[0].status[0] == "active"
    finally:
        lxd.set_config("core.https_address", lxd.address)


def test_certificate_that_changes_later_is_refused(any_juju):
    with Lxd() as lxd:
        token = lxd.lxc("config", "trust", "add", "--name", "juju").split()[-1]
        app = any_juju.deploy(config={OPTION: token})
        (unit,) = app.units
        assert unit.status == active(lxd, 0)
        lxd.stop()
        identity("changed").write(lxd.directory, "server")
        lxd.start()
        app.update_status()
        status, message = unit.status
        assert status == "blocked" and "presents certificate" in message
        assert message.endswith("lxd_server_cert or lxd_trust_token")
        app.configure(
            lxd_trust_token=lxd.lxc("config", "trust", "add", "--name", "other").split()[-1]
        )
        assert unit.status == active(lxd, 0)


# --- hooks that come to nothing ---


def test_secret_that_is_not_kept_is_made_again(lxd, juju, token):
    app = juju.deploy()
    (unit,) = app.units
    app.faults["status-set"] = Reply(1, stderr=b"ERROR connection lost\n")
    with pytest.raises(HookFailed):
        app.configure(lxd_trust_token=token)
    assert juju.secrets == {} and len(lxd.trust_store) == 1
    app.faults.clear()
    with lxd.recording() as requests:
        unit.run_pending()
    assert not posts(requests)
    assert stored(juju)["enrolled"] == "yes"
    assert unit.status == active(lxd, 0)


def test_leadership_is_lost_before_the_secret_is_kept(lxd, juju, token):
    app = juju.deploy(units=2)
    first, second = app.units
    juju.asleep = True
    app.configure(lxd_trust_token=token)
    app.faults["status-set"] = Reply(1, stderr=b"ERROR connection lost\n")
    assert first.run_next().exit_code == 1
    app.faults.clear()
    app.leader = second
    assert first.run_next().exit_code == 0
    assert first.status == active(lxd, 0)
    app.leader = first
    juju.asleep = False
    app.update_status()
    app.update_status()
    assert {unit.status for unit in app.units} == {active(lxd, 0)}


# --- actions ---


def test_action_does_not_enrol(lxd, juju, token):
    app = juju.deploy()
    app._set_options({OPTION: token})
    outcome = app.units[0].run_action("check")
    assert outcome.status == "failed"
    assert outcome.message == f"{OPTION}: the next hook enrols"
    assert lxd.trust_store == {}


@pytest.mark.usefixtures("projects")
def test_restricted_token(lxd, juju):
    token = lxd.lxc(
        "config", "trust", "add", "--name", "token", "--restricted", "--projects", "blue"
    ).split()[-1]
    (unit,) = juju.deploy(config={OPTION: token}).units
    assert unit.status[0] == "blocked" and "may not manage the trust store" in unit.status[1]
