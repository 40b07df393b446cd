# SPDX-License-Identifier: Apache-2.0
"""Relations as the integrator writes them, for unit tests with ``ops[testing]``::

    import ops.testing
    from charmlibs.interfaces.lxd import testing

    def test_logs_in():
        context = ops.testing.Context(MyCharm)
        relation = testing.lxd_relation("lxd", testing.CERTIFICATE, "trusted")
        context.run(context.on.relation_changed(relation), ops.testing.State(relations=[relation]))

The databags were recorded from the integrator on a real LXD (``databags.json``), and its tests
hold them to what it writes. An answer is

    ``silent``      it was related just now and has written nothing yet;
    ``waiting``     it serves the relation, which asks for nothing yet;
    ``trusted``     LXD lets the certificate in;
    ``less``        LXD lets it in, but a project that was asked for does not exist;
    ``rejected``    LXD does not let it in: no project that was asked for exists.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Literal

from ops import testing

from ._requirer import fingerprint

__all__ = ["CERTIFICATE", "SERVER_CERTIFICATE", "Answer", "lxd_https_relation", "lxd_relation"]

Answer = Literal["silent", "waiting", "trusted", "less", "rejected"]

_RECORDED = json.loads((files(__package__) / "databags.json").read_text())

CERTIFICATE: str = _RECORDED["certificate"]
"""A client certificate to ask for."""
SERVER_CERTIFICATE: str = _RECORDED["server_certificate"]
"""What the server presents where the test names no other."""


def fill(template: dict[str, object], words: dict[str, str]) -> dict[str, str]:
    """A databag out of a recorded one: words in capitals are replaced, lists are written as JSON,
    byte by byte as the integrator does."""

    def replace(value: object) -> object:
        if isinstance(value, str):
            for word, text in words.items():
                value = value.replace(word, text)
            return value
        if isinstance(value, list):
            return [replace(item) for item in value]
        if isinstance(value, dict):
            return {key: replace(item) for key, item in value.items()}
        return value

    filled = {key: replace(value) for key, value in template.items()}
    return {
        key: value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        for key, value in filled.items()
    }


def _words(certificate: str, server_certificate: str, address: str, unit: int) -> dict[str, str]:
    return {
        "SERVER_CERTIFICATE": server_certificate,
        "SERVER_FINGERPRINT": fingerprint(server_certificate),
        "CLIENT_CERTIFICATE": certificate,
        "CLIENT_FINGERPRINT": fingerprint(certificate),
        "ADDRESS": address,
        "SERVER_NAME": "node-1",
        "UNIT_NAME": f"requirer/{unit}",
    }


def lxd_relation(
    endpoint: str,
    certificate: str = CERTIFICATE,
    answer: Answer = "trusted",
    *,
    server_certificate: str = SERVER_CERTIFICATE,
    address: str = "10.10.10.10:8443",
    unit: int = 0,
    integrators: int = 1,
) -> testing.Relation:
    """A relation with the interface ``lxd`` to so many units of an integrator.

    ``unit`` is the number of the unit that is tested, ``address`` LXD's ``host:port``.
    """
    words = _words(certificate, server_certificate, address, unit)
    bag = fill(_RECORDED["lxd"][answer], words)
    return testing.Relation(
        endpoint,
        interface="lxd",
        remote_app_name="lxd-integrator",
        remote_units_data={number: dict(bag) for number in range(integrators)},
    )


def lxd_https_relation(
    endpoint: str,
    certificate: str = CERTIFICATE,
    answer: Answer = "trusted",
    *,
    server_certificate: str = SERVER_CERTIFICATE,
    address: str = "10.10.10.10:8443",
    unit: int = 0,
    integrators: int = 1,
    cluster: bool = False,
) -> testing.Relation:
    """The same with the interface ``lxd-https``. Of a cluster the integrator's application tells,
    of a standalone server each of its units."""
    words = _words(certificate, server_certificate, address, unit)
    bag = fill(_RECORDED["lxd-https"][answer], words)
    return testing.Relation(
        endpoint,
        interface="lxd-https",
        remote_app_name="lxd-integrator",
        remote_app_data=bag if cluster else {},
        remote_units_data={number: {} if cluster else dict(bag) for number in range(integrators)},
    )
