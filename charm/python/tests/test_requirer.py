# SPDX-License-Identifier: Apache-2.0
"""Both requirers, in charms of ops[testing], and what they may be told."""

from __future__ import annotations

import dataclasses
import json
import typing

import ops
import pytest
from ops import testing as scenario

from charmlibs.interfaces import lxd
from charmlibs.interfaces.lxd import testing

OTHER = testing.SERVER_CERTIFICATE  # a certificate that nobody has asked for
FINGERPRINT = lxd.fingerprint(testing.CERTIFICATE)
KINDS = ["lxd", "https"]

AnyRequirer = lxd.LxdRequirer | lxd.LxdHttpsRequirer


class Charm(ops.CharmBase):
    """Has both endpoints, and does as it is told."""

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self.requirers: dict[str, AnyRequirer] = {
            "lxd": lxd.LxdRequirer(self, "lxd"),
            "https": lxd.LxdHttpsRequirer(self, "https"),
        }


META = {
    "name": "requirer",
    "requires": {"lxd": {"interface": "lxd"}, "https": {"interface": "lxd-https"}},
}


def relation(kind: str, **changes: typing.Any) -> scenario.Relation:
    make = testing.lxd_relation if kind == "lxd" else testing.lxd_https_relation
    return make(kind, **changes)


def told(given: scenario.Relation, changes: dict[str, str], app: bool = False) -> scenario.Relation:
    """The relation with other values in the databag of the integrator's first unit (and in its
    application's)."""
    bag = {**given.remote_units_data[0], **changes}
    return dataclasses.replace(
        given, remote_units_data={0: bag}, remote_app_data=dict(changes) if app else {}
    )


class Run(typing.NamedTuple):
    """What a requirer said in one hook, and what it left behind."""

    nodes: list[lxd.Node]
    ready: bool
    rejections: list[lxd.Rejection]
    status: ops.StatusBase


def ask(kind: str, *relations: scenario.Relation, certificate: str = testing.CERTIFICATE) -> Run:
    context = scenario.Context(Charm, meta=META)
    state = scenario.State(relations=relations)
    with context(context.on.update_status(), state) as manager:
        requirer = manager.charm.requirers[kind]
        run = Run(
            requirer.nodes(certificate),
            requirer.is_ready(certificate),
            requirer.rejections(),
            requirer.status(certificate),
        )
        manager.run()
    return run


def request(kind: str, given: scenario.Relation, *arguments: typing.Any) -> dict[str, str]:
    """The unit's databag afterwards."""
    context = scenario.Context(Charm, meta=META)
    state = scenario.State(relations=[given])
    with context(context.on.update_status(), state) as manager:
        manager.charm.requirers[kind].request(*arguments)
        after = manager.run()
    return {
        key: value
        for key, value in after.get_relation(given.id).local_unit_data.items()
        if not key.endswith(("-address", "-subnets"))
    }


# --- what is asked for ---


def test_request() -> None:
    bag = request("lxd", relation("lxd"), [testing.CERTIFICATE, OTHER], ["blue", "green"])
    assert json.loads(bag.pop("client_certificates")) == [testing.CERTIFICATE, OTHER]
    assert bag == {"version": "1.0", "projects": "blue,green"}


def test_https_request() -> None:
    bag = request("https", relation("https"), [testing.CERTIFICATE])
    assert bag == {"version": "1.0", "certificate": testing.CERTIFICATE}


def test_request_replaces_the_former_one() -> None:
    given = scenario.Relation("lxd", local_unit_data={"projects": "blue", "version": "1.0"})
    assert "projects" not in request("lxd", given, [testing.CERTIFICATE])


def test_request_of_nothing_withdraws() -> None:
    assert request("lxd", relation("lxd"), []) == {"version": "1.0", "client_certificates": "[]"}
    given = scenario.Relation("https", local_unit_data={"certificate": testing.CERTIFICATE})
    assert request("https", given, []) == {"version": "1.0"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    ["", "text", "-----BEGIN PRIVATE KEY-----\nAAAA\n", f"{OTHER}-----BEGIN EC PRIVATE KEY-----"],
)
def test_what_is_no_certificate_is_not_asked_for(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match="the text holds"):
        request(kind, relation(kind), [text])


def test_https_has_room_for_one() -> None:
    with pytest.raises(ValueError, match="room for one"):
        request("https", relation("https"), [testing.CERTIFICATE, OTHER])


def test_an_endpoint_that_the_charm_lacks() -> None:
    context = scenario.Context(Charm, meta=META)
    with context(context.on.update_status(), scenario.State()) as manager:
        requirer = lxd.LxdRequirer(manager.charm, "lxb")
        with pytest.raises(KeyError):
            requirer.nodes(testing.CERTIFICATE)


# --- what is answered ---


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", [{}, {"integrators": 3}])
def test_trusted(kind: str, more: dict[str, int]) -> None:
    run = ask(kind, relation(kind, **more))
    name = "node-1" if kind == "lxd" else "10.10.10.10:8443"
    node = lxd.Node("https://10.10.10.10:8443", name, True, testing.SERVER_CERTIFICATE)
    assert run == ([node], True, [], ops.ActiveStatus())


def test_https_of_a_cluster_is_told_by_the_application() -> None:
    given = testing.lxd_https_relation("https", cluster=True, address="10.0.0.1:8443,10.0.0.2:8443")
    run = ask("https", given)
    assert [node.endpoint for node in run.nodes] == [
        "https://10.0.0.1:8443",
        "https://10.0.0.2:8443",
    ]
    assert run.ready


@pytest.mark.parametrize("kind", KINDS)
def test_another_one_is_trusted(kind: str) -> None:
    run = ask(kind, relation(kind), certificate=OTHER)
    assert [node.trusted for node in run.nodes] == [False] and not run.ready
    assert isinstance(run.status, ops.WaitingStatus)
    assert "does not trust" in run.status.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", ["silent", "waiting"])
def test_no_answer_yet(kind: str, answer: str) -> None:
    run = ask(kind, relation(kind, answer=answer))
    assert not run.ready and run.rejections == []
    assert isinstance(run.status, ops.WaitingStatus)


@pytest.mark.parametrize("kind", KINDS)
def test_rejected(kind: str) -> None:
    run = ask(kind, relation(kind, answer="rejected"))
    (rejection,) = run.rejections
    assert (rejection.fingerprint, rejection.index) == (FINGERPRINT, 0)
    assert run.status == ops.BlockedStatus('certificate rejected: no such project in LXD: "gren"')


@pytest.mark.parametrize("kind", KINDS)
def test_let_in_to_less_than_asked(kind: str) -> None:
    run = ask(kind, relation(kind, answer="less"))
    assert run.ready and len(run.rejections) == 1
    assert isinstance(run.status, ops.ActiveStatus) and "gren" in run.status.message


@pytest.mark.parametrize("kind", KINDS)
def test_rejection_of_another_unit(kind: str) -> None:
    run = ask(kind, relation(kind, answer="rejected", unit=1))
    assert run.rejections == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_relation(kind: str) -> None:
    run = ask(kind)
    assert run == ([], False, [], ops.BlockedStatus(f"missing relation: {kind}"))


def test_any_unit_that_says_so_counts() -> None:
    first, second = (relation("lxd", answer=answer) for answer in ("waiting", "trusted"))
    both = {0: first.remote_units_data[0], 1: second.remote_units_data[0]}
    assert ask("lxd", scenario.Relation("lxd", remote_units_data=both)).ready
    assert ask("lxd", scenario.Relation("lxd", remote_units_data={0: both[1], 1: both[0]})).ready


def test_nodes_of_several_integrators() -> None:
    addresses = ["10.0.0.2:8443", "10.0.0.1:8443"]
    relations = [
        dataclasses.replace(relation("lxd", address=address), remote_app_name=f"lxd-{number}")
        for number, address in enumerate(addresses)
    ]
    run = ask("lxd", *relations)
    assert [node.endpoint for node in run.nodes] == [
        "https://10.0.0.1:8443",
        "https://10.0.0.2:8443",
    ]


def test_of_a_relation_made_anew_the_newer_counts() -> None:
    older, newer = relation("lxd"), relation("lxd", answer="waiting")
    assert older.id < newer.id
    assert not ask("lxd", older, newer).ready


def test_charm_that_deploys_lxd_does_not_say_which_it_trusts() -> None:
    given = relation("https")
    bag: dict[str, str] = {**given.remote_units_data[0]}
    del bag["trusted_certs_fp"]
    given = dataclasses.replace(given, remote_units_data={0: bag})
    assert ask("https", given, certificate=OTHER).ready


def test_python_charm_does_not_say_which_server_it_is() -> None:
    node = {"endpoint": "https://lxd:8443", "name": "lxd", "trusted_certs_fp": [FINGERPRINT]}
    bag = {"version": "1.0", "nodes": json.dumps([node])}
    run = ask("lxd", scenario.Relation("lxd", remote_units_data={0: bag}))
    assert run.nodes == [lxd.Node("https://lxd:8443", "lxd", True, "")]


# --- whatever the other side writes ---

JUNK = [
    "",
    "text",
    "null",
    "17",
    '"1.0"',
    "[",
    "[" * 100_000,
    "1" * 10_000,
    "{}",
    "[17, null, [], {}, true]",
    '[{"endpoint": 17, "trusted_certs_fp": 17, "certificate": []}]',
    '[{"endpoint": "https://x", "trusted_certs_fp": [17, {}, []], "name": {}}]',
    '[{"reason": 17, "fingerprint": [], "index": "x", "unit": 3}]',
    '["\\ud800"]',
    ",,:",
]
KEYS = [
    "version",
    "nodes",
    "registered_certificates",
    "rejected_certificates",
    "certificate",
    "certificate_fingerprint",
    "addresses",
    "trusted_certs_fp",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", KEYS)
def test_nothing_that_is_written_makes_it_raise(kind: str, key: str) -> None:
    for junk in JUNK:
        run = ask(kind, told(relation(kind), {key: junk}, app=True))
        assert isinstance(run.status, ops.StatusBase)


@pytest.mark.parametrize("kind", KINDS)
def test_another_major_version_is_not_read(kind: str) -> None:
    assert ask(kind, told(relation(kind), {"version": "2.0"})).nodes == []


# --- a relation that is gone ---


GONE = [
    ops.RelationNotFoundError(),
    ops.ModelError("ERROR cannot read relation settings: permission denied"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("refusal", GONE)
def test_gone_relation_is_no_error(
    kind: str, refusal: ops.ModelError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_more: object) -> typing.NoReturn:
        raise refusal

    context = scenario.Context(Charm, meta=META)
    state = scenario.State(relations=[relation(kind)])
    with context(context.on.update_status(), state) as manager:
        monkeypatch.setattr(ops.RelationDataContent, "_load", refuse)
        requirer = manager.charm.requirers[kind]
        requirer.request([testing.CERTIFICATE])
        assert requirer.nodes(testing.CERTIFICATE) == []
        refusal = ops.ModelError("ERROR lost the controller")
        with pytest.raises(ops.ModelError):
            requirer.request([testing.CERTIFICATE])
        monkeypatch.undo()
        manager.run()
    assert any("is gone" in line.message for line in context.juju_log)
