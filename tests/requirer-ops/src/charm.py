# SPDX-License-Identifier: Apache-2.0
"""A requirer with ops: it makes a key, asks on both endpoints for its certificate to be trusted,
and logs in with pylxd where LXD lets it in."""

import datetime
import os

import ops
import pylxd
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from charmlibs.interfaces import lxd

ENDPOINTS = {"lxd": lxd.LxdRequirer, "https": lxd.LxdHttpsRequirer}


class Requirer(ops.CharmBase):
    def __init__(self, framework):
        super().__init__(framework)
        self.requirers = {name: kind(self, name) for name, kind in ENDPOINTS.items()}
        self.key = self.charm_dir / "client.key"
        self.certificate = self.charm_dir / "client.crt"
        for name in ENDPOINTS:
            events = self.on[name]
            framework.observe(events.relation_created, self._ask)
            framework.observe(events.relation_changed, self._ask)
            framework.observe(events.relation_departed, self._ask)
            framework.observe(events.relation_broken, self._ask)
        for event in (self.on.config_changed, self.on.update_status, self.on.upgrade_charm):
            framework.observe(event, self._ask)
        framework.observe(self.on.collect_unit_status, self._tell)

    def _ask(self, _):
        if not self.certificate.exists():
            make_identity(self.app.name, self.key, self.certificate)
        projects = [name for name in self.config["projects"].split(",") if name]
        for requirer in self.requirers.values():
            requirer.request([self.certificate.read_text()], projects)

    def _tell(self, event):
        if not self.certificate.exists():
            event.add_status(ops.WaitingStatus("no key yet"))
            return
        certificate = self.certificate.read_text()
        for name, requirer in self.requirers.items():
            if not self.model.relations[name]:
                continue
            status = requirer.status(certificate)
            if status == ops.ActiveStatus():
                nodes = requirer.nodes(certificate)
                status = ops.ActiveStatus(self._log_in(next(n for n in nodes if n.trusted)))
            event.add_status(status)
        if not any(self.model.relations[name] for name in ENDPOINTS):
            event.add_status(ops.BlockedStatus("missing relation: lxd or https"))

    def _log_in(self, node):
        """requests verifies the host's name too: LXD's certificate has it of loopback alone."""
        server = self.charm_dir / "server.crt"
        server.write_text(node.certificate)
        pair = str(self.certificate), str(self.key)
        client = pylxd.Client(endpoint=node.endpoint, cert=pair, verify=str(server))
        if not client.trusted:
            raise RuntimeError(f"{node.endpoint} does not trust us")
        version = client.host_info["environment"]["server_version"]
        return f"logged in to LXD {version} at {node.endpoint}"


def make_identity(name, key_file, certificate_file):
    key = ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(hours=1),
        not_valid_after=now + datetime.timedelta(days=3650),
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with open(os.open(key_file, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.write(pem)
    certificate = builder.sign(key, hashes.SHA384())
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


if __name__ == "__main__":
    ops.main(Requirer)
