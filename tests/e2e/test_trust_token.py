# SPDX-License-Identifier: Apache-2.0
"""Credentials that the charm makes itself and has LXD trust on the word of a token."""

import base64
import itertools
import json
import select
import shutil
import socket
import ssl
import stat
import sys
import time
from pathlib import Path

import pytest

import memory
from expectations import active, cut, published, served
from hook_commands import Reply
from juju import HookFailed, Juju
from lxd import INCUS, SOFTWARE, Lxd, free_port
from names_proxy import NamesProxy
from peers import Peer
from pki import Identity, bundle, identity
from test_credentials import options
from test_memory import key_secrets
from test_secrets import places

FILE = "enrolment.json"
OPTION = "lxd_trust_token"
SERVES_ON = "; what was enrolled before serves on"


def name_for(app):
    """What the entry of this application is to be called."""
    return f"juju-{app.juju.model_uuid[:8]}-{app.name}"


def command_for(app, number=""):
    program = "incus config trust add" if INCUS else "lxc config trust add --name"
    return f"{program} {name_for(app)}{number}"


@pytest.fixture
def new_token(lxd):
    """Have LXD make a token, for a name of its own."""
    names = (f"token-{number}" for number in itertools.count(1))

    def make(name=None):
        return lxd.new_token(name or next(names))

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
    return unit.run_action("show").results["credentials"]["source"]


def posts(requests):
    return [request for request in requests if request.method == "POST"]


@pytest.mark.core
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
    assert credentials(unit) == OPTION


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
        "endpoint", "client-cert", "client-key", "server-cert", "token", "name", "enrolled"
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
    assert unit.status == (
        "blocked",
        "missing credentials: set lxd_client_key as well, or reset the others for lxd_trust_token "
        "to serve",
    )
    assert len(lxd.trust_store) == 2
    app.configure(lxd_endpoint=None, lxd_client_cert=None, lxd_server_cert=None)
    assert credentials(unit) == OPTION
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
    status, message = other.status
    assert status == "waiting"
    assert message.startswith(f"{OPTION}: the leader is to enrol for all units")
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
    app = juju.deploy(config={OPTION: spoil(token)})
    (unit,) = app.units
    command = f"lxc config trust add --name {name_for(app)}"  # nobody knows of whose making it is
    message = f'{OPTION}: not a trust token: set what "{command}" prints'
    assert unit.status == ("blocked", message)
    assert not state_file(unit).exists()


@pytest.mark.parametrize("addresses", [[], [1], ["unix:///x"], ["a b"], None])
def test_token_without_usable_addresses(juju, token, addresses):
    (unit,) = juju.deploy(config={OPTION: altered(token, addresses=addresses)}).units
    assert unit.status[0] == "blocked"
    assert unit.status[1].startswith(f"{OPTION}: the token has no usable address")
    assert not state_file(unit).exists()


def test_unusable_addresses_are_passed_over(lxd, juju, token):
    addresses = ["unix:///x", "a b", "10.0.0.1:99999", lxd.address, ""]
    (unit,) = juju.deploy(config={OPTION: altered(token, addresses=addresses)}).units
    assert unit.status == active(lxd, 0)
    assert stored(juju)["endpoint"] == lxd.url


def test_more_addresses_than_are_tried(lxd, juju, token):
    addresses = [lxd.address, *(f"127.0.0.1:{port}" for port in range(1, 200))]
    (unit,) = juju.deploy(config={OPTION: altered(token, addresses=addresses)}).units
    assert unit.status == active(lxd, 0)


@pytest.mark.parametrize(
    "form",
    [" {}\n", "{}\r\n", "Client juju certificate add token:\n{}\n", "token:\n\n  {}"],
)
def test_what_is_around_a_token_does_not_matter(lxd, juju, token, form):
    """Neither when it is used nor later: it is the same token."""
    app = juju.deploy(config={OPTION: form.format(token)})
    (unit,) = app.units
    assert unit.status == active(lxd, 0)
    with lxd.recording() as requests:
        app.configure(lxd_trust_token=token)
        app.configure(lxd_trust_token=form.format(token))
    assert requests and not posts(requests)
    assert unit.status == active(lxd, 0)
    assert len(lxd.trust_store) == 1


def test_all_that_lxd_prints_is_a_token(lxd, juju):
    printed = lxd.print_token("printed")
    assert len(printed.split()) > 1
    (unit,) = juju.deploy(config={OPTION: printed}).units
    assert unit.status == active(lxd, 0)


@pytest.mark.core
def test_used_token(lxd, juju, token):
    assert juju.deploy("first", config={OPTION: token}).units[0].status == active(lxd, 0)
    app = juju.deploy("second", config={OPTION: token})
    status, message = app.units[0].status
    assert status == "blocked"
    assert message.startswith(
        f'{OPTION}: the token is used up, withdrawn or expired: run "{command_for(app)}"'
    )


def test_applications_are_told_apart_by_their_hints(juju):
    hints = [juju.deploy(name, config={OPTION: "x"}).units[0].status[1] for name in ("one", "two")]
    assert len(set(hints)) == 2
    assert all(f"juju-{juju.model_uuid[:8]}-" in hint for hint in hints)
    assert not any("juju." in hint for hint in hints)


@pytest.mark.core
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
    status, message = unit.status
    assert status == "blocked"
    assert message.startswith(f"{OPTION}: the token expired on ") and command_for(app) in message
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
    assert unit.status[0] == "blocked" and "used up, withdrawn or expired" in unit.status[1]
    app.configure(lxd_trust_token=new_token())
    assert unit.status == active(lxd, 0)


# --- garbage beside an enrolment that works ---


@pytest.mark.parametrize("garbage", ["x", "-----BEGIN CERTIFICATE-----", "e30="])
def test_unreadable_token_does_not_stop_an_enrolment(lxd, any_juju, token, garbage):
    app = any_juju.deploy(config={OPTION: token})
    (unit,) = app.units
    (hook,) = app.configure(lxd_trust_token=garbage)
    assert unit.status[0] == "active"
    assert [line for line in hook.logged("WARNING") if OPTION in line and SERVES_ON in line]
    relation = app.relate("builder")
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert published(relation) == served(lxd, client)


def test_used_token_does_not_stop_an_enrolment(lxd, any_juju, token, new_token):
    used = new_token("used")
    any_juju.deploy("other", config={OPTION: used})
    app = any_juju.deploy(config={OPTION: token})
    (unit,) = app.units
    before = set(lxd.trust_store)
    for _ in range(2):
        (hook,) = app.configure(lxd_trust_token=used)
        assert unit.status[0] == "active"
        assert [line for line in hook.logged("WARNING") if "used up" in line and SERVES_ON in line]
        app.update_status()
        assert unit.status[0] == "active"
    assert set(lxd.trust_store) == before
    app.configure(lxd_trust_token=token)
    assert unit.status == active(lxd, 0)


# --- a file that is of no use ---


def test_damaged_file(lxd, old_juju, token, new_token):
    app = old_juju.deploy(config={OPTION: token})
    (unit,) = app.units
    state_file(unit).write_text("{")
    app.configure(lxd_trust_token=None)
    assert unit.status[0] == "blocked" and unit.status[1].startswith("missing credentials: ")
    (hook,) = app.configure(lxd_trust_token=token)  # the key is lost
    assert unit.status[0] == "blocked" and "used up" in unit.status[1]
    assert command_for(app) in hook.logged("ERROR")[0]
    app.configure(lxd_trust_token=new_token())
    assert unit.status == active(lxd, 0)


def test_link_in_the_place_of_the_file(lxd, old_juju, token, tmp_path):
    target = tmp_path / "target"
    target.write_text("untouched")
    app = old_juju.deploy()
    (unit,) = app.units
    state_file(unit).symlink_to(target)
    app.configure(lxd_trust_token=token)
    assert unit.status == active(lxd, 0)
    assert not state_file(unit).is_symlink()
    assert target.read_text() == "untouched"


def test_folder_in_the_place_of_the_file(lxd, juju, token):
    app = juju.deploy()
    (unit,) = app.units
    (state_file(unit) / "in it").mkdir(parents=True)
    app.configure(lxd_trust_token=token)
    remedy = f"juju exec --unit {unit.name} -- rm -r {FILE}"
    assert unit.status == ("blocked", f'{OPTION}: {FILE} is a folder: run "{remedy}"')
    assert lxd.trust_store == {}
    app.configure(lxd_trust_token=None)
    assert unit.status[1].startswith("missing credentials: ")
    shutil.rmtree(unit.charm_directory / remedy.split()[-1])
    app.configure(lxd_trust_token=token)
    assert unit.status == active(lxd, 0)


def test_secret_is_enough(lxd, juju, token):
    """Whatever is where the file was."""
    app = juju.deploy(config={OPTION: token})
    (unit,) = app.units
    app.update_status()
    assert not state_file(unit).exists()
    state_file(unit).mkdir()
    app.update_status()
    assert unit.status == active(lxd, 0)
    state_file(unit).rmdir()
    state_file(unit).write_text("{")
    app.update_status()
    assert unit.status == active(lxd, 0)


def test_another_token_enrols_anew(lxd, any_juju, token, new_token):
    app = any_juju.deploy(config={OPTION: token})
    (first,) = lxd.trust_store
    app.configure(lxd_trust_token=new_token("second"))
    assert app.units[0].status == active(lxd, 0)
    (second,) = lxd.trust_store.keys() - {first}
    info = app.units[0].run_action("show").results
    assert info["credentials"]["fingerprint"] == second
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
        cut(
            f"{OPTION}: LXD at {lxd.url} presents certificate {lxd.fingerprint[:12]}..., expected "
            f"{other[:12]}...: it is not the server that made the token"
        ),
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
        cut(
            f"{OPTION}: no address in the token leads to LXD, the last one: LXD at "
            f"https://{addresses[1]} unreachable: connection refused; retrying"
        ),
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
        token = lxd.new_token("juju")
        app = any_juju.deploy(config={OPTION: token})
        (unit,) = app.units
        assert unit.status == active(lxd, 0)
        lxd.stop()
        identity("changed").write(lxd.directory, "server")
        lxd.start()
        app.update_status()
        status, message = unit.status
        assert status == "blocked" and "presents certificate" in message
        assert message.endswith(": update lxd_trust_token")
        app.configure(
            lxd_trust_token=lxd.new_token("other")
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


# --- an answer that is lost ---


class LostAnswers(Peer):
    """Passes on what a client says to an LXD, but of the answers only that of the first request:
    what comes after the second is dropped, and the connection ended. Then it lets nobody in until
    `lossy` is False, from when on it passes everything on."""

    GET_ANSWER = 5000  # bytes; LXD's flight of the handshake is shorter, GET /1.0 longer

    def __init__(self, host, port):
        super().__init__()
        self._target = (host, port)
        self.lossy = True
        self.lost = 0

    def serve(self, client, received):
        if self.lossy and self.lost:
            return
        with socket.create_connection(self._target) as server:
            answered = 0
            while ready := select.select([client, server], [], [], 30)[0]:
                if server in ready:
                    data = server.recv(65536)
                    if not data:
                        return
                    answered += len(data)
                    client.sendall(data)
                    continue
                data = client.recv(65536)
                if not data:
                    return
                received += data
                server.sendall(data)
                if self.lossy and answered > self.GET_ANSWER:
                    server.recv(1)  # it has been done
                    self.lost += 1
                    return


@pytest.fixture
def lossy(lxd):
    with LostAnswers(lxd.host, lxd.port) as peer:
        yield peer


def token_through(peer, token):
    return altered(token, addresses=[peer.url.removeprefix("https://")])


UNDECIDED = "has not decided yet whether it takes the token"


def test_key_whose_answer_is_lost_asks_again(lxd, any_juju, token, lossy):
    app = any_juju.deploy(config={OPTION: token_through(lossy, token)})
    (unit,) = app.units
    assert lossy.lost == 1
    assert unit.status[0] == "waiting" and "used up" not in unit.status[1]
    (fingerprint,) = lxd.trust_store
    key = json.loads(state_file(unit).read_text())["client-key"]
    lossy.lossy = False
    with lxd.recording() as requests:
        app.update_status()
    assert not posts(requests)  # GET /1.0 says that it is done
    assert unit.status[0] == "active"
    assert set(lxd.trust_store) == {fingerprint}
    kept = stored(any_juju) if any_juju.secrets else json.loads(state_file(unit).read_text())
    assert kept["client-key"] == key and kept["enrolled"] == "yes"


def test_used_up_is_said_of_no_token_that_this_key_used(lxd, juju, token, new_token, lossy):
    """LXD has taken the token, and then the entry has gone."""
    app = juju.deploy(config={OPTION: token_through(lossy, token)})
    (unit,) = app.units
    assert unit.status[0] == "waiting"
    lxd.distrust(*lxd.trust_store)
    lossy.lossy = False
    app.update_status()
    assert unit.status[0] == "waiting" and UNDECIDED in unit.status[1]
    state = json.loads(state_file(unit).read_text())
    state["asked"] = str(int(state["asked"]) - 3601)  # it has had its time
    state_file(unit).write_text(json.dumps(state))
    app.update_status()
    status, message = unit.status
    assert status == "blocked" and "used up" not in message
    assert f'{SOFTWARE} took the token, but not the key: run "{command_for(app)}"' in message
    app.configure(lxd_trust_token=new_token("third"))
    assert unit.status == active(lxd, 0)


# --- names that are taken ---


@pytest.mark.skipif(bool(INCUS), reason="names may repeat in Incus")
def test_token_whose_name_is_taken(lxd, juju, new_token):
    """LXD 5.21.5 and 6.6 lose such a token at the attempt; the next one is to have a free name."""
    app = juju.deploy()
    (unit,) = app.units
    taken = name_for(app)
    token = new_token(taken)
    lxd.trust(identity("first"), taken)
    with NamesProxy(lxd) as proxy:
        app.configure(lxd_trust_token=altered(token, addresses=[proxy.address]))
        sentence = f'{OPTION}: its name is taken, so it is lost: run "{command_for(app, "-2")}"'
        for _ in range(2):  # the token is gone, and the sentence stays what it is
            assert unit.status[0] == "blocked" and unit.status[1].startswith(sentence)
            app.update_status()
        assert len(lxd.trust_store) == 1
    app.configure(lxd_trust_token=new_token(f"{taken}-2"))
    assert unit.status == active(lxd, 0)


# --- fine-grained identities (LXD 5.21.3, 6.2) ---


class IdentityServer(Peer):
    """As much of an LXD with fine-grained identities as it takes to enrol: it trusts whoever has
    sent the token to where it belongs."""

    def __init__(self, directory):
        super().__init__()
        self._identity = identity("server")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*self._identity.write(directory, "server"))
        self.refusal = None  # (status, error)
        self.trusts = False
        self.bodies = []  # (path, body) of what was posted

    def token(self, **changes):
        content = {
            "client_name": "juju",
            "fingerprint": self._identity.fingerprint,
            "addresses": [self.url.removeprefix("https://")],
            "secret": "5ec2e7",
            "expires_at": "0001-01-01T00:00:00Z",
            "type": "Client certificate",
            **changes,
        }
        return base64.b64encode(json.dumps(content).encode()).decode()

    def serve(self, client, received):
        with self._context.wrap_socket(client, server_side=True) as stream:
            reader = stream.makefile("rb")
            while line := reader.readline():
                method, path, _ = line.decode().split()
                length = 0
                while (header := reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode().partition(":")
                    if name.lower() == "content-length":
                        length = int(value)
                status, content = self.answer(method, path, reader.read(length))
                body = json.dumps(content).encode()
                head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
                stream.sendall(head.encode() + body)

    def answer(self, method, path, body):
        if method == "POST":
            self.bodies.append((path, json.loads(body)))
            if self.refusal:
                return self.refusal[0], {"type": "error", "error": self.refusal[1]}
            self.trusts = path == "/1.0/auth/identities/tls"
            return (201, {"metadata": None}) if self.trusts else (400, {"error": "wrong path"})
        extensions = ["certificate_project", "explicit_trust_token", "access_management_tls"]
        environment = {"server": "lxd", "server_version": "6.9", "server_name": "n"}
        metadata = {"auth": "trusted" if self.trusts else "untrusted", "api_extensions": extensions}
        if self.trusts:
            metadata["environment"] = environment
        if path == "/1.0":
            return 200, {"type": "sync", "metadata": metadata}
        if path.startswith("/1.0/certificates"):
            return 200, {"type": "sync", "metadata": []}
        return 404, {"type": "error", "error": "Not Found"}


@pytest.fixture
def identities(tmp_path):
    with IdentityServer(tmp_path) as server:
        yield server


def test_token_of_a_fine_grained_identity(juju, identities):
    token = identities.token()
    juju.deploy(config={OPTION: token})
    assert identities.bodies == [("/1.0/auth/identities/tls", {"trust_token": token})]
    assert stored(juju)["enrolled"] == "yes"


def test_token_of_an_identity_that_is_not_there(juju, identities):
    identities.refusal = (500, "Failed during search for pending TLS identity: Not found")
    app = juju.deploy(config={OPTION: identities.token()})
    (unit,) = app.units
    status, message = unit.status
    assert status == "blocked" and message.startswith(f"{OPTION}: the token is used up")
    (line,) = unit.hooks[-1].logged("ERROR")
    command = f"lxc auth identity create tls/{name_for(app)} --group GROUP"
    assert f'{OPTION}: the token is used up, withdrawn or expired: run "{command}"' in line


# --- actions ---


def test_action_does_not_enrol(lxd, juju, token):
    app = juju.deploy()
    app._set_options({OPTION: token})
    (unit,) = app.units
    outcome = unit.run_action("check")
    assert outcome.status == "failed"
    assert outcome.message == f"{OPTION}: the next hook enrols"
    assert lxd.trust_store == {}
    assert not state_file(unit).exists()


@pytest.mark.core
@pytest.mark.usefixtures("projects")
def test_restricted_token(lxd, juju):
    token = lxd.new_token("token", "--restricted", "--projects", "blue")
    (unit,) = juju.deploy(config={OPTION: token}).units
    assert unit.status[0] == "blocked" and "restricts the client certificate" in unit.status[1]
    (line,) = unit.hooks[-1].logged("ERROR")
    assert "may not manage the trust store" in line
