# SPDX-License-Identifier: Apache-2.0
"""Both ends of the interface: the integrator and the requirer that comes out of the same binary."""

import stat

import pytest
from cryptography import x509

from expectations import active
from juju import Link

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


def test_requirer_says_what_it_lacks(juju, requirer_charm, app):
    requirer = juju.deploy("client", charm=requirer_charm)
    (unit,) = requirer.units
    assert unit.status == (
        "blocked",
        'missing relation: run "juju relate client:lxd lxd-integrator:api"',
    )
    Link((app, "api"), (requirer, "lxd"))
    assert unit.status[0] == "blocked" and "set lxd_server_cert" in unit.status[1]


def test_requirer_waits_for_a_blocked_integrator(juju, requirer):
    integrator = juju.deploy()
    Link((integrator, "api"), (requirer, "lxd"))
    assert requirer.units[0].status == ("waiting", "no LXD node is known yet; retrying")


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
