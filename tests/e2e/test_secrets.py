# SPDX-License-Identifier: Apache-2.0
"""The private key stays in the charm's memory."""

import pytest

from agent import Event
from expectations import published
from hook_commands import Reply
from pki import bundle, identity


def traces(app):
    """All that a hook can leave behind: (where, text), by way of everything that it did."""
    for unit in app.units:
        for hook in unit.hooks:
            for call in hook.calls:
                yield f"argv of {call.name}", "\n".join(call.arguments)
                yield f"stdin of {call.name}", (call.stdin or b"").decode()
                yield f"environment of {call.name}", call.environment.decode()
            yield from (("log", line.text) for line in hook.log)
        yield "status", " ".join(unit.status)
        yield "state", str(unit.state)
    for relation in app.relations:
        yield "databag", str(relation.settings)
    for path in app.juju.directory.rglob("*"):
        if path.is_file():
            yield f"file {path.name}", path.read_bytes().decode(errors="replace")


def places(app, pieces):
    """Where any of these pieces of text is to be found."""
    return {where for where, text in traces(app) for piece in pieces if piece in text}


def test_no_trace_of_the_cloud_s_key(lxd, app, admin, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert client.fingerprint in lxd.trust_store
    app.trust(False)
    app.trust()
    lxd.distrust(admin.fingerprint)
    app.update_status()
    app.upgrade()
    relation.remove()
    assert places(app, admin.key_lines) == set()


def test_traces_show_what_is_there(app, relation):
    """The search finds what it looks for: a certificate that is no secret."""
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    line = client.certificate.splitlines()[1]
    assert places(app, [line]) == {"databag", "stdin of relation-set"}


@pytest.fixture
def config(lxd, admin):
    """The credential as configuration."""
    return {
        "lxd_endpoint": lxd.url,
        "lxd_client_cert": admin.certificate,
        "lxd_client_key": admin.key,
        "lxd_server_cert": lxd.certificate,
    }


def test_no_trace_of_the_configured_key(juju, admin, config):
    app = juju.deploy(config=config)
    assert app.units[0].status[0] == "active"
    app.configure(lxd_client_cert=identity().certificate)
    assert app.units[0].status[0] == "blocked"
    assert places(app, admin.key_lines) == set()


SPOILED = {
    "as it is": lambda key: key,
    "in one line": lambda key: "x" + key.replace("\n", ""),
    "quoted": repr,
}


@pytest.mark.parametrize(
    "option", ["lxd_endpoint", "lxd_client_cert", "lxd_server_cert", "lxd_client_key"]
)
@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_key_in_the_wrong_place_is_not_quoted(juju, admin, config, option, spoil):
    app = juju.deploy(config={**config, option: spoil(admin.key)})
    assert app.units[0].status[0] in ("active", "blocked")
    assert places(app, [line[:40] for line in admin.key_lines]) == set()


def test_key_that_a_requirer_sends_is_rejected_and_not_repeated(app, relation):
    alone, beside, good = identity(), identity(), identity()
    relation.join("builder/0", client_certificates=bundle(alone.key, good))
    relation.join("builder/1", client_certificates=bundle(beside.certificate + beside.key))
    assert published(relation)["registered_certificates"] == [good.certificate]
    rejected = published(relation)["rejected_certificates"]
    assert len(rejected) == 2 and "private key" in rejected[0]["reason"]
    for remote_unit in relation.units:
        del relation.settings[remote_unit]  # what the requirer itself wrote
    assert places(app, alone.key_lines + beside.key_lines) == set()


@pytest.mark.parametrize("code", [0, 1])
def test_no_trace_where_juju_s_answer_makes_no_sense(app, admin, code):
    app.faults["credential-get"] = Reply(code, admin.key.encode(), b"ERROR something else\n")
    hook = app.units[0].run(Event("update-status"))
    assert hook.logged("ERROR") or hook.logged("WARNING")
    assert places(app, admin.key_lines) == set()
