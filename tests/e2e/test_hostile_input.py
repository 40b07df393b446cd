# SPDX-License-Identifier: Apache-2.0
"""Whatever a requirer writes: a clear reason, exit status 0, and the others are served."""

import json

import pytest

from agent import Event
from expectations import active, published, rejections, served
from hook_commands import Reply
from pki import bundle, certify, generate, identity

MEBIBYTE = 1024 * 1024


def pem(label, body):
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"


GOOD = identity("good").certificate

NO_LIST_OF_CERTIFICATES = {
    "null": "null",
    "object": "{}",
    "string": json.dumps(GOOD),
    "number": "17",
    "empty": " ",
    "not JSON": "certificate please",
    "cut off": json.dumps([GOOD])[:-1],
    "trailing text": json.dumps([GOOD]) + "]",
    "PEM without JSON": GOOD,
    "list of numbers": "[1]",
    "list of null": "[null]",
    "list of lists": json.dumps([[GOOD]]),
    "list of objects": json.dumps([{"certificate": GOOD}]),
    "nested deeply": "[" * 100_000 + "]" * 100_000,
    "10 MiB": json.dumps(["x" * 10 * MEBIBYTE]),
    "14 MiB that JSON prints as 84": json.dumps(["<" * 14 * MEBIBYTE]),
    "10 MiB of nothing": "[" + " " * 10 * MEBIBYTE + "]",
    "empty string": json.dumps([""]),
    "junk": json.dumps(["junk"]),
    "200 KiB of junk": json.dumps(["junk" * 50 * 1024]),
    "200 KiB of PEM": json.dumps([pem("CERTIFICATE", "QUJD\n" * 40 * 1024)]),
    "no base64": json.dumps([pem("CERTIFICATE", "!!!!")]),
    "empty PEM": json.dumps([pem("CERTIFICATE", "")]),
    "no X.509": json.dumps([pem("CERTIFICATE", "aGVsbG8gd29ybGQ=")]),
    "half a certificate": json.dumps([GOOD[: len(GOOD) // 2]]),
    "bit changed": json.dumps([GOOD.replace("MII", "MIJ")]),
    "public key": json.dumps([pem("PUBLIC KEY", "MCowBQYDK2VwAyEA")]),
    "terminal escapes": json.dumps(["\x1b]0;owned\x07\r\n\x00\x7f\u0085\u2028\ufeff\U0001f600"]),
    "lone surrogate": '["\\ud800"]',
    "markup": json.dumps(["</script><script>alert('&amp;')</script>"]),
}


@pytest.mark.parametrize("value", NO_LIST_OF_CERTIFICATES.values(), ids=NO_LIST_OF_CERTIFICATES)
def test_value_that_is_no_list_of_certificates(lxd, app, unit, relation, value):
    first, second = identity(), identity()
    other = app.relate("deployer")
    other.join("deployer/0", client_certificates=bundle(first))
    relation.join("builder/0", client_certificates=value)
    relation.join("builder/1", client_certificates=bundle(second))
    assert published(other) == served(lxd, first)
    told, reasons = published(relation), rejections(relation)
    rejected = told.pop("rejected_certificates")
    assert told == served(lxd, second)
    assert list(reasons) == [""] and len(reasons[""].encode()) <= 200
    assert {entry["unit"] for entry in rejected} == {"builder/0"}
    assert unit.status == active(lxd, 2, f"; 1 certificate rejected: builder ({relation.id})")
    assert all(hook.exit_code == 0 for hook in unit.hooks)


def test_rejection_is_logged_and_goes_when_its_reason_goes(lxd, unit, relation):
    client = identity()
    joined, _ = relation.join("builder/0", client_certificates=bundle("junk", client))
    (reason,) = rejections(relation).values()
    assert any(reason in line for line in joined.logged("WARNING"))
    assert published(relation)["registered_certificates"] == [client.certificate]
    relation.publish("builder/0", client_certificates=bundle(client))
    assert published(relation) == served(lxd, client)
    assert unit.status == active(lxd, 1)


@pytest.mark.parametrize("value", ["[]", None])
def test_asking_for_nothing_is_no_fault(lxd, unit, relation, value):
    relation.join("builder/0")
    relation.publish("builder/0", client_certificates=value)
    assert published(relation) == served(lxd)
    assert unit.status == active(lxd, 0)


def test_good_entries_of_a_list_are_served(lxd, unit, relation):
    clients = [identity() for _ in range(3)]
    entries = [clients[0], "junk", clients[1], clients[0], pem("CERTIFICATE", "AAAA"), clients[2]]
    relation.join("builder/0", client_certificates=bundle(*entries))
    assert {client.fingerprint for client in clients} <= set(lxd.trust_store)
    assert published(relation)["nodes"] == served(lxd, *clients)["nodes"]
    rejected = published(relation)["rejected_certificates"]
    assert [(entry["unit"], entry["index"]) for entry in rejected] == [
        ("builder/0", 1),
        ("builder/0", 4),
    ]
    assert unit.status == active(lxd, 3, f"; 2 certificates rejected: builder ({relation.id})")


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        (identity(start=-10, end=-1), "expired"),
        (identity(start=10, end=20), "not valid before"),
        (identity(kind="RSA-1024"), "too weak"),
    ],
    ids=["expired", "not yet valid", "weak"],
)
def test_reason_of_lxd_is_passed_on(lxd, unit, relation, client, reason):
    good = identity()
    relation.join("builder/0", client_certificates=bundle(client, good))
    assert list(rejections(relation)) == [client.fingerprint]
    assert reason in rejections(relation)[client.fingerprint]
    assert good.fingerprint in lxd.trust_store
    assert unit.status == active(lxd, 1, f"; 1 certificate rejected: builder ({relation.id})")


def test_entry_that_an_administrator_restricted_is_no_access(lxd, relation):
    client = identity()
    lxd.trust(client, "alice", restricted=True, projects=[])
    relation.join("builder/0", client_certificates=bundle(client))
    assert "no project" in rejections(relation)[client.fingerprint]
    assert published(relation)["registered_certificates"] == []
    assert lxd.trust_store[client.fingerprint]["restricted"]


def test_requirer_that_asks_for_the_charm_s_own_certificate(lxd, admin, relation):
    relation.join("builder/0", client_certificates=bundle(admin))
    assert published(relation) == served(lxd, admin)
    relation.publish("builder/0", client_certificates="[]")
    assert lxd.trust_store[admin.fingerprint]["name"] == "juju"


def test_text_behind_a_nul_is_not_lost(relation):
    text = identity().certificate + "\0 and more"
    relation.join("builder/0", client_certificates=bundle(text))
    assert published(relation)["registered_certificates"] in ([], [text])
    assert len(published(relation)["registered_certificates"]) + len(rejections(relation)) == 1


def test_more_certificates_than_the_limit(lxd, relation):
    first, last = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(*[first] * 1000, last))
    assert first.fingerprint in lxd.trust_store and last.fingerprint not in lxd.trust_store
    assert "1000" in rejections(relation)[""]


def test_many_certificates_at_once(lxd, unit, relation):
    key = generate("P-256")
    texts = [certify(key, f"client {number}") for number in range(100)]
    relation.join("builder/0", client_certificates=bundle(*texts))
    assert unit.status == active(lxd, 100)
    assert sorted(published(relation)["registered_certificates"]) == sorted(texts)
    relation.remove()
    assert unit.status == active(lxd, 0)


@pytest.mark.parametrize("version", ["2.0", "", "one", "10", "1" * 100_000])
def test_version_of_the_interface(unit, relation, version):
    relation.join("builder/0", client_certificates=bundle(identity()), version=version)
    assert all(hook.exit_code == 0 for hook in unit.hooks)
    assert unit.status[0] == "active"
    assert len(unit.status[1]) < 400


NOT_JSON = [b"", b"\n", b"{", b"[" * 100_000, b"\xff\xfe", b'{"a": "\xff']
NO_OBJECT = NOT_JSON + [b"17", b'"text"', b"[[]]", b"true"]
NO_LIST_OF_STRINGS = NOT_JSON + [b"17", b'"text"', b"[[]]", b"[1]", b'{"x":{"y":[]}}']


@pytest.mark.parametrize(
    ("command", "answers"),
    [
        ("config-get", NO_OBJECT),
        ("credential-get", NO_OBJECT),
        ("relation-get", NO_OBJECT),
        ("relation-ids", NO_LIST_OF_STRINGS),
        ("relation-list", NO_LIST_OF_STRINGS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hook_command_that_answers_nonsense(lxd, app, relation, command, answers):
    relation.join("builder/0", client_certificates=bundle(identity()))
    before, store = published(relation), set(lxd.trust_store)
    for answer in answers:
        app.faults[command] = Reply(0, answer)
        hook = app.units[0].run(Event("update-status"))
        assert hook.exit_code in (0, 1), answer
        assert hook.logged("ERROR") or hook.logged("WARNING"), answer
        assert set(lxd.trust_store) == store and published(relation) == before, answer


def test_null_stands_for_nothing(lxd, app, unit):
    app.faults.update({name: Reply(0, b"null\n") for name in ("config-get", "relation-ids")})
    app.update_status()
    assert unit.status == active(lxd, 0)
