# SPDX-License-Identifier: Apache-2.0
"""Both ends of the interface: the integrator, and the example of a requirer."""

import json
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from agent import HookContext
from expectations import active
from hook_commands import CommandError
from juju import HookFailed, Link

KEY_FILE = "client-key.pem"


@pytest.fixture
def requirer(lxd, juju, requirer_charm):
    config = {"lxd_server_cert": lxd.certificate}
    return juju.deploy("lxd-requirer", charm=requirer_charm, config=config)


@pytest.fixture
def link(app, requirer):
    return Link((app, "api"), (requirer, "lxd"))


def key_file(unit):
    return unit.charm_directory / KEY_FILE


def test_requirer_logs_in(lxd, app, requirer, link):
    assert requirer.units[0].status == (
        "active",
        f"logged in to LXD {lxd.version} at {lxd.url}",
    )
    assert app.units[0].status == active(lxd, 1)


def test_every_unit_has_a_key_of_its_own(lxd, app, requirer):
    requirer.add_unit()
    Link((app, "api"), (requirer, "lxd"))
    assert app.units[0].status == active(lxd, 2)
    assert {unit.status[0] for unit in requirer.units} == {"active"}


def test_key_is_nobody_else_s_and_stays(requirer):
    (unit,) = requirer.units
    made = key_file(unit).read_bytes()
    assert stat.S_IMODE(key_file(unit).stat().st_mode) == 0o600
    requirer.upgrade()
    assert key_file(unit).read_bytes() == made


def test_certificate_is_one_for_others_too(requirer):
    pem = key_file(requirer.units[0]).read_bytes()
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    assert [name.value for name in names] == ["lxd-requirer"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]


def show_nodes(link, **changes):
    """The integrator's nodes as the requirer sees them, changed; None takes a key away."""
    (name,) = link.second.units
    nodes = json.loads(link.second.settings[name]["nodes"])
    changed = [{**node, **changes} for node in nodes]
    kept = [{key: value for key, value in node.items() if value} for node in changed]
    link.second.publish(name, nodes=json.dumps(kept))


def test_requirer_says_what_it_lacks(juju, requirer_charm, app):
    requirer = juju.deploy("client", charm=requirer_charm)
    (unit,) = requirer.units
    assert unit.status == (
        "blocked",
        'missing relation: run "juju relate client:lxd lxd-integrator:api"',
    )
    link = Link((app, "api"), (requirer, "lxd"))
    show_nodes(link, certificate=None)
    assert unit.status[0] == "blocked" and "set lxd_server_cert" in unit.status[1]


def test_integrator_says_which_server_it_is(lxd, juju, requirer_charm, app, admin):
    requirer = juju.deploy("client", charm=requirer_charm)
    (unit,) = requirer.units
    link = Link((app, "api"), (requirer, "lxd"))
    show_nodes(link, certificate=lxd.certificate)
    assert unit.status == ("active", f"logged in to LXD {lxd.version} at {lxd.url}")
    show_nodes(link, certificate=admin.certificate)
    assert unit.status[0] == "blocked" and "presents certificate" in unit.status[1]
    show_nodes(link, certificate="nothing")
    assert unit.status[0] == "blocked" and "the integrator's certificate: " in unit.status[1]


def test_rejection_is_told(lxd, requirer, link):
    unit, (name,) = requirer.units[0], link.second.units
    pem = key_file(unit).read_bytes()
    fingerprint = x509.load_pem_x509_certificate(pem).fingerprint(SHA256()).hex()
    reason = 'project "gren" does not exist'
    rejections = [
        {"fingerprint": "0" * 64, "reason": "another one's"},
        {"fingerprint": fingerprint, "reason": reason},
    ]
    link.second.publish(name, rejected_certificates=json.dumps(rejections))
    assert unit.status[0] == "active"  # let in, but to less than asked
    show_nodes(link, trusted_certs_fp=None)
    assert unit.status == ("blocked", f"the integrator rejects our certificate: {reason}")


def test_requirer_waits_for_a_blocked_integrator(juju, requirer):
    integrator = juju.deploy()
    Link((integrator, "api"), (requirer, "lxd"))
    assert requirer.units[0].status == ("waiting", "no LXD node is known yet")


def test_requirer_refuses_another_server(juju, app, requirer, link, admin):
    requirer.configure(lxd_server_cert=admin.certificate)
    status, message = requirer.units[0].status
    assert status == "blocked" and "presents certificate" in message


def test_removed_relation_locks_out(lxd, app, requirer, link):
    link.remove()
    assert app.units[0].status == active(lxd, 0)
    assert requirer.units[0].status[0] == "blocked"


def test_unusable_key_file_is_named(requirer):
    (unit,) = requirer.units
    key_file(unit).write_text("nothing")
    requirer.update_status()
    status, message = unit.status
    assert status == "blocked" and message.startswith(KEY_FILE) and "delete it" in message
    key_file(unit).unlink()
    requirer.update_status()
    assert "missing relation" in unit.status[1]


@pytest.fixture
def refusal(monkeypatch):
    """Relations whose id is added here are refused by relation-set."""
    write, refused = HookContext.write, set()

    def write_or_refuse(context, relation, application, settings):
        if relation.id in refused:
            raise CommandError("cannot read relation settings: permission denied")
        write(context, relation, application, settings)

    monkeypatch.setattr(HookContext, "write", write_or_refuse)
    return refused


def test_relation_that_is_gone_fails_no_hook(requirer, link):
    """It was removed by force, and stays listed until the agent restarts."""
    link.second.gone = True
    (hook,) = requirer.update_status()
    assert any(f"relation {link.second.id} is gone" in line for line in hook.logged("WARNING"))
    status, message = requirer.units[0].status
    assert status == "blocked" and "missing relation" in message


def test_refusal_of_a_living_relation_fails_the_hook(requirer, link, refusal):
    refusal.add(link.second.id)
    with pytest.raises(HookFailed):
        requirer.update_status()


def test_relation_made_anew_is_touched_by_one_number(app, requirer, link):
    """Both numbers are listed, and lead to one databag; a hook that touches it by both fails."""
    newer = Link((app, "api"), (requirer, "lxd"))
    (hook,) = requirer.update_status()
    calls = hook.called("relation-set") + hook.called("relation-get")
    touched = {call.arguments[call.arguments.index("-r") + 1] for call in calls}
    assert touched == {newer.second.id}
