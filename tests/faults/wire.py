"""A proxy before Postgres that reads the protocol and strikes at a named message.

The loader under test stays as it is: a fault is placed by what it says to Postgres, not by a hook in it. A message can
be kept back, passed on by half, passed on whole, or passed on with only its answer kept back.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal

_SO_ATTACH_FILTER: Final = 26
Passed = Literal["nothing", "half", "whole", "answered"]


@dataclass(frozen=True, slots=True)
class Point:
    """A message of the loader, and how far it has come when the fault strikes.

    Parameters
    ----------
    passed : str
        What reached Postgres before: ``nothing``, ``half``, ``whole`` (the answer is not awaited), or ``answered``
        (Postgres has answered, and the loader has not heard it).
    statement : str
        Part of the SQL text; empty is any message.
    kind : str
        ``Q`` the statement itself, ``d`` data of its COPY, ``c`` the end of its COPY.
    """

    passed: Passed
    statement: str = ""
    kind: Literal["Q", "d", "c"] = "Q"


POINTS: Final = {
    "before the cursor is locked": Point("nothing", "FOR UPDATE"),
    "before the requests are numbered": Point("nothing", "INSERT INTO llmmon.request_identity"),
    "before COPY of facts": Point("nothing", "COPY llmmon.request_log"),
    "within COPY of facts": Point("half", "COPY llmmon.request_log", "d"),
    "after COPY of facts": Point("whole", "COPY llmmon.request_log", "c"),
    "within COPY of texts": Point("half", "COPY llmmon.request_payload", "d"),
    "before the batch row": Point("nothing", "INSERT INTO llmmon.ingest_batch"),
    "within COPY of bad rows": Point("half", "COPY llmmon.quarantine", "d"),
    "before the audit event": Point("nothing", "INSERT INTO audit.event"),
    "before the cursor moves": Point("nothing", "UPDATE llmmon.source_cursor"),
    "before COMMIT": Point("nothing", "COMMIT"),
    "while COMMIT runs": Point("whole", "COMMIT"),
    "after COMMIT, before its answer": Point("answered", "COMMIT"),
}
"""Where a load can be struck, in order."""


@dataclass(slots=True)
class Link:
    """One connection of a loader, as the proxy sees it."""

    client: socket.socket
    server: socket.socket
    backend_pid: int = 0
    statement: str = ""
    is_load: bool = False
    answer: Strike | None = None

    def cut(self) -> None:
        """Break the connection on both sides."""
        for side in (self.client, self.server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def silence(self) -> None:
        """Let every further packet to us vanish unanswered, on both sides."""
        drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # the BPF program `ret 0`
        for side in (self.client, self.server):
            side.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(drop_all)))


@dataclass(slots=True)
class Strike:
    """A fault that waits for its moment.

    Parameters
    ----------
    act : callable
        Does the harm, given the link; returns whether the conversation may go on.
    occurrence : int
        How many matching messages pass unharmed before.
    happened, over : Event
        Its moment came; the harm is done.
    """

    point: Point
    act: Callable[[Link], bool]
    occurrence: int = 0
    happened: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def matches(self, link: Link, kind: str) -> bool:
        """Return whether the message that `link` sends now is the one."""
        point = self.point
        if point.statement == "COMMIT":  # of the transaction that loads; others commit too
            found = kind == "Q" and link.statement == "COMMIT" and link.is_load
        else:
            found = not point.statement or (kind == point.kind and point.statement in link.statement)
        if not found:
            return False
        self.occurrence -= 1
        return self.occurrence < 0


class Wire:
    """A port through which loaders reach Postgres, and where at most one fault waits."""

    def __init__(self, port: int) -> None:
        self._upstream = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._armed: Strike | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="wire", daemon=True).start()

    def arm(self, strike: Strike | None) -> None:
        """Let `strike` wait for its moment in place of what waited before."""
        with self._lock:
            self._armed = strike

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._upstream)
                except OSError:  # Postgres is down, which the loader sees as a refusal
                    client.close()
                    continue
                for side in (client, server):
                    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link = Link(client, server)
                for pump in (self._ask, self._answer):
                    threading.Thread(target=self._run, args=(pump, link), name="wire", daemon=True).start()

    def _run(self, pump: Callable[[Link], None], link: Link) -> None:
        try:
            with suppress(OSError, EOFError):
                pump(link)
        finally:
            link.cut()

    def _ask(self, link: Link) -> None:
        """Pass the loader's messages to Postgres."""
        (length,) = struct.unpack("!i", _exactly(link.client, 4))
        link.server.sendall(struct.pack("!i", length) + _exactly(link.client, length - 4))
        while True:
            kind, message = _message(link.client)
            if kind == "Q":
                link.statement = message[5:-1].decode("utf-8", "replace")
                if link.statement.startswith("BEGIN"):
                    link.is_load = False
                link.is_load = link.is_load or "FOR UPDATE" in link.statement
            strike = self._taken(link, kind)
            if strike is None:
                link.server.sendall(message)
                continue
            n_passed = {"nothing": 0, "half": len(message) // 2, "whole": len(message)}.get(strike.point.passed)
            if n_passed is None:
                link.answer = strike
                link.server.sendall(message)
                continue
            link.server.sendall(message[:n_passed])
            if not _go_on(strike, link):
                return
            link.server.sendall(message[n_passed:])

    def _answer(self, link: Link) -> None:
        """Pass Postgres' messages to the loader."""
        while True:
            kind, message = _message(link.server)
            if kind == "K":
                link.backend_pid = struct.unpack("!i", message[5:9])[0]
            strike, link.answer = (link.answer, None) if kind == "C" else (None, link.answer)
            if strike is not None and not _go_on(strike, link):
                return
            link.client.sendall(message)

    def _taken(self, link: Link, kind: str) -> Strike | None:
        with self._lock:
            strike = self._armed
            if strike is None or not strike.matches(link, kind):
                return None
            self._armed = None
            return strike


def _go_on(strike: Strike, link: Link) -> bool:
    strike.happened.set()
    try:
        return strike.act(link)
    finally:
        strike.over.set()


def _message(side: socket.socket) -> tuple[str, bytes]:
    head = _exactly(side, 5)
    kind, length = struct.unpack("!ci", head)
    return kind.decode("ascii"), head + _exactly(side, length - 4)


def _exactly(side: socket.socket, n: int) -> bytes:
    parts = bytearray()
    while len(parts) < n:
        part = side.recv(n - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
