# SPDX-License-Identifier: Apache-2.0
"""What LXD itself tells of every change to its trust store: GET /1.0/events?type=lifecycle, a
WebSocket (RFC 6455) over the administrator's socket."""

import base64
import contextlib
import datetime
import itertools
import json
import os
import queue
import socket
import struct
import threading
from dataclasses import dataclass

TIMEOUT = 30  # seconds, until an event that LXD has to send is here
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10  # opcodes (RFC 6455 5.2)


@dataclass(frozen=True)
class Change:
    """One change to the trust store."""

    time: float
    action: str  # "created", "updated" or "deleted"
    fingerprint: str
    protocol: str  # how it was asked for: "unix" is the administrator, "tls" the charm


class Lifecycle:
    """The events of one LXD daemon, from now on. Of a cluster's member only its own: it passes on
    those of the others, and does again what they tell it, under no protocol."""

    def __init__(self, lxd):
        self._lxd = lxd
        environment = lxd.request("GET", "/1.0")["environment"]
        clustered = environment["server_clustered"]
        self._location = environment["server_name"] if clustered else "none"
        self._marks = itertools.count(1)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(lxd.directory / "unix.socket"))
        self._stream = self._socket.makefile("rb")
        self._upgrade()
        self._events = queue.Queue()  # None at the end
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._wait_for_begin()

    def changes(self):
        """All changes since the last call, in no order: LXD sends each event on its own."""
        return self._changes_until(self._mark(), TIMEOUT)

    def rest(self):
        """All changes since the last call. LXD has died."""
        changes = []
        while event := self._events.get(timeout=TIMEOUT):
            changes += changes_of(event)
        return changes

    def close(self):
        with contextlib.suppress(OSError):  # LXD may have closed it
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._stream.close()
        self._socket.close()

    def _upgrade(self):
        key = base64.b64encode(os.urandom(16)).decode()
        head = [
            "GET /1.0/events?type=lifecycle HTTP/1.1",
            "Host: lxd",
            "Connection: Upgrade",
            "Upgrade: websocket",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "",
        ]
        self._socket.sendall("".join(f"{line}\r\n" for line in head).encode())
        answer = list(iter(self._stream.readline, b"\r\n"))
        if b" 101 " not in answer[0]:
            raise OSError(f"LXD does not offer its events: {answer[0]}")

    def _wait_for_begin(self):
        """LXD promises its events somewhat before it sends them."""
        for _ in range(TIMEOUT):
            with contextlib.suppress(queue.Empty):
                self._changes_until(self._mark(), 1)
                return
        raise OSError("LXD does not send its events")

    def _mark(self):
        """Have LXD send an event that is known by its source: a profile comes, and goes again."""
        name = f"mark-{id(self)}-{next(self._marks)}"
        self._lxd.request("POST", "/1.0/profiles", {"name": name})
        self._lxd.request("DELETE", f"/1.0/profiles/{name}")
        return f"/1.0/profiles/{name}"

    def _changes_until(self, source, timeout):
        changes = []
        while event := self._events.get(timeout=timeout):
            if source_of(event) == source:
                return changes
            changes += changes_of(event)
        raise OSError("LXD's events have ended")

    def _read(self):
        """Take in this daemon's own events as they come: LXD ends it with who leaves its pings
        without an answer."""
        with contextlib.suppress(OSError):
            while frame := self._read_frame():
                opcode, data = frame
                if opcode == CLOSE:
                    break
                if opcode == PING:
                    self._answer_ping(data)
                if opcode == TEXT:
                    event = json.loads(data)
                    if event["location"] == self._location:
                        self._events.put(event)
        self._events.put(None)

    def _read_frame(self):
        """LXD sends each message in one frame. None at the end."""
        head = self._stream.read(2)
        if len(head) < 2:
            return None
        length = head[1]
        if length == 126:
            (length,) = struct.unpack("!H", self._stream.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._stream.read(8))
        return head[0] & 0x0F, self._stream.read(length)

    def _answer_ping(self, data):
        mask = bytes(4)  # a client has to mask, with anything
        self._socket.sendall(bytes([0x80 | PONG, 0x80 | len(data)]) + mask + data)


def source_of(event):
    return event["metadata"]["source"].partition("?")[0]


def changes_of(event):
    """The change to the trust store that the event is about, if it is."""
    action = event["metadata"]["action"]
    if not action.startswith("certificate-"):
        return []
    moment = event["timestamp"].removesuffix("Z")[:26]  # microseconds will do
    time = datetime.datetime.fromisoformat(moment).replace(tzinfo=datetime.timezone.utc)
    fingerprint = source_of(event).rpartition("/")[2]
    protocol = event["metadata"]["requestor"]["protocol"]
    return [Change(time.timestamp(), action.removeprefix("certificate-"), fingerprint, protocol)]
