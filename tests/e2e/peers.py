# SPDX-License-Identifier: Apache-2.0
"""Peers on loopback that are not LXD, or stand before it and take notes."""

import contextlib
import socket
import ssl
import struct
import threading

ALERT, HANDSHAKE, APPLICATION_DATA = 21, 22, 23  # TLS record types (RFC 8446 5.1)


class Peer:
    """A listener; one thread for each connection. Use as a context manager."""

    def __init__(self):
        self.received = []  # one bytearray for each connection: what the client sent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "https://127.0.0.1:%d" % self._listener.getsockname()[1]
        self._threads = []

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.join()

    @property
    def connections(self):
        return len(self.received)

    def serve(self, client, received):
        """Talk to one client and note what it says; the socket is closed afterwards."""
        raise NotImplementedError

    def join(self):
        """Wait for the end of all that was begun."""
        for thread in self._threads:
            thread.join()

    def _start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        with contextlib.suppress(OSError):  # the listener is closed: that is the end
            while True:
                client, _ = self._listener.accept()
                self.received.append(bytearray())
                self._start(self._serve_and_close, client, self.received[-1])

    def _serve_and_close(self, client, received):
        with client, contextlib.suppress(OSError):
            self.serve(client, received)


class BlackHole:
    """An address that drops what comes: Linux does so where a listener's backlog is full."""

    certificate = ""

    def __enter__(self):
        self._sockets = [socket.socket()]
        self._sockets[0].bind(("127.0.0.1", 0))
        self._sockets[0].listen(0)
        address = self._sockets[0].getsockname()
        self.url = "https://127.0.0.1:%d" % address[1]
        for _ in range(4):
            self._sockets.append(socket.socket())
            self._sockets[-1].setblocking(False)
            self._sockets[-1].connect_ex(address)
        return self

    def __exit__(self, *_):
        for each in self._sockets:
            each.close()


class Hole(Peer):
    """Accepts connections, and says nothing."""

    certificate = ""

    def __init__(self, given_up=lambda: None):
        super().__init__()
        self._given_up = given_up

    def serve(self, client, received):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                received += data
        self._given_up()


class Proxy(Peer):
    """Passes everything on to a server, and keeps what the client sent."""

    def __init__(self, host, port):
        super().__init__()
        self.lead_to(host, port)

    def lead_to(self, host, port):
        """From the next connection on."""
        self._target = (host, port)

    def serve(self, client, received):
        with socket.create_connection(self._target) as server:
            back = threading.Thread(target=copy, args=(server, client, bytearray()), daemon=True)
            back.start()
            copy(client, server, received)
            back.join()


def copy(source, target, copied):
    """Copy until the source ends, then end the target."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            copied += data
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class PlainPeer(Peer):
    """Says one thing to whoever connects, and no TLS."""

    def __init__(self, answer):
        super().__init__()
        self._answer = answer

    def serve(self, client, received):
        received += client.recv(65536)
        client.sendall(self._answer)


class TlsPeer(Peer):
    """Ends TLS itself: it notes what the client sent inside, and gives one answer to it."""

    def __init__(self, certificate, key, answer=b"", maximum_version=ssl.TLSVersion.TLSv1_3):
        super().__init__()
        self._answer = answer
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.maximum_version = maximum_version
        self._context.load_cert_chain(certificate, key)

    def serve(self, client, received):
        with self._context.wrap_socket(client, server_side=True) as stream:
            received += stream.recv(65536)
            stream.sendall(self._answer)
            with contextlib.suppress(ssl.SSLError):
                stream.unwrap()


def tls_records(data):
    """The TLS records in what a client sent: a list of (type, length)."""
    records, offset = [], 0
    while offset < len(data):
        kind, _, length = struct.unpack_from("!BHH", data, offset)
        records.append((kind, length))
        offset += 5 + length
    return records
