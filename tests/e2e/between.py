# SPDX-License-Identifier: Apache-2.0
"""Stands before an LXD, and says of some requests what that LXD does not."""

import contextlib
import http.client
import json
import ssl
import tempfile
from pathlib import Path

from peers import Peer


class Between(Peer):
    """It has LXD's certificate, and asks LXD as one identity, whoever connects. Use as a context manager.

    `instead(method, path)` answers in LXD's place, which then never sees the request: a status, and an
    error's text or what a 200 is to hold; or None. `change(method, path, metadata)` returns what LXD's
    answer is to hold."""

    def __init__(self, lxd, identity):
        super().__init__()
        self._lxd = lxd
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(lxd.directory / "server.crt", lxd.directory / "server.key")
        self._upstream = ssl.create_default_context(cadata=lxd.certificate)
        self._upstream.check_hostname = False
        with tempfile.TemporaryDirectory() as directory:
            self._upstream.load_cert_chain(*identity.write(Path(directory), "client"))
        self.certificate = lxd.certificate
        self.asked = []  # (method, path)
        self.instead = lambda method, path: None
        self.change = lambda method, path, metadata: metadata

    def serve(self, client, received):
        connection = http.client.HTTPSConnection(self._lxd.address, context=self._upstream)
        with self._context.wrap_socket(client, server_side=True) as stream:
            reader = stream.makefile("rb")
            with contextlib.closing(connection):
                while line := reader.readline():
                    method, path, _ = line.decode().split()
                    length = 0
                    while (header := reader.readline()) not in (b"\r\n", b""):
                        name, _, value = header.decode().partition(":")
                        if name.lower() == "content-length":
                            length = int(value)
                    status, body = self._answer(connection, method, path, reader.read(length))
                    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
                    stream.sendall(head.encode() + body)

    def _answer(self, connection, method, path, body):
        self.asked.append((method, path))
        refusal = self.instead(method, path)
        if refusal:
            status, said = refusal
            content = {"type": "error", "error": said, "error_code": status}
            if status == 200:
                content = {"type": "sync", "metadata": said}
            return status, json.dumps(content, separators=(",", ":")).encode()
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = json.loads(response.read())
        if content["type"] == "sync":
            content["metadata"] = self.change(method, path, content["metadata"])
        return response.status, json.dumps(content).encode()
