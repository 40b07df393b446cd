# SPDX-License-Identifier: Apache-2.0
"""What is read and written. The package's docstring is the manual."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import ops

logger = logging.getLogger(__name__)

_VERSION = "1.0"
_PEM = re.compile(r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END", flags=re.DOTALL)


@dataclass(frozen=True)
class Node:
    """An LXD server, or a member of a cluster."""

    endpoint: str
    """``https://host:port``"""
    name: str
    """What LXD calls it; with lxd-https its ``host:port``."""
    trusted: bool
    """Does it let the certificate in?"""
    certificate: str
    """PEM: what to verify the node by, its own certificate or a CA's. Empty: not told."""


@dataclass(frozen=True)
class Rejection:
    """Why a certificate is not let in, or to less than was asked for."""

    reason: str
    fingerprint: str = ""
    """SHA-256 of the certificate; empty where the text is none, or all of the request is meant."""
    index: int | None = None
    """Its place in the list that was asked for; None: all of the request is meant."""
    unit: str = ""
    """Whose request it is, as the integrator calls the unit; empty: the application's."""


def fingerprint(certificate: str) -> str:
    """SHA-256 of the first certificate in a PEM text, 64 hex digits: what LXD calls it.

    Raises:
        ValueError: it holds no certificate.
    """
    block = _PEM.search(certificate)
    try:
        der = base64.b64decode("".join(block[1].split()), validate=True) if block else b""
    except binascii.Error:
        der = b""
    if not der:
        raise ValueError("the text holds no PEM certificate")
    return hashlib.sha256(der).hexdigest()


# --- what the other side wrote ---


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _items(bag: Mapping[str, str], key: str) -> list[object]:
    value = _parse(bag.get(key, ""))
    return value if isinstance(value, list) else []


def _objects(bag: Mapping[str, str], key: str) -> Iterator[dict[str, object]]:
    for item in _items(bag, key):
        if isinstance(item, dict):
            yield item


def _text(item: Mapping[str, object], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _is_ours(bag: Mapping[str, str]) -> bool:
    """A databag without a version is one of ours: the first integrators wrote none."""
    version = bag.get("version", _VERSION).strip('"')
    return version == "1" or version.startswith("1.")


def _rejection(item: Mapping[str, object]) -> Rejection:
    index = item.get("index")
    return Rejection(
        reason=_text(item, "reason"),
        fingerprint=_text(item, "fingerprint"),
        index=index if isinstance(index, int) and not isinstance(index, bool) else None,
        unit=_text(item, "unit"),
    )


# --- both interfaces ---


class _Requirer:
    """What the two interfaces have in common."""

    def __init__(self, charm: ops.CharmBase, endpoint: str):
        self._charm = charm
        self._endpoint = endpoint

    def request(self, certificates: Iterable[str], projects: Iterable[str] = ()) -> None:
        """Ask for what this unit's certificates (PEM) are to open, on every relation.

        Raises:
            ValueError: one of them is no certificate, or there are more than the interface takes.
        """
        certificates = [certificates] if isinstance(certificates, str) else list(certificates)
        projects = [projects] if isinstance(projects, str) else list(projects)
        for certificate in certificates:
            if "PRIVATE KEY-----" in certificate:
                raise ValueError("the text holds a private key, which is nobody else's")
            fingerprint(certificate)
        request = {
            "version": _VERSION,
            "projects": ",".join(projects),
            **self._compose(certificates),
        }
        for relation in self._relations():
            self._write(relation, request)

    def nodes(self, certificate: str) -> list[Node]:
        """The LXD nodes that are known, by their endpoints, and whether they let the certificate
        in."""
        known: dict[str, Node] = {}
        for bag in self._bags():
            for node in self._read_nodes(bag, fingerprint(certificate)):
                if node.endpoint not in known or node.trusted > known[node.endpoint].trusted:
                    known[node.endpoint] = node
        return [known[endpoint] for endpoint in sorted(known)]

    def is_ready(self, certificate: str) -> bool:
        """Does a node let the certificate in?"""
        return any(node.trusted for node in self.nodes(certificate))

    def rejections(self) -> list[Rejection]:
        """What is rejected of this unit's request, and of its application's."""
        found = (
            _rejection(item)
            for bag in self._bags()
            for item in _objects(bag, "rejected_certificates")
        )
        return list(dict.fromkeys(each for each in found if self._concerns_us(each)))

    def status(self, certificate: str) -> ops.StatusBase:
        """What a unit that needs LXD has to say of it."""
        nodes, digest = self.nodes(certificate), fingerprint(certificate)
        rejections = self.rejections()
        reasons = [each.reason for each in rejections if each.fingerprint in (digest, "")]
        if not self._relations():
            return ops.BlockedStatus(f"missing relation: {self._endpoint}")
        if any(node.trusted for node in nodes):
            about = [each.reason for each in rejections if each.fingerprint == digest]
            return ops.ActiveStatus(f"LXD opens less than asked for: {about[0]}" if about else "")
        if reasons:
            return ops.BlockedStatus(f"certificate rejected: {reasons[0]}")
        if nodes:
            where = nodes[0].endpoint
            return ops.WaitingStatus(f"{where} does not trust certificate {digest[:12]}... yet")
        return ops.WaitingStatus(f"waiting for an LXD server from relation {self._endpoint}")

    # --- what differs ---

    def _compose(self, certificates: list[str]) -> dict[str, str]:
        raise NotImplementedError

    def _read_nodes(self, bag: Mapping[str, str], digest: str) -> Iterator[Node]:
        raise NotImplementedError

    # --- relations ---

    def _relations(self) -> list[ops.Relation]:
        """Of a relation that was removed by force and made anew, Juju lists both numbers until its
        agent restarts. They share one databag, and a hook that uses both fails: the newer is it."""
        newest: dict[str, ops.Relation] = {}
        for relation in self._charm.model.relations[self._endpoint]:
            if relation.active:
                name = relation.app.name
                if name not in newest or relation.id > newest[name].id:
                    newest[name] = relation
        return [newest[name] for name in sorted(newest)]

    def _bags(self) -> Iterator[dict[str, str]]:
        """What the integrators say: applications, then units by number."""
        for relation in self._relations():
            units = sorted(
                (unit for unit in relation.units if unit.app == relation.app),
                key=lambda unit: (len(unit.name), unit.name),
            )
            owners: list[ops.Application | ops.Unit] = [relation.app, *units]
            for owner in owners:
                bag = self._read(relation, owner)
                if _is_ours(bag):
                    yield bag

    @staticmethod
    def _read(relation: ops.Relation, owner: ops.Application | ops.Unit) -> dict[str, str]:
        try:
            return dict(relation.data[owner])
        except ops.ModelError as error:
            logger.info("relation %d: %s cannot be read: %s", relation.id, owner.name, error)
            return {}

    def _write(self, relation: ops.Relation, settings: Mapping[str, str]) -> None:
        try:
            ours = relation.data[self._charm.unit]
            for key, value in settings.items():
                if ours.get(key, "") != value:
                    ours[key] = value  # ops has Juju delete a key whose value is empty
        except ops.ModelError as error:
            # ops 3.9 knows a relation that is gone; before, it repeats what Juju said.
            known = isinstance(error, ops.RelationNotFoundError)
            if not known and "permission denied" not in str(error):
                raise
            logger.warning("relation %d is gone, and is left alone", relation.id)

    def _concerns_us(self, rejection: Rejection) -> bool:
        """Across models the integrator has another name for our application; the number stays."""
        number = self._charm.unit.name.rpartition("/")[2]
        return rejection.unit.rpartition("/")[2] in ("", number)


class LxdRequirer(_Requirer):
    """An endpoint with the interface ``lxd``, version 1.0."""

    def _compose(self, certificates: list[str]) -> dict[str, str]:
        return {"client_certificates": json.dumps(certificates)}

    def _read_nodes(self, bag: Mapping[str, str], digest: str) -> Iterator[Node]:
        for item in _objects(bag, "nodes"):
            endpoint, trusted = _text(item, "endpoint"), item.get("trusted_certs_fp")
            if endpoint:
                yield Node(
                    endpoint=endpoint,
                    name=_text(item, "name"),
                    trusted=isinstance(trusted, list) and digest in trusted,
                    certificate=_text(item, "certificate"),
                )


class LxdHttpsRequirer(_Requirer):
    """An endpoint with the interface ``lxd-https``, version 1.0: one certificate, and one LXD.

    The charm that deploys LXD does not say which certificates it trusts: with it each one counts
    as trusted as soon as the server's certificate is there.
    """

    def _compose(self, certificates: list[str]) -> dict[str, str]:
        if len(certificates) > 1:
            raise ValueError("the interface lxd-https has room for one certificate")
        return {"certificate": "".join(certificates)}

    def _read_nodes(self, bag: Mapping[str, str], digest: str) -> Iterator[Node]:
        certificate = bag.get("certificate", "")
        trusted = "trusted_certs_fp" not in bag or digest in _items(bag, "trusted_certs_fp")
        for address in bag.get("addresses", "").split(",") if certificate else ():
            if address.strip():
                yield Node(
                    endpoint=f"https://{address.strip()}",
                    name=address.strip(),
                    trusted=trusted,
                    certificate=certificate,
                )
