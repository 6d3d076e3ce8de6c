"""A proxy between a client and the server that cuts the connection at a chosen point of a chosen call."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

# ReadyForQuery, but for its last byte: everything that was asked for is done.
_READY = b"Z\x00\x00\x00\x05"


class Proxy:
    """Listens on a Unix socket in `directory`; give `dsn` to the client in place of the server's."""

    def __init__(self, dsn: str, directory: Path) -> None:
        server = conninfo_to_dict(dsn)
        self._host, self._port = str(server.get("host") or ""), int(server.get("port") or 5432)
        self.dsn = make_conninfo(dsn, host=str(directory), port="5432", sslmode="disable", gssencmode="disable")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / ".s.PGSQL.5432"))
        self._listener.listen()
        self._lock = threading.Lock()
        self._cuts: list[tuple[bytes, str]] = []
        self.made = 0
        """How many cuts were made."""
        self.refuse = False
        """Close every new connection at once, as if no server were there."""
        self.refused = 0
        """How many connections were refused."""
        self.on_cut: Callable[[], object] = lambda: None
        """Is called when a connection is cut, before the client can notice."""
        self._answers = bytearray()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def cut(self, words: str, when: str) -> None:
        """Cut the next connection that sends these words, once.

        when: ``before`` the server gets them; ``inside`` the message, so that it gets a part; ``after`` the server has
        done everything and answered, with nothing of the answer handed on.
        """
        with self._lock:
            self._cuts.append((words.encode(), when))

    def stop(self) -> None:
        """Be gone, as a server that was stopped: for the connections that there are and for new ones."""
        self.refuse = True
        self._shut_all()

    def _shut_all(self) -> None:
        with self._lock:
            for one in self._open:
                with suppress(OSError):  # gone by itself
                    one.shutdown(socket.SHUT_RDWR)

    def answered(self, words: str) -> int:
        """Return how often the server has sent these words."""
        with self._lock:
            return self._answers.count(words.encode())

    def close(self) -> None:
        """Close everything, and wait until nobody works on it any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self._shut_all()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a connection is still served"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            if self.refuse:
                self.refused += 1
                client.close()
                continue
            with self._lock:
                self._open.add(client)
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _server(self) -> socket.socket:
        if self._host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{self._host}/.s.PGSQL.{self._port}")
            return server
        return socket.create_connection((self._host, self._port))

    def _wanted(self, data: bytes) -> str | None:
        with self._lock:
            for cut in self._cuts:
                if cut[0] in data:
                    self._cuts.remove(cut)
                    self.made += 1
                    return cut[1]
        return None

    def _serve(self, client: socket.socket) -> None:
        with client, self._server() as server, selectors.DefaultSelector() as selector:
            with self._lock:
                self._open.add(server)
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            try:
                while self._pass_on(client, server, selector):
                    pass
            except OSError:  # One side went away: so does the other.
                pass
            finally:
                with self._lock:
                    self._open -= {client, server}

    def _pass_on(self, client: socket.socket, server: socket.socket, selector: selectors.BaseSelector) -> bool:
        for key, _ in selector.select():
            source, target = key.fileobj, key.data
            assert isinstance(source, socket.socket)
            data = source.recv(1 << 20)
            if not data:
                return False
            when = self._wanted(data) if source is client else None
            if when is not None:
                self._cut(data, client, server, when)
                return False
            if source is server:
                with self._lock:
                    self._answers += data
            target.sendall(data)
        return True

    def _cut(self, data: bytes, client: socket.socket, server: socket.socket, when: str) -> None:
        if when == "inside":
            server.sendall(data[: len(data) // 2])
        if when == "after":
            server.sendall(data)
            self._withhold_answer(client, server)
        self.on_cut()

    @staticmethod
    def _withhold_answer(client: socket.socket, server: socket.socket) -> None:
        """Wait until the server has done everything. What the client sends may come in more than one piece."""
        answer = b""
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_READ)
            while not answer[:-1].endswith(_READY):
                for key, _ in selector.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    data = source.recv(1 << 20)
                    if not data:
                        raise OSError("one side went away before the server had done everything")
                    if source is client:
                        server.sendall(data)
                    else:
                        answer += data
