"""A proxy before a server, in one thread, that loses connections at chosen points and can be led to another server."""

from __future__ import annotations

import selectors
import socket
import threading
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path

# ReadyForQuery, but for its last byte: everything that was asked for is done.
_READY = b"Z\x00\x00\x00\x05"
_COMMITTED = b"Z\x00\x00\x00\x05I"
_MEGABYTE = 1 << 20
WRITES = (
    b"fsm.create_session", b"fsm.save_session(", b"fsm.save_sessions", b"fsm.send_event", b"fsm.update_context",
    b"fsm.rollback_session", b"fsm.fork_session",
)  # fmt: skip
BEFORE, INSIDE, AFTER, PART = "before", "inside", "after", "part of the answer"
# What a pooler does whose server goes away between the last result and ReadyForQuery.
ERROR_AT_LAST = "answer with an error behind it"
# The same when its server goes away in the middle of a row, of which it has handed the beginning on.
ERROR_WITHIN = "answer with an error in a row"
_MISSING = 44
"""Bytes: what follows the row, and the end of the row itself."""
CUTS = (BEFORE, INSIDE, AFTER, PART, ERROR_AT_LAST, ERROR_WITHIN)
_ERROR = b"SFATAL\0VFATAL\0C08P01\0Mserver conn crashed?\0\0"
_ERROR_MESSAGE = b"E" + (len(_ERROR) + 4).to_bytes(4, "big") + _ERROR


class _Side:
    """One end of a connection, with what is still to be sent to it."""

    __slots__ = ("answer", "cut", "is_client", "other", "socket", "unsent")

    def __init__(self, one: socket.socket, is_client: bool) -> None:
        self.socket = one
        self.is_client = is_client
        self.other: _Side = self
        self.unsent = bytearray()
        self.cut: str | None = None
        """What is to be done with the answer that the server is at."""
        self.answer = bytearray()


class Gate:
    """Listens on a Unix socket in ``directory``; leads to the server whose socket ``target`` is."""

    def __init__(self, directory: Path, target: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.target = target
        self.open = True
        """False: new connections are closed at once."""
        self.cuts: Counter[str] = Counter()
        """How many of each kind were made."""
        self._wanted: deque[tuple[str, tuple[bytes, ...]]] = deque()
        self._orders: deque[str] = deque()
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        address = directory / ".s.PGSQL.5432"
        address.unlink(missing_ok=True)
        self._listener.bind(str(address))
        address.chmod(0o777)
        self._listener.listen(256)
        self._listener.setblocking(False)
        self._bell, self._ear = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._ear, selectors.EVENT_READ, None)
        self._sides: set[_Side] = set()
        self._thread = threading.Thread(target=self._run, name=f"gate {directory.name}", daemon=True)
        self._thread.start()

    def cut(self, when: str, words: bytes | None = None) -> None:
        """Cut the next connection that sends a write, or these words: see CUTS."""
        self._wanted.append((when, (words,) if words else WRITES))

    def lead_to(self, target: Path) -> None:
        """Lead new connections elsewhere, and end those that there are."""
        self.target = target
        self._order("drop")

    def close(self) -> None:
        """End."""
        self._order("end")
        self._thread.join(10)

    def _order(self, what: str) -> None:
        self._orders.append(what)
        self._bell.send(b"!")

    # -- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            for key, events in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._ear:
                    self._ear.recv(100)
                elif key.data in self._sides:
                    self._serve(key.data, events)
            while self._orders:
                if self._orders.popleft() == "end":
                    self._listener.close()
                    for side in list(self._sides):
                        self._drop(side)
                    return
                for side in list(self._sides):
                    self._drop(side)

    def _accept(self) -> None:
        try:
            one, _ = self._listener.accept()
        except OSError:
            return
        server = socket.socket(socket.AF_UNIX)
        try:
            if not self.open:
                raise ConnectionRefusedError
            server.connect(str(self.target))
        except OSError:  # the server is down: so are we
            one.close()
            server.close()
            return
        client, back = _Side(one, True), _Side(server, False)
        client.other, back.other = back, client
        for side in (client, back):
            side.socket.setblocking(False)
            self._sides.add(side)
            self._selector.register(side.socket, selectors.EVENT_READ, side)

    def _serve(self, side: _Side, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._flush(side)
            if events & selectors.EVENT_READ:
                data = side.socket.recv(_MEGABYTE)
                if not data:
                    raise ConnectionResetError
                self._pass_on(side, data)
        except BlockingIOError:
            pass
        except OSError:  # one side went away: so does the other
            self._drop(side)

    def _pass_on(self, source: _Side, data: bytes) -> None:
        if source.is_client:
            if source.cut is None and self._wanted and any(words in data for words in self._wanted[0][1]):
                source.cut, _ = self._wanted.popleft()
                self.cuts[source.cut] += source.cut in (BEFORE, INSIDE)
                if source.cut == BEFORE:
                    raise ConnectionResetError
                if source.cut == INSIDE:
                    source.other.socket.send(data[: len(data) // 2])
                    raise ConnectionResetError
        elif source.other.cut is not None:
            self._withhold(source, source.other, data)
            return
        self._send(source.other, data)

    def _withhold(self, server: _Side, client: _Side, data: bytes) -> None:
        """Keep the answer back until it is whole; what is done then is done, and nobody is told, or half of it."""
        server.answer += data
        if not server.answer[:-1].endswith(_READY):
            return
        if client.cut == PART:
            with suppress(OSError):
                client.socket.send(server.answer[: len(server.answer) // 2])
        if client.cut == ERROR_AT_LAST:
            with suppress(OSError):
                client.socket.send(server.answer[: -len(_COMMITTED)] + _ERROR_MESSAGE)
        if client.cut == ERROR_WITHIN:
            with suppress(OSError):
                client.socket.send(server.answer[:-_MISSING] + _ERROR_MESSAGE)
        self.cuts[client.cut or ""] += 1
        if server.answer.endswith(_COMMITTED) and b"SELECT 1\x00" in server.answer:
            self.cuts["lost after commit"] += 1
        raise ConnectionResetError

    def _send(self, side: _Side, data: bytes) -> None:
        side.unsent += data
        self._flush(side)

    def _flush(self, side: _Side) -> None:
        with suppress(BlockingIOError):
            while side.unsent:
                del side.unsent[: side.socket.send(side.unsent)]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if side.unsent else 0)
        if self._selector.get_key(side.socket).events != wanted:
            self._selector.modify(side.socket, wanted, side)

    def _drop(self, side: _Side) -> None:
        for one in (side, side.other):
            if one in self._sides:
                self._sides.discard(one)
                self._selector.unregister(one.socket)
                one.socket.close()
